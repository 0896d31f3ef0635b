"""Training steps are those of the published code: losses, gradients and updated weights of three steps.

Letters: B clips of F frames; golden clips are (B, C, F, H, W).
"""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from zoetrope.host.injection.motion_models import motion_module_from_file
from zoetrope.host.tuning import run as runs
from zoetrope.host.tuning.clips import add_clip
from zoetrope.host.tuning.temporal_training import train_temporal_layers
from zoetrope.tests.comfy.golden_unet import golden_model, motion_module
from zoetrope.tests.gold_weights import gold_input, gold_tensor
from zoetrope.tests.places import GOLDENS
from zoetrope.tests.rounding import assert_same
from zoetrope.tuning.recipe import Recipe

SHAPE = (2, 4, 8, 16, 16)
RATES = {"animatediff": 1e-4, "tune_a_video": 3e-5}


def tune_a_video(folder):
    """The module of a published Tune-A-Video UNet."""
    shapes = json.loads((GOLDENS / "tune_a_video" / "tav_tiny.json").read_text())["unet_shapes"]
    path = folder / "unet.safetensors"
    save_file({key: gold_tensor(key, s, 0.5 if "conv_out" in key else 1) for key, s in shapes.items()}, path)
    return motion_module_from_file(str(path))


def trained(system, folder, monkeypatch):
    """The module after three golden steps, the run, and the gradient norms before clipping."""
    prefix = {"animatediff": "ad", "tune_a_video": "tav"}[system]
    z, noise = (gold_input(f"{prefix}.tr.{name}", SHAPE) for name in ("z", "noise"))
    context = gold_input(f"{prefix}.tr.ctx", (2, 7, 48))
    model = golden_model(out_gain=1.0 if system == "animatediff" else 0.5)
    module = motion_module("v3") if system == "animatediff" else tune_a_video(folder)
    clips = None
    for video, text in zip(z, context, strict=True):
        latents = model.model.latent_format.process_out(video.movedim(0, 1))
        clips = add_clip(clips, {"samples": latents}, [[text[None], {}]])

    def seen(number, shape, sampling, recipe):
        which = runs.clip_of(number, 2, recipe.seed)
        return runs.SeenClip(sampling.sigmas[(137, 802)[which]], noise[which].movedim(0, 1), False, False, 0)

    norms = []
    clip = torch.nn.utils.clip_grad_norm_

    def clipped(*args, **more):
        norms.append(clip(*args, **more))
        return norms[-1]

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", clipped)
    monkeypatch.setattr(runs, "seen_clip", seen)
    recipe = Recipe(steps=3, clips_per_step=2, learning_rate=RATES[system], text_dropout=0.0)
    run = runs.TrainingRun(clips, [[context[:1], {}]], recipe, checkpointing=system == "animatediff")
    return *train_temporal_layers(model, module, run), norms


@pytest.mark.parametrize("system", RATES)
def test_losses_and_gradients_are_those_of_the_published_code(system, tmp_path, monkeypatch):
    golden = load_file(GOLDENS / system / "train_step.safetensors")
    _, run, norms = trained(system, tmp_path, monkeypatch)
    assert run.losses == pytest.approx(golden["losses"].tolist(), rel=1e-4)
    assert float(norms[0]) == pytest.approx(float(golden["grad_norm_before_clip"]), rel=1e-4)


@pytest.mark.parametrize("system", RATES)
def test_weights_after_a_step_are_those_of_the_published_code(system, tmp_path, monkeypatch):
    golden = load_file(GOLDENS / system / "train_step.safetensors")
    monkeypatch.setattr(Recipe, "__post_init__", lambda self: object.__setattr__(self, "steps", 1))
    module, _, _ = trained(system, tmp_path, monkeypatch)
    weights = module.method.to_file(module.patcher.model)
    prefix = "param_after_1."
    keys = [key.removeprefix(prefix) for key in golden if key.startswith(prefix)]
    assert keys
    before = weights_before(system)
    for key in keys:
        wanted = golden[prefix + key]
        assert_same(weights[key], wanted, 1e-5)
        update = wanted - before(key)
        # Adam divides a gradient by its own size, so those near zero are all rounding: the mean is compared.
        assert float((weights[key] - wanted).abs().mean() / update.abs().mean()) < 1e-3


def weights_before(system):
    """key -> the golden weight before training."""
    gain = {"animatediff": lambda key: 1, "tune_a_video": lambda key: 0.5 if "conv_out" in key else 1}[system]
    golden = load_file(GOLDENS / system / "train_step.safetensors")
    return lambda key: gold_tensor(key, golden[f"param_after_1.{key}"].shape, gain(key))
