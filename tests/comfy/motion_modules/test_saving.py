"""What Save Temporal Layers writes of a module with MotionLoRAs: their changes are in the weights."""

import pytest
import torch
from safetensors.torch import save_file
from zoetrope.host.injection.motion_loras import add_motion_lora_from_file
from zoetrope.host.injection.motion_models import motion_module_from_file, save_motion_module
from zoetrope.tests.comfy.golden_unet import animatediff_shapes, motion_module
from zoetrope.tests.gold_weights import gold_tensor
from zoetrope.tests.rounding import WEIGHT, assert_same


@pytest.mark.parametrize("strengths", [(1.0,), (1.0, -0.5)], ids=["one", "two"])
def test_motion_loras_are_merged_and_the_module_stays_as_it_was(strengths, tmp_path):
    shapes = animatediff_shapes()["motionlora_rank4"]
    save_file({key: gold_tensor(key, shape) for key, shape in shapes.items()}, tmp_path / "lora.safetensors")
    plain = motion_module("v2")
    want = {key: value.clone() for key, value in plain.patcher.model.state_dict().items()}
    module = plain
    for strength in strengths:
        module = add_motion_lora_from_file(module, str(tmp_path / "lora.safetensors"), strength)
    save_motion_module(module, str(tmp_path / "merged.safetensors"))
    merged = motion_module_from_file(str(tmp_path / "merged.safetensors")).patcher.model.state_dict()
    once = add_motion_lora_from_file(plain, str(tmp_path / "lora.safetensors"), sum(strengths))
    once.patcher.patch_model()
    changed = once.patcher.model.state_dict()
    assert sum(not torch.equal(merged[key], want[key]) for key in want) > 20
    for key, value in changed.items():
        assert_same(merged[key], value, 4 * WEIGHT)
    once.patcher.unpatch_model()
    assert all(torch.equal(plain.patcher.model.state_dict()[key], value) for key, value in want.items())
