"""Context windows of networks whose frames see each other:
AnimateDiff (frames in the batch) and video latents (time axis).
"""

import comfy.hooks
import comfy.model_patcher
import comfy.sample
import comfy.supported_models
import pytest
import torch
from zoetrope.frame_values import frame_values
from zoetrope.host.injection import MotionSettings, apply_motion_module
from zoetrope.host.sampling.varying_guidance import VaryingGuidance, vary_guidance
from zoetrope.samplers.context_fusion import FUSE_METHODS, fuse_weights
from zoetrope.samplers.context_schedules import CONTEXT_SCHEDULES, create_context_windows
from zoetrope.tests.comfy.golden_unet import golden_model, motion_module
from zoetrope.tests.comfy.host.context_rig import (
    CPU,
    PRECISE,
    SIGMA,
    F,
    H,
    W,
    controlnet,
    evaluate,
    fuse,
    hint_images,
    prompt,
    seed_weights,
    seeded,
    windowed,
    with_control,
)
from zoetrope.tests.rounding import assert_same


@pytest.fixture(scope="module")
def animatediff():
    return apply_motion_module(golden_model(PRECISE), motion_module("v2"), MotionSettings())


@pytest.fixture(scope="module")
def wan():
    """A tiny network of Wan's architecture, whose latents are (B, 16, F, H, W)."""
    shape = {
        "model_type": "t2v",
        "dim": 48,
        "ffn_dim": 64,
        "freq_dim": 32,
        "text_dim": 48,
        "num_heads": 2,
        "num_layers": 2,
    }
    config = comfy.supported_models.WAN21_T2V(
        {**shape, "image_model": "wan2.1", "in_dim": 16, "out_dim": 16, "text_len": 7}
    )
    config.set_inference_dtype(torch.float32, None)
    model = config.get_model({})
    seed_weights(model.diffusion_model, scale=0.2)
    return comfy.model_patcher.CoreModelPatcher(model, load_device=CPU, offload_device=CPU)


def plan(schedule, method, stride=2, num_frames=F, length=4, overlap=1):
    windows = create_context_windows(schedule, num_frames, length, overlap, stride, True)
    return windows, [fuse_weights(method, window, num_frames, overlap, SIGMA) for window in windows]


EVOLVED = "(AnimateDiff-Evolved)"
PAIRS = [  # every schedule and every fuse method
    *zip(
        CONTEXT_SCHEDULES, [method for method in FUSE_METHODS if not method.endswith(EVOLVED)], strict=False
    ),
    *((schedule, "pyramid") for schedule in list(CONTEXT_SCHEDULES)[4:]),
    *(("standard_static", method) for method in FUSE_METHODS if method.endswith(EVOLVED)),
]


@pytest.mark.parametrize(("schedule", "method"), PAIRS)
def test_animatediff_sees_the_frames_of_a_window(animatediff, schedule, method):
    noise, positive, hints = seeded(F, 4, H, W), prompt(F), hint_images(F)
    control = controlnet(hints)
    stride = 1 if schedule.endswith(EVOLVED) else 2
    windows, weights = plan(schedule, method, stride)
    expected = [
        evaluate(
            animatediff,
            noise[w],
            with_control([[positive[0][0][w], {}]], controlnet(hints[w])),
            prompt(seed=3),
        )
        for w in windows
    ]
    settings = {
        "context_length": 4,
        "context_schedule": schedule,
        "context_stride": stride,
        "closed_loop": schedule.startswith("looped"),
        "fuse_method": method,
    }
    for windows_per_batch in (0, 1):
        moving = windowed(animatediff, windows_per_batch=windows_per_batch, **settings)
        result = evaluate(moving, noise, with_control(positive, control), prompt(seed=3))
        assert_same(result, fuse(windows, expected, noise, weights))
    assert (
        result - evaluate(animatediff, noise, with_control(positive, control), prompt(seed=3))
    ).abs().max() > 1e-2 * result.std()


def test_animatediff_with_one_window_is_animatediff_bit_for_bit(animatediff):
    noise = seeded(F, 4, H, W)
    conds = with_control(prompt(F), controlnet(hint_images(F))), prompt(seed=3)
    assert torch.equal(
        evaluate(windowed(animatediff, context_length=F), noise, *conds), evaluate(animatediff, noise, *conds)
    )


def test_windows_let_a_module_make_more_frames_than_it_knows():
    short = apply_motion_module(golden_model(), motion_module("v2", position_length=4), MotionSettings())
    noise = seeded(F, 4, H, W)
    with pytest.raises(ValueError, match="Context Windows"):
        evaluate(short, noise, prompt(), prompt(seed=3))
    assert torch.isfinite(evaluate(windowed(short, context_length=4), noise, prompt(), prompt(seed=3))).all()


@pytest.mark.parametrize("windows_per_batch", [0, 1])
def test_lora_hooks_act_on_their_cond_only(animatediff, windows_per_batch):
    key = "diffusion_model.output_blocks.11.1.proj_in.weight"
    other_weight = seeded(*animatediff.get_model_object(key).shape, seed=4) * 0.3
    hooks = comfy.hooks.create_hook_model_as_lora({key: other_weight}, None, 1.0, 0.0)
    noise, windows = seeded(F, 4, H, W), [[0, 1, 2], [2, 3, 4], [4, 5, 6]]
    positive, negative = prompt(hooks=hooks), prompt(seed=3)
    expected = [evaluate(animatediff, noise[w], positive, negative) for w in windows]
    result = evaluate(windowed(animatediff, windows_per_batch=windows_per_batch), noise, positive, negative)
    assert_same(result, fuse(windows, expected, noise, [[1.0, 2.0, 1.0]] * 3))
    assert (
        result - evaluate(windowed(animatediff), noise, prompt(), negative)
    ).abs().max() > 1e-2 * result.std()


@pytest.mark.parametrize("frame_axis", ["auto", "time"])
@pytest.mark.parametrize("windows_per_batch", [0, 1])
def test_video_latents_are_divided_along_time(wan, windows_per_batch, frame_axis):
    noise = seeded(2, 16, F, 6, 4)
    windows, weights = plan("looped_uniform", "pyramid")
    expected = [evaluate(wan, noise[:, :, w], prompt(), prompt(seed=3)) for w in windows]
    moving = windowed(
        wan, context_length=4, context_schedule="looped_uniform", context_stride=2, closed_loop=True,
        windows_per_batch=windows_per_batch, frame_axis=frame_axis,
    )  # fmt: skip
    result = evaluate(moving, noise, prompt(), prompt(seed=3))
    assert_same(result, fuse(windows, expected, noise, weights, axis=2))
    assert (result - evaluate(wan, noise, prompt(), prompt(seed=3))).abs().max() > 1e-3 * result.std()


def test_video_latents_with_one_window_are_as_without_bit_for_bit(wan):
    noise = seeded(2, 16, F, 6, 4)
    one = windowed(wan, context_length=F, noise_type="freenoise")
    assert torch.equal(
        evaluate(one, noise, prompt(), prompt(seed=3)), evaluate(wan, noise, prompt(), prompt(seed=3))
    )


def test_areas_and_masks_of_video_latents(wan):
    noise = seeded(1, 16, F, 6, 4)
    mask = torch.rand(F, 6, 4, generator=torch.Generator().manual_seed(2))
    windows = [[0, 1, 2, 3], [3, 4, 5, 6]]
    negative = prompt(seed=3)

    def conds(w, area):
        return [*prompt(mask=mask[w], mask_strength=0.8), *prompt(seed=4, area=area), *prompt(seed=5)]

    areas = [(2, 4, 3, 2, 1, 0), (3, 4, 3, 0, 1, 0)]
    expected = [
        evaluate(wan, noise[:, :, w], conds(w, area), negative)
        for w, area in zip(windows, areas, strict=True)
    ]
    result = evaluate(
        windowed(wan, context_length=4), noise, conds(slice(None), (4, 4, 3, 2, 1, 0)), negative
    )
    weights = [[1.0, 2.0, 2.0, 1.0]] * 2
    assert_same(result, fuse(windows, expected, noise, weights, axis=2))


def test_freenoise_of_video_latents_is_along_time(wan):
    seen = []

    def sampler(model, x, sigmas, extra_args=None, callback=None, disable=None):
        seen.append(x.clone())
        return x

    noise = seeded(2, 16, F, 6, 4)
    for model in (wan, windowed(wan, context_length=3, noise_type="repeated")):
        evaluate(model, noise, prompt(), prompt(), sampler=sampler)
    assert torch.equal(seen[1], seen[0][:, :, [0, 1, 2, 0, 1, 2, 0]])


def test_hints_for_video_latents_are_refused(wan):
    noise = seeded(1, 16, F, 6, 4)
    with pytest.raises(ValueError, match="a ControlNet with 7 hint images cannot be divided"):
        evaluate(windowed(wan), noise, with_control(prompt(), controlnet(hint_images(F))), prompt())


@pytest.mark.parametrize("around", [lambda model: model, windowed], ids=["whole", "windows"])
def test_frames_of_the_time_axis_have_their_own_guidance(wan, around):
    """One evaluation is linear in cfg, so each frame is that of a run with its cfg."""
    scales = [2.0, 7.0, 1.0, 3.0, 5.0, 4.0, 6.0]
    noise, prompts = seeded(2, 16, F, 6, 4), (prompt(), prompt(seed=3))
    varied = vary_guidance(around(wan), VaryingGuidance(frame_values(scales)))
    result = evaluate(varied, noise, *prompts)
    for frame in (0, 1, F - 1):
        expected = evaluate(around(wan), noise, *prompts, cfg=scales[frame])
        assert_same(result[:, :, frame], expected[:, :, frame])
    assert (result - evaluate(around(wan), noise, *prompts)).abs().max() > 1e-3 * result.std()
