"""Temporal guidance is its equation, by results of samplings without it, in windows and in a queue too."""

import comfy.samplers
import pytest
import torch
from comfy.patcher_extension import WrappersMP
from zoetrope.frame_values import frame_values
from zoetrope.host.injection import MotionSettings, apply_motion_module
from zoetrope.host.injection.temporal_guidance import guide_motion
from zoetrope.host.sampling.fifo import FifoSampler
from zoetrope.nodes.sampling import GuideMotion
from zoetrope.samplers.fifo import FifoSettings
from zoetrope.tests.comfy.golden_unet import golden_model, motion_module
from zoetrope.tests.comfy.host.context_rig import PRECISE, H, W, evaluate, prompt, seeded, windowed
from zoetrope.tests.rounding import assert_same

F, SCALE, CFG = 5, 1.5, 4.0


def moving(**settings):
    return apply_motion_module(golden_model(PRECISE), motion_module("v3"), MotionSettings(**settings))


def still():
    """On the schedule of the module, which acts nowhere."""
    return moving(start_percent=1.0, end_percent=1.0)


def one(model, cfg=CFG, **more):
    return evaluate(model, seeded(F, 4, H, W), prompt(), prompt(seed=3), cfg, **more)


@pytest.mark.parametrize("cfg", [CFG, 1.0])
def test_it_adds_what_the_layers_over_frames_do_with_the_prompt(cfg):
    want = one(moving(), cfg) + SCALE * (one(moving(), 1.0) - one(still(), 1.0))
    assert_same(one(guide_motion(moving(), SCALE), cfg), want)
    assert (want - one(moving(), cfg)).abs().max() > 0.05 * want.std()


def test_in_windows_it_is_the_same_equation():
    want = one(windowed(moving())) + SCALE * (one(windowed(moving()), 1.0) - one(windowed(still()), 1.0))
    assert_same(one(windowed(guide_motion(moving(), SCALE))), want)


def test_values_over_frames_are_part_of_it():
    values = frame_values([1.0, 0.5, 0.0, 0.5, 1.0])
    want = one(moving(strength=values)) + SCALE * (one(moving(strength=values), 1.0) - one(still(), 1.0))
    assert_same(one(guide_motion(moving(strength=values), SCALE)), want)


def counted(model):
    rows = []

    def record(executor, x, *args, **kwargs):
        rows.append(len(x))
        return executor(x, *args, **kwargs)

    model = model.clone()
    model.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, "recorder", record)
    return model, rows


@pytest.mark.parametrize("settings, videos", [({}, 3), ({"end_percent": 0.1}, 2)])
def test_it_costs_one_evaluation_where_the_module_acts(settings, videos):
    model, rows = counted(guide_motion(moving(**settings), SCALE))
    one(model)
    assert sum(rows) == videos * F


def test_at_scale_0_nothing_is_added_and_the_model_before_stays():
    plain = moving()
    before = one(plain)
    assert torch.equal(one(guide_motion(plain, 0.0)), before)
    one(guide_motion(plain, SCALE))
    assert torch.equal(one(plain), before)


def test_it_goes_with_a_queue_of_frames():
    model = moving()
    sigmas = torch.tensor([9.0, 5.0, 2.0, 0.0])
    fifo = FifoSampler(FifoSettings(2))
    results = [
        comfy.samplers.sample(
            guided, seeded(3, 4, H, W), prompt(), prompt(seed=3), CFG, torch.device("cpu"), fifo, sigmas,
            latent_image=torch.zeros(3, 4, H, W), disable_pbar=True, seed=1,
        )
        for guided in (model, guide_motion(model, SCALE))
    ]  # fmt: skip
    assert torch.isfinite(results[1]).all()
    assert (results[0] - results[1]).abs().max() > 0.05 * results[0].std()


def test_models_without_layers_over_frames_and_odd_scales_are_refused():
    with pytest.raises(ValueError, match="no layers over frames .* behind Apply Motion Module"):
        GuideMotion.execute(model=golden_model(), scale=1.0)
    with pytest.raises(ValueError, match="scale=nan must be a finite number"):
        guide_motion(moving(), float("nan"))
