"""Video to Latents as a function: the latents of one go, whatever the chunk; VAEs it cannot serve are refused."""
from fractions import Fraction
from types import SimpleNamespace

import pytest
import torch
from comfy_api.latest import InputImpl, Types
from zoetrope.demo import play, world
from zoetrope.host.video import FrameOptions
from zoetrope.host.video_latents import video_latents

PLAIN = FrameOptions.of("none", "any", 8, 0, 0, "keep ratio")


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
    torch.testing.assert_close(found.samples, vae.encode(frames), atol=1e-5, rtol=0)
    assert found.fps == 8 and found.audio is None


def test_a_vae_whose_latents_hold_several_frames_is_refused():
    with pytest.raises(ValueError, match="encodes several frames into one latent.*use Video to Frames and VAE Encode"):
        video_latents(None, SimpleNamespace(latent_dim=3), PLAIN, 4)


def test_the_sound_lasts_as_long_as_the_frames_of_a_rate_that_varies(tmp_path, vae):
    """Frames at 0, 0.1, 0.2 and 1.2 s: the first three stand for 1.2 s."""
    import av
    import numpy as np

    with av.open(str(tmp_path / "x.mkv"), "w") as container:
        picture = container.add_stream("ffv1", rate=10)
        sound = container.add_stream("flac", rate=8000, layout="mono")
        picture.pix_fmt, picture.height, picture.width = "yuv444p", 16, 24
        for index in (0, 1, 2, 12):
            frame = av.VideoFrame.from_ndarray(np.zeros((16, 24, 3), np.uint8), format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 10)
            container.mux(picture.encode(frame))
        container.mux(picture.encode())
        wave = av.AudioFrame.from_ndarray(np.ones((1, 16000), np.int16), format="s16", layout="mono")
        wave.rate, wave.pts = 8000, 0
        container.mux(sound.encode(wave))
        container.mux(sound.encode())
    options = FrameOptions.of("none", "any", 8, 0, 0, "keep ratio", cap=3)
    found = video_latents(InputImpl.VideoFromFile(str(tmp_path / "x.mkv")), vae, options, 2)
    assert len(found.samples) == 3 and found.fps == pytest.approx(2.5)
    assert found.audio["waveform"].shape[-1] == 9600
