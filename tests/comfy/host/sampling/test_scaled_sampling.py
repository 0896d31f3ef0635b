"""VideoCrafter's scaled schedules through ComfyUI's samplers:
the reference's sampling loops, exact DDIM, guidance rescale.
"""

import comfy.model_sampling
import comfy.samplers
import pytest
import torch
from zoetrope.host.sampling.scaled_sampling import (
    ScaledEps,
    ScaledV,
    ddim_sigmas,
    reference_ddim,
    schedule_of,
    with_guidance_rescale,
)
from zoetrope.host.video_models.videocrafter import CONCAT_LATENT, FPS, HIDDEN_STATE
from zoetrope.shapes import fold_frames
from zoetrope.tests.gold_weights import gold_input
from zoetrope.tests.networks.golden_cases import load_case
from zoetrope.tests.networks.videocrafter import (
    LATENT_SCALE,
    LOOPS,
    TEXT_TOKENS,
    TokensAsGiven,
    load,
    sample,
    tensors_of_file,
    text,
)
from zoetrope.tests.rounding import NETWORK, SCHEDULE, assert_same
from zoetrope.video_unets.systems import Sampling


def golden_model(case):
    """The MODEL of a case, its two conditionings, its inputs and description."""
    meta, io, _ = load_case(case)
    has_image = "ddim_concat" in io
    model = load(tensors_of_file(case, image_tokens=64 if has_image else 0)).model
    if not has_image:
        conds = [(io["context"][i : i + 1], {FPS: 28}) for i in (0, 1)]
        return model, conds, io, meta
    model.model.image_proj_model = TokensAsGiven()
    extras = {FPS: 24, CONCAT_LATENT: fold_frames(io["ddim_concat"]) / LATENT_SCALE}
    conds = [
        (
            io["context"][i : i + 1, :TEXT_TOKENS],
            extras | {HIDDEN_STATE: io["context"][i : i + 1, TEXT_TOKENS:]},
        )
        for i in (0, 1)
    ]
    return model, conds, io, meta


def golden_sample(case, eta=0.0, **kwargs):
    model, conds, io, meta = golden_model(case)
    is_v = isinstance(model.model.model_sampling, ScaledV)
    model = with_guidance_rescale(model, 0.7) if is_v else model
    sigmas = ddim_sigmas(model, "uniform_trailing" if is_v else "uniform", 5)
    out = sample(model, reference_ddim(eta, **kwargs), sigmas, *conds, fold_frames(io["ddim_noise"]))
    return out * LATENT_SCALE, io, meta


@pytest.mark.parametrize("case", LOOPS)
def test_sampling_loop_gives_the_numbers_of_the_reference(case):
    out, io, meta = golden_sample(case)
    # Where DynamiCrafter's reference has no signal at all, 5e-8 of it stands for that here:
    # sigma must be finite. That costs 6e-4.
    assert_same(out, fold_frames(io["out_ddim"]), 2e-3 if case.startswith("dynamicrafter") else NETWORK)


@pytest.mark.parametrize("case", LOOPS)
def test_sigmas_are_those_of_the_reference(case):
    model, _, io, _ = golden_model(case)
    t = torch.arange(1000)
    scale, alphas = (
        io["scale_arr"][:1000].double(),
        io["alphas_cumprod"].double().clamp(min=4.8973451890853435e-08),
    )
    wanted = ((1 - alphas) / alphas).sqrt() / scale
    sampling = model.model.model_sampling
    torch.testing.assert_close(sampling.sigmas.double(), wanted, rtol=SCHEDULE, atol=0)
    assert torch.equal(sampling.timestep(sampling.sigmas), t)
    trailing = case.startswith("dynamicrafter")
    sigmas = ddim_sigmas(model, "uniform_trailing" if trailing else "uniform", 5)
    assert sampling.timestep(sigmas[:-1]).flip(0).tolist() == io["ddim_timesteps"].tolist()
    assert sigmas[-1] == 0


@pytest.mark.parametrize(
    ("kind", "sampling", "highest"),
    [
        (ScaledEps, Sampling(base_scale=0.7), 20.878),
        (ScaledEps, Sampling(base_scale=0.3), 48.715),
        (ScaledV, Sampling("v", zero_terminal_snr=True, base_scale=0.3), 15062),
    ],
)
def test_the_highest_noise_is_that_of_the_published_models(kind, sampling, highest):
    assert float(kind(None, sampling).sigma_max) == pytest.approx(highest, rel=1e-4)


def test_core_ddim_visits_the_same_steps():
    """Core's own scheduler and sampler with a scaled MODEL: eta 0, but for where they begin and end."""
    case = "videocrafter/t2v_512_v2_w64"
    model, conds, io, _ = golden_model(case)
    sigmas = comfy.samplers.calculate_sigmas(model.model.model_sampling, "ddim_uniform", 5)
    torch.testing.assert_close(sigmas, ddim_sigmas(model, "uniform", 5))
    latent = torch.full((4, 4, 8, 8), 0.3)  # not empty: both start from sigma times noise
    ours = sample(
        model, reference_ddim(0.0, reference_end=False), sigmas, *conds, fold_frames(io["ddim_noise"]), latent
    )
    core = sample(
        model, comfy.samplers.ksampler("euler"), sigmas, *conds, fold_frames(io["ddim_noise"]), latent
    )
    assert_same(ours, core)


def test_without_scale_eta_one_is_core_s_ancestral_sampler():
    case = "videocrafter/t2v_512_v1_w64"
    model, io = load(tensors_of_file(case)).model, load_case(case)[1]
    assert type(model.model.model_sampling).__mro__[1] is comfy.model_sampling.ModelSamplingDiscrete
    sigmas = ddim_sigmas(model, "uniform", 4)
    noise = gold_input("start", (3, 4, 8, 8))
    conds = [(io["context"][i : i + 1], {}) for i in (0, 1)]
    ours = sample(
        model, reference_ddim(1.0, reference_end=False), sigmas, *conds, noise, torch.full_like(noise, 0.1)
    )
    core = sample(
        model, comfy.samplers.ksampler("euler_ancestral"), sigmas, *conds, noise, torch.full_like(noise, 0.1)
    )
    assert_same(ours, core)


@pytest.mark.parametrize("case", LOOPS)
def test_new_noise_is_drawn_from_the_seed(case):
    first, again, other = (golden_sample(case, eta)[0] for eta in (1.0, 1.0, 0.5))
    assert torch.equal(first, again)
    assert (first - other).abs().max() > 0.1


def test_what_the_reference_keeps_at_the_end():
    model, conds, io, _ = golden_model("dynamicrafter/dc_1024_w64")
    sigmas = ddim_sigmas(model, "uniform_trailing", 5)
    seen = []
    sampler = reference_ddim(0.0, reference_end=False)
    out = sample(
        model,
        sampler,
        sigmas,
        *conds,
        fold_frames(io["ddim_noise"]),
        callback=lambda step, x0, x, total: seen.append(x0.clone()),
    )
    torch.testing.assert_close(out * LATENT_SCALE, seen[-1])
    kept = sample(model, reference_ddim(0.0), sigmas, *conds, fold_frames(io["ddim_noise"])) * LATENT_SCALE
    last_scale = io["scale_arr"][io["ddim_timesteps"][0]]
    assert last_scale < 0.7
    # What is left besides the scaled result is a trace of noise, at most the last timestep's 0.03 of it.
    assert (kept / last_scale - seen[-1]).std() < 0.15 < (kept - seen[-1]).std()


@pytest.mark.parametrize("amount", [0.0, 0.4, 1.0])
def test_guidance_rescale_is_that_of_the_reference_on_v(amount):
    """Against the update written out in the reference's own terms."""
    model, conds, io, _ = golden_model("dynamicrafter/dc_1024_w64")
    sampling = model.model.model_sampling
    x, v_cond, v_uncond = (gold_input(name, (4, 4, 8, 8)) for name in ("x", "v cond", "v uncond"))
    sigma = sampling.sigmas[600]
    function = with_guidance_rescale(model, amount).model_options["sampler_cfg_function"]
    denoised = [sampling.calculate_denoised(sigma, v, x * 3.0) for v in (v_cond, v_uncond)]
    args = {
        "input": x * 3.0, "sigma": sigma.repeat(4), "cond_scale": 7.5, "model": model.model,
        "cond_denoised": denoised[0], "uncond_denoised": denoised[1],
    }  # fmt: skip
    guided = v_uncond + 7.5 * (v_cond - v_uncond)
    rescaled = amount * guided * (v_cond.std() / guided.std()) + (1 - amount) * guided
    wanted = sampling.calculate_denoised(sigma, rescaled, x * 3.0)
    assert_same(x * 3.0 - function(args), wanted)


def test_guidance_rescale_differs_from_core_s_on_scaled_models():
    """Core's RescaleCFG takes a plain schedule and one frame at a time for granted."""
    from comfy_extras.nodes_model_advanced import RescaleCFG

    model, conds, io, _ = golden_model("dynamicrafter/dc_1024_w64")
    sigmas = ddim_sigmas(model, "uniform_trailing", 5)
    ours, core = (
        sample(m, reference_ddim(0.0), sigmas, *conds, fold_frames(io["ddim_noise"])) for m in (
            with_guidance_rescale(model, 0.7), RescaleCFG().patch(model, 0.7)[0])
    )  # fmt: skip
    assert (ours - core).abs().max() > 0.05


@pytest.mark.parametrize("steps", [4, 20])
def test_partial_denoise_takes_the_end_of_a_longer_schedule(steps):
    model, *_ = golden_model("videocrafter/t2v_512_v2_w64")
    sigmas = ddim_sigmas(model, "uniform", steps, denoise=0.5)
    assert torch.equal(sigmas, ddim_sigmas(model, "uniform", steps * 2)[-steps - 1 :])


def test_bad_settings_are_refused():
    model, *_ = golden_model("videocrafter/t2v_512_v2_w64")
    with pytest.raises(ValueError, match="eta=1.5 must be between 0"):
        reference_ddim(1.5)
    with pytest.raises(ValueError, match="rescale=-0.1 must be between 0"):
        with_guidance_rescale(model, -0.1)
    with pytest.raises(ValueError, match="denoise=0.0 must be above 0"):
        ddim_sigmas(model, "uniform", 5, denoise=0.0)
    with pytest.raises(ValueError, match="needs a model with discrete timesteps.*ModelSamplingDiscreteFlow"):
        schedule_of(
            type(
                "Sampling", (comfy.model_sampling.ModelSamplingDiscreteFlow, comfy.model_sampling.CONST), {}
            )()
        )


def test_a_scaled_model_is_trained_with_what_core_sends_it():
    """c_in times x is a s x0 + b n, for sigmas of timesteps and between them."""
    sampling = ScaledEps(None, Sampling(base_scale=0.3))
    x0, n = text("x0"), text("n")
    for t in (1, 200, 398, 399, 400, 999):
        sigma = sampling.sigmas[t : t + 1]
        alphas = 1 / (1 + (float(sigma) * float(sampling.schedule.s[t])) ** 2)
        wanted = alphas**0.5 * float(sampling.schedule.s[t]) * x0 + (1 - alphas) ** 0.5 * n
        assert_same(sampling.calculate_input(sigma, x0 + sigma * n), wanted)
    between = (sampling.sigmas[200:201] + sampling.sigmas[201:202]) / 2
    low, high = (sampling.calculate_input(sampling.sigmas[t : t + 1], torch.ones(1)) for t in (201, 200))
    assert low < sampling.calculate_input(between, torch.ones(1)) < high
