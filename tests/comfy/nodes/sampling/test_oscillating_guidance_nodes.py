"""Oscillating Guidance, held to core's sampler with another cfg at every step."""

import comfy.sample
import comfy.samplers
import pytest
import torch
from comfy.patcher_extension import WrappersMP
from comfy_extras.nodes_custom_sampler import BasicGuider, DualCFGGuider
from comfy_extras.nodes_model_advanced import RescaleCFG
from zoetrope.host.windows import ContextSettings, apply_context_windows
from zoetrope.nodes.sampling import OscillateGuidance, SetFrameGuidance
from zoetrope.nodes.video_models import RescaleGuidance
from zoetrope.tests.comfy.golden_unet import golden_model, sample
from zoetrope.tests.gold_weights import gold_input
from zoetrope.tests.rounding import assert_same

HIGH, LOW = 5.0, 1.0


def oscillating(model, **settings):
    return OscillateGuidance.execute(model=model, **{"low_cfg": LOW, "high_steps": 1} | settings).args[0]


def framed(model, min_cfg=1.0):
    given = {"edge": 0.1, "periods": "1, 0.5", "period_fusing": "max", "min_cfg": min_cfg}
    return SetFrameGuidance.execute(model=model, shape="linear", **given).args[0]


def windowed(model):
    return apply_context_windows(model, ContextSettings(context_length=3, context_overlap=1))


OTHERS = {
    "nothing": lambda model: model,
    "frames": framed,
    "frames with another least value": lambda model: framed(model, 2.0),
    "rescale": lambda model: RescaleGuidance.execute(model, 0.7).args[0],
    "core's rescale": lambda model: RescaleCFG().patch(model, 0.7)[0],
    "windows": windowed,
}


def guided(model):
    guider = comfy.samplers.CFGGuider(model)
    guider.set_cfg(HIGH)
    prompt = [[gold_input("positive", (1, 7, 48)), {}]]
    guider.set_conds(prompt, prompt)
    return guider


def step_by_step(model, scales, frames=5, size=(16, 8)):
    """Core's euler, each step in a run of its own with its own cfg."""
    latent = torch.zeros(frames, 4, *size)
    positive, negative = ([[gold_input(name, (1, 7, 48)), {}]] for name in ("positive", "negative"))
    noise = comfy.sample.prepare_noise(latent, 1)
    for step, cfg in enumerate(scales):
        last = step == len(scales) - 1
        latent = comfy.sample.sample(
            model,
            noise,
            len(scales),
            cfg,
            "euler",
            "normal",
            positive,
            negative,
            latent,
            start_step=step,
            last_step=step + 1,
            disable_noise=step > 0,
            force_full_denoise=last,
            disable_pbar=True,
            seed=1,
        )
        noise = torch.zeros_like(noise)
    return latent


@pytest.mark.parametrize("others", OTHERS.values(), ids=OTHERS)
def test_every_step_is_cores_with_its_own_cfg(others):
    expected = step_by_step(others(golden_model()), [HIGH, LOW, HIGH, LOW])
    assert_same(sample(oscillating(others(golden_model())), steps=4, cfg=HIGH), expected)
    assert_same(sample(others(oscillating(golden_model())), steps=4, cfg=HIGH), expected)
    assert (sample(others(golden_model()), steps=4, cfg=HIGH) - expected).abs().max() > 1e-2


def evaluated(model, **settings):
    """What each call of the network holds: 0 positive, 1 negative."""
    calls = []

    def record(executor, *args, **kwargs):
        calls.append(sorted(set(args[5]["cond_or_uncond"])))
        return executor(*args, **kwargs)

    model = model.clone()
    model.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, "recorder", record)
    sample(model, **settings)
    return calls


def test_a_step_of_cfg_1_leaves_out_the_negative_prompt():
    assert evaluated(oscillating(golden_model()), steps=4, cfg=HIGH) == [[0, 1], [0], [0, 1], [0]]
    both = evaluated(oscillating(golden_model(), low_cfg=2.0), steps=4, cfg=HIGH)
    assert both == [[0, 1]] * 4


def test_neutral_settings_are_bit_for_bit_those_of_the_sampler():
    plain = sample(golden_model(), steps=3, cfg=HIGH)
    assert torch.equal(sample(oscillating(golden_model(), high_steps=3), steps=3, cfg=HIGH), plain)
    assert torch.equal(sample(oscillating(golden_model(), low_cfg=HIGH), steps=3, cfg=HIGH), plain)


def scales_at(sampler, levels):
    """(noise level, cfg) of every evaluation on a schedule."""
    seen = []

    def record(args):
        seen.append((float(args["sigma"][0]), args["cond_scale"]))
        return args["denoised"]

    model = oscillating(golden_model())
    model.set_model_sampler_post_cfg_function(record)
    guider = guided(model)
    latent = torch.zeros(2, 4, 8, 8)
    chosen = comfy.samplers.sampler_object(sampler)
    guider.sample(torch.ones_like(latent), latent, chosen, torch.tensor(levels), seed=1, disable_pbar=True)
    return seen


@pytest.mark.parametrize(("sampler", "evaluations"), [("euler", 4), ("heun", 7), ("dpm_2", 7)])
def test_one_cfg_from_a_noise_level_to_the_next(sampler, evaluations):
    seen = scales_at(sampler, [9.0, 5.0, 3.0, 1.0, 0.0])
    assert len(seen) == evaluations
    for sigma, cfg in seen:
        assert cfg == (HIGH if sigma > 5 or 1 < sigma <= 3 else LOW)


def test_the_guider_keeps_its_cfg_also_after_an_error():
    model = oscillating(golden_model())
    guider = guided(model)

    def fail(args):
        raise RuntimeError("in the middle of a step")

    model.set_model_sampler_post_cfg_function(fail)
    latent = torch.zeros(2, 4, 8, 8)
    sampler = comfy.samplers.sampler_object("euler")
    sigmas = torch.tensor([5.0, 3.0, 1.0, 0.0])
    with pytest.raises(RuntimeError, match="in the middle"):
        guider.sample(torch.ones_like(latent), latent, sampler, sigmas, disable_pbar=True)
    assert guider.cfg == HIGH


def test_a_second_node_replaces_the_first():
    twice = oscillating(oscillating(golden_model(), low_cfg=3.0), low_cfg=LOW)
    assert_same(sample(twice, steps=3, cfg=HIGH), sample(oscillating(golden_model()), steps=3, cfg=HIGH))


def test_guiders_without_one_cfg_are_refused():
    model = oscillating(golden_model())
    prompt = [[gold_input("positive", (1, 7, 48)), {}]]
    latent = torch.zeros(2, 4, 8, 8)
    sampler = comfy.samplers.sampler_object("euler")
    for guider, said in (
        (BasicGuider.execute(model, prompt).args[0], "a negative prompt, this one has none"),
        (
            DualCFGGuider.execute(model, prompt, prompt, prompt, 3.0, 2.0, "regular").args[0],
            "this one has two",
        ),
    ):
        with pytest.raises(ValueError, match=said):
            guider.sample(latent, latent, sampler, torch.tensor([3.0, 1.0, 0.0]), disable_pbar=True)
