"""Other code's patches in context windows; the oracle is the same MODEL without windows."""

import logging

import comfy.hooks
import comfy.ldm.modules.attention
import pytest
import torch
from comfy.patcher_extension import WrappersMP
from comfy_extras.nodes_differential_diffusion import DifferentialDiffusion
from comfy_extras.nodes_freelunch import FreeU, FreeU_V2
from comfy_extras.nodes_hypertile import HyperTile
from comfy_extras.nodes_model_advanced import RescaleCFG
from comfy_extras.nodes_model_downscale import PatchModelAddDownscale
from comfy_extras.nodes_nag import NAGuidance
from comfy_extras.nodes_pag import PerturbedAttentionGuidance
from comfy_extras.nodes_sag import SelfAttentionGuidance
from comfy_extras.nodes_tomesd import TomePatchModel
from zoetrope.host import injection
from zoetrope.host.injection import MotionSettings, apply_motion_module
from zoetrope.tests.comfy.golden_unet import golden_model, motion_module
from zoetrope.tests.comfy.host.context_rig import (
    PRECISE,
    F,
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
from zoetrope.tests.rounding import assert_same

LARGER = (16, 13)  # so that the attention of the middle block has more than one pixel


@pytest.fixture(scope="module")
def model():
    return golden_model(PRECISE)


@pytest.fixture
def sizes(model):
    """The number of images in each call of the network, as a hook on it sees them."""
    found = []
    hook = model.model.diffusion_model.register_forward_pre_hook(
        lambda network, args: found.append(args[0].shape[0])
    )
    yield found
    hook.remove()


def one(model, positive=None, size=(H, W), **settings):
    """One evaluation, with random numbers that begin at the same place."""
    torch.manual_seed(29)
    return evaluate(model, seeded(F, 4, *size), positive or prompt(F), prompt(seed=3), **settings)


CORE_NODES = {
    "NAGuidance": lambda m: NAGuidance.execute(m, 5.0, 0.5, 1.5)[0],
    "PerturbedAttentionGuidance": lambda m: PerturbedAttentionGuidance.execute(m, 3.0)[0],
    "HyperTile": lambda m: HyperTile.execute(m, 32, 1, 0, False)[0],
    "FreeU": lambda m: FreeU.execute(m, 1.3, 1.4, 0.9, 0.2)[0],
    "FreeU_V2": lambda m: FreeU_V2.execute(m, 1.3, 1.4, 0.9, 0.2)[0],
    "PatchModelAddDownscale": lambda m: PatchModelAddDownscale.execute(
        m, 3, 2.0, 0.0, 1.0, True, "bicubic", "bicubic"
    )[0],
    "TomePatchModel": lambda m: TomePatchModel.execute(m, 0.5)[0],
    "RescaleCFG": lambda m: RescaleCFG().patch(m, 0.7)[0],
}


@pytest.mark.parametrize("windows_per_batch", [0, 2])
@pytest.mark.parametrize("name", CORE_NODES)
def test_core_s_patches_act_as_without_windows(model, name, windows_per_batch):
    patched = CORE_NODES[name](model)
    whole = one(patched, size=LARGER)
    if not (
        name == "TomePatchModel" and windows_per_batch
    ):  # which pixels it merges is thrown anew in every call
        assert_same(one(windowed(patched, windows_per_batch=windows_per_batch), size=LARGER), whole)
    assert (whole - one(model, size=LARGER)).abs().max() > 1e-3 * whole.std(), "the patch does nothing here"


def test_differential_diffusion_keeps_the_mask_of_each_frame(model):
    patched = DifferentialDiffusion.execute(model, 1.0)[0]
    mask = seeded(F, 1, H, W, seed=31).abs().clamp(max=1)
    whole = one(patched, denoise_mask=mask)
    assert_same(one(windowed(patched), denoise_mask=mask), whole)
    assert not torch.allclose(whole, one(model))


def test_negative_attention_guidance_and_a_controlnet_together(model):
    patched = NAGuidance.execute(model, 5.0, 0.5, 1.5)[0]
    positive = with_control(prompt(F), controlnet(hint_images(F)))
    whole = one(patched, positive)
    assert_same(one(windowed(patched), positive), whole)
    assert not torch.allclose(whole, one(patched))


def looks_up_a_chunk(h, options):
    """Changes the images of "the" negative chunk, as guidance in attention layers does."""
    kinds = options["cond_or_uncond"]
    size = h.shape[0] // len(kinds)
    h = h.clone()
    h[kinds.index(1) * size : (kinds.index(1) + 1) * size] *= 1.5
    return h


def has_a_row_for_each_frame(h, options):
    """Changes each frame by its number in the video, which the published protocol tells."""
    kinds = options["cond_or_uncond"]
    params = options.get("ad_params") or {"sub_idxs": range(h.shape[0] // len(kinds)), "full_length": F}
    assert params["full_length"] == F
    rows = 1 + 0.1 * torch.tensor([float(frame) for frame in params["sub_idxs"]])
    return h * rows.repeat(len(kinds)).view(-1, *[1] * (h.ndim - 1))


def attend(q, k, v, options):
    return comfy.ldm.modules.attention.optimized_attention(q, k, v, options["n_heads"])


def wrap_function(model, act):
    def wrapper(apply_model, args):
        assert args["cond_or_uncond"] == args["c"]["transformer_options"]["cond_or_uncond"]
        return apply_model(
            act(args["input"], args["c"]["transformer_options"]), args["timestep"], **args["c"]
        )

    model.set_model_unet_function_wrapper(wrapper)


def wrap_call(kind):
    def put(model, act):
        def wrapper(executor, x, t, a=None, b=None, control=None, transformer_options=None, **kwargs):
            return executor(act(x, transformer_options), t, a, b, control, transformer_options, **kwargs)

        model.add_wrapper(kind, wrapper)

    return put


def override_attention(model, act):
    def override(function, *args, transformer_options=None, **kwargs):
        return act(function(*args, transformer_options=transformer_options, **kwargs), transformer_options)

    model.model_options["transformer_options"]["optimized_attention_override"] = override


def replace_forward(model, act):
    plain = model.model.diffusion_model.middle_block[1].forward

    def forward(x, context=None, transformer_options=None):
        return act(plain(x, context, transformer_options), transformer_options)

    model.add_object_patch("diffusion_model.middle_block.1.forward", forward)


PLACES = {
    "attn1_patch": lambda m, act: m.set_model_attn1_patch(lambda q, k, v, o: (act(q, o), k, v)),
    "attn2_patch": lambda m, act: m.set_model_attn2_patch(lambda q, k, v, o: (act(q, o), k, v)),
    "attn1_output_patch": lambda m, act: m.set_model_attn1_output_patch(act),
    "attn2_output_patch": lambda m, act: m.set_model_attn2_output_patch(act),
    "attn1_replace": lambda m, act: m.set_model_attn1_replace(
        lambda q, k, v, o: act(attend(q, k, v, o), o), "middle", 0
    ),
    "attn2_replace": lambda m, act: m.set_model_attn2_replace(
        lambda q, k, v, o: act(attend(q, k, v, o), o), "input", 1
    ),
    "input_block_patch": lambda m, act: m.set_model_input_block_patch(act),
    "output_block_patch": lambda m, act: m.set_model_output_block_patch(lambda h, skip, o: (act(h, o), skip)),
    "model_function_wrapper": wrap_function,
    "apply_model wrapper": wrap_call(WrappersMP.APPLY_MODEL),
    "diffusion_model wrapper": wrap_call(WrappersMP.DIFFUSION_MODEL),
    "attention override": override_attention,
    "replaced forward": replace_forward,
}


@pytest.mark.parametrize("act", [looks_up_a_chunk, has_a_row_for_each_frame])
@pytest.mark.parametrize("place", PLACES)
def test_a_patch_sees_one_window_and_its_frames(model, sizes, place, act):
    patched = model.clone()
    PLACES[place](patched, act)
    whole = one(patched)
    sizes.clear()
    assert_same(one(windowed(patched)), whole)
    assert sizes == [6, 6, 6]
    assert (whole - one(model)).abs().max() > 1e-2 * whole.std(), "the patch does nothing here"


@pytest.mark.parametrize("act", [looks_up_a_chunk, has_a_row_for_each_frame])
@pytest.mark.parametrize(
    "scope", [comfy.hooks.EnumHookScope.AllConditioning, comfy.hooks.EnumHookScope.HookedOnly]
)
def test_a_patch_that_a_hook_brings_sees_one_window(model, scope, act):
    hook = comfy.hooks.TransformerOptionsHook({"patches": {"attn1_output_patch": [act]}}, scope)
    group = comfy.hooks.HookGroup()
    group.add(hook)
    positive, negative = prompt(F, hooks=group), prompt(seed=3, hooks=group)
    noise = seeded(F, 4, H, W)
    whole = evaluate(model, noise, positive, negative)
    assert_same(evaluate(windowed(model), noise, positive, negative), whole)
    assert not torch.allclose(whole, one(model))


@pytest.mark.parametrize("group_norm", [injection.AUTO, injection.JOINT_EVOLVED])
def test_windows_with_a_motion_module_share_calls(model, sizes, group_norm):
    moving = apply_motion_module(model, motion_module("v1", 24), MotionSettings(group_norm=group_norm))
    one(windowed(moving))
    assert sizes == [18]


@pytest.mark.parametrize("behind", [False, True])
def test_a_forward_that_a_motion_module_stands_around_sees_one_window(model, sizes, behind):
    """The oracle is windows one by one: frames of a window know of each other here."""
    place = "diffusion_model.middle_block.0.in_layers.0.forward"
    plain = model.get_model_object(place)

    def act(x):
        changed = plain(x).clone()
        changed[: x.shape[0] // 2] *= 1.5  # the first of two chunks
        return changed

    foreign, module = model.clone(), motion_module("v1", 24)
    if behind:
        foreign = apply_motion_module(foreign, module, MotionSettings())
    foreign.add_object_patch(place, act)
    if not behind:
        foreign = apply_motion_module(foreign, module, MotionSettings())
    result = one(windowed(foreign))
    assert sizes == [6, 6, 6]
    assert_same(result, one(windowed(foreign, windows_per_batch=1)))


def test_rows_are_those_of_the_video_with_several_videos_in_a_batch(model):
    """Frame numbers count the rows of the batch, as without windows."""
    patched = model.clone()
    rows = torch.linspace(1.0, 2.0, 2 * F)

    def act(h, options):
        kinds = options["cond_or_uncond"]
        frames = list((options.get("ad_params") or {"sub_idxs": range(2 * F)})["sub_idxs"])
        return h * rows[frames].repeat(len(kinds)).view(-1, *[1] * (h.ndim - 1))

    patched.set_model_attn1_output_patch(act)
    noise = seeded(2 * F, 4, H, W)
    whole = evaluate(patched, noise, prompt(F), prompt(seed=3))
    assert_same(evaluate(windowed(patched, frames_per_video=F), noise, prompt(F), prompt(seed=3)), whole)


def test_the_log_says_why_windows_are_computed_one_by_one(model, sizes, caplog):
    patched = NAGuidance.execute(model, 5.0, 0.5, 1.5)[0]
    with caplog.at_level(logging.INFO):
        evaluate(windowed(patched), seeded(F, 4, H, W), prompt(F), prompt(seed=3), sigmas=(3.0, 1.0, 0.0))
    assert sizes == [6, 6, 6]
    told = [r.message for r in caplog.records if "one window in a call" in r.message]
    assert len(told) == 1 and "comfy_extras.nodes_nag" in told[0]
    caplog.clear()
    with caplog.at_level(logging.INFO):
        one(windowed(FreeU_V2.execute(model, 1.3, 1.4, 0.9, 0.2)[0]))
    assert sizes[3:] == [18]
    assert not [r for r in caplog.records if "one window in a call" in r.message]


def test_guidance_that_remembers_attention_is_refused_by_name_before_anything_runs(model, sizes):
    patched = SelfAttentionGuidance.execute(model, 0.5, 2.0)[0]
    with pytest.raises(ValueError, match="'Self-Attention Guidance'.*'Context Windows'.*remove one of them"):
        one(windowed(patched))
    assert sizes == []
    assert torch.equal(one(windowed(patched, context_length=F), size=LARGER), one(patched, size=LARGER))


def test_a_guidance_of_another_pack_that_remembers_attention_is_refused(model, sizes):
    kept = None

    def record(out, options):
        nonlocal kept
        kept = out
        return out

    def use(args):
        return args["denoised"] + kept.mean()

    patched = model.clone()
    patched.set_model_attn1_output_patch(record)
    patched.set_model_sampler_post_cfg_function(use)
    with pytest.raises(ValueError, match="record of .*test_patches.*remembers the attention"):
        one(windowed(patched))
    assert sizes == []


def test_no_frames_are_refused(model):
    with pytest.raises(ValueError, match="the latents hold no frames.*batch_size"):
        evaluate(windowed(model), torch.zeros(0, 4, H, W), prompt(), prompt(seed=3))
