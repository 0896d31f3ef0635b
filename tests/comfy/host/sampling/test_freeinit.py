"""FreeInit, held to core's sampler with the published equations between its runs."""

import comfy.hooks
import comfy.lora
import comfy.model_management
import comfy.sample
import comfy.samplers
import pytest
import torch
from comfy.patcher_extension import WrappersMP
from comfy_extras.nodes_custom_sampler import CFGGuider, KSamplerSelect, RandomNoise, SamplerCustomAdvanced
from comfy_extras.nodes_model_advanced import ModelSamplingSD3
from zoetrope.host.sampling.freeinit import apply_freeinit
from zoetrope.host.windows import ContextSettings, apply_context_windows
from zoetrope.motion_modules.call import STREAMS
from zoetrope.nodes.sampling import ApplyFreeInit
from zoetrope.samplers.freeinit import FreeInitSettings, mix_frequencies
from zoetrope.samplers.noise import arrange_noise
from zoetrope.shapes import fold_frames, unfold_frames
from zoetrope.tests.comfy.golden_unet import golden_model
from zoetrope.tests.gold_weights import gold_input, gold_tensor
from zoetrope.tests.rounding import assert_same

from nodes import KSampler

F, H, W, SEED = 5, 16, 8, 3
UNITS = 0.18215  # of SD1.5's latents


def sigmas_of(model, steps=2):
    return comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "normal", steps)


def run(model, noise=None, latent=None, steps=2, sigmas=None, shape=(F, 4, H, W), **more):
    """Core's own sampling of a run with a positive and a negative prompt."""
    latent = torch.zeros(shape) if latent is None else latent
    noise = comfy.sample.prepare_noise(latent, SEED) if noise is None else noise
    sigmas = sigmas_of(model, steps) if sigmas is None else sigmas
    sampler, positive = more.pop("sampler", "euler"), more.pop("positive", None)
    sampler = comfy.samplers.sampler_object(sampler) if isinstance(sampler, str) else sampler
    guider = comfy.samplers.CFGGuider(model)
    texts = ([[gold_input(name, (1, 7, 48)), {}]] for name in ("positive", "negative"))
    guider.set_conds(positive or next(texts), next(texts))
    guider.set_cfg(3.0)
    return guider.sample(noise, latent, sampler, sigmas, disable_pbar=True, seed=SEED, **more)


def fresh_noises(shape, count):
    """What a generator of the seed draws behind the noise of the run."""
    generator = torch.Generator().manual_seed(SEED)
    return [torch.randn(shape, generator=generator) for _ in range(count + 1)][1:]


def mixed(low, high, settings=None):
    videos = (unfold_frames(x, F) for x in (low, high))
    return fold_frames(mix_frequencies(*videos, settings or FreeInitSettings()))


def published(model, rounds=3, arranged=lambda noise: noise, settings=None, prompt=lambda: None, **more):
    """Wu et al. 2023, equations 3 and 4: each run gets a start noise z. Videos have F frames."""
    shape = more.get("shape", (F, 4, H, W))
    alpha = 1 / (1 + sigmas_of(model)[0] ** 2)
    first = arranged(comfy.sample.prepare_noise(torch.zeros(shape), SEED))
    made = run(model, first, positive=prompt(), **more) * UNITS
    for fresh in fresh_noises(shape, rounds - 1):
        noised = alpha.sqrt() * made + (1 - alpha).sqrt() * first
        z = mixed(noised, arranged(fresh), settings)
        made = run(model, z, positive=prompt(), **more) * UNITS
    return made / UNITS


def freeinit(model, **settings):
    return apply_freeinit(model, FreeInitSettings(**settings))


@pytest.mark.parametrize("name", ["butterworth", "ideal"])
def test_each_run_begins_as_published(name):
    settings = FreeInitSettings(3, name, 0.5, 0.3)
    model = golden_model()
    plain = run(model)
    result = run(apply_freeinit(model, settings))
    assert_same(result, published(model, settings=settings))
    assert (result - plain).abs().max() > 0.1
    assert torch.equal(run(model), plain), "the MODEL before the node is as it was"


def test_one_iteration_is_bit_for_bit_the_sampler():
    for sampler in ("euler", "euler_ancestral"):
        once = run(freeinit(golden_model(), iterations=1), sampler=sampler)
        assert torch.equal(once, run(golden_model(), sampler=sampler))


def test_runs_repeat_and_a_second_node_replaces_the_first():
    twice = freeinit(freeinit(golden_model(), iterations=5), iterations=2)
    result = run(twice, sampler="euler_ancestral")
    assert torch.equal(result, run(twice, sampler="euler_ancestral"))
    assert torch.equal(result, run(freeinit(golden_model(), iterations=2), sampler="euler_ancestral"))


def test_videos_of_a_batch_are_mixed_one_by_one():
    shape = (2 * F, 4, H, W)
    expected = published(golden_model(), 2, shape=shape)
    told = run(freeinit(golden_model(), iterations=2, frames_per_video=F), shape=shape)
    assert_same(told, expected)
    windows = ContextSettings(context_length=F, context_overlap=0, frames_per_video=F)
    by_windows = freeinit(apply_context_windows(golden_model(), windows), iterations=2)
    assert_same(run(by_windows, shape=shape), expected)
    assert (run(freeinit(golden_model(), iterations=2), shape=shape) - expected).abs().max() > 1e-2


@pytest.mark.parametrize("windows_first", [True, False])
def test_noise_of_context_windows_is_arranged_once(windows_first):
    def windows(model, noise_type):
        settings = ContextSettings(context_length=3, context_overlap=1, noise_type=noise_type)
        return apply_context_windows(model, settings)

    expected = published(
        windows(golden_model(), "default"), 2, lambda noise: arrange_noise(noise, "freenoise", 0, 3, 1, SEED)
    )
    if windows_first:
        model = freeinit(windows(golden_model(), "freenoise"), iterations=2)
    else:
        model = windows(freeinit(golden_model(), iterations=2), "freenoise")
    assert_same(run(model), expected)


def begun_again(model, latent, mask=None):
    """The second of two runs of less denoising: its beginning has the low frequencies of what the first made
    and the high ones of the latents, each with its noise.
    """
    sigmas = sigmas_of(model, 4)[2:]
    first = comfy.sample.prepare_noise(latent, SEED)
    made = run(model, first, latent, sigmas=sigmas, denoise_mask=mask) * UNITS
    fresh = fresh_noises(latent.shape, 1)[0]
    start = mixed(made + sigmas[0] * first, latent * UNITS + sigmas[0] * fresh)
    return run(model, (start - latent * UNITS) / sigmas[0], latent, sigmas=sigmas, denoise_mask=mask), sigmas


@pytest.mark.parametrize("masked", [False, True])
def test_less_denoising_keeps_the_fine_parts_of_the_latents_and_masks_keep_places(masked):
    latent = gold_input("latent", (F, 4, H, W), 3.0)
    mask = torch.ones(F, 1, H, W)
    mask[..., :3] = 0
    mask = mask if masked else None
    expected, sigmas = begun_again(golden_model(), latent, mask)
    result = run(freeinit(golden_model(), iterations=2), latent=latent, sigmas=sigmas, denoise_mask=mask)
    assert_same(result, expected)
    if masked:
        torch.testing.assert_close(result[..., :3], latent[..., :3], atol=1e-4, rtol=1e-4)


class Recording(comfy.samplers.Sampler):
    """A SAMPLER that keeps the noise that it is given and makes a video without a network."""

    def __init__(self, made):
        self.made, self.noises, self.seeds = made, [], []

    def sample(self, guider, sigmas, extra_args, callback, noise, latent_image=None, mask=None, quiet=False):
        self.noises.append(noise)
        self.seeds.append(extra_args["seed"])
        return self.made


def test_video_latents_have_their_frames_on_the_time_axis():
    shape = (2, 4, F, 3, 7)
    sampler = Recording(gold_input("made", shape))
    first = gold_input("first", shape)
    run(freeinit(golden_model(), iterations=2), first, torch.zeros(shape), sampler=sampler)
    alpha = 1 / (1 + sigmas_of(golden_model())[0] ** 2)
    low = alpha.sqrt() * sampler.made + (1 - alpha).sqrt() * first
    expected = mix_frequencies(low, fresh_noises(shape, 1)[0], FreeInitSettings())
    assert torch.equal(sampler.noises[0], first)
    assert_same(sampler.noises[1], expected)
    assert sampler.seeds == [SEED, SEED + 1]


def test_content_and_motion_of_a_dual_stream_are_mixed_one_by_one():
    model = golden_model()
    model.model_options["transformer_options"][STREAMS] = 2
    shape = (2 * F, 4, 3, 7)
    sampler = Recording(gold_input("made", shape))
    first = gold_input("first", shape)
    run(freeinit(model, iterations=2), first, torch.zeros(shape), sampler=sampler)
    alpha = 1 / (1 + sigmas_of(model)[0] ** 2)
    low = alpha.sqrt() * sampler.made + (1 - alpha).sqrt() * first
    assert_same(sampler.noises[1], mixed(low, fresh_noises(shape, 1)[0]))


def seen_levels(model, **settings):
    """The noise levels of every call of the network and the schedule that it is told."""
    seen = []

    def record(executor, x, t, context, y, control, options, *args, **kwargs):
        seen.append((float(options["sigmas"][0]), options["sample_sigmas"].tolist()))
        return executor(x, t, context, y, control, options, *args, **kwargs)

    model = freeinit(model, **settings)
    model.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, "recorder", record)
    steps = []
    run(model, sigmas=sigmas_of(model, 4), callback=lambda *told: steps.append((told[0], told[3])))
    return seen, steps


def test_progress_counts_the_steps_of_all_iterations_and_fewer_steps_have_their_own_schedule():
    levels = sigmas_of(golden_model(), 4).tolist()
    seen, steps = seen_levels(golden_model(), iterations=3)
    assert steps == [(step, 12) for step in range(12)]
    assert seen == [(level, levels) for _ in range(3) for level in levels[:-1]]
    seen, steps = seen_levels(golden_model(), iterations=3, fewer_steps=True)
    assert steps == [(step, 7) for step in range(7)], "1, 2 and 4"
    few = [levels[0], levels[2], levels[4]]
    assert [told for _, told in seen] == [[levels[0], levels[4]], *[few] * 2, *[levels] * 4]
    assert [level for level, _ in seen] == [levels[0], *few[:2], *levels[:4]]


def hooked():
    """A prompt with a LoRA of the network's attention, strong at first, off in the second half."""
    names = comfy.lora.model_lora_keys_unet(golden_model().model)
    name, target = next(item for item in names.items() if "attn2.to_q" in str(item[1]))
    rows, columns = golden_model().model.state_dict()[target].shape
    lora = {
        f"{name}.lora_up.weight": 9 * gold_tensor("up.weight", (rows, 2)),
        f"{name}.lora_down.weight": gold_tensor("down.weight", (2, columns)),
    }
    group = comfy.hooks.create_hook_lora(lora, 1.0, 1.0)
    strengths = comfy.hooks.HookKeyframeGroup()
    strengths.add(comfy.hooks.HookKeyframe(strength=1.0))
    strengths.add(comfy.hooks.HookKeyframe(strength=0.0, start_percent=0.4))
    group.set_keyframes_on_hooks(strengths)
    return [[gold_input("positive", (1, 7, 48)), {"hooks": group}]]


def test_hooks_with_keyframes_begin_again_in_each_iteration():
    """Each of core's runs gets hooks that are new."""
    expected = published(golden_model(), 2, steps=4, prompt=hooked)
    result = run(freeinit(golden_model(), iterations=2), steps=4, positive=hooked())
    assert_same(result, expected)
    assert (expected - published(golden_model(), 2, steps=4)).abs().max() > 1e-2, "the LoRA counts"


def test_a_cancelled_run_leaves_nothing_behind():
    model = golden_model()
    plain = run(model)

    def cancel(step, *told):
        if step == 2:  # the first of the second iteration
            raise comfy.model_management.InterruptProcessingException

    with pytest.raises(comfy.model_management.InterruptProcessingException):
        run(freeinit(model, iterations=2), callback=cancel)
    assert torch.equal(run(model), plain)


@pytest.mark.parametrize(
    ("settings", "given", "message"),
    [
        ({"frames_per_video": 3}, {}, "5 frames are not a whole number of videos of frames_per_video=3"),
        ({}, {"sigmas": torch.tensor([9.0, 1.0])}, "needs a run to the end, this one ends at sigma=1; turn"),
        ({}, {"noise": torch.zeros(F, 4, H, W)}, "needs a run with noise, this one has none; turn add_noise"),
        ({}, {"shape": (1, 4, 11)}, "frames of latents of shape .*leave FreeInit out"),
    ],
)
def test_runs_that_cannot_begin_again_are_refused(settings, given, message):
    with pytest.raises(ValueError, match=message):
        run(freeinit(golden_model(), **settings), **given)


def test_models_whose_first_noise_holds_nothing_are_refused():
    flow = ModelSamplingSD3().patch(golden_model(), 3.0)[0]
    with pytest.raises(ValueError, match=r"\(sigma=1\) leaves nothing"):
        run(freeinit(flow))


def test_every_sampler_node_makes_the_same():
    model = freeinit(golden_model(), iterations=2)
    prompts = [[[gold_input(name, (1, 7, 48)), {}]] for name in ("positive", "negative")]
    latent = {"samples": torch.zeros(F, 4, H, W)}
    (simple,) = KSampler().sample(model, SEED, 2, 3.0, "euler", "normal", *prompts, latent)
    noise, guider = RandomNoise.execute(SEED).args[0], CFGGuider.execute(model, *prompts, 3.0).args[0]
    sampler = KSamplerSelect.execute("euler").args[0]
    result, denoised = SamplerCustomAdvanced.execute(noise, guider, sampler, sigmas_of(model), latent).args
    assert torch.equal(simple["samples"], run(model))
    assert torch.equal(result["samples"], run(model))
    torch.testing.assert_close(denoised["samples"], run(model), atol=1e-3, rtol=1e-4)


def test_the_node_hands_its_widgets_on():
    given = {
        "iterations": 2,
        "low_pass_filter": "gaussian",
        "d_s": 0.5,
        "d_t": 0.3,
        "fewer_steps": False,
        "frames_per_video": F,
    }
    model = ApplyFreeInit.execute(model=golden_model(), **given).args[0]
    assert_same(run(model), published(golden_model(), 2, settings=FreeInitSettings(2, "gaussian", 0.5, 0.3)))
