"""Strength and attention scale that differ over frames, steps and blocks, said in other ways too."""

import pytest
import torch
from zoetrope.frame_values import FrameValues, frame_values
from zoetrope.host.injection import MotionSettings, apply_motion_module
from zoetrope.host.injection.motion_models import with_a_network_of_its_own
from zoetrope.host.windows.handler import ContextSettings, apply_context_windows
from zoetrope.tests.comfy.golden_unet import golden_model, motion_module, sample
from zoetrope.tests.comfy.method_rules import same
from zoetrope.tests.gold_weights import gold_input

SMALL = {"size": (8, 6), "frames": 5, "steps": 3}


def moving(plain, module, **settings):
    return apply_motion_module(plain, module, MotionSettings(**settings))


def without_module(plain, module):
    """The checkpoint with the module's noise schedule, and no layer of it."""
    return moving(plain, module, end_percent=0.0, start_percent=0.0, strength=1e-30)


def changed(module, change):
    """The module with some of its weights changed."""
    patcher = with_a_network_of_its_own(module)
    weights = {key: change(key, value.clone()) for key, value in patcher.model.state_dict().items()}
    patcher.model.load_state_dict(weights, assign=True)
    return type(module)(patcher, module.method, module.config, module.name)


def test_a_block_without_strength_is_a_block_without_its_layer(plain, module):
    place = "up_blocks.3.motion_modules.1."
    silent = changed(module, lambda key, w: w * 0 if key.startswith(place) and ".proj_out." in key else w)
    want = sample(moving(plain, silent), **SMALL)
    off = FrameValues(frame_values([1.0]).keys, {"up 3.1": 0.0})
    got = sample(moving(plain, module, strength=off), **SMALL)
    same(got, want)
    assert not torch.allclose(sample(moving(plain, module), **SMALL), want, atol=1e-1)


def test_a_block_that_the_checkpoint_lacks_is_named(plain, module):
    values = FrameValues(frame_values([1.0]).keys, {"up 4": 0.0})
    with pytest.raises(ValueError, match="no block 'up 4'; its blocks are down, down 0, .*up 3.2"):
        moving(plain, module, strength=values)


def test_attention_scale_is_a_factor_of_the_weights_that_make_keys(plain, module):
    def larger_keys(key, weight):
        if key.endswith("to_qkv.weight"):
            third = len(weight) // 3
            weight[third : 2 * third] *= 1.7
        return weight

    want = sample(moving(plain, changed(module, larger_keys)), **SMALL)
    got = sample(moving(plain, module, attention_scale=1.7), **SMALL)
    same(got, want)
    assert not torch.allclose(sample(moving(plain, module), **SMALL), want, atol=1e-1)


def test_attention_scale_of_one_block_is_that_of_its_weights(plain, module):
    def larger_keys(key, weight):
        if key.endswith("to_qkv.weight") and key.startswith("down_blocks.1."):
            third = len(weight) // 3
            weight[third : 2 * third] *= 1.7 * 0.5
        elif key.endswith("to_qkv.weight"):
            third = len(weight) // 3
            weight[third : 2 * third] *= 1.7
        return weight

    want = sample(moving(plain, changed(module, larger_keys)), **SMALL)
    scale = FrameValues(frame_values([1.7]).keys, {"down 1": 0.5})
    got = sample(moving(plain, module, attention_scale=scale), **SMALL)
    same(got, want)


def test_keys_over_the_steps_are_modules_in_turns(plain, module):
    """0.9 in the first part of the schedule and 0.4 behind it, by one node and by two."""
    first = moving(plain, module, strength=0.9, end_percent=0.4)
    want = sample(moving(first, module, strength=0.4, start_percent=0.4), **SMALL)
    values = frame_values([0.4], start_percent=0.4, before=frame_values([0.9]))
    got = sample(moving(plain, module, strength=values), **SMALL)
    same(got, want)
    assert not torch.allclose(sample(moving(plain, module, strength=0.9), **SMALL), want, atol=1e-1)


def test_each_window_gets_the_values_of_its_frames(plain, module):
    """Frames of strength 0 are those of the checkpoint, whichever window they are in."""
    off = [1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0]
    run = {**SMALL, "frames": 9}
    settings = ContextSettings(context_length=4, context_overlap=2)
    got = sample(apply_context_windows(moving(plain, module, strength=frame_values(off)), settings), **run)
    want = sample(without_module(plain, module), **run)
    for frame, strength in enumerate(off):
        assert torch.allclose(got[frame], want[frame], atol=1e-2) == (strength == 0.0)


def test_several_videos_get_the_values_from_the_start(plain, module):
    values = frame_values([0.2, 1.0, 0.6])
    several = sample(moving(plain, module, strength=values, frames_per_video=3), **{**SMALL, "frames": 6})
    first = sample(moving(plain, module, strength=values), **{**SMALL, "frames": 3})
    same(several[:3], first)


def test_a_mask_keeps_a_part_of_the_picture_stiller(plain, module):
    """Convolutions carry some motion across, so the parts differ in how much, not in whether."""
    mask = torch.zeros(1, 16, 16)
    mask[..., 8:] = 1.0
    run = {**SMALL, "size": (16, 16)}
    got, want = (
        sample(model, **run)
        for model in (
            moving(plain, module, strength=frame_values([1.0], mask)),
            without_module(plain, module),
        )
    )
    left, right = ((got - want)[..., part].abs().mean() for part in (slice(0, 4), slice(12, 16)))
    assert left < 0.7 * right


def test_other_lengths_and_parts_of_the_picture_are_refused(plain, module):
    with pytest.raises(ValueError, match="strength has values for 4 frames, the video has 5"):
        sample(moving(plain, module, strength=frame_values([1.0] * 4)), **SMALL)
    with pytest.raises(ValueError, match="attention_scale has values for 2 frames, the video has 5"):
        sample(moving(plain, module, attention_scale=frame_values([1.0] * 2)), **SMALL)
    with pytest.raises(ValueError, match="strength has values for 6 frames, the video has 5"):
        sample(moving(plain, module, strength=frame_values([1.0] * 6)), **SMALL)
    masks = frame_values([1.0], torch.rand(3, 8, 6))
    with pytest.raises(ValueError, match="strength has values for 3 frames, the video has 5"):
        sample(moving(plain, module, strength=masks), **SMALL)
    part = [[gold_input("positive", (1, 7, 48)), {"area": (8, 4, 0, 0), "strength": 1.0}]]
    one = frame_values([1.0], torch.rand(1, 8, 6))
    with pytest.raises(
        ValueError, match=r"values is for latents of \(8, 6\), the network got a part of \(8, 4"
    ):
        sample(moving(plain, module, strength=one), positive=part, **SMALL)
    with pytest.raises(ValueError, match="strength=-0.5 must be a finite number, 0 or larger"):
        moving(plain, module, strength=frame_values([1.0, -0.5]))


def test_the_checkpoint_stays_as_it_was(module):
    model = golden_model()
    before = sample(model, **SMALL)
    values = frame_values([1.0], torch.rand(5, 7, 3))
    sample(moving(model, module, strength=values, attention_scale=values), **SMALL)
    assert torch.equal(sample(model, **SMALL), before)
    assert motion_module("v3").config == module.config
