"""Null-text and negative-prompt inversion: the traces of tests/data/goldens/null_text, in ComfyUI's mode."""

import comfy.samplers
import pytest
import torch
from zoetrope.host.injection import MotionSettings, apply_motion_module
from zoetrope.host.sampling.invert_video import Inversion, PromptGuider, invert_video
from zoetrope.host.sampling.null_text import NullTextSampler, optimise_null_text, percent_of
from zoetrope.host.windows import ContextSettings, apply_context_windows
from zoetrope.samplers.inversion import InversionSettings, relative_error
from zoetrope.samplers.null_text import NullTextSettings
from zoetrope.tests.comfy.golden_unet import golden_model, motion_module
from zoetrope.tests.comfy.inverted_unet import golden, inverted_model, unit_variance
from zoetrope.tests.gold_weights import gold_input
from zoetrope.tests.rounding import assert_same

CASE = "null_text/null_text"
F, H, W = 3, 8, 16
LEVELS = torch.tensor([1.0, 0.6, 0.3, 0.1])


def as_conditioning(text):
    return [[text, {}]]


@pytest.fixture(scope="module")
def published():
    """(golden tensors, MODEL, its inversion as the reference made it)."""
    tensors, _ = golden(CASE)
    model = inverted_model(CASE)
    table = model.model.model_sampling.sigmas
    sigmas = torch.cat((table[tensors["timesteps"]], table[:1]))
    shape = (-1, 1, 1, 1, 1)
    rising = sigmas.flip(0).view(shape)
    trajectory = tensors["inversion"] * (1 + rising**2).sqrt()
    return tensors, model, Inversion(trajectory, sigmas, as_conditioning(tensors["cond"]))


def guided(model, inversion, positive, negative, cfg):
    """Core's Euler from the inversion's noise; every level's latents of unit variance."""
    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds(positive, negative)
    guider.set_cfg(cfg)
    levels = []
    noise = model.model.process_latent_out(inversion.trajectory[-1])
    end = guider.sample(
        torch.zeros_like(noise), noise, comfy.samplers.sampler_object("euler"), inversion.sigmas,
        callback=lambda step, x0, x, total: levels.append(x.clone()), disable_pbar=True,
    )  # fmt: skip
    levels.append(model.model.process_latent_in(end))
    return [unit_variance(x, sigma) for x, sigma in zip(levels, inversion.sigmas, strict=True)]


def test_the_trace_is_the_published_one(published):
    tensors, model, inversion = published
    with torch.inference_mode():
        entries, report = optimise_null_text(
            model, inversion, as_conditioning(tensors["uncond"]), NullTextSettings()
        )
        made = torch.stack([embedding for embedding, _ in entries])
        torch.testing.assert_close(made, tensors["embeddings"], atol=1e-3, rtol=0)
        assert f"{int(tensors['inner_steps'].sum())} updates in 5 steps" in report
        sampled = guided(model, inversion, inversion.positive, entries, 7.5)
        torch.testing.assert_close(torch.stack(sampled), tensors["latents"], atol=2e-4, rtol=0)
        edited = guided(model, inversion, as_conditioning(tensors["edit"]), entries, 7.5)[-1]
        torch.testing.assert_close(edited, tensors["null_text_edit"], atol=2e-4, rtol=0)


def test_losses_are_the_published_ones(published):
    tensors, model, inversion = published
    sampler = NullTextSampler(inversion, NullTextSettings())
    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds(inversion.positive, as_conditioning(tensors["uncond"]))
    latents = inversion.trajectory[-1]
    guider.sample(torch.zeros_like(latents), latents, sampler, inversion.sigmas, disable_pbar=True)
    assert [len(losses) for losses in sampler.losses] == tensors["inner_steps"].tolist()
    for losses, expected in zip(sampler.losses, tensors["losses"], strict=True):
        torch.testing.assert_close(torch.tensor(losses), expected[: len(losses)], atol=2e-4, rtol=0)


def test_a_negative_prompt_inversion_is_the_source_prompt_as_the_negative_one(published):
    tensors, model, inversion = published
    edited = guided(model, inversion, as_conditioning(tensors["edit"]), inversion.positive, 7.5)
    torch.testing.assert_close(torch.stack(edited[1:]), tensors["npi_edit"], atol=2e-4, rtol=0)
    plain = guided(model, inversion, inversion.positive, as_conditioning(tensors["uncond"]), 7.5)
    torch.testing.assert_close(plain[-1], tensors["plain_cfg"], atol=2e-4, rtol=0)


def prompt(name):
    return as_conditioning(gold_input(name, (1, 7, 48)))


def inverted(model):
    latent = {"samples": gold_input("video", (F, 4, H, W))}
    return invert_video(model, prompt("positive"), latent, LEVELS, InversionSettings("fixed point", 7, 0.0))


def motion_in_windows():
    model = apply_motion_module(golden_model(out_gain=0.05), motion_module("v3"), MotionSettings())
    return apply_context_windows(model, ContextSettings(context_length=2, context_overlap=1))


def test_gradients_go_through_a_motion_module_in_windows_as_comfyui_runs_them():
    """Loaded and run in inference mode; the weights are the same tensors afterwards."""
    with torch.inference_mode():
        model = motion_in_windows()
        latent, inversion, sigmas, _ = inverted(model)
        before = {name: (id(p), p.clone()) for name, p in model.model.named_parameters()}
        settings = NullTextSettings(cfg=20.0, iterations=3)
        entries, _ = optimise_null_text(model, inversion, prompt("negative"), settings)
        after = dict(model.model.named_parameters())
        assert all(
            id(after[name]) == key and torch.equal(after[name], p) for name, (key, p) in before.items()
        )
        errors = []
        for negative in (prompt("negative"), entries):
            guider = comfy.samplers.CFGGuider(model)
            guider.set_conds(inversion.positive, negative)
            guider.set_cfg(20.0)
            euler, start = comfy.samplers.sampler_object("euler"), latent["samples"]
            back = guider.sample(torch.zeros_like(start), start, euler, sigmas, disable_pbar=True)
            errors.append(relative_error(back, gold_input("video", (F, 4, H, W))))
    assert errors[1] < errors[0]


def test_every_step_has_the_entry_of_its_noise_level():
    model = golden_model()
    sampling = model.model.model_sampling
    for sigma in (0.05, 0.7, 3.0, 14.0):
        assert sampling.percent_to_sigma(percent_of(sampling, sigma)) == pytest.approx(sigma, rel=1e-3)


def test_a_negative_prompt_of_several_entries_is_refused():
    model = golden_model(out_gain=0.05)
    _, inversion, _, _ = inverted(model)
    with pytest.raises(ValueError, match="2 entries. must be a single text"):
        optimise_null_text(model, inversion, 2 * prompt("negative"), NullTextSettings())


def test_settings_that_make_no_sense_are_refused():
    for settings, told in (
        ({"cfg": 1.0}, "cfg=1 has no negative prompt"),
        ({"iterations": 0}, "iterations=0 must be at least 1"),
        ({"learning_rate": 0.0}, "learning_rate=0.0 must be above 0"),
        ({"tolerance": -1.0}, "tolerance=-1.0 must be 0 or more"),
    ):
        with pytest.raises(ValueError, match=told):
            NullTextSettings(**settings)


def test_guidance_between_equal_prompts_is_none():
    """So an inversion's own guider may have a negative prompt."""
    model = golden_model(out_gain=0.05)
    _, inversion, sigmas, _ = inverted(model)
    noise = inversion.trajectory[-1]
    euler = comfy.samplers.sampler_object("euler")
    guider = PromptGuider(model, prompt("positive"))
    plain = guider.sample(torch.zeros_like(noise), noise, euler, sigmas, disable_pbar=True)
    guider.set_cfg(5.0)
    assert_same(guider.sample(torch.zeros_like(noise), noise, euler, sigmas, disable_pbar=True), plain)
