"""Before the first step with a motion module: what cannot be is refused, what is odd is said."""

import logging

import comfy.sample
import pytest
import torch
from comfy_extras.nodes_context_windows import ContextWindowsManualNode
from zoetrope.host import injection
from zoetrope.host.injection import MotionSettings, apply_motion_module
from zoetrope.host.windows import ContextSettings, apply_context_windows
from zoetrope.tests.comfy.golden_unet import sample
from zoetrope.tests.gold_weights import gold_input


@pytest.mark.parametrize(("shape", "words"), [
    ((1, 4, 5, 8, 8), r"4 dimensions .*\(1, 4, 5, 8, 8\), as those of video models have; use Empty Latent"),
    ((4, 8, 8), r"\(4, 8, 8\), which no checkpoint of images has"),
    ((5, 16, 8, 8), "the latents have 16 channels, those of this checkpoint have 4; .*VAE Encode"),
    ((0, 4, 8, 8), "the latents hold no frames"),
])  # fmt: skip
@pytest.mark.parametrize("windows", [False, True])
def test_latents_that_are_no_frames_are_refused_before_anything_runs(plain, module, shape, words, windows):
    model = apply_motion_module(plain, module, MotionSettings())
    if windows:
        model = apply_context_windows(model, ContextSettings(context_length=3, context_overlap=1))
    calls = []
    hook = model.model.diffusion_model.register_forward_pre_hook(lambda *args: calls.append(1))
    conds = [[[gold_input(name, (1, 7, 48)), {}]] for name in ("positive", "negative")]
    latent = torch.zeros(shape)
    try:
        with pytest.raises(ValueError, match=words):
            comfy.sample.sample(
                model, latent.clone(), 2, 3.0, "euler", "normal", *conds, latent, disable_pbar=True, seed=1
            )
    finally:
        hook.remove()
    assert calls == []


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("name", ["strength", "start_percent", "end_percent"])
def test_settings_that_are_no_numbers_are_refused(name, value):
    with pytest.raises(ValueError, match=f"{name}={value}"):
        MotionSettings(**{name: value})


def said(caplog, model, **more):
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        result = sample(model, **{"size": (8, 8), "frames": 4, "steps": 2, **more})
    assert torch.isfinite(result).all()
    return [r.message for r in caplog.records if "Apply Motion Module" in r.message]


def put(plain, module, **settings):
    return apply_motion_module(plain, module, MotionSettings(**settings))


def windows(model, length, **more):
    return apply_context_windows(model, ContextSettings(context_length=length, context_overlap=0, **more))


def test_an_ordinary_run_says_nothing(plain, module, caplog):
    assert said(caplog, put(plain, module)) == []
    assert said(caplog, windows(put(plain, module), 2)) == []
    assert said(caplog, put(plain, module, start_percent=0.0, end_percent=0.3)) == []
    assert said(caplog, put(plain, module, frames_per_video=2)) == []


@pytest.mark.parametrize("case", ["batch", "our windows", "core's windows", "videos", "videos in windows"])
def test_one_frame_at_a_time_is_said(plain, module, caplog, case):
    moving = put(plain, module)
    model = {
        "batch": lambda: moving,
        "our windows": lambda: windows(moving, 1),
        "core's windows": lambda: ContextWindowsManualNode.execute(
            moving, 1, 0, "standard_static", 1, False, "pyramid", 0, False
        )[0],
        "videos": lambda: put(plain, module, frames_per_video=1),
        "videos in windows": lambda: windows(moving, 2, frames_per_video=1),
    }[case]()
    (text,) = said(caplog, model, frames=1 if case == "batch" else 4)
    assert "one frame at a time" in text and "batch_size" in text


def test_a_range_that_no_step_reaches_is_said(plain, module, caplog):
    use = {"beta_schedule": injection.USE_EXISTING}
    (text,) = said(caplog, put(plain, module, start_percent=0.999, end_percent=0.999, **use))
    assert "none of the 2 steps" in text and "start_percent=0.999" in text and "end_percent=0.999" in text
    # As KSampler (Advanced) makes the last steps: the first part of the schedule is not among them.
    (text,) = said(caplog, put(plain, module, end_percent=0.2, **use), steps=4, start_step=2)
    assert "none of the 2 steps" in text


def test_strength_0_is_said(plain, module, caplog):
    with caplog.at_level(logging.WARNING):
        put(plain, module, strength=0.0)
    assert [r.message for r in caplog.records] == ["Apply Motion Module is off: its strength is 0."]
