"""Video to Frames on ComfyUI's own VIDEO objects:
files, trims, videos in memory; frames, sound, fps and mask.
"""

import math
from fractions import Fraction

import av
import numpy as np
import pytest
import torch
from comfy_api.latest import InputImpl, Types
from zoetrope.host.media import video as host
from zoetrope.video_io.frame_plan import FrameRequest
from zoetrope.video_io.frame_size import SizeRequest

HEIGHT, WIDTH, FRAMES, RATE = 34, 46, 23, 10


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Frames that get lighter and a sound that gets louder."""
    path = str(tmp_path_factory.mktemp("v") / "x.mkv")
    with av.open(path, "w") as container:
        image, sound = (
            container.add_stream("ffv1", rate=RATE),
            container.add_stream("flac", rate=8000, layout="mono"),
        )
        image.pix_fmt, image.height, image.width = "yuv444p", HEIGHT, WIDTH
        for i in range(FRAMES):
            container.mux(
                image.encode(
                    av.VideoFrame.from_ndarray(np.full((HEIGHT, WIDTH, 3), 10 * i, np.uint8), format="rgb24")
                )
            )
        container.mux(image.encode())
        wave = (np.linspace(0, 1, 800 * FRAMES) * 32000).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(wave[None], format="s16", layout="mono")
        frame.rate, frame.pts = 8000, 0
        container.mux(sound.encode(frame))
        container.mux(sound.encode())
    return path


def take(video, width=0, height=0, resize="keep ratio", multiple=1, **wanted):
    size = SizeRequest(width, height, resize, multiple)
    return host.video_frames(video, host.FrameOptions(FrameRequest(**wanted), size))


def numbers(found):
    return [round(float(level) * 25.5) for level in found.images.mean((1, 2, 3))]


def test_a_file(path):
    found = take(InputImpl.VideoFromFile(path), skip_first_frames=5, select_every_nth=2, frame_cap=4)
    assert numbers(found) == [5, 7, 9, 11] and found.fps == 5
    assert found.mask.shape == (1, 64, 64) and not found.mask.any()
    sound = found.audio["waveform"][0, 0]
    assert found.audio["sample_rate"] == 8000 and sound.shape == (6400,)
    assert float(sound[0]) == pytest.approx(5 / FRAMES, abs=0.02) and float(sound[-1]) == pytest.approx(
        13 / FRAMES, abs=0.02
    )
    assert (
        "4 frames of 46x34 at 5 fps" in found.description
        and "23 frames of 46x34 at 10 fps (ffv1)" in found.description
    )


def test_a_trimmed_file_counts_from_its_trim(path):
    video = InputImpl.VideoFromFile(path, start_time=0.5, duration=1.0)
    assert numbers(take(video)) == list(range(5, 15))
    assert numbers(take(video, start_seconds=0.6)) == [11, 12, 13, 14]
    assert numbers(take(video, start_seconds=0.2, duration_seconds=0.3)) == [7, 8, 9]
    with pytest.raises(ValueError, match="start_seconds=1.5 lies behind the end of the trimmed video"):
        take(video, start_seconds=1.5)


def test_a_video_in_memory_gives_the_same_frames(path):
    components = InputImpl.VideoFromFile(path).get_components()
    memory = InputImpl.VideoFromComponents(Types.VideoComponents(
        images=components.images, audio=components.audio, frame_rate=components.frame_rate))  # fmt: skip
    for wanted in (
        {},
        {"start_seconds": 0.7, "frame_cap": 3},
        {"force_rate": 4.0},
        {"multiple": 4, "offset": 1},
    ):
        from_file, from_memory = take(InputImpl.VideoFromFile(path), **wanted), take(memory, **wanted)
        assert numbers(from_memory) == numbers(from_file) and from_memory.fps == from_file.fps
        torch.testing.assert_close(from_memory.images, from_file.images, atol=0.01, rtol=0)
        assert abs(from_memory.audio["waveform"].shape[-1] - from_file.audio["waveform"].shape[-1]) <= 1
    assert take(memory, 32, 32, "pad", 8).images.shape == (FRAMES, 32, 32, 3)


def test_a_video_in_memory_keeps_its_exact_rate_and_its_sound_is_as_long():
    sound = {"waveform": torch.arange(900.0).view(1, 1, -1), "sample_rate": 3000}
    rate = Fraction(24000, 1001)
    video = InputImpl.VideoFromComponents(Types.VideoComponents(
        images=torch.rand(11, HEIGHT, WIDTH, 3), audio=sound, frame_rate=rate))  # fmt: skip
    found = take(video, skip_first_frames=2)
    assert found.fps == found.source_fps == float(rate)
    assert take(video, force_rate=23.976).images.shape[0] == 11
    wave = found.audio["waveform"][0, 0]  # from the third frame on; behind the 900th sample there is silence
    assert len(wave) == math.ceil(9 * 3000 / rate)
    assert wave[0] == 250 and wave[649] == 899 and not wave[650:].any()


TIMES = [0, 40, 80, 1080, 1120, 3120]  # ms; the sound lasts five seconds


@pytest.fixture(scope="module")
def varying(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("v") / "varying.mkv")
    with av.open(path, "w") as container:
        image = container.add_stream("ffv1", rate=25)
        sound = container.add_stream("flac", rate=8000, layout="mono")
        image.pix_fmt, image.height, image.width = "yuv444p", HEIGHT, WIDTH
        image.codec_context.time_base = image.time_base = Fraction(1, 1000)
        for i, time in enumerate(TIMES):
            frame = av.VideoFrame.from_ndarray(np.full((HEIGHT, WIDTH, 3), 10 * i, np.uint8), format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            container.mux(image.encode(frame))
        container.mux(image.encode())
        wave = (np.linspace(0, 1, 40000) * 32000).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(wave[None], format="s16", layout="mono")
        frame.rate, frame.pts = 8000, 0
        container.mux(sound.encode(frame))
        container.mux(sound.encode())
    return path


@pytest.mark.parametrize(("wanted", "want", "begin", "seconds"), [
    ({}, range(6), 0, None), ({"frame_cap": 4}, range(4), 0, 1.12),
    ({"skip_first_frames": 2, "frame_cap": 3}, [2, 3, 4], 0.08, 3.04),
    ({"select_every_nth": 2, "frame_cap": 2}, [0, 2], 0, 1.12),
    ({"start_seconds": 2.0, "duration_seconds": 1.0}, [4], 2.0, 1.0),
    ({"force_rate": 2.0, "skip_first_frames": 1, "frame_cap": 4}, [2, 3, 4, 4], 0.5, 2.0),
])  # fmt: skip
def test_a_rate_that_varies_keeps_frames_and_sound_together(wanted, want, begin, seconds, varying):
    found = take(InputImpl.VideoFromFile(varying), **wanted)
    assert numbers(found) == list(want)
    sound = found.audio["waveform"][0, 0]
    assert len(sound) == pytest.approx(8000 * len(want) / found.fps, abs=2)
    assert float(sound[0]) == pytest.approx(begin / 5, abs=0.01)
    assert seconds is None or len(want) / found.fps == pytest.approx(seconds, abs=1e-6)
    assert ("its frame rate varies" in found.description) == ("force_rate" not in wanted)
    assert 6 / 4.2 < found.source_fps < 6 / 3.12 and found.source_frames == 6


def test_a_trim_of_a_rate_that_varies(varying):
    found = take(InputImpl.VideoFromFile(varying, start_time=1.0, duration=1.5))
    assert numbers(found) == [3, 4] and found.fps == pytest.approx(2 / 1.42)  # from 1.08 to 2.5 s
    assert found.audio["waveform"].shape[-1] == pytest.approx(1.42 * 8000, abs=2)


def test_more_than_the_memory_is_refused(path, monkeypatch):
    monkeypatch.setattr(host.comfy.model_management, "get_free_memory", lambda device: 1000)
    with pytest.raises(ValueError, match="23 frames of 48x32 need .* take fewer frames"):
        take(InputImpl.VideoFromFile(path), multiple=16)
