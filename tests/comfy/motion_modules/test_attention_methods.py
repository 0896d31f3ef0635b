"""Tune-A-Video and SimDA give the numbers of the published code: whole UNets, trained and untrained."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from zoetrope.host.injection import MotionSettings, apply_motion_module
from zoetrope.host.injection.motion_models import motion_module_from_file
from zoetrope.motion_modules.simda import shifted_frames
from zoetrope.tests.comfy.golden_unet import forward, golden_model
from zoetrope.tests.gold_weights import gold_tensor
from zoetrope.tests.places import GOLDENS
from zoetrope.tests.rounding import assert_same

CASES = {
    "Tune-A-Video": ("tune_a_video/tav_tiny", ("attn_temp.to_out.0",)),
    "SimDA": ("simda/simda_tiny", ("D_fc2", "stadapt_up_1")),
}


def golden(method):
    """The golden tensors, the weights of the whole published UNet, and what a new module has as zeros."""
    name, zeros = CASES[method]
    shapes = json.loads((GOLDENS / f"{name}.json").read_text())["unet_shapes"]
    weights = {key: gold_tensor(key, shape, 0.5 if "conv_out" in key else 1) for key, shape in shapes.items()}
    return load_file(GOLDENS / f"{name}.safetensors"), weights, zeros


@pytest.mark.parametrize("untrained", [False, True], ids=["trained", "untrained"])
@pytest.mark.parametrize("method", CASES)
def test_the_whole_unet_is_the_published_one(method, untrained, tmp_path):
    tensors, weights, zeros = golden(method)
    if untrained:
        weights = {key: value * (not any(z in key for z in zeros)) for key, value in weights.items()}
    save_file(weights, tmp_path / "unet.safetensors")
    module = motion_module_from_file(str(tmp_path / "unet.safetensors"))
    assert module.method.name == method
    model = apply_motion_module(golden_model(out_gain=0.5), module, MotionSettings())
    got = forward(model, tensors["x"], tensors["t"], tensors["ctx"])
    assert_same(got, tensors["y_zero_init" if untrained else "y"])


def test_shifts_are_those_of_the_published_code():
    want = load_file(GOLDENS / "simda" / "simda_tiny.safetensors")["shift_map_8f_8x8"]
    assert torch.equal(shifted_frames(8, 8, 8), want.flatten(1).long())
