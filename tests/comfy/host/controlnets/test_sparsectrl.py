"""SparseCtrl gives the numbers of the published code, in windows and chains too, and refuses what is none."""

import json
from functools import cache

import comfy.model_management
import comfy.utils
import pytest
import torch
from safetensors.torch import load_file, save_file
from zoetrope.host.controlnets.sparsectrl import SparseSettings, place_sparse_images
from zoetrope.host.controlnets.sparsectrl_file import sparsectrl_from_file
from zoetrope.host.controlnets.sparsectrl_network import SparseMotion
from zoetrope.host.injection import MotionSettings, apply_motion_module
from zoetrope.motion_modules.animatediff.sparsectrl import sparse_hints
from zoetrope.shapes import fold_frames, unfold_frames
from zoetrope.tests.comfy.golden_unet import golden_model, motion_module
from zoetrope.tests.gold_weights import gold_input, gold_tensor
from zoetrope.tests.places import GOLDENS
from zoetrope.tests.rounding import assert_same

B, F = 2, 8
PLACED = "0, 5"
KINDS = ["rgb", "scribble"]


@cache
def golden():
    return load_file(GOLDENS / "sparsectrl" / "sparsectrl_tiny.safetensors")


def published(kind):
    """The tensors of a file as the reference made them."""
    shapes = json.loads((GOLDENS / "sparsectrl" / "sparsectrl_tiny.json").read_text())["shapes"][kind]
    small = ("controlnet_down_blocks", "controlnet_mid_block")
    return {
        key: gold_tensor(f"sparsectrl_{kind}.{key}", shape, 0.2 if key.startswith(small) else 1.0)
        for key, shape in shapes.items()
    }


@pytest.fixture
def load(tmp_path):
    def loaded(kind, tensors=None):
        path = tmp_path / f"{kind}.safetensors"
        save_file(published(kind) if tensors is None else tensors, path)
        return sparsectrl_from_file(str(path))

    return loaded


def residuals_of(control, hints, options):
    """What the network puts out for the golden's noise level and prompts."""
    comfy.model_management.load_models_gpu(control.get_models())
    gold = golden()
    motion = SparseMotion(F, 1.0, options)
    with torch.no_grad():
        out = control.control_model(
            torch.ones(B * F, 4, 16, 16), hints, gold["t"].float().repeat_interleave(F),
            gold["ctx"].repeat_interleave(F, 0), motion=motion,
        )  # fmt: skip
    return {key: [value * 0.9 for value in values] for key, values in out.items()}


OPTIONS = {"cond_or_uncond": [0, 1]}


def golden_hints(kind):
    """The two images of each kind as the network takes them, for all frames of both videos."""
    images = golden()[{"rgb": "rgb_latents", "scribble": "scribble_images_u8"}[kind]]
    images = images.float() / 255 if kind == "scribble" else images
    rows = [{0: 0, 5: 1}.get(frame) for frame in range(F)]
    return sparse_hints(fold_frames(images), rows * B)


def assert_golden(kind, residuals):
    gold = golden()
    for name, values, i in (("down0", "output", 0), ("down3", "output", 3), ("down6", "output", 6),
                            ("down11", "output", 11), ("mid", "middle", 0)):  # fmt: skip
        found = unfold_frames(residuals[values][i], F)[:1]
        assert_same(found, gold[f"{kind}_{name}"])


@pytest.mark.parametrize("kind", KINDS)
def test_the_network_gives_the_numbers_of_the_published_code(load, kind):
    residuals = residuals_of(load(kind), golden_hints(kind), OPTIONS)
    assert_golden(kind, residuals)
    model = apply_motion_module(golden_model(), motion_module("v3"), MotionSettings())
    gold = golden()
    assert_same(unet(model, gold["x"], gold["t"], gold["ctx"], residuals), gold[f"{kind}_y"])


def unet(model, x, t, context, control):
    comfy.model_management.load_models_gpu([model, *model.get_nested_additional_models()])
    options = {**OPTIONS, "sigmas": torch.tensor([1.0]), "wrappers": model.wrappers}
    with torch.no_grad():
        y = model.model.diffusion_model(
            fold_frames(x), t.float().repeat_interleave(F), context=context.repeat_interleave(F, 0),
            control={key: list(values) for key, values in control.items()}, transformer_options=options,
        )  # fmt: skip
    return unfold_frames(y, F)


def control_of(control, model, frames=F, options=None, seed=3, size=16):
    """What core's sampler gets of a control object at the golden's noise level."""
    sampling = model.get_model_object("model_sampling")
    control.pre_run(model.model, sampling.percent_to_sigma)
    comfy.model_management.load_models_gpu(control.get_models())
    sigma = sampling.sigma(golden()["t"][:1].float()).expand(B * frames)
    x = torch.randn(B * frames, 4, size, size, generator=torch.Generator().manual_seed(seed))
    cond = {"c_crossattn": golden()["ctx"].repeat_interleave(frames, 0)}
    try:
        with torch.no_grad():
            return control.get_control(x, sigma, cond, B, {**OPTIONS, **(options or {})})
    finally:
        control.cleanup()


def scribble(load, **settings):
    """The scribble model with the golden's two images, as Apply ControlNet gives them."""
    settings = {"place": "at frames", "frames": PLACED, **settings}
    control = place_sparse_images(load("scribble"), SparseSettings(**settings))
    images = fold_frames(golden()["scribble_images_u8"].float() / 255)
    return control.copy().set_cond_hint(images, 0.9)


def test_images_of_apply_controlnet_lie_at_their_frames(load):
    assert_golden("scribble", control_of(scribble(load), golden_model()))
    back = scribble(load, frames="5, 0")
    back.cond_hint_original = back.cond_hint_original.flip(0)
    assert_golden("scribble", control_of(back, golden_model()))
