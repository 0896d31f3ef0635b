"""FIFO diffusion in ComfyUI, held to core's own results: where frames do not see each other, each frame that
joins the queue is a sample of its own; where they do, every window is evaluated by core alone.
"""

import comfy.model_management
import comfy.samplers
import pytest
import torch
from comfy.patcher_extension import WrappersMP
from comfy_extras.nodes_custom_sampler import CFGGuider, RandomNoise, SamplerCustomAdvanced
from comfy_extras.nodes_model_advanced import ModelSamplingSD3
from zoetrope.frame_values import frame_values
from zoetrope.host.injection import MotionSettings, apply_motion_module
from zoetrope.host.sampling.fifo import FifoSampler
from zoetrope.motion_modules.call import STREAMS
from zoetrope.nodes.sampling import CreateFifoSampler
from zoetrope.samplers.fifo import FifoSettings
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

N, F, S, SEED, CFG = 5, 2, 3, 13, 4.0
UNITS = 0.18215  # of SD1.5's latents


@pytest.fixture(scope="module")
def plain():
    """A MODEL whose frames do not see each other."""
    return golden_model(PRECISE)


@pytest.fixture(scope="module")
def moving():
    return apply_motion_module(golden_model(PRECISE), motion_module("v3"), MotionSettings())


def sigmas_of(model, steps=S):
    return comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "normal", steps)


def run(model, sampler, noise, positive=None, negative=None, latents=None, sigmas=None, **more):
    if isinstance(sampler, FifoSettings):
        sampler = FifoSampler(sampler)
    return comfy.samplers.sample(
        model, noise, positive or prompt(), negative or prompt(seed=3), CFG, CPU, sampler,
        sigmas_of(model) if sigmas is None else sigmas,
        latent_image=torch.zeros_like(noise) if latents is None else latents, disable_pbar=True, seed=SEED,
        **more,
    )  # fmt: skip


def euler():
    return comfy.samplers.sampler_object("euler")


def per_frame(frames=N, **more):
    return {"positive": prompt(frames, **more), "negative": prompt(seed=3, **more)}


def hinted(frames=N):
    control = controlnet(hint_images(frames))
    sides = per_frame(frames)
    return {name: with_control(side, control) for name, side in sides.items()}


@pytest.mark.parametrize("given", [per_frame, hinted], ids=["prompts", "hints"])
@pytest.mark.parametrize("lookahead", [False, True], ids=["plain", "lookahead"])
def test_frames_that_join_are_sampled_as_core_samples_them(plain, given, lookahead):
    """With the prompts and hints of their own numbers."""
    steps = 4 if not lookahead else S
    noise, sigmas = seeded(N, 4, H, W), sigmas_of(plain, steps)
    result = run(plain, FifoSettings(F, lookahead), noise, sigmas=sigmas, **given())
    expected = run(plain, euler(), noise, sigmas=sigmas, **given())
    assert_same(result[F:], expected[F:], 1e-5)
    assert (expected[F:].diff(dim=0)).abs().max() > 0.1 * expected.std()


def test_less_denoising_and_masks_are_cores(plain):
    noise, latents = seeded(N, 4, H, W), seeded(N, 4, H, W, seed=6) * 3
    mask = (torch.arange(N * H * W) % 3 > 0).float().view(N, 1, H, W)
    given = {"latents": latents, "sigmas": sigmas_of(plain, 6)[3:], "denoise_mask": mask, **per_frame()}
    result, expected = (run(plain, sampler, noise, **given) for sampler in (FifoSettings(F), euler()))
    assert_same(result[F:], expected[F:], 1e-5)
    kept = (1 - mask).bool().expand_as(latents)
    assert_same(result[kept], latents[kept], 1e-5)


def test_videos_of_a_batch_come_one_after_another(plain):
    noise = seeded(2 * N, 4, H, W)
    given = per_frame(2 * N)
    result = run(plain, FifoSettings(F, frames_per_video=N), noise, **given)
    expected = run(plain, euler(), noise, **given)
    for video in (0, N):
        assert_same(result[video + F : video + N], expected[video + F : video + N], 1e-5)


def test_flow_models_go_down_their_own_path():
    model = ModelSamplingSD3().patch(golden_model(PRECISE), 3.0)[0]
    noise = seeded(N, 4, H, W)
    assert_same(run(model, FifoSettings(F), noise)[F:], run(model, euler(), noise)[F:], 1e-5)
    with pytest.raises(ValueError, match="eta=0.5 must be 0 for a MODEL that predicts a flow"):
        run(model, FifoSettings(F, eta=0.5), noise)


def clean_by_core(model, x, levels, frames):
    """What core alone makes of a window x (F, C, H, W), each frame with its own noise level and prompt."""
    positive, negative = [[prompt(N)[0][0][frames], {}]], prompt(seed=3)

    def one(network, noisy, sigmas, extra_args=None, callback=None, disable=None):
        return network(x, levels, **extra_args)

    return evaluate(model, torch.zeros_like(x), positive, negative, CFG, one) * UNITS


def test_windows_of_frames_that_see_each_other_are_those_of_the_paper(moving):
    """Algorithm 3 of the paper in the plainest words, from a clip; the old queue is read."""
    noise, clip, sigmas = seeded(N, 4, H, W), seeded(F + 1, 4, H, W, seed=8), sigmas_of(moving)
    sides = {"positive": prompt(N), "negative": prompt(seed=3)}
    result = run(moving, FifoSampler(FifoSettings(F), clip), noise, **sides)

    fresh = torch.Generator().manual_seed(SEED + 1)
    begun = clip[1:] * UNITS
    rising = sigmas.flip(0)
    copies = torch.randn((S - F, 4, H, W), generator=fresh)
    head = torch.randn((F // 2, 4, H, W), generator=fresh)
    x = [begun[0] + rising[1] * one for one in head]
    x += [begun[0] + rising[1 + k] * copies[k] for k in range(S - F)]
    x += [begun[g] + rising[1 + S - F + g] * noise[g] for g in range(F)]
    levels = torch.cat((rising[1:2], rising[1:]))
    video = []
    for iteration in range(N + S - F):
        old = torch.stack(x)
        numbers = [min(N - 1, max(0, iteration + k - 1 - (S - F))) for k in range(1 + S)]
        for k in range(1, 1 + S):  # windows of two frames, of which the second is taken
            part = slice(k - 1, k + 1)
            clean = clean_by_core(moving, old[part], levels[part], numbers[part])[1]
            x[k] = clean + rising[k - 1] / levels[k] * (old[k] - clean)
        video.append(x[1])
        own = iteration + F
        joins = noise[own] if own < N else torch.randn((1, 4, H, W), generator=fresh)[0]
        x = [*x[1:], joins * (1 + sigmas[0] ** 2).sqrt()]
    expected = torch.stack(video[S - F :]) / UNITS
    assert_same(result, expected, 1e-5)
    alone = run(
        moving, FifoSampler(FifoSettings(F), clip), noise, positive=prompt(), negative=sides["negative"]
    )
    assert (alone - result).abs().max() > 1e-2 * result.std(), "prompts count"


def test_without_a_clip_the_first_window_is_a_clip_that_core_samples(moving):
    noise = seeded(N, 4, H, W)
    result = run(moving, FifoSettings(F), noise, **per_frame())
    first = run(moving, euler(), noise[:F], positive=[[prompt(N)[0][0][:F], {}]], negative=prompt(seed=3))
    assert_same(result, run(moving, FifoSampler(FifoSettings(F), first), noise, **per_frame()), 1e-4)


def test_noise_between_the_steps_is_drawn_by_the_seed(moving):
    noise = seeded(N, 4, H, W)
    first, again = (run(moving, FifoSettings(F, eta=1.0), noise) for _ in range(2))
    assert torch.equal(first, again)
    assert (first - run(moving, FifoSettings(F), noise)).abs().max() > 0.1 * first.std()


def counted(model):
    calls = []

    def record(executor, x, t, *args, **kwargs):
        calls.append((len(x), t.tolist()))
        return executor(x, t, *args, **kwargs)

    model = model.clone()
    model.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, "recorder", record)
    return model, calls


def test_an_iteration_costs_its_windows_and_previews_hold_all_frames(moving):
    model, calls = counted(moving)
    told = []
    result = run(
        model,
        FifoSettings(F),
        seeded(N, 4, H, W),
        callback=lambda step, x0, x, total: told.append((step, total, x0.shape)),
    )
    iterations = N + S - F
    assert len(calls) == S + iterations * S, "the first window, then three windows an iteration"
    assert {count for count, _ in calls} == {2 * F}, "positive and negative"
    assert told == [(k, S + iterations, result.shape) for k in range(S + iterations)]
    levels = calls[-1][1][:F]
    assert sorted(levels) == levels and len(set(levels)) == F, "a level for each frame"


def test_values_over_frames_follow_the_frames(moving):
    """Strength 0 from frame 4 on: those frames are sampled without the module, whatever the queue holds."""
    model = golden_model(PRECISE)
    strength = frame_values([1.0] * F + [0.0] * (N - F))
    model = apply_motion_module(model, motion_module("v3"), MotionSettings(strength=strength))
    still = apply_motion_module(golden_model(PRECISE), motion_module("v3"), MotionSettings(start_percent=1.0))
    noise = seeded(N, 4, H, W)
    assert_same(run(model, FifoSettings(F), noise)[F:], run(still, euler(), noise)[F:], 1e-5)


def test_a_module_needs_to_know_the_frames_of_a_window_only(moving):
    noise = seeded(N, 4, H, W)
    short, shortest = (
        apply_motion_module(golden_model(PRECISE), motion_module("v3", rows), MotionSettings())
        for rows in (F, F - 1)
    )
    assert_same(run(short, FifoSettings(F), noise), run(moving, FifoSettings(F), noise))
    with pytest.raises(ValueError, match="windows of 2 frames are more than the 1 that the motion module"):
        run(shortest, FifoSettings(F), noise)


def test_windows_on_the_model_give_way_and_the_model_is_as_it_was(moving):
    noise = seeded(N, 4, H, W)
    before = run(moving, euler(), noise)
    expected = run(moving, FifoSettings(F), noise)
    assert torch.equal(run(windowed(moving), FifoSettings(F), noise), expected)
    assert torch.equal(run(moving, euler(), noise), before)


def test_a_cancelled_run_leaves_nothing_behind(moving):
    noise = seeded(N, 4, H, W)
    before = run(moving, euler(), noise)

    def cancel(step, *told):
        if step == S + 2:
            raise comfy.model_management.InterruptProcessingException

    with pytest.raises(comfy.model_management.InterruptProcessingException):
        run(moving, FifoSettings(F), noise, callback=cancel)
    assert torch.equal(run(moving, euler(), noise), before)


@pytest.mark.parametrize(
    ("sampler", "given", "message"),
    [
        (FifoSettings(F), {"noise": seeded(1, 4, N, H, W)}, "needs latents whose frames are the batch"),
        (FifoSettings(16), {}, "3 steps, which must be a multiple of 8 and at least 16; set steps to 16"),
        (FifoSettings(F), {"sigmas": torch.tensor([1.0, 2.0, 3.0])}, "sigmas that fall at every step"),
        (FifoSettings(F, frames_per_video=3), {}, "5 frames are not a whole number of videos"),
        (FifoSampler(FifoSettings(F), seeded(3, 4, 2, 2)), {}, "give both the same size"),
        (FifoSettings(F), {"hooks": True}, "hooks cannot change over the steps"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_queue_is_refused(plain, sampler, given, message):
    noise = given.pop("noise", seeded(N, 4, H, W))
    if given.pop("hooks", False):
        given["positive"] = hooked()
    with pytest.raises(ValueError, match=message):
        run(plain, sampler, noise, **given)


def test_dual_streams_are_refused():
    model = golden_model()
    model.model_options["transformer_options"][STREAMS] = 2
    with pytest.raises(ValueError, match="for dual-stream modules"):
        run(model, FifoSettings(F), seeded(6, 4, H, W))


def test_the_node_in_cores_graph(moving):
    node = CreateFifoSampler.execute(
        context_length=F, lookahead=True, eta=0.0, frames_per_video=0, clip=None
    ).args[0]
    guider = CFGGuider.execute(moving, prompt(), prompt(seed=3), CFG).args[0]
    noise, latent = RandomNoise.execute(SEED).args[0], {"samples": torch.zeros(N, 4, H, W)}
    result, denoised = SamplerCustomAdvanced.execute(noise, guider, node, sigmas_of(moving), latent).args
    drawn = noise.generate_noise(latent)
    assert_same(result["samples"], run(moving, FifoSettings(F), drawn))
    assert_same(denoised["samples"], result["samples"])
