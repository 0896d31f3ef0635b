"""Prompts over frames with the demo's CLIP and MODEL; ComfyUI's own nodes say what is right."""

import comfy.hooks
import comfy.model_management
import pytest
import torch
from comfy_extras.nodes_hooks import SetClipHooks
from zoetrope import memory
from zoetrope.demo import play
from zoetrope.host.injection import MotionSettings, apply_motion_module
from zoetrope.host.sampling.prompt_frames import FRAMES_TOLD
from zoetrope.host.sampling.schedule_prompts import draw_weights, schedule_prompts
from zoetrope.samplers.over_frames.prompts import PromptSettings, prompt_plan
from zoetrope.tests.comfy.golden_unet import golden_model, motion_module, sample
from zoetrope.tests.comfy.host.context_rig import (
    PRECISE,  # fmt: skip
    F,
    H,
    W,
    controlnet,
    evaluate,
    fuse,
    hint_images,
    seeded,
    windowed,
    with_control,
)
from zoetrope.tests.networks.image_unets import IMAGE_UNETS
from zoetrope.tests.rounding import assert_same

import nodes as core

SDXL = IMAGE_UNETS["SDXL"]
RED, BLUE = "a red ball", "a blue square on a gray background"
TRAVEL = f'"1": "{RED}", "5": "{BLUE} --neg green"'


@pytest.fixture(scope="module")
def family():
    return play.load_family()


@pytest.fixture(scope="module")
def clip(family):
    return family.clip


def alone(clip, text):
    return core.CLIPTextEncode().encode(clip, text)[0]


def told(clip, text=TRAVEL, **settings):
    return schedule_prompts(clip, PromptSettings(text, num_frames=F, **settings))


def test_a_frame_has_its_prompt_or_what_core_mixes_of_two(clip):
    positive, negative, _ = told(clip)
    for conds, one, other in ((positive, RED, BLUE), (negative, "", "green")):
        ((rows, more),) = conds
        assert rows.shape[0] == more["pooled_output"].shape[0] == more[FRAMES_TOLD] == F
        for frame, weight in enumerate((0, 0, 0.25, 0.5, 0.75, 1, 1)):
            mixed = core.ConditioningAverage().addWeighted(alone(clip, other), alone(clip, one), weight)[0][0]
            assert_same(rows[frame : frame + 1], mixed[0])
            assert_same(more["pooled_output"][frame : frame + 1], mixed[1]["pooled_output"])
    for frame, text in ((0, RED), (1, RED), (5, BLUE), (6, BLUE)):
        assert torch.equal(positive[0][0][frame], alone(clip, text)[0][0][0])
        assert torch.equal(
            positive[0][1]["pooled_output"][frame], alone(clip, text)[0][1]["pooled_output"][0]
        )


def test_a_text_that_all_frames_have_is_cores_own(clip):
    positive, negative, _ = told(clip, f'"0": "{RED}", "5": "{RED}"')
    for conds, text in ((positive, RED), (negative, "")):
        ((rows, more),), ((expected, _),) = conds, alone(clip, text)
        assert torch.equal(rows, expected) and FRAMES_TOLD not in more


def test_every_text_is_encoded_once(clip, monkeypatch):
    encoded = []
    encode = clip.encode_from_tokens_scheduled
    monkeypatch.setattr(
        clip, "encode_from_tokens_scheduled",
        lambda tokens, **more: encoded.append(1) or encode(tokens, **more))  # fmt: skip
    told(clip, '"0": "red", "2": "blue", "4": "red", "6": "blue"', loop=True)
    assert len(encoded) == 3  # and the empty negative prompt
    encoded.clear()
    told(clip, '"0": "(red:`t`)", "1": "blue"', curve="hold")
    assert len(encoded) == 3


def test_the_pooled_output_is_the_next_prompts_where_the_peers_take_that(clip):
    one, other = (alone(clip, text)[0][1]["pooled_output"][0] for text in (RED, BLUE))
    evolved = told(clip, curve="compounding (AnimateDiff-Evolved)")[0][0][1]["pooled_output"]
    assert torch.equal(evolved, torch.stack([one, one, *[other] * 5]))
    fizz = told(clip, read_as="FizzNodes")[0][0][1]["pooled_output"]
    assert torch.equal(fizz, torch.stack([one, *[other] * 6]))  # no prompt is next before the first key


class Encoder:
    """A text encoder whose texts are as many tokens long as they have words, with more than an embedding."""

    def __init__(self, **more):
        self.more = more

    def tokenize(self, text):
        return text.split()

    def encode_from_tokens_scheduled(self, tokens, show_pbar=True):
        words = [seeded(1, 1, 48, seed=sum(map(ord, word))) for word in tokens or [""]]
        more = {name: value(tokens) for name, value in self.more.items()}
        return [[torch.cat(words, 1), {"pooled_output": None, **more}]]


def test_texts_of_other_lengths_act_as_they_do_alone():
    clip = Encoder()
    positive, _, _ = told(clip, '"0": "a b c", "6": "d e f g h i"')
    ((rows, more),) = positive
    assert rows.shape == (F, 6, 48) and more["pooled_output"] is None
    assert torch.equal(rows[0], clip.encode_from_tokens_scheduled(["a", "b", "c"])[0][0][0].repeat(2, 1))
    model, noise, negative = golden_model(PRECISE), seeded(F, 4, H, W), [[seeded(1, 6, 48), {}]]
    result = evaluate(model, noise, positive, negative)
    short = clip.encode_from_tokens_scheduled(["a", "b", "c"])
    assert_same(result[:1], evaluate(model, noise[:1], short, negative))


@pytest.mark.parametrize(
    ("more", "text", "words"),
    [
        ({}, '"0": "a b c d e", "6": "a b c d e f g h i j k"', "prompts of 5, 11 tokens cannot be mixed"),
        ({"attention_mask": lambda tokens: torch.ones(1, len(tokens))}, '"0": "a b", "6": "a b c d"',
         "this CLIP gives 'attention_mask' with each prompt, and it differs between them"),
        ({"guidance": len}, '"0": "a b", "6": "a b c d"', "this CLIP gives 'guidance' with each prompt"),
    ],
)  # fmt: skip
def test_what_cannot_be_mixed_is_refused(more, text, words):
    with pytest.raises(ValueError, match=words):
        told(Encoder(**more), text)


def test_what_all_texts_have_in_common_stays():
    positive, _, _ = told(Encoder(attention_mask=lambda tokens: torch.ones(1, 2)), '"0": "a b", "6": "c d"')
    assert torch.equal(positive[0][1]["attention_mask"], torch.ones(1, 2))


def lora_of(clip):
    key = "transformer.text_model.encoder.layers.0.mlp.fc1"
    weight = dict(clip.cond_stage_model.named_parameters())
    (name,) = [name for name in weight if name.endswith(f"{key}.weight")]
    out, into = weight[name].shape
    prefix = "lora_te_text_model_encoder_layers_0_mlp_fc1"
    return {f"{prefix}.lora_up.weight": seeded(out, 3), f"{prefix}.lora_down.weight": seeded(3, into)}


def test_hooks_of_the_clip_give_an_entry_for_each_part_of_their_schedule(clip):
    hooks = comfy.hooks.create_hook_lora(lora_of(clip), 0.0, 1.0)
    frames = comfy.hooks.HookKeyframeGroup()
    frames.add(comfy.hooks.HookKeyframe(strength=0.0))
    frames.add(comfy.hooks.HookKeyframe(strength=1.0, start_percent=0.4))
    hooks.set_keyframes_on_hooks(frames)
    (hooked,) = SetClipHooks().apply_hooks(clip, True, True, hooks)
    positive, _, _ = told(hooked)
    expected = [alone(hooked, text) for text in (RED, BLUE)]
    assert [(more["clip_start_percent"], more["clip_end_percent"]) for _, more in positive] == [
        (more["clip_start_percent"], more["clip_end_percent"]) for _, more in expected[0]]  # fmt: skip
    assert len(positive) == 2 and not torch.equal(positive[0][0], positive[1][0])
    for place, (rows, more) in enumerate(positive):
        assert torch.equal(rows[0], expected[0][place][0][0])
        assert torch.equal(rows[6], expected[1][place][0][0])
        assert more["hooks"] is expected[0][place][1]["hooks"]


@pytest.fixture(scope="module")
def travel():
    """Rows for the golden UNet, whose embeddings are 48 wide."""
    return told(Encoder(), '"1": "a b c", "5": "d e f --neg x y z"')[:2]


def test_windows_masks_and_controlnets_get_the_prompts_of_their_frames(travel):
    """Each window's result is that of its frames' rows without windows, with a mask and a ControlNet."""
    model, noise = golden_model(PRECISE), seeded(F, 4, H, W)
    positive, negative = travel
    mask = seeded(F, H * 8, W * 8).abs().clamp(max=1)
    positive = core.ConditioningSetMask().append(positive, mask, "default", 0.7)[0]
    positive = with_control(positive, controlnet(hint_images(F)))
    windows = [[0, 1, 2], [2, 3, 4], [4, 5, 6]]

    def rows(conds, window, **more):
        return [[cond[window], {**extras, FRAMES_TOLD: len(window), **more}] for cond, extras in conds]

    expected = []
    for window in windows:
        more = {"mask": mask[window], "control": controlnet(hint_images(F)[window])}
        told_here = rows(positive, window, **more), rows(negative, window)
        expected.append(evaluate(model, noise[window], *told_here))
    result = evaluate(windowed(model, fuse_method="flat"), noise, positive, negative)
    assert_same(result, fuse(windows, expected, noise, [[1.0] * 3] * 3))


def test_several_videos_are_told_the_same(travel):
    model, module, noise = golden_model(PRECISE), motion_module("v2"), seeded(2 * F, 4, H, W)
    one = apply_motion_module(model, module, MotionSettings())
    both = evaluate(apply_motion_module(model, module, MotionSettings(frames_per_video=F)), noise, *travel)
    assert_same(both, torch.cat([evaluate(one, video, *travel) for video in noise.split(F)]))
    both = evaluate(windowed(one, frames_per_video=F), noise, *travel)
    assert_same(both, torch.cat([evaluate(windowed(one), video, *travel) for video in noise.split(F)]))


@pytest.mark.parametrize("patched", ["module", "windows", "windows of videos"])
def test_a_run_with_other_frames_is_refused_before_anything_runs(travel, patched):
    model = golden_model()
    if patched == "module":
        model = apply_motion_module(model, motion_module("v2"), MotionSettings())
    else:
        model = windowed(model, frames_per_video=(F + 1) * ("videos" in patched))
    calls = []
    hook = model.model.diffusion_model.register_forward_pre_hook(lambda *args: calls.append(1))
    try:
        with pytest.raises(
            ValueError, match=f"the prompts are for {F} frames and the video has {F + 1}; set num_frames"
        ):
            sample(model, frames=2 * (F + 1) if "videos" in patched else F + 1, positive=travel[0])
    finally:
        hook.remove()
    assert calls == []
    assert sample(windowed(golden_model()), frames=F, positive=travel[0]).shape[0] == F


def test_video_latents_are_refused_where_windows_divide_their_time(travel):
    latent = torch.zeros(1, 4, 5, 8, 8)
    with pytest.raises(ValueError, match="Prompts over Frames needs a MODEL whose frames are the batch"):
        evaluate(windowed(golden_model()), latent, travel[0], travel[0])


def test_sdxl_gets_the_pooled_output_of_each_frame():
    """The size of the picture, which is no part of the prompt, stays what core makes of the latents."""
    clip, model = Encoder(pooled_output=lambda tokens: seeded(1, 1280, seed=len(tokens[0]))), SDXL.model()
    positive, negative, _ = told(clip, '"0": "a", "6": "bb --neg ccc"', app_text="--neg dddd")
    one, other = (clip.encode_from_tokens_scheduled([word]) for word in ("a", "bb"))
    noise = seeded(F, 4, 8, 8)
    result = evaluate(model, noise, positive, negative[:1])
    for frame, weight in ((0, 0.0), (3, 0.5), (6, 1.0)):
        mixed = core.ConditioningAverage().addWeighted(other, one, weight)[0]
        rows = [[negative[0][0][frame : frame + 1], {
            "pooled_output": negative[0][1]["pooled_output"][frame : frame + 1]}]]  # fmt: skip
        assert_same(result[frame : frame + 1], evaluate(model, noise[frame : frame + 1], mixed, rows))


def test_memory_is_asked_before_all_texts_are_encoded(clip, monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: 1 << 20)
    with pytest.raises(ValueError, match="199 prompts over 100 frames need .* free; take fewer frames"):
        schedule_prompts(
            clip, PromptSettings('"0": "(red:`t`)", "50": "(blue:`t`)"', num_frames=100, loop=True)
        )


def test_cancel_ends_the_encoding(clip):
    comfy.model_management.interrupt_current_processing()
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        told(clip)
    assert told(clip)[0][0][0].shape[0] == F


def test_the_drawing_has_a_colour_for_each_prompt():
    image = draw_weights(prompt_plan(PromptSettings(TRAVEL, num_frames=F)))
    assert image.shape == (1, 320, 768, 3)
    assert len(image[0, 60:].reshape(-1, 3).unique(dim=0)) > 4
    many = ",".join(f'"{frame}": "\U0001f3ac 红 {frame}\\n"' for frame in range(40))
    assert draw_weights(prompt_plan(PromptSettings(many, num_frames=40))).shape == image.shape


def test_the_plain_checkpoint_stays_as_it_was(family):
    """Bit for bit, after a run with prompts over frames."""
    plain = sample_family(family, family.model, [[*alone(family.clip, RED)[0]]])
    positive, _, _ = told(family.clip)
    travelled = sample_family(family, play.moving(family), positive)
    assert not torch.equal(travelled, plain)
    assert torch.equal(sample_family(family, family.model, [[*alone(family.clip, RED)[0]]]), plain)


def sample_family(family, model, positive):
    return evaluate(model, seeded(F, 4, 8, 8), positive, alone(family.clip, ""))


def test_the_prompts_of_one_frame_alone(clip):
    """One row, which every frame is told; it is that of the frame among all."""
    settings = PromptSettings(text='"0": "a red ball", "4": "a blue ball --neg grey"', num_frames=5)
    every, none, _ = schedule_prompts(clip, settings)
    one, negative, _ = schedule_prompts(clip, settings, frame=1)
    assert every[0][0].shape[0] == 5 and one[0][0].shape[0] == 1
    torch.testing.assert_close(one[0][0][0], every[0][0][1])
    torch.testing.assert_close(negative[0][0], none[0][0][1:2])
    assert set(one[0][1]) == set(every[0][1]) - {"zoetrope_prompt_frames"}
    with pytest.raises(ValueError, match="frame=5 must be at most 4, the last frame; lower it"):
        schedule_prompts(clip, settings, frame=5)
