"""LoRAs of Stable Video Diffusion: camera movements from an image, frames between two images, prompts."""

import pytest
import torch
from safetensors.torch import save_file
from zoetrope.host.tuning import network_loras
from zoetrope.host.tuning import run as runs
from zoetrope.host.tuning.clips import add_clip
from zoetrope.host.video_models.loader import video_model_from_file
from zoetrope.host.video_models.svd_conditioning import (
    ImageSettings,
    InterpolationSettings,
    TextSettings,
    image_to_video,
    interpolation,
    text_to_video,
)
from zoetrope.tests.gold_weights import gold_input
from zoetrope.tests.networks.encoders import tiny_encoders
from zoetrope.tests.networks.svd import tiny_svd
from zoetrope.tuning.recipe import Recipe

FRAMES, WIDTH, HEIGHT = 5, 64, 128
SIZE = (WIDTH, HEIGHT, FRAMES, 127, 6)


def image(name):
    return gold_input(name, (1, 60, 70, 3)).abs().clamp(max=1)


def of_an_image(encoders):
    return image_to_video(*encoders, image("start"), ImageSettings(*SIZE, 0.02, 3))


def between_two(encoders):
    return interpolation(*encoders, image("start"), image("end"), InterpolationSettings(*SIZE, 0.0, 0))


def of_a_prompt(encoders):
    prompts = [[[gold_input(name, (1, 7, 1024)), {}]] for name in ("positive", "negative")]
    return text_to_video(*prompts, TextSettings(*SIZE))


@pytest.fixture(scope="module")
def encoders():
    return tuple(tiny_encoders().values())


def loaded(folder, in_channels):
    save_file(tiny_svd(in_channels=in_channels), folder / "svd.safetensors")
    return video_model_from_file(str(folder / "svd.safetensors")).model


def a_run(conditioning, **recipe):
    positive, negative, latent = conditioning
    clips = add_clip(None, {"samples": gold_input("clip", tuple(latent["samples"].shape), 5)}, positive)
    return runs.TrainingRun(clips, negative, Recipe(steps=2, learning_rate=1e-2, **recipe))


@pytest.mark.parametrize(
    ("made", "in_channels"), [(of_an_image, 8), (between_two, 8), (between_two, 9), (of_a_prompt, 4)]
)
def test_a_lora_is_trained_on_what_the_nodes_tell_the_network(made, in_channels, encoders, tmp_path):
    """In inference mode, as ComfyUI runs nodes; with texts and images left out at times."""
    with torch.inference_mode():
        model, conditioning = loaded(tmp_path, in_channels), made(encoders)
        seen = []
        hook = model.model.diffusion_model.register_forward_pre_hook(
            lambda _, args, kwargs: seen.append(args[0].detach().clone()), with_kwargs=True
        )
        run = a_run(conditioning, text_dropout=0.5, seed=4)
        _, lora, sampler = network_loras.train_network_lora(model, run, 2, "temporal")
        hook.remove()
    assert len(sampler.losses) == 2 and torch.isfinite(torch.tensor(sampler.losses)).all()
    assert any(value.any() for key, value in lora.items() if ".lora_up." in key)
    assert {x.shape[1] for x in seen} == {in_channels}
    told = [[bool(frame.any()) for frame in x[:, 4:8]] for x in seen]
    ends = [True, False, False, False, True]
    wanted = {of_an_image: [True] * FRAMES, between_two: ends, of_a_prompt: [False] * FRAMES}[made]
    assert wanted in told and (made is of_a_prompt or [False] * FRAMES in told)


def test_clips_are_not_mirrored_without_the_image_that_they_begin_with(encoders, tmp_path):
    model = loaded(tmp_path, 8)
    with pytest.raises(
        ValueError, match="flip=0.5 mirrors clips, but .* concat_latent_image .* set flip to 0"
    ):
        network_loras.train_network_lora(model, a_run(of_an_image(encoders), flip=0.5), 2, "temporal")
