"""Reuse Deep Features, held to core's own runs whose features are replaced block by block."""

import comfy.hooks
import comfy.lora
import comfy.model_management
import comfy.sample
import comfy.samplers
import pytest
import torch
from comfy_extras.nodes_context_windows import ContextWindowsManualNode
from comfy_extras.nodes_freelunch import FreeU_V2
from comfy_extras.nodes_model_downscale import PatchModelAddDownscale
from comfy_extras.nodes_pag import PerturbedAttentionGuidance
from comfy_extras.nodes_sag import SelfAttentionGuidance
from zoetrope.host.injection import MotionSettings, apply_motion_module
from zoetrope.host.sampling import reuse_deep_features as subject
from zoetrope.host.sampling.freeinit import apply_freeinit
from zoetrope.host.sampling.reuse_deep_features import KEY, reuse_deep_features
from zoetrope.host.video_models.loader import video_model_from_file
from zoetrope.host.windows import ContextSettings, apply_context_windows
from zoetrope.nodes.sampling import OscillateGuidance
from zoetrope.samplers.deep_features import ReuseSettings
from zoetrope.samplers.freeinit import FreeInitSettings
from zoetrope.tests.comfy.golden_unet import golden_model, motion_module
from zoetrope.tests.comfy.host.context_rig import controlnet, prompt, t2i_adapter, with_control
from zoetrope.tests.comfy.host.sampling.replaced_features import blocks_run, replacing
from zoetrope.tests.gold_weights import gold_input, gold_tensor
from zoetrope.tests.networks.image_unets import IMAGE_UNETS
from zoetrope.tests.networks.video_networks import VIDEO_NETWORKS
from zoetrope.tests.rounding import OTHER_BATCH, assert_same

F, H, W = 5, 16, 8
STEPS = 5
WITH_BLOCKS = [name for name in VIDEO_NETWORKS if not name.startswith("show1")]


def run(model, sampler="euler", cfg=3.0, frames=F, size=(H, W), conds=None, channels=4, **more):
    latent = torch.zeros(frames, channels, *size)
    positive, negative = conds or ([[gold_input(name, (1, 7, 48)), {}]] for name in ("positive", "negative"))
    noise = comfy.sample.prepare_noise(latent, 1)
    return comfy.sample.sample(
        model, noise, more.pop("steps", STEPS), cfg, sampler, "normal", positive, negative, latent,
        disable_pbar=True, seed=1, **more,
    )  # fmt: skip


def reusing(model, interval=2, depth=2, **more):
    return reuse_deep_features(model, ReuseSettings(interval, depth, **more))


@pytest.fixture(scope="module")
def moving():
    return apply_motion_module(golden_model(), motion_module("v3"), MotionSettings())


@pytest.fixture(autouse=True)
def runs(monkeypatch):
    """Every run's features, to see that none are left."""
    made = []

    class Seen(subject.KeptFeatures):
        def __init__(self, interval):
            super().__init__(interval)
            made.append(self)

    monkeypatch.setattr(subject, "KeptFeatures", Seen)
    yield made
    assert not any(features._kept for features in made)


@pytest.mark.parametrize(("interval", "depth"), [(2, 1), (3, 2), (2, 4), (3, 11)])
def test_short_steps_take_the_feature_of_the_last_whole_step(moving, interval, depth):
    whole, counted = run(moving), []
    result = run(blocks_run(reusing(moving, interval, depth), counted))
    assert_same(result, run(replacing(moving, interval, depth)))
    assert (result - whole).abs().max() > 1e-2 * whole.std()
    expected = [counted[0], *[counted[1]] * (interval - 1)] * STEPS
    assert counted == expected[:STEPS]
    assert counted[1] < counted[0], "a short step runs fewer layers"
    if depth == 1:
        assert counted[1] == 3, "a convolution, and a ResBlock with a transformer"
    assert torch.equal(run(moving), whole), "the MODEL before the node is as it was"


@pytest.mark.parametrize("name", IMAGE_UNETS)
def test_every_kind_of_checkpoint(name):
    unet = IMAGE_UNETS[name]
    model = unet.model()
    conds = unet.conditioning("positive"), unet.conditioning("negative")
    whole = run(model, conds=conds)
    result = run(reusing(model, 2, 3), conds=conds)
    assert_same(result, run(replacing(model, 2, 3), conds=conds))
    assert (result - whole).abs().max() > 1e-3 * whole.std()
    assert torch.equal(run(reusing(model, 1, 3), conds=conds), whole)


@pytest.mark.parametrize("name", WITH_BLOCKS)
def test_every_video_network(name, tmp_path):
    tiny = VIDEO_NETWORKS[name]
    tiny.write(tmp_path / "file.pth")
    model = video_model_from_file(str(tmp_path / "file.pth")).model
    channels, *size = tiny.latent
    more = {"channels": channels, "size": size, "steps": 3, "frames": tiny.num_frames}
    conds = [tiny.prompt(text, tiny.num_frames) for text in ("positive", "negative")]
    whole = run(model, conds=conds, **more)
    result = run(reusing(model, 2, 1), conds=conds, **more)
    assert_same(result, run(replacing(model, 2, 1), conds=conds, **more))
    assert (result - whole).abs().max() > 1e-4 * whole.std()
    assert torch.equal(run(model, conds=conds, **more), whole)


def test_networks_that_are_no_unet_of_core_are_refused(tmp_path):
    VIDEO_NETWORKS["show1_base"].write(tmp_path / "file.pth")
    model = video_model_from_file(str(tmp_path / "file.pth")).model
    with pytest.raises(ValueError, match="this MODEL is a Show1UNet; leave the node out"):
        reusing(model)


def test_at_least_one_block_is_left():
    with pytest.raises(ValueError, match="depth=12 must be smaller than 12, the number of blocks"):
        reusing(golden_model(), 2, 12)


@pytest.mark.parametrize("sampler", ["heun", "dpmpp_2s_ancestral", "dpmpp_sde", "dpm_2", "uni_pc", "lcm"])
def test_samplers_may_call_several_times_a_step(moving, sampler):
    counted = []
    assert run(blocks_run(reusing(moving), counted), sampler).isfinite().all()
    whole, short = max(counted), min(counted)
    assert set(counted) == {whole, short} and whole > short
    assert 1 / 3 < counted.count(short) / len(counted) < 2 / 3


def test_both_evaluations_of_heun_are_of_the_step_of_their_noise_level(moving):
    assert_same(run(reusing(moving), "heun"), run(replacing(moving, 2, 2), "heun"))


def test_the_first_and_the_last_steps_may_be_whole(moving):
    """The five steps begin at 0, 0.25, 0.5, 0.75 and 1 of the schedule."""
    counted = []
    run(blocks_run(reusing(moving, 2, 2, start_percent=0.2, end_percent=0.7), counted))
    short = min(counted)
    assert [count == short for count in counted] == [False, False, True, False, False]


def test_no_step_in_range_is_told(moving, caplog):
    whole = run(moving)
    assert torch.equal(run(reusing(moving, 2, 2, end_percent=0.01)), whole)
    assert "all 5 steps were computed whole" in caplog.text
    caplog.clear()
    run(reusing(moving))
    run(reusing(moving), steps=1)
    assert "computed whole" not in caplog.text


def test_a_second_node_replaces_the_first(moving):
    assert torch.equal(run(reusing(reusing(moving, 3, 1), 2, 4)), run(reusing(moving, 2, 4)))
    assert torch.equal(run(reusing(reusing(moving, 3, 1), 1)), run(moving))


@pytest.mark.parametrize("windows_per_batch", [0, 1, 2])
def test_windows_keep_features_of_their_own(moving, windows_per_batch):
    windows = ContextSettings(context_length=3, context_overlap=1, windows_per_batch=windows_per_batch)
    model = apply_context_windows(moving, windows)
    result = run(reusing(model), frames=7)
    # The patch of this test is not known to the windows, which are evaluated one by one then.
    assert_same(result, run(replacing(model, 2, 2, each_call=True), frames=7), OTHER_BATCH)
    assert torch.equal(run(apply_context_windows(reusing(moving), windows), frames=7), result)


def test_windows_that_move_are_whole(moving, caplog):
    settings = ContextSettings(3, 1, "looped_uniform", closed_loop=True)
    model = apply_context_windows(moving, settings)
    assert torch.equal(run(reusing(model), frames=7, steps=3), run(model, frames=7, steps=3))
    assert "windows that move at every step" in caplog.text


def test_cores_windows(moving):
    """One window in a call; all but the first have a frame more."""
    given = (3, 1, "standard_static", 1, False, "pyramid", 0, False)
    model = ContextWindowsManualNode.execute(moving, *given)[0]
    result = run(reusing(model), frames=7)
    assert_same(result, run(replacing(model, 2, 2, each_call=True), frames=7))


def test_videos_of_a_batch(moving):
    model = apply_motion_module(golden_model(), motion_module("v3"), MotionSettings(frames_per_video=F))
    assert_same(run(reusing(model), frames=2 * F), run(replacing(model, 2, 2), frames=2 * F))


def test_cfg_1_leaves_the_negative_prompt_out(moving):
    assert_same(run(reusing(moving), cfg=1.0), run(replacing(moving, 2, 2), cfg=1.0))


def test_a_prompt_that_was_left_out_for_a_while_makes_the_step_whole(moving):
    """cfg 3 and 1 in turn: the negative prompt's feature is two steps old when it is needed again."""
    model = OscillateGuidance.execute(model=moving, low_cfg=1.0, high_steps=0).args[0]
    counted = []
    run(blocks_run(reusing(model), counted), steps=6)
    short = min(counted)
    assert [count == short for count in counted] == [False, False, True, False, True, False]


@pytest.mark.parametrize("split", [False, True])
def test_conditionings_evaluated_one_by_one(moving, monkeypatch, split):
    """Little memory at some steps only: how chunks are batched differs from step to step."""
    expected = run(replacing(moving, 2, 2))
    steps = iter(range(100))
    kind = type(moving.model)
    plain = kind.memory_required

    def required(self, shape, **more):
        return 1e30 if split and next(steps) % 3 else plain(self, shape, **more)

    monkeypatch.setattr(kind, "memory_required", required)
    assert_same(run(reusing(moving)), expected, OTHER_BATCH)


def test_areas_have_features_of_their_own():
    """The negative prompt is copied for each area, with one identity."""
    model = golden_model()
    left, right = (H, W // 2, 0, 0), (H, W // 2, 0, W // 2)
    conds = (
        [[gold_input(name, (1, 7, 48)), {"area": area, "strength": 1.0}] for name, area in
         (("a", left), ("b", right))],
        [[gold_input("negative", (1, 7, 48)), {}]],
    )  # fmt: skip
    result = run(reusing(model), conds=conds)
    assert_same(result, run(replacing(model, 2, 2, each_call=True), conds=conds))


@pytest.mark.parametrize("kind", ["controlnet", "t2i"])
@pytest.mark.parametrize("depth", [1, 4])
def test_controlnets_reach_the_outer_blocks(kind, depth, caplog):
    hints = gold_input("hints", (F, 3, 8 * H, 8 * W)).abs().clamp(max=1)
    control = (controlnet if kind == "controlnet" else t2i_adapter)(hints)
    conds = with_control(prompt(F), control), with_control(prompt(seed=3), control)
    model = golden_model(torch.float64)
    result = run(reusing(model, 2, depth), conds=conds)
    assert_same(result, run(replacing(model, 2, depth), conds=conds))
    assert (result - run(reusing(model, 2, depth), conds=(prompt(F), prompt(seed=3)))).abs().max() > 1e-2
    assert "could not be applied" not in caplog.text


def test_a_controlnet_that_begins_makes_its_step_whole():
    control = controlnet(gold_input("hints", (F, 3, 8 * H, 8 * W)).abs().clamp(max=1))
    control.set_cond_hint(control.cond_hint_original, 0.7, (0.2, 1.0))
    conds = with_control(prompt(F), control), with_control(prompt(seed=3), control)
    counted = []
    run(blocks_run(reusing(golden_model(torch.float64), 3), counted), conds=conds)
    short = min(counted)
    assert [count == short for count in counted] == [False, False, True, True, False]


def hooked(model):
    """A prompt with a LoRA that goes off in the second half."""
    names = comfy.lora.model_lora_keys_unet(model.model)
    name, target = next(item for item in names.items() if "attn2.to_q" in str(item[1]))
    rows, columns = model.model.state_dict()[target].shape
    lora = {
        f"{name}.lora_up.weight": 9 * gold_tensor("up.weight", (rows, 2)),
        f"{name}.lora_down.weight": gold_tensor("down.weight", (2, columns)),
    }
    group = comfy.hooks.create_hook_lora(lora, 1.0, 1.0)
    strengths = comfy.hooks.HookKeyframeGroup()
    strengths.add(comfy.hooks.HookKeyframe(strength=1.0))
    strengths.add(comfy.hooks.HookKeyframe(strength=0.0, start_percent=0.3))
    group.set_keyframes_on_hooks(strengths)
    return [[gold_input("positive", (1, 7, 48)), {"hooks": group}]]


def test_weights_that_hooks_change_make_the_step_whole():
    model = golden_model()
    conds = hooked(model), [[gold_input("negative", (1, 7, 48)), {}]]
    counted = []
    run(blocks_run(reusing(model, 3), counted), conds=conds)
    short = min(counted)
    # Two calls a step. The hooked one is whole at the steps 0 and 2, the other at 0 and 3.
    pairs = [sorted(count == short for count in counted[i : i + 2]) for i in range(0, 2 * STEPS, 2)]
    assert pairs == [[False, False], [True, True], [False, True], [False, True], [True, True]]


@pytest.mark.parametrize(
    "patch",
    [
        lambda m: FreeU_V2.execute(m, 1.3, 1.4, 0.9, 0.2)[0],
        lambda m: PerturbedAttentionGuidance.execute(m, 2.0)[0],
    ],
    ids=["FreeU_V2", "PAG"],
)
@pytest.mark.parametrize("first", [True, False])
def test_other_nodes_patches(patch, first):
    model = golden_model()
    result = run(patch(reusing(model, 2, 3)) if first else reusing(patch(model), 2, 3))
    assert_same(result, run(replacing(patch(model), 2, 3, each_call=True)))
    assert (result - run(reusing(model, 2, 3))).abs().max() > 1e-2


@pytest.mark.parametrize(
    "patch",
    [
        lambda m: SelfAttentionGuidance.execute(m, 0.5, 2.0)[0],
        lambda m: PatchModelAddDownscale.execute(m, 3, 2.0, 0.0, 0.6, True, "bicubic", "bicubic")[0],
    ],
    ids=["SAG", "deep shrink"],
)
def test_patches_of_deep_blocks(patch):
    """They change what whole steps make, and see nothing of what short steps leave out."""
    model = patch(golden_model())
    assert run(reusing(model), frames=2, size=(32, 32), steps=3).isfinite().all()


def test_freeinit_begins_with_a_whole_step_each_time(moving):
    counted = []
    run(blocks_run(apply_freeinit(reusing(moving, 3), FreeInitSettings(2)), counted), steps=4)
    short = min(counted)
    assert [count == short for count in counted] == 2 * [False, True, True, False]


def test_calls_without_identities_are_whole(moving):
    """As where another node calls the network by itself."""

    def call(apply, args):
        del args["c"]["transformer_options"]["uuids"]
        return apply(args["input"], args["timestep"], **args["c"])

    model = moving.clone()
    model.set_model_unet_function_wrapper(call)
    assert torch.equal(run(reusing(model)), run(moving))


def test_frames_with_noise_levels_of_their_own_are_whole(moving):
    """As in a queue of frames, where other frames stand in the same places at the next step."""

    def queue(model, x, sigmas, extra_args=None, **more):
        for sigma in sigmas[:-1]:
            x = model(x, sigma * torch.linspace(1, 0.5, len(x)), **extra_args)
        return x

    def sampled(model):
        noise = comfy.sample.prepare_noise(torch.zeros(F, 4, H, W), 1)
        given = ([[gold_input(name, (1, 7, 48)), {}]] for name in ("positive", "negative"))
        guider = comfy.samplers.CFGGuider(model)
        guider.set_conds(*given)
        guider.set_cfg(3.0)
        sigmas = torch.tensor([9.0, 7.0, 5.0, 0.0])
        return guider.sample(noise, torch.zeros_like(noise), comfy.samplers.KSAMPLER(queue), sigmas, seed=1)

    assert torch.equal(sampled(reusing(moving)), sampled(moving))


def test_a_run_that_ends_early_leaves_nothing_and_the_next_begins_anew(moving, runs):
    model = reusing(moving)
    expected = run(model)
    before = model.model_options["transformer_options"].copy()

    def cancel(step, *told):
        if step == 2:
            assert runs[-1]._kept
            raise comfy.model_management.InterruptProcessingException

    with pytest.raises(comfy.model_management.InterruptProcessingException):
        run(model, callback=cancel)
    assert not runs[-1]._kept
    assert model.model_options["transformer_options"] == before and KEY not in before
    assert torch.equal(run(model), expected)


def test_nan_stays_nan_and_does_not_reach_the_next_run(moving):
    model = reusing(moving)
    expected = run(model)
    broken = [[torch.full((1, 7, 48), float("nan")), {}]], [[gold_input("negative", (1, 7, 48)), {}]]
    assert run(model, conds=broken).isnan().all()
    assert torch.equal(run(model), expected)


def test_more_than_the_memory_is_refused_before_the_run(moving, monkeypatch):
    """Depth 2: 32 channels of 16 x 8 in float32, 5 frames of two prompts."""
    needed = 32 * H * W * 4 * F * 2
    monkeypatch.setattr("zoetrope.memory.free_memory", lambda: needed - 1)
    with pytest.raises(ValueError, match="deep features of 10 frames.* need .*; sample fewer frames"):
        run(reusing(moving))
    monkeypatch.setattr("zoetrope.memory.free_memory", lambda: needed)
    run(reusing(moving))


@pytest.mark.parametrize(
    ("depth", "shape"), [(1, (32, 13, 7)), (3, (64, 13, 7)), (4, (64, 7, 4)), (11, (128, 2, 1))]
)
def test_the_size_of_features_is_known_before_the_run(moving, runs, depth, shape):
    blocks = subject.outer_blocks(moving, depth)
    assert blocks.feature_shape(13, 7) == shape
    seen = []

    def look(*told):
        seen.extend(kept.feature.shape for kept in runs[-1]._kept.values())

    run(reusing(moving, 2, depth), size=(13, 7), callback=look)
    assert set(seen) == {(F, *shape)}
