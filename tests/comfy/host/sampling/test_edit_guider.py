"""Edit Video from its Inversion, held to the video itself: with its own prompt it comes back."""

import comfy.samplers
import pytest
import torch
from comfy_extras.nodes_custom_sampler import DisableNoise, RandomNoise, SamplerCustomAdvanced
from comfy_extras.nodes_model_advanced import ModelSamplingSD3
from zoetrope.host.sampling.edit_guider import EditGuider, EditSettings
from zoetrope.host.sampling.invert_video import invert_video
from zoetrope.host.windows import ContextSettings, apply_context_windows
from zoetrope.samplers.inversion import InversionSettings, relative_error
from zoetrope.tests.comfy.golden_unet import golden_model
from zoetrope.tests.gold_weights import gold_input
from zoetrope.tests.rounding import assert_same

F, H, W = 3, 8, 16
LEVELS = torch.tensor([1.0, 0.6, 0.3, 0.1])
VIDEO = {"samples": gold_input("video", (F, 4, H, W))}


def prompt(name):
    return [[gold_input(name, (1, 7, 48)), {}]]


def inverted(model, sigmas=LEVELS):
    settings = InversionSettings("fixed point", 7, 0.0)
    return invert_video(model, prompt("positive"), VIDEO, sigmas, settings)[1]


@pytest.fixture(scope="module")
def made():
    """(MODEL, inversion): its weak last layer lets steps as large as these be undone."""
    model = golden_model(out_gain=0.05)
    return model, inverted(model)


def edited(model, inversion, text, latent=None, sigmas=None, noise=None, negative=None, **settings):
    """SamplerCustomAdvanced of ComfyUI with this guider."""
    guider = EditGuider(model, inversion, prompt(text), EditSettings(**settings), negative)
    sigmas = inversion.sigmas if sigmas is None else sigmas
    euler, noise = comfy.samplers.sampler_object("euler"), noise or DisableNoise.execute()[0]
    return SamplerCustomAdvanced.execute(noise, guider, euler, sigmas, latent or VIDEO)[0]["samples"]


@pytest.mark.parametrize("shared", [0.0, 1.0])
def test_with_its_own_prompt_the_video_comes_back_at_any_cfg(made, shared):
    assert (
        relative_error(edited(*made, "positive", cfg=7.0, shared_attention=shared), VIDEO["samples"]) < 1e-4
    )
    assert relative_error(edited(*made, "edit", cfg=7.0), VIDEO["samples"]) > 1e-3


def test_a_run_may_begin_on_the_way(made):
    late = edited(*made, "positive", sigmas=LEVELS[1:])
    assert relative_error(late, VIDEO["samples"]) < 1e-4
    whole, part = edited(*made, "edit"), edited(*made, "edit", sigmas=LEVELS[2:])
    differences = [relative_error(x, VIDEO["samples"]) for x in (part, whole)]
    assert 0 < differences[0] < differences[1]


def test_outside_of_a_mask_the_video_stays(made):
    mask = torch.zeros(1, H, W)
    mask[:, :, 5:11] = 1
    result = edited(*made, "edit", {**VIDEO, "noise_mask": mask}, torch.cat((LEVELS, torch.zeros(1)))[:4])
    inside = mask[0].bool()
    outer, given = result[..., ~inside], VIDEO["samples"][..., ~inside]
    assert relative_error(outer, given) < 0.1, "what is left is the noise of the last level"
    assert relative_error(result[..., inside], VIDEO["samples"][..., inside]) > 1e-3


def test_the_negative_prompt_is_that_of_the_video_or_another_one(made):
    plain = edited(*made, "edit")
    assert torch.equal(edited(*made, "edit", negative=prompt("positive")), plain)
    assert relative_error(edited(*made, "edit", negative=prompt("negative")), plain) > 1e-4


def test_attention_of_the_video_is_that_of_its_frames_in_windows_too(made):
    model, inversion = made
    plain = edited(model, inversion, "edit", shared_attention=1.0)
    assert relative_error(plain, edited(model, inversion, "edit")) > 1e-4
    windows = ContextSettings(context_length=2, context_overlap=1)
    assert_same(edited(apply_context_windows(model, windows), inversion, "edit", shared_attention=1.0), plain)


def test_a_flow_begins_at_its_highest_level():
    model = ModelSamplingSD3().patch(golden_model(out_gain=0.05), 3.0)[0]
    inversion = inverted(model, torch.tensor([1.0, 0.6, 0.3, 0.0]))
    assert relative_error(edited(model, inversion, "positive"), VIDEO["samples"]) < 1e-3


def test_what_does_not_belong_to_the_inversion_is_refused(made):
    for given, told in (
        ({"sigmas": torch.tensor([0.8, 0.3])}, "sigma=0.8 is none of the 4 noise levels"),
        ({"noise": RandomNoise.execute(3)[0]}, "wire DisableNoise"),
        ({"latent": {"samples": torch.zeros(F + 1, 4, H, W)}}, "have the shape .4, 4, 8, 16. and the inv"),
    ):
        with pytest.raises(ValueError, match=told):
            edited(*made, "edit", **given)
    with pytest.raises(ValueError, match="shared_attention=1.5 must be 0 to 1"):
        EditSettings(shared_attention=1.5)


def test_shared_attention_needs_prompts_for_the_whole_picture(made):
    area = [[prompt("edit")[0][0], {"area": (4, 8, 0, 0), "strength": 1.0, "set_area_to_bounds": False}]]
    guider = EditGuider(*made, area, EditSettings(shared_attention=1.0))
    latents = VIDEO["samples"]
    with pytest.raises(ValueError, match="has an area; set it to 0"):
        guider.sample(torch.zeros_like(latents), latents, comfy.samplers.sampler_object("euler"), LEVELS)
