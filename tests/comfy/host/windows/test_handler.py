"""Context windows in real ComfyUI: what they compute, and what they leave as it was."""

import comfy.conds
import comfy.gligen
import comfy.model_patcher
import comfy.sample
import comfy.samplers
import pytest
import torch
from comfy.ldm.modules.attention import SpatialTransformer
from zoetrope.host.windows import window_plan
from zoetrope.host.windows.handler import ContextSettings, ContextWindowHandler, apply_context_windows
from zoetrope.samplers.noise import arrange_noise
from zoetrope.tests.comfy.golden_unet import golden_model
from zoetrope.tests.comfy.host.context_rig import (
    CPU,
    PRECISE,
    SIGMA,
    F,
    H,
    W,
    evaluate,
    fuse,
    prompt,
    seed_weights,
    seeded,
    windowed,
)
from zoetrope.tests.rounding import NETWORK, assert_same

WINDOWS = [[0, 1, 2], [2, 3, 4], [4, 5, 6]]
PYRAMID = [[1.0, 2.0, 1.0]] * 3
# Standard deviations that the steps cost which EasyCache leaves out: 0.44 here. Frames that get what was
# computed for others would be off by more than 3.
EASY_CACHE = 1.0


@pytest.fixture(scope="module")
def model():
    return golden_model(PRECISE)


def test_one_window_is_no_windows_bit_for_bit(model):
    noise = seeded(F, 4, H, W)
    arguments = (noise, 2, 4.0, "dpmpp_2m", "normal", prompt(F), prompt(seed=3), torch.zeros_like(noise))
    plain = comfy.sample.sample(model, *arguments, seed=13, disable_pbar=True)
    for length in (F, F + 1):
        one = windowed(model, context_length=length, noise_type="freenoise")
        assert torch.equal(comfy.sample.sample(one, *arguments, seed=13, disable_pbar=True), plain)


@pytest.mark.parametrize("cfg", [4.0, 1.0])
@pytest.mark.parametrize("windows_per_batch", [0, 1, 2])
def test_each_window_has_the_prompts_of_its_frames(model, windows_per_batch, cfg):
    noise, positive, negative = seeded(F, 4, H, W), prompt(F), prompt(2, seed=3)
    expected = [
        evaluate(model, noise[w], [[positive[0][0][w], {}]], [[negative[0][0][[i % 2 for i in w]], {}]], cfg)
        for w in WINDOWS
    ]
    result = evaluate(windowed(model, windows_per_batch=windows_per_batch), noise, positive, negative, cfg)
    assert_same(result, fuse(WINDOWS, expected, noise, PYRAMID))


@pytest.fixture
def calls_of(model):
    """A function that makes a windowed MODEL and a list of the network's calls: (images,
    transformer_options).

    Context Windows does not see a hook on the network, as it would see a wrapper.
    """
    hooks = []

    def make(**settings):
        calls = []

        def count(network, args, kwargs):
            calls.append((args[0].shape[0], kwargs["transformer_options"]))

        hooks.append(model.model.diffusion_model.register_forward_pre_hook(count, with_kwargs=True))
        return windowed(model, **settings), calls

    yield make
    for hook in hooks:
        hook.remove()


def test_windows_share_calls_up_to_the_number_asked_for(calls_of):
    noise = seeded(F, 4, H, W)
    for windows_per_batch, sizes in ((0, [18]), (1, [6, 6, 6]), (2, [12, 6])):
        counting, calls = calls_of(windows_per_batch=windows_per_batch)
        evaluate(counting, noise, prompt(F), prompt(seed=3))
        assert [call[0] for call in calls] == sizes
        for size, options in calls:
            kinds, window = options["cond_or_uncond"], options["context_window"]
            assert sorted(kinds) == [0] * (size // 6) + [1] * (size // 6)
            frames = [
                frame for one in getattr(window, "windows", [window] * len(kinds)) for frame in one.index_list
            ]
            assert len(frames) == size
    assert calls[-1][1]["context_window"].index_list == WINDOWS[2]


def test_windows_of_different_length_work(model):
    noise, positive = seeded(F, 4, H, W), prompt(F)
    windows = [[0, 1, 2], [3, 4, 5, 6]]
    expected = [evaluate(model, noise[w], [[positive[0][0][w], {}]], prompt(seed=3)) for w in windows]
    result = evaluate(
        windowed(model, context_length=4, context_schedule="batched"), noise, positive, prompt(seed=3)
    )
    assert_same(result, torch.cat(expected))


@pytest.mark.parametrize("windows_per_batch", [0, 1])
def test_masks_and_areas_are_those_of_the_frames(model, windows_per_batch):
    noise = seeded(F, 4, H, W)
    masks = seeded(F, H, W, seed=6).abs().clamp(max=1)
    other = prompt(seed=8)

    def conds(w):
        masked = prompt(mask=masks[w], mask_strength=0.8)
        return [*masked, *prompt(seed=4, area=(4, 3, 2, 1), strength=1.5), *prompt(seed=5)]

    expected = [evaluate(model, noise[w], conds(w), other) for w in WINDOWS]
    result = evaluate(windowed(model, windows_per_batch=windows_per_batch), noise, conds(slice(None)), other)
    assert_same(result, fuse(WINDOWS, expected, noise, PYRAMID))


def test_frames_may_have_different_noise_levels(model):
    noise, positive = seeded(F, 4, H, W), prompt(F)
    levels = torch.linspace(1.0, 7.0, F)

    def at(frames):
        def sampler(model, x, sigmas, extra_args=None, callback=None, disable=None):
            return model(x, levels[frames], **extra_args)

        return sampler

    expected = [
        evaluate(model, noise[w], [[positive[0][0][w], {}]], prompt(seed=3), sampler=at(w)) for w in WINDOWS
    ]
    result = evaluate(windowed(model), noise, positive, prompt(seed=3), sampler=at(slice(None)))
    assert_same(result, fuse(WINDOWS, expected, noise, PYRAMID))


def test_noise_mask_keeps_its_frames(model):
    latents = seeded(F, 4, H, W, seed=21)
    mask = torch.ones(F, 1, H, W)
    mask[2] = mask[5] = 0
    result = comfy.sample.sample(
        windowed(model), seeded(F, 4, H, W), 2, 4.0, "euler", "normal", prompt(F), prompt(seed=3), latents,
        noise_mask=mask, seed=13, disable_pbar=True,
    )  # fmt: skip
    for frame in range(F):
        assert torch.allclose(result[frame], latents[frame], atol=1e-4) == (frame in (2, 5))


@pytest.mark.parametrize(
    "sampler", ["euler", "euler_ancestral", "heun", "dpmpp_2m_sde", "uni_pc", "euler_cfg_pp"]
)
@pytest.mark.parametrize("schedule", ["standard_uniform", "looped_uniform"])
def test_frames_that_do_not_see_each_other_come_out_as_without_windows(model, sampler, schedule):
    noise = seeded(F, 4, H, W)
    moving = windowed(model, context_schedule=schedule, context_stride=2, fuse_method="relative")
    arguments = (noise, 3, 4.0, sampler, "karras", prompt(F), prompt(seed=3), torch.zeros_like(noise))
    result = comfy.sample.sample(moving, *arguments, seed=13, disable_pbar=True)
    assert_same(result, comfy.sample.sample(model, *arguments, seed=13, disable_pbar=True))


def test_uniform_windows_move_with_the_step_and_stay_within_it(calls_of):
    counting, calls = calls_of(context_schedule="standard_uniform", windows_per_batch=1)
    noise = seeded(F, 4, H, W)
    comfy.sample.sample(
        counting,
        noise,
        3,
        4.0,
        "heun",
        "normal",
        prompt(F),
        prompt(seed=3),
        torch.zeros_like(noise),
        seed=13,
        disable_pbar=True,
    )
    starts = [options["context_window"].index_list[0] for _, options in calls]
    # heun: the second evaluation of a step is at the noise level of the next one; the last step has one
    assert starts == [0, 2, 4] + [0, 1, 2, 4] * 2 + [0, 2, 4] * 2


def test_several_videos_in_a_batch_get_their_own_windows(model):
    noise, positive = seeded(2 * F, 4, H, W), prompt(F)
    one = windowed(model, noise_type="freenoise")
    expected = [evaluate(one, part, positive, prompt(seed=3)) for part in noise.split(F)]
    result = evaluate(
        windowed(model, noise_type="freenoise", frames_per_video=F), noise, positive, prompt(seed=3)
    )
    assert_same(result, torch.cat(expected))


def test_short_videos_in_a_batch_are_kept_apart(calls_of):
    separate, calls = calls_of(context_length=8, frames_per_video=3, windows_per_batch=1)
    evaluate(separate, seeded(6, 4, H, W), prompt(3), prompt(seed=3))
    assert [options["context_window"].index_list for _, options in calls] == [[0, 1, 2], [3, 4, 5]]


def test_freenoise_reaches_the_sampler_and_leaves_the_users_noise(model):
    seen = []

    def sampler(model, x, sigmas, extra_args=None, callback=None, disable=None):
        seen.append(x.clone())
        return x

    noise = seeded(F, 4, H, W)
    before = noise.clone()
    evaluate(model, arrange_noise(noise, "freenoise", 0, 3, 1, 13), prompt(), prompt(), sampler=sampler)
    evaluate(windowed(model, noise_type="freenoise"), noise, prompt(), prompt(), sampler=sampler)
    assert torch.equal(noise, before)
    assert torch.equal(seen[0], seen[1])
    evaluate(model, noise, prompt(), prompt(), sampler=sampler)
    assert not torch.equal(seen[0], seen[2])


def test_the_model_is_cloned_and_later_settings_replace_earlier_ones(model):
    options = repr(model.model_options), repr(model.wrappers)
    first = windowed(model, noise_type="freenoise")
    second = windowed(first, context_length=4, noise_type="freenoise")
    assert (repr(model.model_options), repr(model.wrappers)) == options
    assert first.model_options["context_handler"].settings.context_length == 3
    assert second.model_options["context_handler"].settings.context_length == 4
    noise = seeded(F, 4, H, W)
    once = evaluate(windowed(model, context_length=4, noise_type="freenoise"), noise, prompt(F), prompt())
    assert torch.equal(evaluate(second, noise, prompt(F), prompt()), once)


def test_cores_own_windows_before_or_behind_ours_are_replaced_or_replace(model):
    from comfy_extras.nodes_context_windows import ContextWindowsManualNode

    def core(model):
        return ContextWindowsManualNode.execute(
            model, 3, 1, "standard_static", 1, False, "pyramid", 0, True
        ).result[0]

    noise = seeded(F, 4, H, W)
    ours = evaluate(windowed(model, noise_type="freenoise"), noise, prompt(F), prompt())
    assert torch.equal(
        evaluate(windowed(core(model), noise_type="freenoise"), noise, prompt(F), prompt()), ours
    )
    theirs = evaluate(core(model), noise.clone(), prompt(F), prompt())
    assert torch.equal(
        evaluate(core(windowed(model, noise_type="freenoise")), noise.clone(), prompt(F), prompt()), theirs
    )


def test_memory_is_estimated_for_one_window(model):
    import comfy.patcher_extension

    shapes = []

    def record(executor, model, noise_shape, *args, **kwargs):
        shapes.append(list(noise_shape))
        return executor(model, noise_shape, *args, **kwargs)

    recording = windowed(model)
    recording.add_wrapper(comfy.patcher_extension.WrappersMP.PREPARE_SAMPLING, record)
    evaluate(recording, seeded(F, 4, H, W), prompt(), prompt())
    evaluate(recording, seeded(2, 4, H, W), prompt(), prompt())
    assert shapes == [[3, 4, H, W], [2, 4, H, W]]


def test_other_codes_wrapper_of_the_conds_sees_one_window_at_a_time(model):
    import comfy.patcher_extension

    seen = []

    def record(executor, model, conds, x_in, timestep, model_options):
        seen.append(
            (len(conds), x_in.clone(), model_options["transformer_options"]["context_window"].index_list)
        )
        return executor(model, conds, x_in, timestep, model_options)

    recording = windowed(model)
    recording.add_wrapper(comfy.patcher_extension.WrappersMP.CALC_COND_BATCH, record)
    noise = seeded(F, 4, H, W)
    result = evaluate(recording, noise, prompt(F), prompt(seed=3))
    assert [(kinds, window) for kinds, _, window in seen] == [(2, window) for window in WINDOWS]
    for _, x, window in seen:
        assert x.shape[0] == len(window)
    assert_same(result, evaluate(windowed(model), noise, prompt(F), prompt(seed=3)))


def test_an_identity_belongs_to_one_cond_of_one_window_at_every_step(calls_of):
    recording, calls = calls_of(windows_per_batch=2)
    noise = seeded(F, 4, H, W)
    comfy.sample.sample(
        recording,
        noise,
        2,
        4.0,
        "euler",
        "normal",
        prompt(F),
        prompt(seed=3),
        torch.zeros_like(noise),
        seed=13,
        disable_pbar=True,
    )
    identities = [tuple(options["uuids"]) for _, options in calls]
    assert identities[:2] == identities[2:]
    assert len({identity for call in identities[:2] for identity in call}) == 6


def test_nothing_of_a_run_stays_in_the_model(model):
    windows = windowed(model)
    before = repr(windows.model_options), repr(windows.wrappers)
    evaluate(windows, seeded(F, 4, H, W), prompt(F), prompt())
    assert (repr(windows.model_options), repr(windows.wrappers)) == before
    assert vars(windows.model_options["context_handler"]).keys() == {"parts", "settings"}


def gligen(model):
    """A tiny GLIGEN with a layer for each transformer of the MODEL's UNet, in the order in which they run."""
    unet = model.model.diffusion_model
    blocks = [*unet.input_blocks, unet.middle_block, *unet.output_blocks]
    widths = [
        layer.in_channels for block in blocks for layer in block if isinstance(layer, SpatialTransformer)
    ]
    layers = [comfy.gligen.GatedSelfAttentionDense(width, 48, 2, width // 2) for width in widths]
    network = seed_weights(
        comfy.gligen.Gligen(layers, comfy.gligen.PositionNet(48, 48), 48).to(PRECISE), scale=0.3
    )
    return comfy.model_patcher.CoreModelPatcher(network, load_device=CPU, offload_device=CPU)


def test_gligen_works_in_windows(model):
    placed = ("position", gligen(model), [(seeded(1, 48, seed=4), 4, 3, 2, 1)])
    noise, positive = seeded(F, 4, H, W), prompt(F, gligen=placed)
    expected = evaluate(model, noise, positive, prompt(seed=3))
    assert_same(evaluate(windowed(model), noise, positive, prompt(seed=3)), expected)
    assert (expected - evaluate(model, noise, prompt(F), prompt(seed=3))).abs().max() > 1e-2 * expected.std()


def test_easy_cache_of_core_keeps_windows_apart(model):
    from comfy_extras.nodes_easycache import EasyCacheNode

    noise = seeded(F, 4, H, W)
    arguments = (noise, 6, 4.0, "euler", "normal", prompt(F), prompt(seed=3), torch.zeros_like(noise))
    # A threshold that never lets a step be skipped, and one that lets some be
    for threshold, tolerance in ((0.0, NETWORK), (0.3, EASY_CACHE)):
        caching = EasyCacheNode.execute(windowed(model), threshold, 0.0, 1.0, False).result[0]
        result = comfy.sample.sample(caching, *arguments, seed=13, disable_pbar=True)
        assert_same(result, comfy.sample.sample(model, *arguments, seed=13, disable_pbar=True), tolerance)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"context_overlap": 16},
            (
                "context_overlap=16 must be smaller than context_length=16; lower the overlap or raise the"
                " length"
            ),
        ),
        ({"context_length": 0}, "context_length=0 must be at least 1"),
        ({"context_stride": 0}, "context_stride=0 must be at least 1"),
        ({"context_schedule": "pendulum"}, "context_schedule='pendulum' must be one of"),
        ({"fuse_method": "sharp"}, "fuse_method='sharp' must be one of"),
        ({"noise_type": "pink"}, "noise_type='pink' must be one of"),
        ({"frame_axis": "depth"}, "frame_axis='depth' must be one of"),
        ({"windows_per_batch": -1}, "windows_per_batch=-1 must be at least 0"),
        ({"frames_per_video": -1}, "frames_per_video=-1 must be at least 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        ContextSettings(**settings)


@pytest.mark.parametrize(
    ("settings", "shape", "words"),
    [
        ({"frame_axis": "time"}, (F, 4, H, W), "frame_axis=time needs video latents of 5 dimensions"),
        (
            {"frames_per_video": 3},
            (F, 4, H, W),
            "7 frames are not a whole number of videos of frames_per_video=3",
        ),
    ],
)
def test_latents_that_do_not_fit_are_refused_and_the_next_run_is_right(model, settings, shape, words):
    noise = seeded(*shape)
    good = evaluate(windowed(model), noise, prompt(F), prompt())
    with pytest.raises(ValueError, match=words):
        evaluate(windowed(model, **settings), noise, prompt(F), prompt())
    assert torch.equal(evaluate(windowed(model), noise, prompt(F), prompt()), good)


def test_the_handler_answers_without_a_sampling_run(model):
    handler = ContextWindowHandler(ContextSettings(context_length=3, context_overlap=1))
    conds = [[{"model_conds": {}, "uuid": None}], None]
    assert handler.should_use_context(model.model, conds, seeded(F, 4, H, W), torch.tensor([SIGMA]), {})
    assert not handler.should_use_context(model.model, conds, seeded(3, 4, H, W), torch.tensor([SIGMA]), {})
    assert (
        apply_context_windows(model, handler.settings).model_options["context_handler"].settings
        == handler.settings
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("guide_attention_entries", [{"latent_shape": [1, 2, 2]}]),
        ("latent_shapes", [(1, 4, F, 2, 2), (1, 4, 11)]),
    ],
)
def test_guide_frames_and_sound_are_refused_where_windows_are_needed(name, value):
    conds = [[{"model_conds": {name: comfy.conds.CONDConstant(value)}}]]
    x_in = seeded(1, 1, 4 * F * 4 + 44) if name == "latent_shapes" else seeded(1, 4, F, 2, 2)
    long = ContextWindowHandler(ContextSettings(context_length=F, context_overlap=1))
    assert not long.should_use_context(None, conds, x_in, torch.tensor([SIGMA]), {})
    short = ContextWindowHandler(ContextSettings(context_length=3, context_overlap=1))
    with pytest.raises(ValueError, match="use ComfyUI's own context windows node"):
        short.should_use_context(None, conds, x_in, torch.tensor([SIGMA]), {})


def test_the_window_plan_is_that_of_the_settings(model):
    image, words = window_plan(windowed(model, context_length=16, context_overlap=4), 32, 2)
    assert image.shape == (1, 2 * 3 * 12 + 6, 32 * 12, 3)
    assert words == "32 frames: 3.0 windows per step, 1.50 times the work of computing each frame once."
    with pytest.raises(ValueError, match="has no context windows of Zoetrope"):
        window_plan(model, 32, 2)
    with pytest.raises(ValueError, match="steps=0 must be at least 1"):
        window_plan(windowed(model), 32, 0)
    with pytest.raises(ValueError, match="num_frames=0 must be at least 1"):
        window_plan(windowed(model), 0, 1)
