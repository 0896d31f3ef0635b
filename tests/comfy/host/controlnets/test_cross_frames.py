"""Cross-frame attention in a ControlNet: what its frames read, by hand; its network stays as it was."""

import comfy.controlnet
import pytest
import torch
from comfy.context_windows import IndexListContextWindow
from comfy.ldm.modules.attention import BasicTransformerBlock
from zoetrope.frame_values import frame_values
from zoetrope.host.controlnets.cross_frames import ControlCrossFrames, control_cross_frames
from zoetrope.host.controlnets.over_time import OverTimeSettings, over_time
from zoetrope.host.injection import MotionSettings
from zoetrope.host.injection.cross_frame_attention import CrossFrames, apply_cross_frame_attention
from zoetrope.host.windows.batch import BatchedContextWindow
from zoetrope.motion_modules.call import SINGLE_FRAMES
from zoetrope.motion_modules.cross_frame_attention import BOTH, CHOSEN, FIRST
from zoetrope.tests.comfy.golden_unet import golden_model
from zoetrope.tests.comfy.host.context_rig import (
    PRECISE,
    F,
    H,
    W,
    controlnet,
    evaluate,
    hint_images,
    prompt,
    seeded,
    t2i_adapter,
    windowed,
    with_control,
)
from zoetrope.tests.comfy.host.controlnets.test_over_time import given
from zoetrope.tests.rounding import assert_same


@pytest.fixture(scope="module")
def model():
    return golden_model(PRECISE)


def crossed(control, keys_from=FIRST, frames="0", frames_per_video=0):
    return control_cross_frames(control, ControlCrossFrames(CrossFrames(keys_from, frames), frames_per_video))


def assert_layers(found, want, rows=slice(None)):
    for side in ("middle", "output"):
        for x, y in zip(found[side], want[side], strict=True):
            assert_same(x, y[rows], 1e-6)


def differ(found, plain):
    return any(not torch.allclose(x, y) for x, y in zip(found["output"], plain["output"], strict=True))


def by_hand(control, read, videos, **kwargs):
    """What the ControlNet gives when every self-attention gets read(x (B, F, T, C)) as its context."""
    blocks = [m for m in control.control_model.modules() if isinstance(m, BasicTransformerBlock)]
    assert len(blocks) == 7

    def forward_of(attention):
        def forward(x, context=None, value=None, **options):
            keys = read(x.unflatten(0, (videos, -1))).flatten(0, 1)
            return type(attention).forward(attention, x, context=keys, **options)

        return forward

    for block in blocks:
        block.attn1.forward = forward_of(block.attn1)
    try:
        return given(control, **kwargs)
    finally:
        for block in blocks:
            del block.attn1.forward


READS = {
    FIRST: lambda x: x[:, :1].expand_as(x),
    BOTH: lambda x: torch.cat((x[:, :1].expand_as(x), torch.cat((x[:, :1], x[:, :-1]), 1)), 2),
    CHOSEN: lambda x: torch.cat((x[:, 2:3], x[:, 5:6]), 2).expand(-1, x.shape[1], -1, -1),
}


@pytest.mark.parametrize("keys_from", READS)
def test_its_self_attentions_read_other_frames(model, keys_from):
    """Two prompts of 7 frames each are two videos; the network is the plain one afterwards."""
    control = controlnet(hint_images(F))
    plain = given(control, model)
    found = given(crossed(control, keys_from, "2,5"), model)
    assert differ(found, plain)
    assert_layers(found, by_hand(control, READS[keys_from], 2, model=model))
    again = given(control, model)
    assert all(torch.equal(x, y) for x, y in zip(again["output"], plain["output"], strict=True))


def test_several_videos(model):
    control = controlnet(hint_images(6))
    found = given(crossed(control, frames_per_video=3), model, frames=6)
    assert_layers(found, by_hand(control, READS[FIRST], 4, model=model, frames=6))
    with pytest.raises(ValueError, match="7 frames are not a whole number of videos of frames_per_video=3"):
        given(crossed(controlnet(hint_images(F)), frames_per_video=3), model)


def test_windows_in_one_call_have_their_own_first_frame(model):
    control = controlnet(hint_images(F))
    windows = BatchedContextWindow(
        [IndexListContextWindow([0, 3, 4], 0, F), IndexListContextWindow([4, 5, 6], 0, F)]
    )
    found = given(crossed(control), model, frames=3, context_window=windows)
    assert_layers(found, by_hand(control, READS[FIRST], 2, model=model, frames=3))


def test_single_frames_are_plain(model):
    control = controlnet(hint_images(F))
    found = given(crossed(control), model, **{SINGLE_FRAMES: True})
    assert_layers(found, given(control, model))


@pytest.mark.parametrize("outside", ["crossed", "over time"])
def test_it_goes_with_controlnet_over_time(model, outside):
    control, values = controlnet(hint_images(F)), [0.5, 1.0, 2.0, 0.25, 1.5, 0.75, 1.0]
    scale = OverTimeSettings(frame_values(values))
    both = crossed(over_time(control, scale)) if outside == "crossed" else over_time(crossed(control), scale)
    want = given(crossed(control), model)
    factors = torch.tensor(values * 2)[:, None, None, None]
    scaled = {side: [x * factors for x in layers] for side, layers in want.items()}
    assert_layers(given(both.copy(), model), scaled)


def test_a_chain_keeps_the_others_plain(model):
    first, second = controlnet(hint_images(F)), controlnet(hint_images(F, seed=9))
    chained = crossed(second)
    chained.set_previous_controlnet(first)
    plain, own = given(first, model), given(crossed(second), model)
    summed = {side: [a + b for a, b in zip(plain[side], own[side], strict=True)] for side in own}
    assert_layers(given(chained, model), summed)


def test_an_interrupted_call_leaves_the_network_plain(model):
    control = controlnet(hint_images(F))
    plain = given(control, model)
    broken = crossed(control)

    def fail(*args, **kwargs):
        raise RuntimeError("out of memory, say")

    hook = control.control_model.middle_block.register_forward_pre_hook(fail)
    try:
        with pytest.raises(RuntimeError, match="out of memory"):
            given(broken, model)
    finally:
        hook.remove()
    assert "transformer_options" not in broken.extra_args
    assert all(
        torch.equal(x, y) for x, y in zip(given(control, model)["output"], plain["output"], strict=True)
    )


def test_others_are_refused():
    with pytest.raises(ValueError, match="needs a ControlNet of SD1.x.*this is a T2IAdapter"):
        crossed(t2i_adapter(hint_images(F)))
    with pytest.raises(ValueError, match="this is a ControlBase, which has no such attentions"):
        crossed(comfy.controlnet.ControlBase())


@pytest.mark.parametrize("windows_per_batch", [0, 1])
def test_windows_that_hold_the_first_frame_are_the_whole_video(model, windows_per_batch):
    crossing = apply_cross_frame_attention(model, CrossFrames(), MotionSettings())
    noise, positive = seeded(F, 4, H, W), with_control(prompt(), crossed(controlnet(hint_images(F))))
    in_windows = windowed(
        crossing,
        context_overlap=0,
        context_schedule="first_frame_batched",
        windows_per_batch=windows_per_batch,
    )
    want = evaluate(crossing, noise, positive, prompt(seed=3))
    assert_same(evaluate(in_windows, noise, positive, prompt(seed=3)), want, 1e-5)
    plain = with_control(prompt(), controlnet(hint_images(F)))
    assert not torch.allclose(evaluate(crossing, noise, plain, prompt(seed=3)), want, atol=1e-3)
