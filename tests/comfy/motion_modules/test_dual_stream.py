"""Dual stream: which half each layer changes, the interaction by hand, and both halves in whatever divides a
batch. The rules of all methods are in tests/comfy/temporal_methods.
"""

import copy

import comfy.context_windows
import comfy.sample
import pytest
import torch
from comfy.patcher_extension import WrappersMP
from zoetrope.frame_tools.sparse_places import AT_FRAMES
from zoetrope.host.controlnets.sparsectrl import SparseSettings
from zoetrope.host.injection.places import places_of
from zoetrope.host.media.motion_latents import CombineSettings, SplitSettings, combine_streams, split_streams
from zoetrope.host.sampling.prompt_frames import FRAMES_TOLD
from zoetrope.host.windows import ContextSettings, apply_context_windows
from zoetrope.host.windows.handler import windows_of_videos
from zoetrope.motion_modules.animatediff.layers import sdpa_attention
from zoetrope.motion_modules.call import STREAMS, Call, Forward
from zoetrope.motion_modules.dual_stream import Interaction
from zoetrope.motion_modules.methods import METHODS
from zoetrope.motion_modules.points import inject
from zoetrope.tests.comfy.method_rules import Case, F, H, W, _controlnet_of, same
from zoetrope.tests.gold_weights import gold_tensor

NAME = "Dual stream (DSDN-style)"
PARTS = {"content": ".content_lora.", "motion": "motion.", "interaction": ".interaction."}


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    return Case(METHODS[NAME], "SD1.x", tmp_path_factory.mktemp("dual"))


def seeded(num_images, seed=2):
    return torch.randn(num_images, 4, H, W, generator=torch.Generator().manual_seed(seed))


def outputs(case, part, x):
    """One forward of the UNet on x (2F, 4, H, W) with one part of the layers trained, content and motion."""
    network, unet = case.new().patcher.model, case.fresh_unet()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if part and PARTS[part] in f".{name}" and case.method.is_trained(name):
                parameter.copy_(gold_tensor(name, parameter.shape))
    context = gold_tensor("context", (1, 7, case.unet.text_width)).expand(len(x), -1, -1)
    acts = case.method.acts(network, places_of(unet))
    with torch.no_grad(), inject(unet, acts, case.call):
        return unet(x, torch.full((len(x),), 500.0), context=context).split(F)


@pytest.mark.parametrize(("part", "changes"), [
    ("content", (True, False)), ("motion", (False, True)), ("interaction", (True, True)),
])  # fmt: skip
def test_a_part_changes_its_half(case, part, changes):
    x = seeded(2 * F)
    plain = outputs(case, None, x)
    for got, want, changed in zip(outputs(case, part, x), plain, changes, strict=True):
        assert torch.equal(got, want) != changed


@pytest.mark.parametrize(("part", "seen"), [("motion", {0}), ("interaction", {0, 1, 2, 3, 4})])
def test_what_frame_0_of_motion_reaches(case, part, seen):
    """Through the interaction the content of its own frame only; through time the motion of all frames."""
    x = seeded(2 * F)
    other = x.clone()
    other[F] += 1
    content, motion = (
        {i for i, (a, b) in enumerate(zip(*pair, strict=True)) if not torch.equal(a, b)}
        for pair in zip(outputs(case, part, x), outputs(case, part, other), strict=True)
    )
    assert content == ({0} if part == "interaction" else set())
    assert motion == (set(range(F)) if part == "motion" else {0})


def test_the_interaction_is_cross_attention_of_the_same_frame():
    """Of 2 videos of 3 frames, 5 tokens, 8 channels in 2 heads; by hand: softmax(q k / sqrt(d)) v."""
    videos, frames, tokens, channels, heads = 2, 3, 5, 8, 2
    layer = Interaction(channels).requires_grad_(False)
    for name, parameter in layer.named_parameters():
        parameter.copy_(gold_tensor(name, parameter.shape))
    x = torch.randn(videos * 2 * frames, tokens, channels, generator=torch.Generator().manual_seed(5))
    forward = Forward(layer, len(x), len(x), {})
    got = layer(x, heads, Call(forward, frames, attention=sdpa_attention))
    weights = layer.state_dict()

    def normed(stream, row):
        norm = weights[f"norm_{stream}.weight"], weights[f"norm_{stream}.bias"]
        return torch.nn.functional.layer_norm(x[row], (channels,), *norm)

    def taken(to, own, other):
        q, k, v = (t @ weights[f"to_{to}.to_{n}.weight"].T
                   for t, n in ((own, "q"), (other, "k"), (other, "v")))  # fmt: skip
        size = channels // heads
        parts = []
        for head in range(heads):
            part = slice(head * size, (head + 1) * size)
            scores = (q[:, part] @ k[:, part].T / size**0.5).softmax(-1)
            parts.append(scores @ v[:, part])
        out = torch.cat(parts, -1)
        return out @ weights[f"to_{to}.to_out.0.weight"].T + weights[f"to_{to}.to_out.0.bias"]

    for video in range(videos):
        for frame in range(frames):
            row = video * 2 * frames + frame
            content, motion = normed("content", row), normed("motion", row + frames)
            torch.testing.assert_close(got[row], taken("content", content, motion), atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(
                got[row + frames], taken("motion", motion, content), atol=1e-5, rtol=1e-5
            )


def test_windows_of_both_streams():
    got = windows_of_videos([[0, 1], [1, 2]], num_videos=2, num_frames=3, streams=2)
    assert got == [[0, 1, 3, 4], [1, 2, 4, 5], [6, 7, 9, 10], [7, 8, 10, 11]]


@pytest.mark.parametrize("videos", [1, 2])
@pytest.mark.parametrize("windows_per_batch", [0, 1])
def test_a_window_has_the_motion_of_its_content(case, windows_per_batch, videos):
    """Two windows of 3 frames that share none, of each video: as if each were a video of its own."""
    noise, moving = seeded(videos * 12), case.moving()
    settings = ContextSettings(3, 1, "batched", windows_per_batch=windows_per_batch, frames_per_video=6)
    got = case.sample(apply_context_windows(moving, settings), noise=noise, frames=6 * videos)
    for video, own in zip(noise.split(12), got.split(12), strict=True):
        for frames in (slice(0, 3), slice(3, 6)):
            pair = [part[frames] for part in video.split(6)]
            want = case.sample(moving, noise=torch.cat(pair), frames=3)
            same(torch.cat([part[frames] for part in own.split(6)]), want)


def test_noise_of_windows_is_arranged_in_each_stream(case):
    seen = []

    def look(executor, guider, sigmas, extra_args, callback, noise, *args, **kwargs):
        seen.append(noise)
        return executor(guider, sigmas, extra_args, callback, noise, *args, **kwargs)

    settings = ContextSettings(context_length=2, context_overlap=0, noise_type="repeated")
    model = apply_context_windows(case.moving(), settings)
    model.add_wrapper_with_key(WrappersMP.SAMPLER_SAMPLE, "look", look)
    noise = seeded(8)
    case.sample(model, noise=noise, frames=4)
    assert torch.equal(seen[0], noise[[0, 1, 0, 1, 4, 5, 4, 5]])


@pytest.mark.parametrize("windowed", [False, True])
def test_hints_of_the_frames_are_those_of_content_and_motion(case, windowed):
    hints = torch.linspace(-1, 1, F)[:, None, None, None].expand(F, 3, H * 8, W * 8)
    listening = copy.deepcopy(_controlnet_of(case.kind))
    for name, parameter in listening.control_model.named_parameters():
        parameter.mul_(10 if name.startswith("input_hint_block") else 1)
    model = case.moving()
    if windowed:
        model = apply_context_windows(model, ContextSettings(context_length=3, context_overlap=1))

    def sampled(images):
        control = listening.copy().set_cond_hint(images, 0.7)
        positive = [[text, {**values, "control": control, "control_apply_to_uncond": True}]
                    for text, values in case.unet.conditioning("positive")]  # fmt: skip
        return case.sample(model, positive=positive)

    once = sampled(hints)
    assert torch.equal(once, sampled(torch.cat((hints, hints))))
    assert not torch.allclose(once, sampled(torch.cat((hints, hints.flip(0)))), atol=1e-3)


@pytest.mark.parametrize("windowed", [False, True])
def test_prompts_of_the_frames_are_those_of_content_and_motion(case, windowed):
    prompts = gold_tensor("prompts", (F, 7, case.unet.text_width))
    model = case.moving()
    if windowed:
        model = apply_context_windows(model, ContextSettings(context_length=3, context_overlap=1))

    def sampled(rows):
        return case.sample(model, positive=[[rows, {FRAMES_TOLD: len(rows)}]])

    once = sampled(prompts)
    assert torch.equal(once, sampled(torch.cat((prompts, prompts))))
    assert not torch.allclose(once, sampled(torch.cat((prompts, prompts.flip(0)))), atol=1e-3)
    with pytest.raises(ValueError, match="prompts are for 4 frames and the video has 5"):
        sampled(prompts[:4])


def test_sparse_images_stand_at_the_same_frames_of_content_and_motion(case):
    """Images at frames 1 and 4 of 5, in the whole video and in a window of its frames 3, 4, 0."""
    settings = SparseSettings(AT_FRAMES, "1, 4")
    options = {STREAMS: 2}
    whole = Forward(case.plain.model, 10, 10, options)
    assert settings.rows(whole, 2) == [None, 0, None, None, 1] * 2
    assert settings.part_length(whole) == 5
    window = comfy.context_windows.IndexListContextWindow([3, 4, 0, 8, 9, 5], 0, 10)
    part = Forward(case.plain.model, 6, 6, {**options, "context_window": window})
    assert settings.rows(part, 2) == [None, 1, None] * 2
    assert settings.part_length(part) == 3


@pytest.mark.parametrize("windowed", [False, True])
def test_masks_of_the_frames_are_those_of_content_and_motion(case, windowed):
    masks = torch.linspace(0, 1, F)[:, None, None].expand(F, H, W)
    model = case.moving()
    if windowed:
        model = apply_context_windows(model, ContextSettings(context_length=3, context_overlap=1))

    def sampled(mask):
        text, values = case.unet.conditioning("masked")[0]
        positive = [[text, {**values, "mask": mask, "mask_strength": 1.0}]]
        return case.sample(model, positive=positive + case.unet.conditioning("positive"))

    once = sampled(masks)
    assert torch.equal(once, sampled(torch.cat((masks, masks))))
    assert not torch.allclose(once, sampled(torch.cat((masks, masks.flip(0)))), atol=1e-3)


@pytest.mark.parametrize("first", ["AnimateDiff", NAME])
def test_another_method_sees_content_and_motion_as_two_videos(case, first, tmp_path):
    animatediff = Case(METHODS["AnimateDiff"], case.kind, tmp_path)
    noise = seeded(2 * F)
    want = case.sample(animatediff.moving(frames_per_video=F), noise=noise)
    if first == NAME:
        both = animatediff.moving(model=case.moving(case.new()))
    else:
        both = case.moving(case.new(), model=animatediff.moving())
    assert torch.equal(case.sample(both, noise=noise), want)


def test_untrained_and_with_motion_weight_0_it_is_the_checkpoint(case):
    frames = {"samples": gold_tensor("video", (F, 4, H, W))}
    split = split_streams(frames, SplitSettings())
    noise = comfy.sample.prepare_noise(split["samples"], 7)
    assert torch.equal(noise[:F], comfy.sample.prepare_noise(frames["samples"], 7))
    untrained, plain = case.moving(case.new()), case.plain
    sampled = {**split, "samples": case.sample(untrained, noise=noise)}
    got = combine_streams(sampled, CombineSettings(motion_weight=0.0))["samples"]
    assert torch.equal(got, case.sample(plain, noise=noise)[:F])
    same(got, case.sample(plain, noise=noise[:F]))


def test_an_odd_number_of_images_is_refused(case):
    with pytest.raises(
        ValueError, match="hold 5 images, which are not content and motion .* 'Split Into Con"
    ):
        case.sample(case.moving(), noise=seeded(5))


def test_images_that_are_no_whole_videos_are_refused(case):
    with pytest.raises(ValueError, match="8 frames .* frames_per_video=3 with their motion; .* of 6 frames"):
        case.sample(case.moving(frames_per_video=3), noise=seeded(8), frames=4)
    windowed = apply_context_windows(
        case.moving(), ContextSettings(context_length=2, context_overlap=1, frames_per_video=3)
    )
    with pytest.raises(ValueError, match="8 frames .* frames_per_video=3 with their motion; .* of 6 frames"):
        case.sample(windowed, noise=seeded(8), frames=4)


def test_windows_that_part_content_from_motion_are_refused(case):
    model = case.moving()
    schedule = comfy.context_windows.get_matching_context_schedule(
        comfy.context_windows.ContextSchedules.STATIC_STANDARD
    )
    fuse = comfy.context_windows.get_matching_fuse_method(comfy.context_windows.ContextFuseMethods.PYRAMID)
    model.model_options["context_handler"] = comfy.context_windows.IndexListContextHandler(
        context_schedule=schedule, fuse_method=fuse, context_length=3, context_overlap=1
    )
    with pytest.raises(ValueError, match="do not keep content and motion of a frame together; use the node"):
        case.sample(model)


def test_more_frames_than_it_knows_are_refused(case):
    with pytest.raises(ValueError, match="33 frames are more than the 32"):
        case.sample(case.moving(), noise=seeded(66), frames=33)


def test_the_batch_has_two_streams_at_strength_0_too(case):
    """So that context windows and other methods still take content and motion as halves of one video."""
    off = case.moving(strength=0.0)
    assert off.model_options["transformer_options"][STREAMS] == 2
    assert STREAMS not in case.plain.model_options["transformer_options"]
