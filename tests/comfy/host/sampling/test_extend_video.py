"""Extend Video in ComfyUI: each window is core's own run with a noise mask over the known frames."""

import math

import comfy.samplers
import pytest
import torch
from comfy_extras.nodes_custom_sampler import CFGGuider, RandomNoise, SamplerCustomAdvanced
from comfy_extras.nodes_model_advanced import ModelSamplingSD3
from zoetrope.host.injection import MotionSettings, apply_motion_module
from zoetrope.motion_modules.call import STREAMS
from zoetrope.nodes.sampling import ExtendVideo
from zoetrope.tests.comfy.golden_unet import golden_model, motion_module
from zoetrope.tests.comfy.host.context_rig import (
    CPU,
    PRECISE,
    H,
    W,
    controlnet,
    evaluate,
    hint_images,
    prompt,
    seeded,
    windowed,
    with_control,
)
from zoetrope.tests.comfy.host.sampling.test_freeinit import hooked
from zoetrope.tests.rounding import assert_same

N, SEED = 5, 13
UNITS = 0.18215  # of SD1.5's latents
WINDOWS = [((-2, 2), 2), ((0, 4), 2), ((1, 5), 3)]
SIGMAS = torch.tensor([9.0, 2.0, 0.0])


@pytest.fixture(scope="module")
def moving():
    return apply_motion_module(golden_model(PRECISE), motion_module("v3"), MotionSettings())


def extending(clip, name="euler", known_noise=1.0, start_noise=0.0):
    sampler = comfy.samplers.sampler_object(name)
    noises = {"known_noise": known_noise, "start_noise": start_noise}
    given = {"context_length": 4, "context_overlap": 2, **noises}
    return ExtendVideo.execute(sampler=sampler, clip={"samples": clip}, **given).args[0]


def run(model, sampler, noise, positive=None, latents=None, seed=SEED, negative=None,
        sigmas=SIGMAS, **more):  # fmt: skip
    return comfy.samplers.sample(
        model, noise, positive or prompt(), negative or prompt(seed=3), 4.0, CPU, sampler, sigmas,
        latent_image=torch.zeros_like(noise) if latents is None else latents, disable_pbar=True, seed=seed,
        **more,
    )  # fmt: skip


def by_core(model, clip, noise, name, given, latents=None, mask=None):
    """Window by window: known frames are outside of core's noise mask; prompts and hints by given(frames)."""
    fresh = torch.Generator().manual_seed(SEED + 1)
    video = torch.cat((clip, torch.zeros_like(noise) if latents is None else latents))
    masks = torch.ones(len(noise), 1, H, W) if mask is None else mask
    for number, ((start, stop), known) in enumerate(WINDOWS):
        part = slice(len(clip) + start, len(clip) + stop)
        drawn = torch.randn((known, 4, H, W), generator=fresh)
        video[part][known:] = run(
            model,
            comfy.samplers.sampler_object(name),
            torch.cat((drawn, noise[start + known : stop])),
            latents=video[part].clone(),
            seed=SEED + number,
            denoise_mask=torch.cat((torch.zeros(known, 1, H, W), masks[start + known : stop])),
            **given([max(0, frame) for frame in range(start, stop)]),
        )[known:]
    return video[len(clip) :]


def prompts_of(frames):
    return {"positive": [[prompt(N)[0][0][frames], {}]]}


def hints_of(frames):
    control = controlnet(hint_images(N)[frames])
    return {
        name: with_control(prompt(seed=seed), control) for name, seed in (("positive", 2), ("negative", 3))
    }


@pytest.mark.parametrize("given", [prompts_of, hints_of], ids=["prompts", "hints"])
def test_windows_are_cores_with_a_mask_over_the_known_frames(moving, given):
    noise, clip = seeded(N, 4, H, W), seeded(3, 4, H, W, seed=8) * 3
    result = run(moving, extending(clip), noise, **given(list(range(N))))
    assert_same(result, by_core(moving, clip, noise, "euler", given), 1e-5)
    other = run(moving, extending(-clip), noise, **given(list(range(N))))
    assert (other - result).abs().amax((1, 2, 3)).min() > 1e-2 * result.std(), (
        "the clip counts in every frame"
    )


@pytest.mark.parametrize("part", [0.0, 0.25])
def test_known_frames_are_seen_with_less_noise(moving, part):
    """Euler's steps by hand, core alone evaluates the window; without noise means at the lowest level."""
    noise, clip = seeded(2, 4, H, W), seeded(2, 4, H, W, seed=8) * 3
    lowest = float(moving.get_model_object("model_sampling").sigma_min)
    of_known = torch.randn((2, 4, H, W), generator=torch.Generator().manual_seed(SEED + 1))
    x = noise * SIGMAS[0]
    for sigma, lower in ((9.0, 2.0), (2.0, 0.0)):
        known = max(part * sigma, lowest)
        window = torch.cat((clip * UNITS + known * of_known, x))
        levels = torch.tensor([known, known, sigma, sigma])

        def one(network, noisy, sigmas, extra_args=None, window=window, levels=levels, **more):
            return network(window, levels, **extra_args)

        clean = evaluate(moving, torch.zeros_like(window), prompt(), prompt(seed=3), 4.0, one)[2:] * UNITS
        x = clean + lower / sigma * (x - clean)
    result = run(moving, extending(clip, known_noise=part), noise)
    assert_same(result, x / UNITS, 1e-5)
    assert (result - run(moving, extending(clip), noise)).abs().max() > 1e-2 * result.std()


def counting(model, levels):
    """The MODEL that notes the noise level of the last row of each call."""

    def call(apply_model, args):
        levels.append(round(float(args["timestep"][-1]), 3))
        return apply_model(args["input"], args["timestep"], **args["c"])

    model = model.clone()
    model.set_model_unet_function_wrapper(call)
    return model


def test_new_frames_begin_as_the_last_known_one_under_noise(moving):
    """Euler's steps by hand: the last known frame is what the first two would find, without the network."""
    noise, clip, levels = seeded(2, 4, H, W), seeded(2, 4, H, W, seed=8) * 3, []
    top = float(moving.get_model_object("model_sampling").sigma_max)
    of_known = torch.randn((2, 4, H, W), generator=torch.Generator().manual_seed(SEED + 1))
    x, last = noise * math.sqrt(1 + top**2), clip[1:] * UNITS
    for sigma, lower in ((top, 6.0), (6.0, 2.0)):
        x = last + lower / sigma * (x - last)
    window = torch.cat((clip * UNITS + 2 * of_known, x))

    def one(network, noisy, sigmas, extra_args=None, **more):
        return network(window, torch.full((4,), 2.0), **extra_args)

    expected = evaluate(moving, torch.zeros_like(window), prompt(), prompt(seed=3), 4.0, one)[2:]
    extended = extending(clip, start_noise=3.0 / math.sqrt(H * W) * 16)
    result = run(counting(moving, levels), extended, noise, sigmas=torch.tensor([top, 6.0, 2.0, 0.0]))
    assert_same(result, expected, 1e-5)
    assert set(levels) == {2.0}


def test_a_flow_begins_where_as_much_is_seen(moving):
    """Level t of a flow has 1 - t of the frame: 0.75 is noise of three times the frame."""
    model, levels = ModelSamplingSD3().patch(golden_model(), 3.0)[0], []
    top = float(model.get_model_object("model_sampling").sigma_max)
    extended = extending(seeded(2, 4, H, W, seed=8), start_noise=3.0 / math.sqrt(H * W) * 16)
    sigmas = torch.tensor([top, 0.76, 0.74, 0.2, 0.0])
    result = run(counting(model, levels), extended, seeded(2, 4, H, W), sigmas=sigmas)
    assert result.isfinite().all() and set(levels) == {0.74, 0.2}


def test_less_denoising_begins_with_its_own_latents(moving):
    noise, clip, latents = (seeded(2, 4, H, W, seed=k) for k in (1, 2, 3))
    result = run(moving, extending(clip, start_noise=0.1), noise, latents=latents)
    assert torch.equal(result, run(moving, extending(clip), noise, latents=latents))


def test_prompts_of_a_part_of_the_steps_go_by_the_new_frames(moving):
    """Nothing is left of a prompt that holds for the last tenth, where no step of this run begins."""
    noise, clip = seeded(2, 4, H, W), seeded(2, 4, H, W, seed=8)
    late = prompt(seed=5, start_percent=0.99, end_percent=1.0)
    plain = run(moving, extending(clip, known_noise=0.0), noise)
    assert torch.equal(run(moving, extending(clip, known_noise=0.0), noise, [*prompt(), *late]), plain)


def test_samplers_with_noise_latents_and_masks_of_the_run(moving):
    noise, clip, latents = (seeded(k, 4, H, W, seed=k) for k in (N, 3, N))
    mask = (torch.arange(N * H * W) % 3 > 0).float().view(N, 1, H, W)
    given = {"latents": latents, "denoise_mask": mask}
    result = run(moving, extending(clip, "euler_ancestral"), noise, **given)
    expected = by_core(moving, clip, noise, "euler_ancestral", lambda frames: {}, latents, mask)
    assert_same(result, expected, 1e-5)
    kept = (1 - mask).bool().expand_as(latents)
    assert_same(result[kept], latents[kept], 1e-5)


def test_hooks_with_keyframes_begin_again_in_each_window(moving):
    noise, clip = seeded(N, 4, H, W), seeded(3, 4, H, W, seed=8)
    result = run(moving, extending(clip), noise, positive=hooked())
    expected = by_core(moving, clip, noise, "euler", lambda frames: {"positive": hooked()})
    assert_same(result, expected, 1e-5)


def test_previews_hold_all_new_frames_and_windows_on_the_model_give_way(moving):
    noise, clip, told = seeded(N, 4, H, W), seeded(1, 4, H, W, seed=8), []
    result = run(
        windowed(moving),
        extending(clip),
        noise,
        callback=lambda step, x0, x, total: told.append((step, total, len(x0))),
    )
    assert told == [(step, 4, N) for step in range(4)], "two windows of two steps"
    assert torch.equal(result, run(moving, extending(clip), noise))


def test_the_node_in_cores_graph(moving):
    clip, latent = seeded(3, 4, H, W, seed=8), {"samples": torch.zeros(N, 4, H, W)}
    guider, noise = (
        CFGGuider.execute(moving, prompt(), prompt(seed=3), 4.0).args[0],
        RandomNoise.execute(SEED),
    )
    result, denoised = SamplerCustomAdvanced.execute(
        noise.args[0], guider, extending(clip), SIGMAS, latent
    ).args
    drawn = noise.args[0].generate_noise(latent)
    assert_same(result["samples"], run(moving, extending(clip), drawn))
    assert_same(denoised["samples"], result["samples"])


def test_a_module_needs_to_know_the_frames_of_a_window_only(moving):
    noise, clip = seeded(N, 4, H, W), seeded(3, 4, H, W, seed=8)
    short = apply_motion_module(golden_model(PRECISE), motion_module("v3", 4), MotionSettings())
    assert_same(run(short, extending(clip), noise), run(moving, extending(clip), noise))


def test_what_does_not_go_together_is_refused(moving):
    with pytest.raises(ValueError, match="needs latents whose frames are the batch"):
        run(golden_model(), extending(seeded(3, 4, H, W)), seeded(1, 4, N, H, W))
    with pytest.raises(ValueError, match=r"the clip has latents of shape \(3, 4, 2, 2\), the new frames"):
        run(moving, extending(seeded(3, 4, 2, 2)), seeded(N, 4, H, W))
    streams = golden_model()
    streams.model_options["transformer_options"][STREAMS] = 2
    with pytest.raises(ValueError, match="dual-stream modules"):
        run(streams, extending(seeded(3, 4, H, W)), seeded(6, 4, H, W))
