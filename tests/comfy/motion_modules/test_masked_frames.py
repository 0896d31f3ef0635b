"""Masked frames: the numbers of one first convolution of nine channels, and each frame sees what is known of
it: in windows, in several videos, at other sizes, beside layers over frames.
"""

from dataclasses import dataclass, field, replace

import comfy.sd
import pytest
import torch
from zoetrope.host.injection import MotionSettings, apply_motion_module
from zoetrope.host.injection.known_frames import KnownFrames, set_known_frames
from zoetrope.host.injection.motion_models import new_motion_module
from zoetrope.host.injection.places import places_of
from zoetrope.host.windows import ContextSettings, apply_context_windows
from zoetrope.motion_modules.call import Call
from zoetrope.motion_modules.image_condition import ImageCondition
from zoetrope.motion_modules.masked_frames import METHOD, known_frames
from zoetrope.motion_modules.methods import METHODS
from zoetrope.motion_modules.points import inject
from zoetrope.tests.comfy.golden_unet import motion_module as animatediff_module
from zoetrope.tests.comfy.host.media.small_vaes import image_vae
from zoetrope.tests.comfy.method_rules import Case, F, H, W
from zoetrope.tests.gold_weights import gold_input, gold_tensor
from zoetrope.tests.networks.image_unets import IMAGE_UNETS
from zoetrope.tests.rounding import assert_same

IMAGES = gold_input("images", (3, 40, 56, 3)).sigmoid()


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    return Case(METHOD, "SD1.x", tmp_path_factory.mktemp("masked"))


def moving(case, images=IMAGES[:1], frames="0", vae=None, model=None, **settings):
    module = set_known_frames(case.trained(), KnownFrames(vae or image_vae(), images, frames))
    return apply_motion_module(model or case.plain, module, MotionSettings(**settings))


def test_it_is_one_first_convolution_of_nine_channels(case):
    """Of noisy latent, mask and masked latent, as the papers put them beside each other."""
    network, latents = case.trained().patcher.model, gold_input("latents", (2, 4, H, W))
    x, context = gold_input("x", (F, 4, H, W)), gold_input("context", (F, 7, case.unet.text_width))
    mask, masked = torch.zeros(F, 1, H, W), torch.zeros(F, 4, H, W)
    mask[1], mask[3], masked[1], masked[3] = 1, 1, latents[1], latents[0]

    nine, own = case.fresh_unet(), network.masked_frames.conv_in
    first = nine.input_blocks[0][0]
    first.weight.data = torch.cat((first.weight, own.weight), 1)
    first.bias.data = first.bias + own.bias
    want = nine(torch.cat((x, mask, masked), 1), torch.full((F,), 500.0), context=context)

    unet, condition = case.fresh_unet(), known_frames(latents, [3, 1], F)
    acts = METHOD.acts(network, places_of(unet))
    with torch.no_grad(), inject(unet, acts, lambda forward: Call(forward, F, inputs=condition)):
        got = unet(x, torch.full((F,), 500.0), context=context)
    assert_same(got, want)


def test_known_frames_of_several_videos_are_those_of_each():
    latents = torch.arange(1.0, 5.0).view(4, 1, 1, 1)
    own, shared = known_frames(latents, [2, 0], 3), known_frames(latents[:2], [2, 0], 3)
    assert own.latents.flatten().tolist() == [2, 0, 1, 4, 0, 3]
    assert own.mask.tolist() == [1, 0, 1, 1, 0, 1]
    assert shared.latents.flatten().tolist() == [2, 0, 1] and shared.mask.tolist() == [1, 0, 1]


@dataclass(frozen=True)
class Watched(ImageCondition):
    """Keeps the mask and the first number of the latents of every call's images."""

    seen: list = field(default_factory=list)

    def channels(self, call, x):
        beside = super().channels(call, x)
        self.seen.append(beside[:, :2, 0, 0])
        return beside


@dataclass(frozen=True)
class WatchedInputs:
    condition: Watched

    def for_run(self, model, shape, num_frames):
        return self.condition


@pytest.mark.parametrize("windows_per_batch", [1, 0])
def test_windows_see_what_is_known_of_their_frames(case, windows_per_batch):
    """Two videos of 5 frames, each in windows of frames 0-2 and 2-4; frames 0 and 4 are known."""
    latents = torch.arange(1.0, 5.0).view(4, 1, 1, 1).expand(4, 4, H, W)
    condition = known_frames(latents, [0, 4], 5)
    watched = Watched(condition.latents, condition.mask)
    model = apply_motion_module(
        case.plain, replace(case.trained(), inputs=WatchedInputs(watched)), MotionSettings()
    )
    windows = ContextSettings(3, 1, windows_per_batch=windows_per_batch, frames_per_video=5)
    case.sample(apply_context_windows(model, windows), frames=10, steps=1)
    seen = [part.tolist() for part in torch.cat(watched.seen).split(3)]
    nothing = [0, 0]
    wanted = [
        [[1, 1], nothing, nothing], [nothing, nothing, [1, 2]],
        [[1, 3], nothing, nothing], [nothing, nothing, [1, 4]],
    ]  # fmt: skip
    assert len(seen) == 8  # for two prompts
    assert [seen.count(window) for window in wanted] == [2, 2, 2, 2]


def test_which_frames_are_known_and_what_they_show_acts(case):
    want = case.sample(moving(case))
    for other in ({"frames": "2"}, {"images": IMAGES[1:2]}, {"images": IMAGES[:2], "frames": "0,-1"}):
        assert not torch.allclose(case.sample(moving(case, **other)), want, atol=1e-3)


def test_images_are_named_in_any_order(case):
    forwards = case.sample(moving(case, IMAGES, "0,2,4"))
    assert torch.equal(case.sample(moving(case, IMAGES.flip(0), "::-2")), forwards)
    assert torch.equal(case.sample(moving(case, IMAGES, "::2")), forwards)


def test_one_model_samples_other_sizes_and_lengths(case):
    model = moving(case, IMAGES[:2], "0,-1")
    want = case.sample(model)
    noise = gold_input("noise", (3, 4, 16, 8))
    latent = torch.zeros_like(noise)
    other = comfy.sample.sample(
        model, noise, 2, 3.0, "euler", "normal", case.unet.conditioning("positive"),
        case.unet.conditioning("negative"), latent, disable_pbar=True, seed=1,
    )  # fmt: skip
    assert other.shape == noise.shape and torch.isfinite(other).all()
    assert torch.equal(case.sample(model), want)


def test_several_videos_have_images_of_their_own_or_the_same(case):
    noise = gold_input("noise", (6, 4, H, W))
    for images in (IMAGES[:2], IMAGES[:1]):
        together = case.sample(moving(case, images, frames_per_video=3), noise=noise, frames=6)
        parts = [
            case.sample(moving(case, image[None]), noise=part, frames=3)
            for image, part in zip(images.expand(2, -1, -1, -1), noise.split(3), strict=True)
        ]
        assert_same(together, torch.cat(parts))


@pytest.mark.parametrize("method", ["Align Your Latents", "Make-A-Video pseudo-3D", "AnimateDiff"])
def test_it_stacks_with_layers_over_frames_in_any_order(case, method):
    layers = Case(METHODS[method], "SD1.x", None)
    first, last = moving(case, model=layers.moving()), layers.moving(model=moving(case))
    got = case.sample(first)
    assert torch.equal(case.sample(last), got)
    for alone in (layers.moving(), moving(case)):
        assert not torch.allclose(case.sample(alone), got, atol=1e-3)


@pytest.mark.parametrize(
    ("images", "frames", "told"),
    [
        (1, "5", "there is no frame 5; these are 5 frames"),
        (2, "0,-5", 'frames="0,-5" names frame 0 of the 5 twice'),
        (2, "::2", 'frames="::2" names 3 of the 5 frames, images holds 2; name as many'),
        (3, "0", 'frames="0" names 1 of the 5 frames, images holds 3'),
    ],
)
def test_frames_and_images_that_do_not_agree_are_refused(case, images, frames, told):
    with pytest.raises(ValueError, match=told):
        case.sample(moving(case, IMAGES[:images], frames))


def test_as_many_images_as_several_videos_need_are_named(case):
    with pytest.raises(ValueError, match=r"names 1 of the 2 frames \(2 for 2 videos\), images holds 3"):
        case.sample(moving(case, IMAGES, frames_per_video=2), frames=4)


def test_a_text_that_names_no_frames_is_refused_at_the_node():
    with pytest.raises(ValueError, match='"first" is neither a frame number nor a range'):
        KnownFrames(image_vae(), IMAGES, "first")


def test_more_images_than_memory_holds_are_refused_before_they_are_encoded(case):
    known = KnownFrames(image_vae(), IMAGES[:1].expand(999_983, -1, -1, -1), ":")
    with pytest.raises(ValueError, match="999983 images of 8192x4096 need .* take fewer images or smaller"):
        known.for_run(case.plain, torch.Size((999_983, 4, 512, 1024)), 999_983)


def test_a_vae_of_another_kind_and_prompts_of_an_area_are_refused(case):
    pixels = comfy.sd.VAE(sd={"pixel_space_vae": torch.tensor(1.0)})
    with pytest.raises(ValueError, match="the VAE of Set Known Frames makes .* wire the VAE of this check"):
        case.sample(moving(case, vae=pixels))
    part = [[gold_input("positive", (1, 7, 48)), {"area": (8, 4, 0, 0), "strength": 1.0}]]
    with pytest.raises(ValueError, match="the network got a part of .*limit a prompt by a mask"):
        case.sample(moving(case), positive=part)


def test_other_modules_and_checkpoints_are_refused(case):
    with pytest.raises(ValueError, match="is a module of AnimateDiff, which takes no known frames; wire"):
        set_known_frames(animatediff_module("v3"), KnownFrames(image_vae(), IMAGES))
    with pytest.raises(ValueError, match="for a UNet of 4 resolution levels, this checkpoint has 3"):
        moving(case, model=IMAGE_UNETS["SDXL"].model())
    inpainting = case.unet.model()
    first = inpainting.model.diffusion_model.input_blocks[0][0]
    first.in_channels, first.weight.data = 9, gold_tensor("nine", (32, 9, 3, 3))
    with pytest.raises(ValueError, match="the first convolution of this checkpoint takes 9"):
        moving(case, model=inpainting)


def test_only_a_file_of_masked_frames_is_claimed(case):
    keys = frozenset(METHOD.to_file(case.new().patcher.model))
    layers = METHODS["Align Your Latents"]
    others = frozenset(layers.to_file(new_motion_module(layers, places_of(case.fresh_unet())).patcher.model))
    for claimed, by in ((keys, METHOD), (keys | others, layers), (frozenset(), None)):
        assert [method for method in METHODS.values() if method.claims(claimed)] == [by] * (by is not None)
