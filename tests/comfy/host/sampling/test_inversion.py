"""DDIM inversion: trajectories of the reference (tests/data/goldens/ddim_inversion), core's Euler undone, and
what it meets in ComfyUI.
"""

import comfy.model_management
import comfy.samplers
import pytest
import torch
from comfy_extras.nodes_custom_sampler import (
    BasicGuider,
    CFGGuider,
    DisableNoise,
    FlipSigmas,
    RandomNoise,
    SamplerCustomAdvanced,
)
from comfy_extras.nodes_model_advanced import (
    ModelSamplingContinuousEDM,
    ModelSamplingDiscrete,
    ModelSamplingSD3,
)
from zoetrope.host.injection import MotionSettings, apply_motion_module
from zoetrope.host.sampling.inversion import InversionSampler
from zoetrope.host.sampling.invert_video import PromptGuider, invert_video
from zoetrope.host.windows import ContextSettings, apply_context_windows
from zoetrope.nodes.inversion import CreateInversionSampler
from zoetrope.samplers.inversion import InversionSettings, relative_error
from zoetrope.tests.comfy.golden_unet import golden_model, motion_module, sample
from zoetrope.tests.comfy.inverted_unet import golden, inverted_model, unit_variance
from zoetrope.tests.gold_weights import gold_input
from zoetrope.tests.rounding import assert_same

CASE = "ddim_inversion/ddim_inv"
ONE_CALL = {"traj_n20_fp0": "diffusers", "traj_n20_own_t": "euler"}
EXACT = InversionSettings("fixed point", 9, 0.0)
F, H, W = 3, 8, 16
LEVELS = torch.tensor([1.0, 0.6, 0.3, 0.1])


def prompt(name="positive"):
    return [[gold_input(name, (1, 7, 48)), {}]]


def video(frames=F, name="video"):
    """Latents of a seeded video."""
    return {"samples": gold_input(name, (frames, 4, H, W))}


def network(gain=0.05):
    """The golden MODEL with a weak last layer, so that steps as large as LEVELS' can be undone."""
    return golden_model(out_gain=gain)


def climb(model, text, latents, sigmas, settings):
    """(levels, residuals) of an inversion of latents as the network's sampling has them."""
    levels, residuals = [], []
    sampler = InversionSampler(settings, lambda x, residual: (levels.append(x), residuals.append(residual)))
    latents = model.model.process_latent_out(latents)
    PromptGuider(model, text).sample(torch.zeros_like(latents), latents, sampler, sigmas, disable_pbar=True)
    return levels, residuals


def in_comfyui(x, sigma):
    return x * (1 + sigma**2).sqrt()


@pytest.mark.parametrize("name", ONE_CALL)
def test_trajectories_are_those_of_the_reference(name):
    tensors, _ = golden(CASE)
    sigmas = tensors["sigmas_n20_desc"].flip(0)
    text, begin = [[tensors["ctx"], {}]], in_comfyui(tensors["z0"], sigmas[0])
    levels, _ = climb(inverted_model(CASE), text, begin, sigmas, InversionSettings(ONE_CALL[name]))
    made = torch.stack([unit_variance(x, sigma) for x, sigma in zip(levels, sigmas, strict=True)])
    assert_same(made, tensors[name])


def test_the_fixed_point_is_the_references_where_that_comes_closer_and_better_where_it_does_not():
    """Every step begins at the reference's latents; at one of them its corrections lead away again."""
    tensors, _ = golden(CASE)
    sigmas, model = tensors["sigmas_n20_desc"].flip(0), inverted_model(CASE)
    text, theirs, others = [[tensors["ctx"], {}]], tensors["traj_n20_fp5"], []
    for step in range(20):
        pair = sigmas[step : step + 2]
        begin = in_comfyui(theirs[step], pair[0])
        (_, ours), _ = climb(model, text, begin, pair, InversionSettings("fixed point", 5, 0.0))
        if relative_error(unit_variance(ours, pair[1]), theirs[step + 1]) > 1e-5:
            back = [down(model, text, x, pair.flip(0)) for x in (ours, in_comfyui(theirs[step + 1], pair[1]))]
            others.append((step, *(relative_error(x, begin) for x in back)))
    assert [step for step, *_ in others] == [3]
    assert others[0][1] < 0.5 * others[0][2]


def down(model, text, x, sigmas):
    """Core's Euler from latents as the network's sampling has them."""
    x = model.model.process_latent_out(x)
    euler = comfy.samplers.sampler_object("euler")
    out = PromptGuider(model, text).sample(torch.zeros_like(x), x, euler, sigmas, disable_pbar=True)
    return model.model.process_latent_in(out)


KINDS = {
    "eps": lambda model: model,
    "v": lambda model: ModelSamplingDiscrete().patch(model, "v_prediction", False)[0],
    "EDM": lambda model: ModelSamplingContinuousEDM().patch(model, "edm", 80.0, 0.002)[0],
    "flow": lambda model: ModelSamplingSD3().patch(model, 3.0)[0],
}


@pytest.mark.parametrize("kind", KINDS)
def test_sampling_undoes_the_inversion_for_every_kind_of_model(kind):
    model = KINDS[kind](network())
    sigmas = torch.tensor([0.9, 0.6, 0.3]) if kind == "flow" else LEVELS
    errors = {}
    for mode in ("fixed point", "diffusers", "euler"):
        settings = InversionSettings(mode, 8, 0.0)
        latent, _, back, _ = invert_video(model, prompt(), video(), sigmas, settings)
        made = PromptGuider(model, prompt()).sample(
            torch.zeros(F, 4, H, W), latent["samples"], comfy.samplers.sampler_object("euler"), back
        )
        errors[mode] = relative_error(made, video()["samples"])
    assert errors["fixed point"] < 1e-4
    assert errors["fixed point"] < 0.1 * min(errors["diffusers"], errors["euler"])


def inverted(model, latent=None, sigmas=LEVELS, largest_error=0.0, **settings):
    """What Invert Video gives: LATENT, INVERSION, SIGMAS, report."""
    settings = InversionSettings(**{"iterations": 7, "tolerance": 0.0, **settings})
    return invert_video(model, prompt(), latent or video(), sigmas, settings, largest_error)


def sampled_back(model, latent, sigmas):
    euler = comfy.samplers.sampler_object("euler")
    samples = latent["samples"]
    return PromptGuider(model, prompt()).sample(torch.zeros_like(samples), samples, euler, sigmas)


def test_the_way_is_from_the_video_to_the_noise_and_the_sigmas_lead_back():
    model = network()
    latent, inversion, sigmas, report = inverted(model, {**video(), "noise_mask": torch.ones(1, H, W)})
    assert inversion.trajectory.shape == (len(LEVELS), F, 4, H, W)
    assert torch.equal(sigmas, LEVELS) and torch.equal(inversion.sigmas, LEVELS)
    ends = (model.model.process_latent_in(x["samples"]) for x in (video(), latent))
    for made, expected in zip(inversion.trajectory[[0, -1]], ends, strict=True):
        assert_same(made, expected)
    assert "noise_mask" not in latent, "what is outside of a mask would be the noise itself"
    assert "3 steps up to sigma 1, fixed point; largest last correction" in report


def test_a_video_without_noise_counts_as_one_at_the_lowest_level():
    model = network()
    lowest = model.model.model_sampling.sigma_min
    _, _, sigmas, _ = inverted(model, sigmas=torch.tensor([0.5, 0.0]))
    assert torch.equal(sigmas, torch.stack((torch.tensor(0.5), lowest)))
    flipped = FlipSigmas.execute(torch.tensor([0.5, 0.0]))[0]
    _, by_hand = climb(model, prompt(), video()["samples"], flipped, EXACT)[0]
    _, expected = climb(model, prompt(), video()["samples"], sigmas.flip(0), EXACT)[0]
    assert torch.equal(by_hand, expected)


def test_a_motion_module_and_its_schedule_are_part_of_it():
    plain = network()
    model = apply_motion_module(plain, motion_module("v3"), MotionSettings())
    before = sample(plain)
    _, moving, _, _ = inverted(model)
    _, still, _, _ = inverted(plain)
    assert relative_error(moving.trajectory[-1], still.trajectory[-1]) > 1e-3
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "normal", 40)[36:]
    _, _, back, report = inverted(model, sigmas=sigmas, largest_error=1e-3)
    assert float(back[-1]) == float(model.get_model_object("model_sampling").sigma_min)
    assert "comes back" in report
    assert torch.equal(sample(plain), before), "the checkpoint is as it was"


@pytest.mark.parametrize("schedule", ["standard_static", "standard_uniform"])
def test_windows_of_a_level_are_those_of_sampling(schedule):
    windows = ContextSettings(context_length=3, context_overlap=1, context_schedule=schedule)
    model = apply_context_windows(network(), windows)
    _, _, _, report = inverted(model, video(5), largest_error=1e-3)
    assert "comes back" in report


def test_each_video_of_a_batch_is_inverted_as_alone():
    windows = ContextSettings(context_length=F, context_overlap=0, frames_per_video=F)
    model = apply_motion_module(network(), motion_module("v3"), MotionSettings())
    both = torch.cat((video()["samples"], video(name="another")["samples"]))
    together = inverted(apply_context_windows(model, windows), {"samples": both})[0]["samples"]
    for latent, part in zip((video(), video(name="another")), together.split(F), strict=True):
        assert_same(part, inverted(model, latent)[0]["samples"])


def test_guidance_of_the_model_has_no_part_in_it():
    model = network()
    plain = inverted(model)[1].trajectory
    guided = model.clone()
    guided.set_model_sampler_cfg_function(lambda arguments: 3 * arguments["cond"])
    assert torch.equal(inverted(guided)[1].trajectory, plain)
    assert "sampler_cfg_function" in guided.model_options


def test_a_flow_ends_where_latents_carry_something_into_the_sampler():
    model = KINDS["flow"](network())
    latent, _, sigmas, _ = inverted(model, sigmas=torch.tensor([1.0, 0.6, 0.3, 0.0]))
    assert float(sigmas[0]) == pytest.approx(0.9999)
    assert relative_error(sampled_back(model, latent, sigmas), video()["samples"]) < 1e-3
    with pytest.raises(ValueError, match="sigma=1 this .*for flows below 1"):
        climb(model, prompt(), video()["samples"], torch.tensor([0.3, 0.6, 1.0]), EXACT)


def custom(model, sampler, sigmas, guider=None, noise=None):
    """SamplerCustomAdvanced of ComfyUI."""
    guider = guider or BasicGuider.execute(model, prompt())[0]
    noise = noise or DisableNoise.execute()[0]
    return SamplerCustomAdvanced.execute(noise, guider, sampler, sigmas, video())[0]["samples"]


def test_the_sampler_does_in_comfyuis_nodes_what_invert_video_does():
    model = network()
    sampler = CreateInversionSampler.execute(mode="fixed point", iterations=7, tolerance=0.0)[0]
    assert_same(custom(model, sampler, LEVELS.flip(0)), inverted(model)[0]["samples"])


def test_what_is_no_inversion_is_refused():
    model, sampler = network(), InversionSampler(InversionSettings())
    up = LEVELS.flip(0)
    guided = CFGGuider.execute(model, prompt(), prompt("negative"), 7.5)[0]
    for given, told in (
        ({"sigmas": LEVELS}, "sigmas go from 1 to 0.1 and must rise .* FlipSigmas"),
        ({"sigmas": up[:1]}, "must rise"),
        ({"sigmas": up, "noise": RandomNoise.execute(3)[0]}, "wire DisableNoise"),
        ({"sigmas": up, "guider": guided}, "cfg=7.5 must be 1 in an inversion"),
    ):
        with pytest.raises(ValueError, match=told):
            custom(model, sampler, **given)
    with pytest.raises(ValueError, match="without FlipSigmas"):
        inverted(model, sigmas=up)


def test_a_bad_round_trip_ends_the_run():
    with pytest.raises(ValueError, match="relative error of .* more than largest_error=0.0001; take more"):
        inverted(network(), mode="euler", largest_error=1e-4)


def test_what_is_no_number_is_told():
    latent = video()
    latent["samples"][2, 1, 3, 5] = float("nan")
    with pytest.raises(ValueError, match="no number .NaN. at sigma=0.3"):
        inverted(network(), latent)


def test_every_step_is_told_and_can_be_cancelled():
    model, told = network(), []
    sampler = InversionSampler(InversionSettings("diffusers"))
    guider, latents = PromptGuider(model, prompt()), video()["samples"]
    run = (torch.zeros_like(latents), latents, sampler, LEVELS.flip(0))
    guider.sample(*run, callback=lambda *args: told.append(args))
    assert [(step, total) for step, _, _, total in told] == [(i, 3) for i in range(3)]
    assert all(denoised.shape == x.shape == latents.shape for _, denoised, x, _ in told)

    def cancel(*args):
        comfy.model_management.interrupt_current_processing(True)

    try:
        with pytest.raises(comfy.model_management.InterruptProcessingException):
            guider.sample(*run, callback=cancel)
    finally:
        comfy.model_management.interrupt_current_processing(False)
