"""Load Video Model and core's sampling nodes give the reference's numbers:
one golden case of every family of networks.
"""

from types import SimpleNamespace

import pytest
import torch
from comfy_extras.nodes_custom_sampler import CFGGuider, KSamplerSelect, SamplerCustomAdvanced
from zoetrope.host.sampling.dynamic_thresholding import threshold_prediction
from zoetrope.nodes.video_models import CreateDDIMSampler, CreateDDIMSigmas, LoadVideoModel, SetFrameRate
from zoetrope.shapes import fold_frames
from zoetrope.tests.networks.golden_cases import load_case
from zoetrope.tests.networks.videocrafter import tensors_of_file
from zoetrope.tests.rounding import DEEP_NETWORK, assert_same
from zoetrope.video_unets.lavie import names as lavie_names
from zoetrope.video_unets.modelscope import names as modelscope_names
from zoetrope.video_unets.show1 import system as show1_system

LATENT_SCALE = 0.18215
# What shapes cannot tell: the golden networks have other numbers of heads than the published ones.
HEADS = {
    "modelscope/unetsd_w64": [(modelscope_names, "HEAD_CHANNELS", 16)],
    "diffusers_unet3d/unet3d_w64": [(modelscope_names, "HEAD_CHANNELS", 16)],
    "lavie/base_w64": [(lavie_names, "HEADS", 2)],
    "show1/base": [(show1_system, "HEAD_CHANNELS", 16), (show1_system, "POOLING_HEADS", 4)],
}


@pytest.fixture
def load(comfy_base, monkeypatch):
    """Puts tensors into models/diffusion_models and loads them as the node does: the MODEL."""
    folder = comfy_base / "models" / "diffusion_models"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "golden_numbers.pth"

    def load_by_node(case, tensors):
        for module, name, value in HEADS.get(case, ()):
            monkeypatch.setattr(module, name, value)
        torch.save(tensors, path)
        return LoadVideoModel.execute(path.name).args[0]

    yield load_by_node
    path.unlink(missing_ok=True)


def sample(model, noise, sampler, sigmas, positive, negative, cfg):
    """SamplerCustomAdvanced from an empty latent, as a graph calls it."""
    guider = CFGGuider.execute(model, positive, negative, cfg).args[0]
    given = SimpleNamespace(seed=1, generate_noise=lambda latent: noise)
    return SamplerCustomAdvanced.execute(
        given, guider, sampler, sigmas, {"samples": torch.zeros_like(noise)}
    ).args[0]["samples"]


@pytest.mark.parametrize("case", HEADS)
def test_one_step_is_the_references_forward(load, case):
    """From sigma to 0 in one step the sampler returns x - sigma * eps
    of the first video of the golden case.
    """
    _, io, tensors = load_case(case)
    model = load(case, tensors)
    sigma = model.get_model_object("model_sampling").sigmas[io["t"][0]]
    network_input = fold_frames(io["x"][:1])
    start = network_input * (sigma**2 + 1).sqrt()  # core divides by this in front of the network
    text = [[io["y"][:1], {}]]
    out = sample(
        model,
        start / sigma,
        KSamplerSelect.execute("euler").args[0],
        torch.stack((sigma, sigma * 0)),
        text,
        text,
        1.0,
    )
    expected = start - sigma * fold_frames(io["out"][:1])[:, : start.shape[1]]
    if case.startswith("show1"):
        assert_same(out, threshold_prediction(expected, 1.5), DEEP_NETWORK)
    else:
        assert_same(out * LATENT_SCALE, expected)


@pytest.mark.parametrize(("case", "text", "cfg", "steps"), [
    ("modelscope/unetsd_w64", "y", 9.0, 4),
    ("videocrafter/t2v_512_v2_w64", "context", 3.0, 5),
    ("videocrafter/t2v_1024_v1_w64", "context", 3.0, 5),
])  # fmt: skip
def test_the_whole_loop_is_the_references(load, case, text, cfg, steps):
    meta, io, tensors = load_case(case)
    model = load(case, tensors if case in HEADS else tensors_of_file(case))
    positive, negative = ([[io[text][i : i + 1], {}]] for i in (0, 1))
    positive, negative = SetFrameRate.execute(positive, negative, 28.0).args
    sigmas = CreateDDIMSigmas.execute(model, "uniform", steps, 1.0).args[0]
    out = sample(
        model,
        fold_frames(io["ddim_noise"]),
        CreateDDIMSampler.execute(0.0, True).args[0],
        sigmas,
        positive,
        negative,
        cfg,
    )
    assert_same(out * LATENT_SCALE, fold_frames(io["out_ddim"]))
