import comfy.sample
import pytest
import torch
from zoetrope.benchmarks.full_size import load_full_size
from zoetrope.host.injection import MotionSettings, apply_motion_module


@pytest.fixture(scope="module")
def full_size(tmp_path_factory):
    return load_full_size(tmp_path_factory.mktemp("full-size"))


def test_full_size_sd15_and_v2_module_load_and_run_one_step_at_64_pixels(full_size):
    model, module = full_size
    assert type(model.model.model_config).__name__ == "SD15"
    assert module.config.version == "v2"
    assert (
        sum(p.numel() for n, p in module.patcher.model.named_parameters() if not n.endswith(".pe"))
        == 453_209_280
    )
    moving = apply_motion_module(model, module, MotionSettings())
    latent = torch.zeros(5, 4, 8, 8)
    noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(0))
    cond = [[torch.randn(1, 77, 768), {}]]
    results = [
        comfy.sample.sample(
            m, noise, 1, 1.0, "euler", "normal", cond, cond, latent, disable_pbar=True, seed=0
        )
        for m in (moving, model)
    ]
    assert all(r.shape == latent.shape and torch.isfinite(r).all() for r in results)
    assert (results[0] - results[1]).abs().max() > 0.01
