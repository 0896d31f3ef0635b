"""The frame rate embedding is MagicVideo's equation, with core's sinusoids as the oracle."""

import comfy.ldm.modules.diffusionmodules.util
import pytest
import torch
import torch.nn.functional as nnf
from zoetrope.host.injection import MotionSettings, apply_motion_module
from zoetrope.host.injection.frame_rate import FrameRate, set_frame_rate
from zoetrope.host.injection.places import places_of
from zoetrope.motion_modules.call import Call
from zoetrope.motion_modules.frame_rate import METHOD
from zoetrope.motion_modules.methods import METHODS
from zoetrope.motion_modules.points import inject
from zoetrope.tests.comfy.golden_unet import motion_module as animatediff_module
from zoetrope.tests.comfy.method_rules import Case, F, H, W
from zoetrope.tests.gold_weights import gold_input
from zoetrope.tests.networks.image_unets import IMAGE_UNETS
from zoetrope.tests.rounding import assert_same

FPS = 7.5


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    return Case(METHOD, "SD1.x", tmp_path_factory.mktemp("rate"))


@pytest.mark.parametrize("kind", IMAGE_UNETS)
def test_it_is_the_equation_of_the_paper(kind, tmp_path):
    case = Case(METHOD, kind, tmp_path)
    network, unet = case.trained().patcher.model, case.fresh_unet()
    x, context = gold_input("x", (F, 4, H, W)), gold_input("context", (F, 7, case.unet.text_width))
    t, y = torch.full((F,), 500.0), None
    if unet.num_classes is not None:
        y = gold_input("y", (F, case.plain.model.adm_channels))
    with (
        torch.no_grad(),
        inject(unet, METHOD.acts(network, places_of(unet)), lambda f: Call(f, F, inputs=FPS)),
    ):
        got = unet(x, t, context=context, y=y)

    w = network.state_dict()
    waves = comfy.ldm.modules.diffusionmodules.util.timestep_embedding(torch.tensor([FPS]), 32)
    first, second = (
        (w[f"fps_embedding.linear_{n}.weight"], w[f"fps_embedding.linear_{n}.bias"]) for n in (1, 2)
    )
    rate = nnf.linear(nnf.silu(nnf.linear(waves, *first)), *second)
    oracle = case.fresh_unet()
    oracle.time_embed.register_forward_hook(lambda module, inputs, emb: emb + rate)
    assert_same(got, oracle(x, t, context=context, y=y))
    assert (got - unet(x, t, context=context, y=y)).abs().max() > 0.01


def moving(case, fps=FPS, model=None):
    module = set_frame_rate(case.trained(), FrameRate(fps))
    return apply_motion_module(model or case.plain, module, MotionSettings())


def test_the_rate_acts(case):
    slow, fast = (case.sample(moving(case, fps)) for fps in (FPS, 24.0))
    assert not torch.allclose(slow, fast, atol=1e-3)


@pytest.mark.parametrize("method", ["MagicVideo", "Make-A-Video pseudo-3D"])
def test_it_stacks_with_layers_over_frames_in_any_order(case, method):
    layers = Case(METHODS[method], "SD1.x", None)
    got = case.sample(moving(case, model=layers.moving()))
    assert torch.equal(case.sample(layers.moving(model=moving(case))), got)
    for alone in (layers.moving(), moving(case)):
        assert not torch.allclose(case.sample(alone), got, atol=1e-3)


@pytest.mark.parametrize("fps", [0.0, -1.0, 241.0, float("nan"), float("inf")])
def test_odd_rates_are_refused(fps):
    with pytest.raises(ValueError, match="fps=.* must be 0.01 to 240 frames per second"):
        FrameRate(fps)


def test_other_modules_and_checkpoints_are_refused(case):
    with pytest.raises(ValueError, match="is a module of AnimateDiff, which takes no frame rate; wire a"):
        set_frame_rate(animatediff_module("v3"), FrameRate(FPS))
    with pytest.raises(ValueError, match="for a UNet of 4 resolution levels, this checkpoint has 3"):
        moving(case, model=IMAGE_UNETS["SDXL"].model())
