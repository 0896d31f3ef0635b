"""Video to Latents as a function: the latents of one go, whatever the chunk; VAEs it cannot serve are refused."""
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
    from fractions import Fraction

    video = InputImpl.VideoFromComponents(Types.VideoComponents(images=frames, frame_rate=Fraction(8)))
    found = video_latents(video, vae, PLAIN, chunk)
    torch.testing.assert_close(found.samples, vae.encode(frames), atol=1e-5, rtol=0)
    assert found.fps == 8 and found.audio is None


def test_a_vae_whose_latents_hold_several_frames_is_refused():
    with pytest.raises(ValueError, match="encodes several frames into one latent.*use Video to Frames and VAE Encode"):
        video_latents(None, SimpleNamespace(latent_dim=3), PLAIN, 4)
