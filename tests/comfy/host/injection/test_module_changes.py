"""Adjust Position Table and Adjust Weights: weights by hand, what a run sees, what a saved file holds."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as nnf
from safetensors.torch import load_file, save_file
from zoetrope.host.injection import MotionSettings, apply_motion_module
from zoetrope.host.injection.motion_loras import add_motion_lora_from_file
from zoetrope.host.injection.motion_models import (
    motion_module_from_file,
    new_motion_module,
    save_motion_module,
)
from zoetrope.host.injection.places import places_of
from zoetrope.host.injection.positions import adjust_positions, draw_positions
from zoetrope.host.injection.weight_changes import GROUPS, WeightChange, adjust_weights
from zoetrope.host.windows import ContextSettings, apply_context_windows
from zoetrope.motion_modules.animatediff.layers import sinusoidal_table
from zoetrope.motion_modules.methods import METHODS
from zoetrope.motion_modules.positions import PositionChange
from zoetrope.tests.comfy.golden_unet import animatediff_shapes, golden_model, motion_module, sample
from zoetrope.tests.comfy.method_rules import same
from zoetrope.tests.gold_weights import gold_tensor
from zoetrope.tests.rounding import WEIGHT, assert_same

SMALL = {"size": (8, 6), "frames": 5, "steps": 2}
SITE = "down_blocks.0.motion_modules.0.temporal_transformer."
ATTENTION = f"{SITE}transformer_blocks.0.attention_blocks.1."
TABLE = f"{ATTENTION}pos_encoder.pe"
SWEETSPOT = PositionChange(cap=16, length=24)


def moving(plain, module, **settings):
    return apply_motion_module(plain, module, MotionSettings(**settings))


def changed(module, key):
    """A weight with its patches, as ComfyUI computes it."""
    return module.patcher.patch_weight_to_device(key, return_weight=True).float()


def own(module, key):
    return module.patcher.model.get_parameter(key).float()


def stretched(rows, cap, length):
    """A sinusoidal table of the first site, stretched by torch's interpolation of pictures."""
    table = sinusoidal_table(rows, 32)[None, :, :cap]
    return nnf.interpolate(table, size=(length, 32), mode="bilinear")[0]


@pytest.fixture
def lora_file(tmp_path):
    shapes = animatediff_shapes()["motionlora_rank4"]
    save_file({key: gold_tensor(key, shape) for key, shape in shapes.items()}, tmp_path / "lora.safetensors")
    return str(tmp_path / "lora.safetensors")


def test_a_stretched_table_makes_longer_windows_possible(plain, module):
    longer = adjust_positions(module, PositionChange(cap=16, length=40))
    assert torch.allclose(own(longer, TABLE), stretched(32, 16, 40), atol=1e-6)
    assert module.config.position_length == 32 and own(module, TABLE).shape[1] == 32
    with pytest.raises(ValueError, match="37 frames are more than the 32"):
        sample(moving(plain, module), **{**SMALL, "frames": 37})
    assert sample(moving(plain, longer), **{**SMALL, "frames": 37}).isfinite().all()
    shorter = adjust_positions(module, PositionChange(cap=4))
    with pytest.raises(ValueError, match="5 frames are more than the 4"):
        sample(moving(plain, shorter), **SMALL)


def test_a_run_with_a_stretched_table_is_that_of_a_file_with_such_a_table(plain, module, tmp_path):
    save_motion_module(module, str(tmp_path / "plain.safetensors"))
    tensors = load_file(tmp_path / "plain.safetensors")
    for key in (key for key in tensors if key.endswith(".pe")):
        size = (24, tensors[key].shape[2])
        tensors[key] = nnf.interpolate(tensors[key][None, :, :16], size=size, mode="bilinear")[0]
    save_file(tensors, tmp_path / "v1.safetensors")
    want = replace(motion_module_from_file(str(tmp_path / "v1.safetensors")), config=module.config)
    got = adjust_positions(module, SWEETSPOT)
    same(sample(moving(plain, got), **SMALL), sample(moving(plain, want, group_norm="per frame"), **SMALL))
    assert not torch.allclose(
        sample(moving(plain, got), **SMALL), sample(moving(plain, module), **SMALL), atol=1e-1
    )


def test_several_in_a_row_act_one_after_another(module):
    got = adjust_positions(adjust_positions(module, PositionChange(offset_before=3)), PositionChange(cap=2))
    assert torch.allclose(own(got, TABLE), sinusoidal_table(32, 32)[:, 3:5], atol=1e-6)
    assert adjust_positions(module, PositionChange()) is module


@pytest.mark.parametrize("lora_first", [True, False])
def test_motion_loras_and_tables_go_together_and_are_saved(lora_file, tmp_path, lora_first):
    module = motion_module("v2")
    if lora_first:
        got = adjust_positions(add_motion_lora_from_file(module, lora_file, 0.7), SWEETSPOT)
    else:
        got = add_motion_lora_from_file(adjust_positions(module, SWEETSPOT), lora_file, 0.7)
    save_motion_module(got, str(tmp_path / "saved.safetensors"))
    again = motion_module_from_file(str(tmp_path / "saved.safetensors"))
    assert again.config == got.config and again.config.position_length == 24
    assert torch.allclose(own(again, TABLE), stretched(32, 16, 24), atol=1e-6)
    key = f"{ATTENTION}to_qkv.weight"
    assert_same(own(again, key), changed(add_motion_lora_from_file(module, lora_file, 0.7), key), 4 * WEIGHT)
    assert not torch.equal(own(again, key), own(module, key))


def test_a_file_that_would_be_read_as_another_is_not_written(tmp_path):
    v1 = adjust_positions(motion_module("v1", 24), PositionChange(length=29))
    with pytest.raises(ValueError, match="AnimateDiff v1 with 29 rows .* read as v3"):
        save_motion_module(v1, str(tmp_path / "v1.safetensors"))
    lcm = motion_module("v3", None)
    save_motion_module(lcm, str(tmp_path / "lcm.safetensors"))
    for other in (
        adjust_positions(lcm, PositionChange(cap=32, length=64)),
        adjust_weights(lcm, WeightChange("position table", 0.5)),
    ):
        with pytest.raises(ValueError, match="AnimateLCM has no position table, so the adjusted one"):
            save_motion_module(other, str(tmp_path / "lost.safetensors"))
    assert not (tmp_path / "lost.safetensors").exists()


def new(method):
    return new_motion_module(METHODS[method], places_of(golden_model().model.diffusion_model))


@pytest.mark.parametrize("method", [name for name, method in METHODS.items() if method.with_positions])
def test_every_method_with_tables_gets_longer_ones(method):
    module = new(method)
    got = adjust_positions(module, PositionChange(stretch=3))
    before, after = (
        {key: value.shape[1] for key, value in m.patcher.model.named_parameters() if key.endswith(".pe")}
        for m in (module, got)
    )
    layers = {key for key in before if "pose_encoder." not in key}  # that of CameraCtrl has its own
    assert layers and after == {key: rows + 3 * (key in layers) for key, rows in before.items()}
    assert got.method.longest(got.config) == min(after.values())


def test_a_method_without_tables_is_refused():
    with pytest.raises(ValueError, match="a module of Tune-A-Video, which has no position table"):
        adjust_positions(new("Tune-A-Video"), SWEETSPOT)
    with pytest.raises(ValueError, match="no weights of the group 'position table'"):
        adjust_weights(new("Tune-A-Video"), WeightChange("position table", 2.0))


def test_the_picture_shows_both_tables(module):
    picture = draw_positions(module, adjust_positions(module, SWEETSPOT))
    assert picture.shape[0] == 1 and picture.shape[-1] == 3
    assert not torch.equal(picture, draw_positions(module, module))


QKV, OUT = f"{ATTENTION}to_qkv.weight", f"{ATTENTION}to_out.0."
HAVE = {  # group: parts of the network's weights that are changed (name, rows of 96, or all)
    "position table": {TABLE: (0, None)},
    "attention": {QKV: (0, None), f"{OUT}weight": (0, None), f"{OUT}bias": (0, None)},
    "attention q": {QKV: (0, 32)},
    "attention k": {QKV: (32, 64)},
    "attention v": {QKV: (64, 96)},
    "attention out weight": {f"{OUT}weight": (0, None)},
    "attention out bias": {f"{OUT}bias": (0, None)},
    "other": {f"{SITE}{name}": (0, None) for name in ("proj_in.bias", "norm.weight", "proj_out.weight")}
    | {f"{SITE}transformer_blocks.0.{name}": (0, None) for name in ("norms.0.bias", "ff.net.0.proj.weight")},
}
HAVE["all"] = {key: (0, None) for group in HAVE.values() for key in group}


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_of_weights_is_multiplied_and_added_to(module, group):
    got = adjust_weights(module, WeightChange(group, 1.5, -0.25))
    for key in HAVE["all"]:
        want = own(module, key).clone()
        if key in HAVE[group]:
            first, last = HAVE[group][key]
            want[first:last] = want[first:last] * 1.5 - 0.25
        assert_same(changed(got, key), want, 4 * WEIGHT)
    if group != "all":
        assert sum(key not in HAVE[group] for key in HAVE["all"]) > 0


def test_changes_and_motion_loras_act_in_their_order(lora_file):
    module, factor = motion_module("v2"), WeightChange("attention", 0.5, 0.125)
    lora = changed(add_motion_lora_from_file(module, lora_file, 1.0), QKV) - own(module, QKV)
    before = adjust_weights(add_motion_lora_from_file(module, lora_file, 1.0), factor)
    behind = add_motion_lora_from_file(adjust_weights(module, factor), lora_file, 1.0)
    assert_same(changed(before, QKV), (own(module, QKV) + lora) * 0.5 + 0.125, 8 * WEIGHT)
    assert_same(changed(behind, QKV), own(module, QKV) * 0.5 + 0.125 + lora, 8 * WEIGHT)
    twice = adjust_weights(adjust_weights(module, factor), WeightChange("all", 2.0))
    assert_same(changed(twice, QKV), own(module, QKV) + 0.25, 8 * WEIGHT)
    table = adjust_positions(adjust_weights(module, WeightChange("position table", 3.0)), SWEETSPOT)
    assert torch.allclose(changed(table, TABLE), 3 * stretched(32, 16, 24), atol=1e-5)


def test_keys_times_a_factor_are_the_attention_scale(plain, module):
    """Another way to say it, in windows too; and the checkpoint and the module stay as they were."""
    before = sample(plain, **SMALL)
    run, windows = {**SMALL, "frames": 7}, ContextSettings(context_length=4, context_overlap=2)
    got = moving(plain, adjust_weights(module, WeightChange("attention k", 1.7)))
    want = moving(plain, module, attention_scale=1.7)
    same(*(sample(apply_context_windows(model, windows), **run) for model in (got, want)))
    assert not torch.allclose(sample(got, **SMALL), sample(moving(plain, module), **SMALL), atol=1e-1)
    assert torch.equal(sample(plain, **SMALL), before)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"multiply": torch.nan}, "multiply=nan must be a finite number"),
        ({"add": torch.inf}, "add=inf must be a finite number"),
        ({"group": "pe"}, "group='pe' must be one of all, position table"),
    ],
)
def test_what_is_no_change_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        WeightChange(**change)
