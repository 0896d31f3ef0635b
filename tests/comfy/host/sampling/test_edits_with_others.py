"""What an inversion and its edit meet: ControlNets and core's hooks, on the way up as on the way back."""

import comfy.hooks
import comfy.lora
import comfy.samplers
import pytest
import torch
from zoetrope.host.sampling.edit_guider import EditGuider, EditSettings
from zoetrope.host.sampling.invert_video import invert_video
from zoetrope.samplers.inversion import InversionSettings, relative_error
from zoetrope.tests.comfy.golden_unet import golden_model
from zoetrope.tests.comfy.host.context_rig import PRECISE, controlnet, with_control
from zoetrope.tests.gold_weights import gold_input, gold_tensor

F, H, W = 3, 8, 16
LEVELS = torch.tensor([1.0, 0.6, 0.3, 0.1])
VIDEO = gold_input("video", (F, 4, H, W))
EXACT = InversionSettings("fixed point", 9, 0.0)


def model():
    """With a weak last layer, so that steps as large as these can be undone."""
    return golden_model(PRECISE, out_gain=0.05)


def prompt(name, **extra):
    return [[gold_input(name, (1, 7, 48)), extra]]


def hinted(control, name="positive", seed=0):
    hints = gold_input(f"hints {seed}", (F, 3, 8 * H, 8 * W)).abs().clamp(max=1)
    return with_control(prompt(name), control.copy().set_cond_hint(hints, 1.0))


def lora_of(patched):
    """A LoRA of one layer that reads the text, strong enough to be seen."""
    names = comfy.lora.model_lora_keys_unet(patched.model)
    name, target = next(item for item in names.items() if "attn2.to_q" in str(item[1]))
    rows, columns = patched.model.state_dict()[target].shape
    return {
        f"{name}.lora_up.weight": 9 * gold_tensor("up.weight", (rows, 2)),
        f"{name}.lora_down.weight": gold_tensor("down.weight", (2, columns)),
    }


def hooked(patched, name="positive", later=0.0):
    """A prompt with a LoRA whose strength is `later` in the second half of the levels."""
    group = comfy.hooks.create_hook_lora(lora_of(patched), 1.0, 1.0)
    strengths = comfy.hooks.HookKeyframeGroup()
    strengths.add(comfy.hooks.HookKeyframe(strength=1.0))
    sampling = patched.model.model_sampling
    middle = next(i / 1000 for i in range(1000) if sampling.percent_to_sigma(i / 1000) < 0.5)
    strengths.add(comfy.hooks.HookKeyframe(strength=later, start_percent=middle))
    group.set_keyframes_on_hooks(strengths)
    return prompt(name, hooks=group)


def inverted(patched, text):
    return invert_video(patched, text, {"samples": VIDEO}, LEVELS, EXACT)[1]


def edited(patched, inversion, text, cfg=7.0, **settings):
    guider = EditGuider(patched, inversion, text, EditSettings(cfg, **settings))
    euler = comfy.samplers.sampler_object("euler")
    return guider.sample(torch.zeros_like(VIDEO), VIDEO, euler, inversion.sigmas, disable_pbar=True)


CASES = {
    "ControlNet": lambda: (model(), hinted(controlnet()), hinted(controlnet(), "edit")),
    "hooks": lambda: (patched := model(), hooked(patched), hooked(patched, "edit")),
}


@pytest.mark.parametrize("case", CASES)
def test_the_video_comes_back_with_its_own_prompt_and_changes_with_another(case):
    patched, own, other = CASES[case]()
    inversion = inverted(patched, own)
    again = edited(patched, inversion, own)
    assert relative_error(again, VIDEO) < 1e-4
    assert relative_error(edited(patched, inversion, other), VIDEO) > 1e-3


def test_hooks_have_the_strength_of_their_level_on_the_way_up():
    """Strong at high noise levels alone: the way up leaves that of a plain prompt only there."""
    patched = model()
    plain, way = (inverted(patched, text).trajectory for text in (prompt("positive"), hooked(patched)))
    apart = [relative_error(*pair) for pair in zip(way, plain, strict=True)]
    assert apart[:2] == [0.0, 0.0] and apart[3] > 1e-5, apart
