"""Cross-Frame Attention: the published numbers, what each choice reads, the rules of all temporal methods,
and other nodes beside it.
"""

import comfy.ops
import comfy.sample
import pytest
import torch
from comfy.ldm.modules.attention import CrossAttention
from comfy_extras.nodes_freelunch import FreeU_V2
from comfy_extras.nodes_hypertile import HyperTile
from comfy_extras.nodes_pag import PerturbedAttentionGuidance
from comfy_extras.nodes_sag import SelfAttentionGuidance
from comfy_extras.nodes_tomesd import TomePatchModel
from safetensors.torch import load_file
from zoetrope.frame_values import FrameValues, frame_values
from zoetrope.host.injection import MotionSettings, apply_motion_module
from zoetrope.host.injection.cross_frame_attention import CrossFrames, apply_cross_frame_attention
from zoetrope.host.injection.layer_views import apply_layer_views
from zoetrope.host.injection.motion_models import new_for_model
from zoetrope.host.injection.places import places_of
from zoetrope.host.injection.views import ViewSettings
from zoetrope.host.windows import ContextSettings, apply_context_windows
from zoetrope.motion_modules.call import Call, Forward
from zoetrope.motion_modules.cross_frame_attention import (
    BOTH,
    CHOSEN,
    FIRST,
    METHOD,
    PREVIOUS,
    SOURCES,
    ChosenFrames,
    acts,
)
from zoetrope.motion_modules.frame_attention import attend_to_frames
from zoetrope.motion_modules.points import inject
from zoetrope.tests.comfy import method_rules as rules
from zoetrope.tests.comfy.method_rules import Case, F, H, W, same
from zoetrope.tests.gold_weights import gold_tensor
from zoetrope.tests.networks.image_unets import transformer
from zoetrope.tests.places import GOLDENS
from zoetrope.tests.rounding import HALF, assert_same


class CrossCase(Case):
    """Cross-frame attention on one kind of checkpoint, as the rules of all methods see it."""

    def moving(self, model=None, keys_from=FIRST, frames="0", **settings):
        frames = CrossFrames(keys_from, frames)
        return apply_cross_frame_attention(model or self.plain, frames, MotionSettings(**settings))

    def own_layers(self):
        return []


@pytest.fixture(scope="module", params=["SD1.x", "SD2.x", "SDXL"])
def case(request):
    return CrossCase(METHOD, request.param, None)


@pytest.fixture(scope="module")
def sd1():
    return CrossCase(METHOD, "SD1.x", None)


RULES = [
    rules.strength_0_is_the_plain_checkpoint,
    rules.half_the_strength_is_another_picture,
    rules.several_videos_do_not_mix,
    rules.windows_may_be_shorter_than_it_was_trained_for,
    rules.one_window_is_no_window,
    rules.a_controlnet_works_beside_it,
    rules.a_lora_of_the_checkpoint_works_under_it,
    rules.hooks_work_beside_it,
    rules.masked_conditionings_work_beside_it,
    rules.little_memory_gives_the_same,
    rules.conditionings_one_by_one_give_the_same,
    rules.two_of_it_work_on_one_model,
    rules.the_checkpoint_is_bit_identical_afterwards,
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_rule(case, rule):
    rule(case)


def test_one_frame_is_the_plain_checkpoints(case):
    assert torch.equal(case.sample(case.moving(), frames=1), case.sample(case.plain, frames=1))


@pytest.mark.parametrize("keys_from", SOURCES)
def test_every_choice_acts(case, keys_from):
    rules.acts(case, case.moving(keys_from=keys_from, frames="1,-1"))


def test_the_attention_is_the_published_one():
    """2 chunks of 5 frames; heads as in diffusers, which the numbers were made with."""
    golden = load_file(GOLDENS / "text2video_zero" / "t2vz.safetensors")
    attention = CrossAttention(64, heads=8, dim_head=8, operations=comfy.ops.disable_weight_init)
    attention.load_state_dict(
        {key.removeprefix("cf_w."): golden[key] for key in golden if key.startswith("cf_w.")}
    )
    call = Call(Forward(None, 10, 5, {}), 5)
    with torch.no_grad():
        got = attend_to_frames(SOURCES[FIRST])(call, attention, golden["cf_x"])
    assert_same(got, golden["cf_y"])


class Window:
    def __init__(self, *frames):
        self.index_list = list(frames)


def read(keys_from, window=None, chosen=None, images=4, num_frames=4):
    """The frames that each frame of a call reads, one token each; features hold their numbers."""
    options = {} if window is None else {"context_window": window}
    call = Call(Forward(None, images, images, options), num_frames, inputs=chosen)
    numbers = torch.tensor(call.forward.frame_numbers()).float().reshape(-1, num_frames, 1, 1)
    return SOURCES[keys_from](numbers, call)[..., 0].int().tolist()


def test_what_frames_read():
    assert read(FIRST) == [[[0]] * 4]
    assert read(PREVIOUS) == [[[0], [0], [1], [2]]]
    assert read(BOTH) == [[[0, 0], [0, 0], [0, 1], [0, 2]]]
    assert read(CHOSEN, chosen=ChosenFrames((1, 3), 4)) == [[[1, 3]] * 4]


def test_what_frames_of_several_videos_read():
    assert read(FIRST, num_frames=2) == [[[0]] * 2, [[2]] * 2]
    assert read(CHOSEN, chosen=ChosenFrames((1,), 2), num_frames=2) == [[[1]] * 2, [[3]] * 2]


def test_what_frames_of_a_window_read():
    """The frame itself where the window holds it, wherever that is, and else the nearest to it."""
    assert read(FIRST, Window(9, 0, 1, 2)) == [[[0]] * 4]
    assert read(FIRST, Window(4, 5, 6, 7)) == [[[4]] * 4]
    assert read(PREVIOUS, Window(0, 7, 8, 9)) == [[[0], [0], [7], [8]]]
    assert read(CHOSEN, Window(4, 5, 6, 7), ChosenFrames((0, 6), 10)) == [[[4, 6]] * 4]


def test_a_chosen_first_frame_is_the_first_frame(sd1):
    assert torch.equal(sd1.sample(sd1.moving(keys_from=CHOSEN)), sd1.sample(sd1.moving()))


def test_the_first_frame_of_every_window_anchors_them_all(sd1):
    """With the first frame in each, windows are what the whole video is: frames read nothing else."""
    settings = ContextSettings(context_length=3, context_overlap=0, context_schedule="first_frame_batched")
    same(sd1.sample(apply_context_windows(sd1.moving(), settings)), sd1.sample(sd1.moving()))
    others = ContextSettings(context_length=3, context_overlap=0, context_schedule="batched")
    windowed = sd1.sample(apply_context_windows(sd1.moving(), others))
    assert not torch.allclose(windowed, sd1.sample(sd1.moving()), atol=1e-3)


@pytest.mark.parametrize("keys_from", [FIRST, BOTH])
def test_half_precision_is_close_to_float32(sd1, keys_from):
    """As that of the plain network."""

    def output(dtype, with_acts):
        unet = sd1.fresh_unet().to(dtype)
        unet.dtype = dtype
        found = acts(places_of(unet), keys_from) if with_acts else {}
        x, context = gold_tensor("x", (F, 4, H, W)) * 4, gold_tensor("context", (F, 7, 48))
        with torch.no_grad(), inject(unet, found, lambda forward: Call(forward, F)):
            return unet(x.to(dtype), torch.full((F,), 500.0), context=context.to(dtype)).float()

    for dtype in (torch.bfloat16, torch.float16):
        error = output(dtype, True) - output(torch.float32, True)
        plain = output(dtype, False) - output(torch.float32, False)
        assert error.square().mean() < 100 * plain.square().mean()
    assert_same(output(torch.float16, True), output(torch.float32, True), HALF)


def test_values_over_frames_and_places(sd1):
    """Equal ones are the number; a frame without strength is the plain checkpoint's."""
    want = sd1.sample(sd1.moving(strength=0.5))
    same(sd1.sample(sd1.moving(strength=frame_values([0.5] * F))), want)
    same(sd1.sample(sd1.moving(strength=frame_values([1.0], torch.full((F, 3 * H, 2 * W), 0.5)))), want)
    got = sd1.sample(sd1.moving(strength=frame_values([1.0, 0.0] + [1.0] * (F - 2))))
    same(got[1:2], sd1.sample(sd1.plain)[1:2])


def test_values_by_block(sd1):
    """All blocks off is the plain checkpoint, some off is something between."""
    keys = frame_values([1.0]).keys
    off = FrameValues(keys, dict.fromkeys(("down", "mid", "up"), 0.0))
    same(sd1.sample(sd1.moving(strength=off)), sd1.sample(sd1.plain))
    up = sd1.sample(sd1.moving(strength=FrameValues(keys, {"down": 0.0, "mid": 0.0})))
    for other in (sd1.plain, sd1.moving()):
        assert not torch.allclose(up, sd1.sample(other), atol=1e-3)


def test_a_part_of_the_schedule(sd1):
    assert torch.equal(sd1.sample(sd1.moving(start_percent=1.0, end_percent=1.0)), sd1.sample(sd1.plain))
    early = sd1.sample(sd1.moving(end_percent=0.2), steps=4)
    for other in (sd1.plain, sd1.moving()):
        assert not torch.allclose(early, sd1.sample(other, steps=4), atol=1e-3)


NODES = {
    "HyperTile": lambda model: HyperTile.execute(model, 32, 1, 0, False)[0],
    "Token Merging": lambda model: TomePatchModel.execute(model, 0.5)[0],
    "Perturbed Attention": lambda model: PerturbedAttentionGuidance.execute(model, 3.0)[0],
    "FreeU": lambda model: FreeU_V2.execute(model, 1.3, 1.4, 0.9, 0.2)[0],
}


@pytest.mark.parametrize("keys_from", [FIRST, BOTH])
@pytest.mark.parametrize("node", NODES)
def test_it_works_beside(sd1, node, keys_from):
    got = sd1.sample(NODES[node](sd1.moving(keys_from=keys_from)))
    assert torch.isfinite(got).all()
    assert not torch.allclose(got, sd1.sample(NODES[node](sd1.plain)), atol=1e-3)
    assert (
        not torch.allclose(got, sd1.sample(sd1.moving(keys_from=keys_from)), atol=1e-3) or node == "HyperTile"
    )


@pytest.mark.parametrize("keys_from", [FIRST, BOTH])
def test_self_attention_guidance_works_beside_it(sd1, keys_from):
    """Latents large enough for its blur; the attention that it puts in place of one stays its own."""

    def sampled(model):
        latents = torch.zeros(3, 4, 32, 32)
        noise, conds = gold_tensor("noise", latents.shape), [sd1.unet.conditioning(n) for n in "pn"]
        guided = SelfAttentionGuidance.execute(model, 0.5, 2.0)[0]
        return comfy.sample.sample(
            guided, noise, 2, 3.0, "euler", "normal", *conds, latents, disable_pbar=True, seed=1
        )

    got = sampled(sd1.moving(keys_from=keys_from))
    assert torch.isfinite(got).all() and not torch.allclose(got, sampled(sd1.plain), atol=1e-3)


def test_tiles_read_whole_frames(sd1):
    for keys_from in (FIRST, BOTH):
        moving = sd1.moving(keys_from=keys_from)
        same(sd1.sample(NODES["HyperTile"](moving)), sd1.sample(moving))


def test_another_nodes_keys_are_taken_from_the_first_frame(sd1):
    """A patch that doubles keys and values in front of the attention, as packs that steer by images do."""

    def doubled(q, k, v, options):
        return q, 2 * k, 2 * v

    patched = sd1.moving().clone()
    patched.set_model_attn1_patch(doubled)
    plain = sd1.plain.clone()
    plain.set_model_attn1_patch(doubled)
    rules.acts(sd1, patched, plain)
    same(sd1.sample(patched, frames=1), sd1.sample(plain, frames=1))
    assert not torch.allclose(sd1.sample(patched), sd1.sample(sd1.moving()), atol=1e-3)


def test_a_motion_module_stacks_with_it(sd1):
    module = new_for_model(sd1.plain, "MagicVideo")
    both = apply_motion_module(sd1.moving(), module, MotionSettings())
    same(sd1.sample(both), sd1.sample(sd1.moving()))  # untrained: it changes nothing


def test_a_method_that_decides_what_frames_read_is_refused(sd1):
    tuned = apply_motion_module(sd1.plain, new_for_model(sd1.plain, "Tune-A-Video"), MotionSettings())
    with pytest.raises(ValueError, match=r"\(Tune-A-Video\) decides already which frames.*Cross-Frame"):
        sd1.moving(model=tuned)
    with pytest.raises(ValueError, match=r"'Cross-Frame Attention' .* decides already which frames"):
        apply_motion_module(sd1.moving(), new_for_model(sd1.plain, "Tune-A-Video"), MotionSettings())


def test_windows_inside_layers_are_refused(sd1):
    with pytest.raises(ValueError, match="use the node 'Context Windows'"):
        apply_layer_views(sd1.moving(), ViewSettings())


def test_other_networks_are_refused():
    with pytest.raises(
        ValueError, match="Cross-Frame Attention needs a Stable Diffusion UNet, this MODEL is"
    ):
        apply_cross_frame_attention(transformer(), CrossFrames(), MotionSettings())


def test_a_unet_without_attention_is_refused():
    model = rules.IMAGE_UNETS["SD1.x"].model()
    for blocks in (model.model.diffusion_model.input_blocks, model.model.diffusion_model.output_blocks):
        for block in blocks:
            for index in reversed(range(len(block))):
                if type(block[index]).__name__ == "SpatialTransformer":
                    del block[index]
    del model.model.diffusion_model.middle_block[1]
    with pytest.raises(ValueError, match="needs self-attentions, this MODEL has none; take one of SD1.x"):
        apply_cross_frame_attention(model, CrossFrames(), MotionSettings())


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (("last frame",), "keys_from='last frame' is not known; choose one of first frame, previous"),
        ((CHOSEN, ""), 'frames="" names no frames'),
        ((CHOSEN, "a\ud800"), "is neither a frame number nor a range"),
    ],
)
def test_settings_that_make_no_sense_are_refused(values, told):
    with pytest.raises(ValueError, match=told):
        CrossFrames(*values)


def test_a_chosen_frame_that_is_not_there_is_refused(sd1):
    with pytest.raises(ValueError, match="there is no frame 7; these are 5 frames"):
        sd1.sample(sd1.moving(keys_from=CHOSEN, frames="7"))


def test_videos_in_windows_are_cut_by_the_windows(sd1):
    settings = ContextSettings(context_length=3, context_overlap=1)
    windowed = apply_context_windows(sd1.moving(frames_per_video=5), settings)
    with pytest.raises(ValueError, match="frames_per_video=5 of Cross-Frame Attention cannot be combined"):
        sd1.sample(windowed)


def test_latents_of_videos_are_refused(sd1):
    with pytest.raises(ValueError, match="Cross-Frame Attention needs the latents of images, 4 dimensions"):
        comfy.sample.sample(
            sd1.moving(),
            torch.zeros(1, 4, 3, H, W),
            1,
            1.0,
            "euler",
            "normal",
            sd1.unet.conditioning("positive"),
            sd1.unet.conditioning("negative"),
            torch.zeros(1, 4, 3, H, W),
            disable_pbar=True,
        )
