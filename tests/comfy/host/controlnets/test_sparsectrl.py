"""SparseCtrl gives the numbers of the published code, in windows and chains too, and refuses what is none."""

import json
from functools import cache

import comfy.model_management
import comfy.utils
import pytest
import torch
from comfy.context_windows import IndexListContextWindow
from safetensors.torch import load_file, save_file
from zoetrope.frame_values import frame_values
from zoetrope.host.controlnets.over_time import OverTimeSettings, over_time
from zoetrope.host.controlnets.sparsectrl import NEAREST, NOTHING, SparseSettings, place_sparse_images
from zoetrope.host.controlnets.sparsectrl_file import sparsectrl_from_file
from zoetrope.host.controlnets.sparsectrl_network import SparseMotion
from zoetrope.host.injection import MotionSettings, apply_motion_module
from zoetrope.host.injection.motion_models import motion_module_from_file
from zoetrope.host.windows.batch import BatchedContextWindow
from zoetrope.motion_modules.animatediff.sparsectrl import sparse_hints
from zoetrope.shapes import fold_frames, unfold_frames
from zoetrope.tests.comfy.golden_unet import golden_model, motion_module, motion_state_dict
from zoetrope.tests.comfy.host.context_rig import (
    H,
    W,
    controlnet,
    evaluate,
    prompt,
    seeded,
    windowed,
    with_control,
)
from zoetrope.tests.comfy.host.media.small_vaes import image_vae
from zoetrope.tests.gold_weights import gold_tensor
from zoetrope.tests.places import GOLDENS
from zoetrope.tests.rounding import OTHER_BATCH, SPARSE, assert_same

B, F = 2, 8
PLACED = "0, 5"
KINDS = ["rgb", "scribble"]


@cache
def golden():
    return load_file(GOLDENS / "sparsectrl" / "sparsectrl_tiny.safetensors")


@cache
def published(kind):
    """The tensors of a file as the reference made them."""
    shapes = json.loads((GOLDENS / "sparsectrl" / "sparsectrl_tiny.json").read_text())["shapes"][kind]
    small = ("controlnet_down_blocks", "controlnet_mid_block")
    return {
        key: gold_tensor(f"sparsectrl_{kind}.{key}", shape, 0.2 if key.startswith(small) else 1.0)
        for key, shape in shapes.items()
    }


@pytest.fixture
def load(tmp_path):
    def loaded(kind, tensors=None):
        path = tmp_path / f"{kind}.safetensors"
        save_file(published(kind) if tensors is None else tensors, path)
        return sparsectrl_from_file(str(path))

    return loaded


def residuals_of(control, hints, options):
    """What the network puts out for the golden's noise level and prompts."""
    comfy.model_management.load_models_gpu(control.get_models())
    gold = golden()
    motion = SparseMotion(F, 1.0, options)
    with torch.no_grad():
        out = control.control_model(
            torch.ones(B * F, 4, 16, 16), hints, gold["t"].float().repeat_interleave(F),
            gold["ctx"].repeat_interleave(F, 0), motion=motion,
        )  # fmt: skip
    return {key: [value * 0.9 for value in values] for key, values in out.items()}


OPTIONS = {"cond_or_uncond": [0, 1]}


def golden_hints(kind):
    """The two images of each kind as the network takes them, for all frames of both videos."""
    images = golden()[{"rgb": "rgb_latents", "scribble": "scribble_images_u8"}[kind]]
    images = images.float() / 255 if kind == "scribble" else images
    rows = [{0: 0, 5: 1}.get(frame) for frame in range(F)]
    return sparse_hints(fold_frames(images), rows * B)


def assert_golden(kind, residuals):
    gold = golden()
    for name, values, i in (("down0", "output", 0), ("down3", "output", 3), ("down6", "output", 6),
                            ("down11", "output", 11), ("mid", "middle", 0)):  # fmt: skip
        found = unfold_frames(residuals[values][i], F)[:1]
        assert_same(found, gold[f"{kind}_{name}"], SPARSE)


@pytest.mark.parametrize("kind", KINDS)
def test_the_network_gives_the_numbers_of_the_published_code(load, kind):
    residuals = residuals_of(load(kind), golden_hints(kind), OPTIONS)
    assert_golden(kind, residuals)
    model = apply_motion_module(golden_model(), motion_module("v3"), MotionSettings())
    gold = golden()
    assert_same(unet(model, gold["x"], gold["t"], gold["ctx"], residuals), gold[f"{kind}_y"], SPARSE)


def unet(model, x, t, context, control):
    comfy.model_management.load_models_gpu([model, *model.get_nested_additional_models()])
    options = {**OPTIONS, "sigmas": torch.tensor([1.0]), "wrappers": model.wrappers}
    with torch.no_grad():
        y = model.model.diffusion_model(
            fold_frames(x), t.float().repeat_interleave(F), context=context.repeat_interleave(F, 0),
            control={key: list(values) for key, values in control.items()}, transformer_options=options,
        )  # fmt: skip
    return unfold_frames(y, F)


def control_of(control, model, frames=F, options=None, seed=3, size=16):
    """What core's sampler gets of a control object at the golden's noise level."""
    sampling = model.get_model_object("model_sampling")
    control.pre_run(model.model, sampling.percent_to_sigma)
    comfy.model_management.load_models_gpu(control.get_models())
    sigma = sampling.sigma(golden()["t"][:1].float()).expand(B * frames)
    x = torch.randn(B * frames, 4, size, size, generator=torch.Generator().manual_seed(seed))
    cond = {"c_crossattn": golden()["ctx"].repeat_interleave(frames, 0)}
    try:
        with torch.no_grad():
            return control.get_control(x, sigma, cond, B, {**OPTIONS, **(options or {})})
    finally:
        control.cleanup()


def scribble(load, **settings):
    """The scribble model with the golden's two images, as Apply ControlNet gives them."""
    settings = {"place": "at frames", "frames": PLACED, **settings}
    control = place_sparse_images(load("scribble"), SparseSettings(**settings))
    images = fold_frames(golden()["scribble_images_u8"].float() / 255)
    return control.copy().set_cond_hint(images, 0.9)


def test_images_of_apply_controlnet_lie_at_their_frames(load):
    assert_golden("scribble", control_of(scribble(load), golden_model()))
    back = scribble(load, frames="5, 0")
    back.cond_hint_original = back.cond_hint_original.flip(0)
    assert_golden("scribble", control_of(back, golden_model()))


def with_rows(load, rows, options=None):
    """Residuals of the scribble model whose rows of hints were written by hand."""
    images = fold_frames(golden()["scribble_images_u8"].float() / 255)
    return residuals_of(load("scribble"), sparse_hints(images, rows), options or OPTIONS)


def assert_equal(found, expected):
    for key in ("middle", "output"):
        for one, other in zip(found[key], expected[key], strict=True):
            assert_same(one, other)


def window(frames, total, **more):
    made = IndexListContextWindow(frames, 0, total)
    for name, value in more.items():
        setattr(made, name, value)
    return made


N = None
WINDOWS = {
    "an image inside": ([2, 3, 4, 5, 6, 7, 8, 9], NEAREST, [N, 0, N, N, N, N, N, N]),
    "the first is nearer": ([5, 6, 7, 8, 9, 10, 11, 12], NEAREST, [0, N, N, N, N, N, N, N]),
    "the last is nearer": ([12, 13, 14, 15, 16, 17, 18, 19], NEAREST, [N, N, N, N, N, N, N, 1]),
    "equally near": ([8, 9, 10, 11, 12, 13, 14, 15], NEAREST, [0, N, N, N, N, N, N, 1]),
    "none, if one says so": ([5, 6, 7, 8, 9, 10, 11, 12], NOTHING, [N] * 8),
}


@pytest.mark.parametrize("case", WINDOWS)
def test_windows_see_their_images_or_the_nearest(load, case):
    """Images at the frames 3 and 20 of 29."""
    frames, without, rows = WINDOWS[case]
    control = scribble(load, frames="3, 20", windows_without_images=without)
    found = control_of(control, golden_model(), options={"context_window": window(frames, 29)})
    assert_equal(found, with_rows(load, rows * B))


def test_two_windows_in_one_call_and_the_frame_in_front_of_core_s_own(load):
    control = scribble(load, frames="3, 20")
    two = BatchedContextWindow([window(list(range(start, start + F)), 29) for start in (16, 1)])
    found = control_of(control, golden_model(), options={"context_window": two})
    assert_equal(found, with_rows(load, [N, N, N, N, 1, N, N, N, N, N, 0, N, N, N, N, N]))
    shifted = window([4, 5, 6, 7, 8, 9, 10], 29, causal_anchor_index=3)
    found = control_of(control, golden_model(), options={"context_window": shifted})
    assert_equal(found, with_rows(load, [0, N, N, N, N, N, N, N] * B))


def test_videos_of_a_batch_have_their_own_images_and_do_not_mix(load):
    control = scribble(load, frames="0, -1", frames_per_video=4)
    both = control_of(control, golden_model())
    alone = control_of(scribble(load, frames="0, -1"), golden_model(), frames=4)
    twice = {
        key: [value.unflatten(0, (B, 4)).repeat_interleave(2, 0).flatten(0, 1) for value in values]
        for key, values in alone.items()
    }
    assert_equal(both, twice)
    in_window = control_of(
        control, golden_model(), frames=4, options={"context_window": window([4, 5, 6, 7], 8)}
    )
    assert_equal(in_window, alone)
    with pytest.raises(ValueError, match="8 images is not a whole number of videos of frames_per_video=3"):
        control_of(scribble(load, frames_per_video=3), golden_model())


def test_two_in_a_chain_add_up_though_they_share_a_network(load):
    first, second = scribble(load), scribble(load)
    second.settings = SparseSettings(place="starting")
    alone = [control_of(control, golden_model()) for control in (first, second)]
    second = second.copy()
    second.control_model, second.control_model_wrapped = first.control_model, first.control_model_wrapped
    second.cond_hint_original = first.cond_hint_original
    second.set_previous_controlnet(first)
    total = {key: [a + b for a, b in zip(alone[0][key], alone[1][key], strict=True)] for key in alone[0]}
    assert_equal(control_of(second, golden_model()), total)


def test_its_strength_differs_over_frames_wherever_its_images_are_placed(load):
    plain = control_of(scribble(load), golden_model())
    strengths = [1.0, 0.5, 0.0, 2.0, 1.0, 0.25, 1.5, 0.75]
    settings = OverTimeSettings(frame_values(strengths))
    rows = torch.tensor(strengths * B)[:, None, None, None]
    expected = {side: [x * rows for x in plain[side]] for side in ("middle", "output")}
    assert_equal(control_of(over_time(scribble(load), settings), golden_model()), expected)
    placed_after = place_sparse_images(
        over_time(load("scribble"), settings), SparseSettings("at frames", PLACED)
    ).copy()
    placed_after.set_cond_hint(scribble(load).cond_hint_original, 0.9)
    assert_equal(control_of(placed_after, golden_model()), expected)


def test_rgb_images_go_through_the_vae(load):
    control = place_sparse_images(load("rgb"), SparseSettings("at frames", PLACED))
    images = torch.rand(2, 3, 128, 128, generator=torch.Generator().manual_seed(7))
    latents = image_vae().encode(images.movedim(1, -1)) * 0.18215
    expected = residuals_of(load("rgb"), sparse_hints(latents, [0, N, N, N, N, 1, N, N] * B), OPTIONS)
    found = control_of(control.copy().set_cond_hint(images, 0.9, vae=image_vae()), golden_model())
    assert_equal(found, expected)
    with pytest.raises(ValueError, match="'rgb.safetensors' .rgb. takes its images through a VAE"):
        control_of(control.copy().set_cond_hint(images, 0.9), golden_model())


@pytest.mark.parametrize("over", [None, [1.0, 0.5, 0.0, 2.0, 1.0, 0.25, 1.5, 0.75]])
def test_frames_with_an_image_and_those_without_have_factors(load, over):
    """Beside strengths of ControlNet over Time, and in a window whose image is another frame's."""
    control = scribble(load, strength_at_images=0.5, strength_elsewhere=2.0)
    control = over_time(control, OverTimeSettings(frame_values(over))) if over else control
    factors = [0.5 if frame in (0, 5) else 2.0 for frame in range(F)]
    rows = torch.tensor([a * b for a, b in zip(factors, over or [1.0] * F, strict=True)] * B)
    plain = control_of(scribble(load), golden_model())
    expected = {side: [x * rows[:, None, None, None] for x in plain[side]] for side in plain}
    assert_equal(control_of(control, golden_model()), expected)
    if over is None:
        seen = {"context_window": window(list(range(8, 16)), 20)}
        near = control_of(scribble(load), golden_model(), options=seen)
        rows = torch.tensor(([0.5] + [2.0] * 7) * B)[:, None, None, None]
        expected = {side: [x * rows for x in near[side]] for side in near}
        assert_equal(control_of(control, golden_model(), options=seen), expected)


def test_the_mask_beside_an_image_may_say_less(load):
    images = fold_frames(golden()["scribble_images_u8"].float() / 255)
    hints = sparse_hints(images, [0, N, N, N, N, 1, N, N] * B)
    hints[:, -1] *= 0.25
    expected = residuals_of(load("scribble"), hints, OPTIONS)
    assert_equal(control_of(scribble(load, mask_value=0.25), golden_model()), expected)


def test_attention_scale_is_a_factor_of_the_motion_modules_keys(load):
    tensors = published("scribble")
    keys = [key for key in tensors if "motion_modules" in key and key.endswith("to_k.weight")]
    assert keys
    other = place_sparse_images(
        load("scribble", {**tensors, **{key: tensors[key] * 1.5 for key in keys}}),
        SparseSettings("at frames", PLACED),
    ).copy()
    other.set_cond_hint(scribble(load).cond_hint_original, 0.9)
    expected = control_of(other, golden_model())
    assert_equal(control_of(scribble(load, attention_scale=1.5), golden_model()), expected)
    plain = control_of(scribble(load), golden_model())
    assert (plain["middle"][0] - expected["middle"][0]).abs().max() > 1e-3


def test_motion_strength_is_that_of_the_motion_modules(load):
    """At 0 frames do not see each other: frame 0 is that of a video of one frame."""
    still = control_of(scribble(load, motion_strength=0.0), golden_model())
    one = scribble(load, frames="0", motion_strength=0.0)
    one.cond_hint_original = one.cond_hint_original[:1]
    alone = control_of(one, golden_model(), frames=1)
    assert_equal({k: [v[::F] for v in values] for k, values in still.items()}, alone)
    moving = control_of(scribble(load), golden_model())
    assert (moving["middle"][0][::F] - alone["middle"][0]).abs().max() > 1e-2 * alone["middle"][0].std()


@pytest.mark.parametrize(
    ("settings", "frames", "words"),
    [
        ({"frames": "0, 8"}, F, "there is no frame 8; these are 8 frames"),
        ({"frames": "0"}, F, 'frames="0" names 1 frames for 2 sparse images'),
        ({"frames": "3, -5"}, F, "puts two images at frame 3"),
        ({"place": "spread"}, 1, "2 sparse images cannot lie at 1 frames; give at most 1 images"),
        ({}, 33, "33 frames are more than the 32 that the SparseCtrl model 'scribble.safetensors' knows"),
    ],
)
def test_what_cannot_be_placed_is_named(load, settings, frames, words):
    with pytest.raises(ValueError, match=words):
        control_of(scribble(load, **settings), golden_model(), frames=frames, size=8)


def test_settings_check_themselves(load):
    for settings, words in (
        ({"place": "at frames", "frames": "x"}, "neither a frame number nor a range"),
        ({"place": "left"}, "place='left' is not known; choose one of at frames, spread"),
        ({"windows_without_images": "?"}, "windows_without_images='.' is not known"),
    ):
        with pytest.raises(ValueError, match=words):
            SparseSettings(**settings)
    with pytest.raises(ValueError, match="control_net is no SparseCtrl model; load one with"):
        place_sparse_images(controlnet(), SparseSettings())


def damaged(kind, **changes):
    tensors = dict(published(kind))
    for key, value in changes.items():
        if value is None:
            del tensors[key]
        else:
            tensors[key] = value
    return tensors


DAMAGED = {
    "lacks a layer": ({"controlnet_mid_block.weight": None}, "lacks 'controlnet_mid_block.weight'"),
    "lacks its first": ({"conv_in.weight": None}, "lacks a whole 'conv_in.weight'"),
    "more than it has": ({"conv_out.weight": torch.zeros(3)}, "has an unknown 'conv_out.weight'"),
    "another shape": ({"conv_in.bias": torch.zeros(31)}, r"'conv_in.bias' has shape \(31,\) where \(32,\)"),
    "numbers": ({"conv_in.bias": torch.full((32,), float("nan"))}, "'conv_in.bias' holds numbers that are"),
    "a motion module short": (
        {"down_blocks.0.motion_modules.1.temporal_transformer.norm.bias": None},
        "lacks the key 'down_blocks.0.motion_modules.1.temporal_transformer.norm.bias'",
    ),
}


@pytest.mark.parametrize("case", DAMAGED)
@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_is_refused_by_name(load, kind, case):
    changes, words = DAMAGED[case]
    with pytest.raises(ValueError, match=f"^'{kind}.safetensors'.*{words}"):
        load(kind, damaged(kind, **changes))


def test_other_files_are_called_what_they_are(load):
    control = {k: v for k, v in published("scribble").items() if ".motion_modules." not in k}
    for tensors, words in (
        (motion_state_dict("v3"), "but a motion module: put it into models/animatediff_models"),
        (control, "but a ControlNet without motion modules: use 'Load ControlNet Model'"),
        ({"a": torch.zeros(1)}, "is no SparseCtrl model but"),
    ):
        with pytest.raises(ValueError, match=words):
            load("scribble", tensors)


def test_load_motion_module_names_the_node(load, tmp_path):
    save_file(published("rgb"), tmp_path / "x.safetensors")
    with pytest.raises(ValueError, match="load it with the node 'Load SparseCtrl Model'"):
        motion_module_from_file(str(tmp_path / "x.safetensors"))


def test_a_file_as_published_is_wrapped(tmp_path):
    path = tmp_path / "v3_sd15_sparsectrl_scribble.ckpt"
    wrapped = {f"module.{key}": value for key, value in published("scribble").items()}
    torch.save({"controlnet": wrapped, "epoch": 3}, path)
    assert sparsectrl_from_file(str(path)).latent_format is None


def test_windows_in_one_call_are_windows_one_by_one_and_the_plain_model_stays(load):
    """Through core's sampling, with guidance and without; the second image lies in the last window alone."""
    model = golden_model()
    control = scribble(load, frames="0, -1")
    noise = seeded(7, 4, H, W)
    conds = with_control(prompt(), control), with_control(prompt(seed=3), control)
    plain = evaluate(model, noise, prompt(), prompt(seed=3))
    for cfg in (4.0, 1.0):
        together, alone = (
            evaluate(windowed(model, windows_per_batch=each), noise, *conds, cfg=cfg) for each in (0, 1)
        )
        assert_same(together, alone, OTHER_BATCH)
    assert_different(together, evaluate(model, noise, *conds, cfg=1.0))  # one window of all frames
    assert_different(together, evaluate(model, noise, prompt(), prompt(seed=3), cfg=1.0))
    assert torch.equal(evaluate(model, noise, prompt(), prompt(seed=3)), plain)


def assert_different(one, other):
    assert (one - other).abs().max() > 1e-2 * other.std()
