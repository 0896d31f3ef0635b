"""Video to Frames on ComfyUI's own VIDEO objects: files, trims, videos in memory; frames, sound, fps and mask."""
import av
import numpy as np
import pytest
import torch
from comfy_api.latest import InputImpl, Types
from zoetrope.host import video as host
from zoetrope.video_io.frame_plan import FrameWish

HEIGHT, WIDTH, FRAMES, RATE = 34, 46, 23, 10


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Frames that get lighter and a sound that gets louder."""
    path = str(tmp_path_factory.mktemp("v") / "x.mkv")
    with av.open(path, "w") as container:
        picture, sound = container.add_stream("ffv1", rate=RATE), container.add_stream("flac", rate=8000, layout="mono")
        picture.pix_fmt, picture.height, picture.width = "yuv444p", HEIGHT, WIDTH
        for i in range(FRAMES):
            container.mux(picture.encode(av.VideoFrame.from_ndarray(np.full((HEIGHT, WIDTH, 3), 10 * i, np.uint8), format="rgb24")))
        container.mux(picture.encode())
        wave = (np.linspace(0, 1, 800 * FRAMES) * 32000).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(wave[None], format="s16", layout="mono")
        frame.rate, frame.pts = 8000, 0
        container.mux(sound.encode(frame))
        container.mux(sound.encode())
    return path


def take(video, width=0, height=0, resize="keep ratio", multiple=1, **wish):
    return host.video_frames(video, host.FrameOptions(FrameWish(**wish), (width, height, resize, multiple)))


def numbers(found):
    return [round(float(level) * 25.5) for level in found.images.mean((1, 2, 3))]


def test_a_file(path):
    found = take(InputImpl.VideoFromFile(path), skip_first_frames=5, every_nth=2, cap=4)
    assert numbers(found) == [5, 7, 9, 11] and found.fps == 5
    assert found.mask.shape == (1, 64, 64) and not found.mask.any()
    sound = found.audio["waveform"][0, 0]
    assert found.audio["sample_rate"] == 8000 and sound.shape == (6400,)
    assert float(sound[0]) == pytest.approx(5 / FRAMES, abs=0.02) and float(sound[-1]) == pytest.approx(13 / FRAMES, abs=0.02)
    assert "4 frames of 46x34 at 5 fps" in found.description and "23 frames of 46x34 at 10 fps (ffv1)" in found.description


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
    for wish in ({}, {"start_seconds": 0.7, "cap": 3}, {"force_rate": 4.0}, {"multiple": 4, "offset": 1}):
        from_file, from_memory = take(InputImpl.VideoFromFile(path), **wish), take(memory, **wish)
        assert numbers(from_memory) == numbers(from_file) and from_memory.fps == from_file.fps
        torch.testing.assert_close(from_memory.images, from_file.images, atol=0.01, rtol=0)
        assert abs(from_memory.audio["waveform"].shape[-1] - from_file.audio["waveform"].shape[-1]) <= 1
    assert take(memory, 32, 32, "pad", 8).images.shape == (FRAMES, 32, 32, 3)


def test_more_than_the_memory_is_refused(path, monkeypatch):
    monkeypatch.setattr(host.comfy.model_management, "get_free_memory", lambda device: 1000)
    with pytest.raises(ValueError, match="23 frames of 48x32 need .* take fewer frames"):
        take(InputImpl.VideoFromFile(path), multiple=16)
