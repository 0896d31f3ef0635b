"""Videos of the published video networks, eps, v and EDM, are inverted, and come back."""

import pytest
import torch
from zoetrope.host.sampling.invert_video import invert_video
from zoetrope.host.video_models.loader import video_model_from_file
from zoetrope.samplers.inversion import InversionSettings
from zoetrope.tests.comfy.host.context_rig import seeded
from zoetrope.tests.networks.video_networks import VIDEO_NETWORKS


@pytest.mark.parametrize("name", VIDEO_NETWORKS)
def test_a_video_is_inverted_and_comes_back(name, tmp_path):
    tiny = VIDEO_NETWORKS[name]
    tiny.write(tmp_path / "network.pth")
    model = video_model_from_file(str(tmp_path / "network.pth")).model
    frames, table = tiny.num_frames, model.get_model_object("model_sampling").sigmas
    sigmas = torch.stack([table[(table - sigma).abs().argmin()] for sigma in (0.22, 0.2)])
    prompt, latent = tiny.prompt("positive", frames), {"samples": seeded(frames, *tiny.latent, seed=1)}
    settings = InversionSettings("fixed point", 9, 1e-5)
    inverted, inversion, _, told = invert_video(model, prompt, latent, sigmas, settings, 1e-3)
    assert "comes back with a relative error" in told
    assert inverted["samples"].shape == latent["samples"].shape
    assert not torch.equal(inversion.trajectory[0], inversion.trajectory[-1])
