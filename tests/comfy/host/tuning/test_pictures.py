"""Pictures in training meet what else is on a MODEL and on a clip's conditioning: context windows,
ControlNets, masks, prompts of frames, hooks, gradient checkpointing, samples on the way.
"""

import comfy.hooks
import pytest
import torch
from zoetrope.frame_values import frame_values
from zoetrope.host.injection import MotionSettings, apply_motion_module
from zoetrope.host.tuning import progress
from zoetrope.host.tuning import run as runs
from zoetrope.host.tuning.clips import TrainingClip, TrainingClips
from zoetrope.host.tuning.network_loras import train_network_lora
from zoetrope.host.tuning.temporal_training import train_temporal_layers
from zoetrope.tests.comfy.golden_unet import golden_model, motion_module
from zoetrope.tests.comfy.host.context_rig import PRECISE, controlnet, windowed, with_control
from zoetrope.tests.comfy.host.tuning.small_runs import FRAMES, a_run, clips, text
from zoetrope.tests.gold_weights import gold_input
from zoetrope.tuning.recipe import Recipe

N = 4
PICTURES = {"image_frames": N, "text_dropout": 0.0, "steps": 3, "learning_rate": 1e-3}


def told(make):
    """Two clips, the conditioning of each made anew by a function of its number."""
    return TrainingClips(
        tuple(
            TrainingClip(clip.latents, make(number), clip.name) for number, clip in enumerate(clips(2).clips)
        )
    )


def rows_of(step):
    """Which clip pictures of a step are of, and which frames."""
    return runs.beside(step, [FRAMES, FRAMES], Recipe(image_frames=N))


def lora_weights(model, run):
    """Trained by three steps of a LoRA of the checkpoint; loss of each step."""
    _, lora, sampler = train_network_lora(model, run, 2, "spatial and text")
    assert torch.isfinite(torch.tensor(sampler.losses)).all()
    return lora, sampler.losses


def test_each_picture_is_told_the_prompt_of_its_frame():
    rows = [gold_input(f"prompts {number}", (FRAMES, 7, 48)) for number in range(2)]
    model, seen = golden_model(), []
    hook = model.model.diffusion_model.register_forward_pre_hook(
        lambda _, args, kwargs: seen.append(kwargs["context"].detach().clone()), with_kwargs=True
    )
    lora_weights(model, a_run(data=told(lambda number: [[rows[number], {}]]), **PICTURES))
    hook.remove()
    pictures = [context for context in seen if len(context) == N]
    assert len(pictures) == 3
    for step, context in enumerate(pictures):
        other, frames = rows_of(step)
        torch.testing.assert_close(context, rows[other][frames].to(context))


def test_each_picture_is_told_the_hint_of_its_frame():
    hints = [gold_input(f"hints {number}", (FRAMES, 3, 128, 64)).abs().clamp(max=1) for number in range(2)]
    controls, model = [controlnet(hint) for hint in hints], golden_model(PRECISE)
    seen = {0: [], 1: []}
    for number, control in enumerate(controls):
        control.control_model.register_forward_pre_hook(
            lambda _, args, kwargs, number=number: seen[number].append(kwargs["hint"].clone()),
            with_kwargs=True,
        )
    data = told(lambda number: with_control(text(number), controls[number]))
    lora_weights(model, a_run(data=data, **PICTURES))
    for step in range(3):
        other, frames = rows_of(step)
        wanted = hints[other][frames].to(PRECISE)
        assert any(len(hint) == N and torch.allclose(hint, wanted) for hint in seen[other])


def test_each_picture_has_the_mask_of_its_frame():
    """A mask that shuts out all frames but one: only pictures of that frame have a loss that is its own."""
    shut = torch.zeros(FRAMES, 16, 8)
    shut[2] = 1.0
    masked = told(lambda number: [[text(number)[0][0], {"mask": shut, "mask_strength": 1.0}]])
    _, of_masked = lora_weights(golden_model(), a_run(data=masked, **PICTURES))
    _, plain = lora_weights(golden_model(), a_run(data=told(text), **PICTURES))
    assert of_masked != plain


def gradients(make, module, run):
    """Weights after a run of a module's own layers."""
    trained, sampler = train_temporal_layers(make(), module, run)
    assert torch.isfinite(torch.tensor(sampler.losses)).all()
    return trained.patcher.model.state_dict()


@pytest.mark.parametrize(
    ("make", "pictures"),
    [(golden_model, {"image_frames": N}), (lambda: windowed(golden_model()), {})],
    ids=["pictures", "windows"],
)
def test_layers_computed_again_belong_to_their_own_forward(make, pictures):
    """A loss of several forwards, a clip or its windows and pictures, has the gradients it has without
    gradient checkpointing.
    """
    options = {"text_dropout": 0.0, "steps": 1, "learning_rate": 1e-3, "optimizer": "SGD", "clip_norm": 0.0}
    module = motion_module("v3")
    kept, again = (
        gradients(make, module, a_run(checkpointing=on, **options, **pictures)) for on in (False, True)
    )
    before, moved = module.patcher.model.state_dict(), 0.0
    for key, value in kept.items():
        change = value - before[key].float()
        moved = max(moved, float(change.abs().max()))
        torch.testing.assert_close(again[key], value, rtol=1e-4, atol=1e-3 * float(change.abs().max()) + 1e-9)
    assert moved > 0


def test_pictures_need_no_windows_and_no_whole_videos():
    """Of 6 frames and 4 pictures neither is a multiple of the other; strength has a number for each frame."""
    model = windowed(golden_model(), frames_per_video=3)
    strength = frame_values([0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
    moving = apply_motion_module(golden_model(), motion_module("v3"), MotionSettings(strength=strength))
    for one in (model, moving):
        _, losses = lora_weights(one, a_run(**PICTURES))
        assert len(losses) == 3


def with_hook(conditioning, number):
    """A conditioning with a hook of a LoRA of its own on it, as Create Hook LoRA and Set Hooks make it."""
    weight = torch.full((32, 4, 3, 3), 0.1 * (number + 1))
    hooks = comfy.hooks.create_hook_lora({}, 1.0, 1.0)
    hooks.hooks[0].weights = {"diffusion_model.input_blocks.0.0.weight": ("diff", (weight,))}
    hooks.hooks[0].need_weight_init = False
    return [[embedding, {**values, "hooks": hooks}] for embedding, values in conditioning]


@pytest.mark.parametrize("checkpointing", [True])
def test_clips_may_have_hooks_of_their_own(checkpointing):
    """Each clip and the pictures beside it are seen with the LoRA of their own hook."""
    data = told(lambda number: with_hook(text(number), number))
    _, hooked = lora_weights(golden_model(), a_run(data=data, checkpointing=checkpointing, **PICTURES))
    _, plain = lora_weights(golden_model(), a_run(data=told(text), checkpointing=checkpointing, **PICTURES))
    assert all(one != other for one, other in zip(hooked, plain, strict=True))


def test_samples_on_the_way_meet_windows_controls_and_masks(monkeypatch):
    monkeypatch.setattr(progress, "SAMPLE_STEPS", 2)
    hints = gold_input("hints", (FRAMES, 3, 128, 64)).abs().clamp(max=1)
    control, mask = controlnet(hints), torch.ones(FRAMES, 16, 8)
    mask[:3] = 0.5
    conditioning = with_control([[text()[0][0], {"mask": mask, "mask_strength": 1.0}]], control)
    data = TrainingClips(tuple(TrainingClip(c.latents, conditioning, c.name) for c in clips(2).clips))
    few = PICTURES | {"steps": 1}
    sampled, without = (
        lora_weights(windowed(golden_model(PRECISE)), a_run(data=data, sample_every=every, **few))[1]
        for every in (1, 0)
    )
    assert sampled == without
