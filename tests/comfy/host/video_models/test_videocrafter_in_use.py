"""VideoCrafter and DynamiCrafter among core's own features:
ControlNet, LoRA, little memory, half precision.
"""

import comfy.cldm.cldm
import comfy.cli_args
import comfy.controlnet
import comfy.lora
import comfy.ops
import comfy.sd
import pytest
import torch
from zoetrope.tests.comfy.host.context_rig import (
    CPU,
    H,
    W,
    evaluate,
    hint_images,
    seed_weights,
    windowed,
    with_control,
)
from zoetrope.tests.comfy.host.video_models.tiny_videocrafter import (
    IMAGE_MODELS,
    conds_for,
    load,
    tensors_of_file,
)
from zoetrope.tests.comfy.video_unets.videocrafter_case import CASES
from zoetrope.tests.gold_weights import gold_input
from zoetrope.tests.rounding import HALF, OTHER_BATCH, assert_same

FRAMES = 4
FREE_LENGTH = [case for case in CASES if not case.startswith("dynamicrafter")]


def loaded(case):
    return load(tensors_of_file(case, IMAGE_MODELS.get(case, 0))).model


def both(case, frames=FRAMES):
    return [[[words, dict(extra)]] for words, extra in conds_for(case, frames, (H, W))]


def noise_of(frames=FRAMES):
    return gold_input("noise", (frames, 4, H, W))


def controlnet(model):
    """A ControlNet of the kind made for SD2.x, as narrow as the model; it sees the noisy latents alone."""
    known = (
        "model_channels",
        "channel_mult",
        "num_res_blocks",
        "transformer_depth",
        "transformer_depth_middle",
        "context_dim",
        "num_head_channels",
    )
    config = {key: model.model.model_config.unet_config[key] for key in known}
    network = comfy.cldm.cldm.ControlNet(
        **config,
        in_channels=4,
        image_size=8,
        hint_channels=3,
        num_heads=-1,
        use_spatial_transformer=True,
        use_linear_in_transformer=True,
        legacy=False,
        operations=comfy.ops.disable_weight_init,
    )
    return comfy.controlnet.ControlNet(seed_weights(network), load_device=CPU)


def steered(model, case, images, frames=None):
    frames = range(FRAMES) if frames is None else frames
    control = controlnet(model).set_cond_hint(images, 0.7)
    positive, negative = (with_control(cond, control) for cond in both(case, len(frames)))
    return evaluate(model, noise_of()[frames[0] : frames[-1] + 1], positive, negative)


@pytest.mark.parametrize("case", CASES)
def test_controlnet_gives_every_frame_its_hint(case):
    model, hints = loaded(case), hint_images(FRAMES)
    plain = evaluate(model, noise_of(), *both(case))
    result = steered(model, case, hints)
    assert (result - plain).abs().max() > 1e-2 * plain.std()
    changed = hints.clone()
    changed[2] = 0
    assert (steered(model, case, changed) - result).abs().amax(dim=(1, 2, 3)).argmax() == 2
    assert_same(steered(model, case, hints[:1]), steered(model, case, hints[:1].repeat(FRAMES, 1, 1, 1)))


@pytest.mark.parametrize("case", FREE_LENGTH)
def test_controlnet_in_windows_without_overlap_is_that_of_separate_videos(case):
    model, hints = loaded(case), hint_images(FRAMES)
    windows = steered(windowed(model, context_length=2, context_overlap=0), case, hints)
    parts = [steered(model, case, hints[start : start + 2], range(start, start + 2)) for start in (0, 2)]
    assert_same(windows, torch.cat(parts), OTHER_BATCH)


@pytest.mark.parametrize("case", CASES)
def test_weights_that_stay_outside_give_the_same(case):
    """Low-VRAM mode: core casts every layer's weights when it
    runs; tables, tokens and scales of our own layers come along.
    """
    model = loaded(case)
    expected = evaluate(model, noise_of(), *both(case))
    model.unpatch_model(CPU)
    model.load(CPU, lowvram_model_memory=1)
    assert model.model.model_lowvram
    assert_same(evaluate(model, noise_of(), *both(case)), expected)


@pytest.mark.parametrize("case", CASES)
def test_half_precision_weights(case, monkeypatch):
    expected = evaluate(loaded(case), noise_of(), *both(case))
    monkeypatch.setattr(comfy.cli_args.args, "fp16_unet", True)
    half = loaded(case)
    assert half.model.get_dtype() == torch.float16
    assert_same(evaluate(half, noise_of(), *both(case)), expected, HALF)


def lora_for(model, names):
    """A LoRA of rank 2 in kohya's naming for these layers of the network."""
    weights = model.model.diffusion_model.state_dict()
    lora = {}
    for name in names:
        out, *inside = weights[f"{name}.weight"].shape
        key = "lora_unet_" + name.replace(".", "_")
        lora[f"{key}.lora_up.weight"] = gold_input(f"{name} up", (out, 2))
        lora[f"{key}.lora_down.weight"] = gold_input(f"{name} down", (2, torch.Size(inside).numel()))
        lora[f"{key}.alpha"] = torch.tensor(2.0)
    return lora


@pytest.mark.parametrize("case", CASES)
def test_core_s_lora_loader_reaches_spatial_temporal_and_image_layers(case):
    model = loaded(case)
    block = "input_blocks.1.{}.transformer_blocks.0.attn2.{}"
    names = [block.format(1, "to_q"), block.format(2, "to_q"), "init_attn.0.transformer_blocks.0.attn1.to_v"]
    names += [block.format(1, "to_k_ip")] if case in IMAGE_MODELS else []
    lora = lora_for(model, names)
    patched, _ = comfy.sd.load_lora_for_models(model, None, lora, 0.5, 0)
    assert set(patched.patches) == {f"diffusion_model.{name}.weight" for name in names}
    plain = evaluate(model, noise_of(), *both(case))
    assert (evaluate(patched, noise_of(), *both(case)) - plain).abs().max() > 1e-3 * plain.std()
    off, _ = comfy.sd.load_lora_for_models(model, None, lora, 0.0, 0)
    assert_same(evaluate(off, noise_of(), *both(case)), plain)
