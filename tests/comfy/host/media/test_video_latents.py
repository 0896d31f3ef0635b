"""Video to Latents as a function: the latents of one go, whatever the chunk;
VAEs it cannot serve are refused.
"""

from fractions import Fraction
from types import SimpleNamespace

import av
import numpy as np
import pytest
import torch
from comfy_api.latest import InputImpl, Types
from zoetrope.demo import play, world
from zoetrope.host.media.latent_stream import ChunkRequest
from zoetrope.host.media.video import FrameOptions
from zoetrope.host.media.video_latents import video_latents
from zoetrope.tests.comfy.host.media.small_vaes import image_vae
from zoetrope.tests.rounding import assert_same

PLAIN = FrameOptions.of()


@pytest.fixture(scope="module")
def vae():
    return play.load_family().vae


@pytest.fixture(scope="module")
def frames():
    return world.render_clip(world.scene_from_seed(3), 7).movedim(1, -1)


@pytest.mark.parametrize("chunk", [2, 7, 50])
def test_frames_in_memory_become_the_latents_of_vae_encode(vae, frames, chunk):
    video = InputImpl.VideoFromComponents(Types.VideoComponents(images=frames, frame_rate=Fraction(8)))
    found = video_latents(video, vae, PLAIN, chunk)
    assert_same(found.samples, vae.encode(frames))
    assert found.fps == 8 and found.audio is None


def test_a_vae_whose_latents_hold_several_frames_is_refused():
    with pytest.raises(
        ValueError, match="encodes several frames into one latent.*use Video to Frames and VAE Encode"
    ):
        video_latents(None, SimpleNamespace(latent_dim=3), PLAIN, 4)


def test_the_sound_lasts_as_long_as_the_frames_of_a_rate_that_varies(tmp_path, vae):
    """Frames at 0, 0.1, 0.2 and 1.2 s: the first three stand for 1.2 s."""
    with av.open(str(tmp_path / "x.mkv"), "w") as container:
        image = container.add_stream("ffv1", rate=10)
        sound = container.add_stream("flac", rate=8000, layout="mono")
        image.pix_fmt, image.height, image.width = "yuv444p", 16, 24
        for index in (0, 1, 2, 12):
            frame = av.VideoFrame.from_ndarray(np.zeros((16, 24, 3), np.uint8), format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 10)
            container.mux(image.encode(frame))
        container.mux(image.encode())
        wave = av.AudioFrame.from_ndarray(np.ones((1, 16000), np.int16), format="s16", layout="mono")
        wave.rate, wave.pts = 8000, 0
        container.mux(sound.encode(wave))
        container.mux(sound.encode())
    options = FrameOptions.of(frame_cap=3)
    found = video_latents(InputImpl.VideoFromFile(str(tmp_path / "x.mkv")), vae, options, 2)
    assert len(found.samples) == 3 and found.fps == pytest.approx(2.5)
    assert found.audio["waveform"].shape[-1] == 9600


def encoded(tmp_path, count, name="v.mkv"):
    """A video of so many grey frames of 64x48."""
    with av.open(str(tmp_path / name), "w") as container:
        stream = container.add_stream("ffv1", rate=8)
        stream.pix_fmt, stream.height, stream.width = "yuv444p", 48, 64
        for _ in range(count):
            container.mux(
                stream.encode(av.VideoFrame.from_ndarray(np.full((48, 64, 3), 99, np.uint8), format="rgb24"))
            )
        container.mux(stream.encode())
    return InputImpl.VideoFromFile(str(tmp_path / name))


@pytest.mark.parametrize("in_memory", [False, True])
@pytest.mark.parametrize("tile_size", [-64, -1, 1, 2, 7, 63])
def test_tiles_too_small_for_a_vae_are_refused_before_anything_is_read(
    tmp_path, vae, frames, tile_size, in_memory
):
    missing = InputImpl.VideoFromFile(str(tmp_path / "there is none.mp4"))
    video = (
        InputImpl.VideoFromComponents(Types.VideoComponents(images=frames, frame_rate=Fraction(8)))
        if in_memory
        else missing
    )
    with pytest.raises(
        ValueError,
        match=f"tile_size={tile_size} must be 0 .whole frames. or at least 64 pixels; 512 is usual",
    ):
        video_latents(video, vae, PLAIN, 4, tile_size)
    with pytest.raises(ValueError, match=f"tile_size={tile_size} must be 0"):
        ChunkRequest(8, 4, tile_size)


@pytest.mark.parametrize("tile_size", [64, 65, 4096])
def test_the_smallest_tiles_are_encoded(tmp_path, tile_size):
    with torch.inference_mode():  # as ComfyUI runs nodes
        found = video_latents(encoded(tmp_path, 3), image_vae(), PLAIN, 2, tile_size)
    assert found.samples.shape == (3, 4, 6, 8)
    torch.testing.assert_close(found.samples[0], found.samples[2])


@torch.inference_mode()
def test_the_latents_of_all_frames_are_counted_with_the_first_chunk(tmp_path, monkeypatch):
    """5 frames of 64x48 are 5 * 4 * 8 * 6 numbers of 4 bytes, twice: 7680 bytes."""
    from zoetrope.host.media import video_latents as module

    video, seen = encoded(tmp_path, 5), []
    vae = image_vae()
    encode = vae.encode
    monkeypatch.setattr(vae, "encode", lambda pixels: seen.append(len(pixels)) or encode(pixels))
    left = [7679]
    monkeypatch.setattr(module, "free_memory", lambda: left[0] if seen else 1 << 30)
    told = "the latents of 5 frames need .* are free; take fewer frames or a smaller size"
    with pytest.raises(ValueError, match=told):
        video_latents(video, vae, PLAIN, 2)
    assert seen == [2]
    seen.clear()
    left[0] = 7680
    assert len(video_latents(video, vae, PLAIN, 2).samples) == 5
