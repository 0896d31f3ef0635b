"""Modules that are shown frames of the video are trained on those of each clip: prediction and interpolation
of masked frames (Make-A-Video, Align Your Latents), the images of PIA and AnimateLCM-I2V.
"""

import pytest
import torch
from zoetrope.host.injection import MotionSettings, apply_motion_module
from zoetrope.host.injection.animated_image import AnimatedImage, animate_image
from zoetrope.host.injection.known_frames import KnownFrames, set_known_frames
from zoetrope.host.injection.motion_models import new_for_model
from zoetrope.host.injection.reference_image import LCMImage, animate_with_lcm
from zoetrope.host.tuning.temporal_training import train_temporal_layers
from zoetrope.motion_modules.frame_features import FrameFeatures
from zoetrope.tests.comfy.golden_unet import golden_model, sample
from zoetrope.tests.comfy.host.media.small_vaes import image_vae
from zoetrope.tests.comfy.host.tuning.small_runs import FRAMES, a_run, clips
from zoetrope.tests.gold_weights import gold_input


def image(count=1):
    return gold_input("another picture", (count, 128, 64, 3)).abs().clamp(max=1)


def key_frames(model):
    module = new_for_model(model, "Masked frames")
    return set_known_frames(module, KnownFrames(image_vae(), image(2), "0, -1"))


def pia(model):
    module = new_for_model(model, "PIA")
    return animate_image(module, AnimatedImage(image_vae(), image(), "loop small"))


def seen_by(network, path, train):
    """What the layers at a path are given while `train` runs, and what that returns."""
    seen = []
    forward = type(network.get_submodule(path)).forward
    layer = type(network.get_submodule(path))

    def noted(self, x, *args, **kwargs):
        if x.shape[1] == 5:
            seen.append(x.detach().clone())
        return forward(self, x, *args, **kwargs)

    layer.forward = noted
    try:
        return seen, train()
    finally:
        layer.forward = forward


@pytest.mark.parametrize(
    ("made", "path", "shown"),
    [(key_frames, "masked_frames.conv_in", [0, FRAMES - 1]), (pia, "conv_in.condition", [0])],
)
@pytest.mark.parametrize("checkpointing", [False, True])
def test_each_clip_is_shown_with_its_own_frames(made, path, shown, checkpointing):
    with torch.inference_mode():
        model, data = golden_model(), clips(3)
        module = made(model)
        run = a_run(data=data, text_dropout=0.0, steps=3, checkpointing=checkpointing)
        seen, (trained, sampler) = seen_by(
            module.patcher.model, path, lambda: train_temporal_layers(model, module, run)
        )
    assert len(seen) >= 3 and torch.isfinite(torch.tensor(sampler.losses)).all()
    frames = [model.model.process_latent_in(clip.latents)[shown] for clip in data.clips]
    found = {
        next(n for n, own in enumerate(frames) if torch.allclose(x[shown, 1:].float(), own, atol=1e-2))
        for x in seen
    }
    assert found == {0, 1, 2}
    assert trained.inputs is module.inputs
    assert sample(apply_motion_module(model, trained, MotionSettings())).isfinite().all()


def test_frames_are_left_out_as_often_as_texts():
    """Which context guidance needs."""
    model = golden_model()
    module = key_frames(model)
    run = a_run(text_dropout=0.5, steps=12, seed=2, data=clips(1))
    seen, _ = seen_by(
        module.patcher.model, "masked_frames.conv_in", lambda: train_temporal_layers(model, module, run)
    )
    unseen = [not x.any() for x in seen]
    assert 2 <= sum(unseen) <= 10


@pytest.mark.parametrize("pictures", [{"image_frames": 2}, {"single_frames": 1.0}])
def test_pictures_are_shown_nothing(pictures):
    """Neither the wired images nor frames of a clip: nothing is known of a picture."""
    model = golden_model()
    module = key_frames(model)
    run = a_run(text_dropout=0.0, steps=2, **pictures)
    seen, _ = seen_by(
        module.patcher.model, "masked_frames.conv_in", lambda: train_temporal_layers(model, module, run)
    )
    of_pictures = [x for x in seen if len(x) == 2] if "image_frames" in pictures else seen
    assert len(of_pictures) == 2 and not any(x.any() for x in of_pictures)


def test_the_image_of_animatelcm_is_that_of_each_clip(monkeypatch):
    model, data = golden_model(), clips(2)
    module = animate_with_lcm(new_for_model(model, "AnimateLCM-I2V"), LCMImage(image_vae(), image()))
    prepare, shown = FrameFeatures.prepare, []

    def noted(self, call, like, encode):
        shown.append(call.inputs.latents.clone())
        return prepare(self, call, like, encode)

    monkeypatch.setattr(FrameFeatures, "prepare", noted)
    train_temporal_layers(model, module, a_run(data=data, steps=2, text_dropout=0.0, checkpointing=True))
    frames = [model.model.process_latent_in(clip.latents)[:1] for clip in data.clips]
    assert {next(n for n, own in enumerate(frames) if torch.allclose(x, own)) for x in shown} == {0, 1}
