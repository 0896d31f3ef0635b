"""Reconstruction guidance in ComfyUI: its gradient is the numeric one, also through windows, ControlNets and
weights that were loaded where ComfyUI records no gradients.
"""

import comfy.hooks
import comfy.samplers
import pytest
import torch
from comfy.k_diffusion.sampling import sample_euler
from comfy_extras.nodes_differential_diffusion import DifferentialDiffusion
from comfy_extras.nodes_model_advanced import ModelSamplingDiscrete, ModelSamplingSD3
from zoetrope.host.injection import MotionSettings, apply_motion_module
from zoetrope.host.sampling.fifo import FifoSampler
from zoetrope.host.sampling.reconstruction_guidance import guide_by_known_frames
from zoetrope.host.sampling.reuse_deep_features import reuse_deep_features
from zoetrope.host.windows.handler import ContextWindowHandler
from zoetrope.samplers.deep_features import ReuseSettings
from zoetrope.samplers.fifo import FifoSettings
from zoetrope.samplers.reconstruction_guidance import ReconstructionSettings
from zoetrope.tests.comfy.golden_unet import golden_model, motion_module
from zoetrope.tests.comfy.host.context_rig import (
    CPU,
    PRECISE,
    controlnet,
    hint_images,
    one_evaluation,
    prompt,
    seeded,
    windowed,
    with_control,
)
from zoetrope.tests.comfy.host.sampling.test_extend_video import extending
from zoetrope.tests.comfy.host.sampling.test_freeinit import hooked
from zoetrope.tests.rounding import assert_same

F, H, W = 5, 8, 5
SIGMA, UNITS, WEIGHT, CFG = 3.0, 0.18215, 3.0, 4.0
CLIP = seeded(F, 4, H, W, seed=8) / UNITS


@pytest.fixture(scope="module")
def moving():
    return apply_motion_module(golden_model(PRECISE), motion_module("v3"), MotionSettings())


def guiding(model, weight=WEIGHT, **settings):
    return guide_by_known_frames(model, ReconstructionSettings(weight, **settings))


def known(*frames):
    mask = torch.ones(F, 1, H, W)
    mask[list(frames)] = 0
    return mask


def run(
    model, noise, mask, positive=None, negative=None, cfg=CFG, sampler=one_evaluation, sigmas=(SIGMA, 0.0)
):
    """The latents in the network's units that a sampler makes."""
    sampler = comfy.samplers.KSAMPLER(sampler) if callable(sampler) else sampler
    return UNITS * comfy.samplers.sample(
        model, noise, positive or prompt(), negative or prompt(seed=3), cfg, CPU, sampler,
        torch.tensor(sigmas), latent_image=CLIP.clone(), denoise_mask=mask, disable_pbar=True, seed=13,
    )  # fmt: skip


def error_of(model, noise, mask, **given):
    """The squared error of what the network says of known frames."""
    seen, model = [], model.clone()

    def look(arguments):
        seen.append(arguments["denoised"])
        return arguments["denoised"]

    model.set_model_sampler_post_cfg_function(look)
    run(model, noise, mask, **given)
    return float(((1 - mask) * (seen[0] - CLIP * UNITS)).double().square().sum())


def check_direction(model, mask, **given):
    """The guidance is -w/2 times the slope of the error along it, a numeric derivative."""
    noise, step = seeded(F, 4, H, W), 2e-3
    shift = run(guiding(model), noise, mask, **given) - run(model, noise, mask, **given)
    assert not bool((shift * (1 - mask)).any())
    length = float(shift.double().norm())
    assert length > 1e-2
    aside = shift / length * step / SIGMA
    above, below = (error_of(model, noise + side, mask, **given) for side in (aside, -aside))
    slope = (above - below) / (2 * step)
    assert -WEIGHT / 2 * slope == pytest.approx(length, rel=2e-2)


@pytest.mark.parametrize("frames", [(0, 1), (0, -1)], ids=["goes on", "between"])
@pytest.mark.parametrize("divide", [lambda model: model, windowed], ids=["whole", "windows"])
def test_the_gradient_is_the_numeric_one(moving, divide, frames):
    check_direction(divide(moving), known(*frames))


def test_with_a_controlnet_cfg_1_and_a_region(moving):
    control = controlnet(hint_images(F))
    given = {"positive": with_control(prompt(), control), "negative": with_control(prompt(seed=3), control)}
    check_direction(windowed(moving), known(0), **given)
    check_direction(moving, known(2), cfg=1.0)
    region = known(0)
    region[:, :, : H // 2] = 0
    check_direction(moving, region)


def test_predictions_of_v(moving):
    v = ModelSamplingDiscrete().patch(moving, "v_prediction", False)[0]
    check_direction(v, known(0, -1))


def test_of_a_flow_the_signal_is_less_than_one():
    """alpha is 1 - sigma there, so at sigma 0.5 the guidance is half of w/2 times the slope."""
    model = apply_motion_module(golden_model(PRECISE), motion_module("v3"), MotionSettings())
    model = ModelSamplingSD3().patch(model, 3.0)[0]
    noise, mask, sigmas, step = seeded(F, 4, H, W), known(0, -1), (0.5, 0.0), 2e-3
    plain = run(model, noise, mask, sigmas=sigmas)
    shift = run(guiding(model), noise, mask, sigmas=sigmas) - plain
    length = float(shift.double().norm())
    aside = shift / length * step / 0.5
    above, below = (error_of(model, noise + side, mask, sigmas=sigmas) for side in (aside, -aside))
    assert -WEIGHT / 2 * 0.5 * (above - below) / (2 * step) == pytest.approx(length, rel=2e-2)


@pytest.mark.parametrize("batch", [0, 1])
def test_windows_one_by_one_have_the_gradient_of_all_at_once(moving, monkeypatch, batch):
    control = controlnet(hint_images(F))
    given = {"positive": with_control(prompt(F), control), "negative": with_control(prompt(seed=3), control)}
    model, noise = guiding(windowed(moving, windows_per_batch=batch)), seeded(F, 4, H, W)
    divided = run(model, noise, known(0), **given)
    monkeypatch.setattr(ContextWindowHandler, "is_one_call", True, raising=False)
    assert_same(run(model, noise, known(0), **given), divided, 1e-5)


def test_weights_and_prompts_of_inference_mode():
    """As in a server, where all that nodes make is made so."""
    noise, mask = seeded(F, 4, H, W), known(0, -1)

    def made():
        control = controlnet(hint_images(F))
        model = apply_motion_module(golden_model(PRECISE), motion_module("v3"), MotionSettings(strength=0.8))
        return run(guiding(windowed(model)), noise, mask, positive=with_control(prompt(F), control))

    expected = made()
    with torch.inference_mode():
        assert_same(made(), expected, 1e-5)


def test_weight_0_is_the_model_and_a_range_of_steps_is_kept(moving):
    noise, mask, sigmas = seeded(F, 4, H, W), known(0, -1), (14.0, 3.0, 0.0)
    plain = run(moving, noise, mask, sampler=sample_euler, sigmas=sigmas)
    assert torch.equal(run(guiding(moving, 0.0), noise, mask, sampler=sample_euler, sigmas=sigmas), plain)
    late = guiding(moving, start_percent=0.99)
    assert torch.equal(run(late, noise, mask, sampler=sample_euler, sigmas=sigmas), plain)
    early, whole = (
        run(guiding(moving, end_percent=end), noise, mask, sampler=sample_euler, sigmas=sigmas)
        for end in (0.2, 1.0)
    )
    assert not torch.equal(early, plain) and not torch.equal(early, whole)
    assert_same(whole[[0, -1]], (CLIP * UNITS)[[0, -1]])


def test_a_node_put_on_again_replaces_the_earlier(moving):
    noise, mask = seeded(F, 4, H, W), known(0)
    twice = run(guiding(guiding(moving, 9.0)), noise, mask)
    assert torch.equal(twice, run(guiding(moving), noise, mask))


def test_differential_diffusion_says_what_is_known_at_a_step(moving):
    """At the first step only frames of 1 have joined: the others are known, whatever they will be."""
    noise, sigmas = seeded(F, 4, H, W), (14.0, 3.0, 0.0)
    mask = torch.linspace(0, 1, F).view(F, 1, 1, 1).expand(F, 1, H, W)
    model = DifferentialDiffusion.execute(moving).args[0]
    one = run(guiding(model), noise, mask, sigmas=sigmas)
    expected = run(guiding(moving), noise, (mask == 1).float(), sigmas=sigmas)
    assert_same(one, expected, 1e-5)


def test_extended_clips_and_queues_say_what_is_known(moving):
    noise, clip = seeded(F, 4, H, W), seeded(3, 4, H, W, seed=9)
    for part in (0.0, 1.0):
        sampler = extending(clip, known_noise=part)
        plain, guided = (
            run(m, noise, None, sampler=sampler, sigmas=(9.0, 2.0, 0.0)) for m in (moving, guiding(moving))
        )
        assert torch.isfinite(guided).all() and not torch.allclose(plain, guided, atol=1e-3)
    queue = FifoSampler(FifoSettings(2))
    mask, sigmas = known(0), (14.0, 9.0, 2.0, 1.0, 0.0)
    plain, guided = (run(m, noise, mask, sampler=queue, sigmas=sigmas) for m in (moving, guiding(moving)))
    assert torch.isfinite(guided).all() and not torch.allclose(plain, guided, atol=1e-3)


def test_what_cannot_be_guided_is_refused(moving):
    noise = seeded(F, 4, H, W)
    for mask in (None, torch.ones(F, 1, H, W)):
        with pytest.raises(ValueError, match="Reconstruction Guidance needs known frames"):
            run(guiding(moving), noise, mask)
    with pytest.raises(ValueError, match="needs weights that stay as they are"):
        run(guiding(moving), noise, known(0), positive=hooked())
    with pytest.raises(ValueError, match="needs the gradient of the whole network"):
        run(guiding(reuse_deep_features(moving, ReuseSettings())), noise, known(0))


def test_nothing_is_left_on_the_network(moving):
    noise, mask = seeded(F, 4, H, W), known(0, -1)
    before = run(moving, noise, mask)
    weights = {name: id(weight) for name, weight in moving.model.named_parameters()}
    run(guiding(moving), noise, mask)
    assert {name: id(weight) for name, weight in moving.model.named_parameters()} == weights
    assert torch.equal(run(moving, noise, mask), before)
