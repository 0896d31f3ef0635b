"""Video networks among core's own features: batched and split prompts, windows, ControlNet, previews, little memory, half precision.

A new system joins with a line in STANDINS.
"""

import comfy.cldm.cldm
import comfy.cli_args
import comfy.controlnet
import comfy.ops
import latent_preview
import pytest
import torch
from zoetrope.host.video_model import video_model_from_file
from zoetrope.tests.comfy.host.context_rig import (
    CPU,
    SIGMA,
    assert_same,
    evaluate,
    hint_images,
    seed_weights,
    seeded,
    windowed,
    with_control,
)
from zoetrope.tests.comfy.video_standins import tiny_modelscope

F, H, W = 6, 8, 5
STANDINS = {"modelscope": tiny_modelscope}


@pytest.fixture(scope="module", params=STANDINS)
def file(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / f"{request.param}.pth"
    torch.save(STANDINS[request.param](), path)
    return str(path)


@pytest.fixture
def model(file):
    return video_model_from_file(file).model


def prompt(model, rows=1, seed=2):
    return [[seeded(rows, 7, model.model.diffusion_model.context_dim, seed=seed), {"pooled_output": None}]]


def both(model):
    return prompt(model), prompt(model, seed=3)


def noise_of(frames=F, seed=1):
    return seeded(frames, 4, H, W, seed=seed)


def test_prompts_computed_together_or_one_by_one_give_the_same(model):
    sizes = []
    network = model.model.diffusion_model
    network.register_forward_pre_hook(lambda _, args: sizes.append(args[0].shape[0]))
    together = evaluate(model, noise_of(), *both(model))
    assert sizes == [2 * F]
    model.model.memory_usage_factor = 1e9  # now core finds room for one conditioning only
    sizes.clear()
    split = evaluate(model, noise_of(), *both(model))
    assert sizes == [F, F]
    assert_same(split, together)


def test_every_frame_can_have_its_own_prompt(model):
    rows = prompt(model, rows=F, seed=4)
    same = [[rows[0][0][:1].repeat(F, 1, 1), {"pooled_output": None}]]
    one = evaluate(model, noise_of(), [[rows[0][0][:1], {"pooled_output": None}]], prompt(model))
    assert_same(evaluate(model, noise_of(), same, prompt(model)), one)
    assert (evaluate(model, noise_of(), rows, prompt(model)) - one).abs().max() > 1e-3 * one.std()


def test_one_window_is_no_window(model):
    assert torch.equal(
        evaluate(windowed(model, context_length=F, context_overlap=2), noise_of(), *both(model)), evaluate(model, noise_of(), *both(model))
    )


@pytest.mark.parametrize("windows_per_batch", [0, 1])
def test_windows_are_videos_of_their_length(model, windows_per_batch):
    """Windows that do not overlap are as many separate videos."""
    windows = windowed(model, context_length=3, context_overlap=0, windows_per_batch=windows_per_batch)
    together = evaluate(windows, noise_of(), *both(model))
    parts = [evaluate(model, noise_of()[start : start + 3], *both(model)) for start in (0, 3)]
    assert_same(together, torch.cat(parts))


def test_a_picture_is_a_video_of_one_frame(model):
    out = evaluate(model, noise_of(1), *both(model))
    assert out.shape == (1, 4, H, W)
    assert out.isfinite().all()


def controlnet(model):
    """A ControlNet of the kind made for SD2.x, as narrow as the stand-in."""
    known = ("in_channels", "model_channels", "channel_mult", "num_res_blocks", "transformer_depth", "transformer_depth_middle",
             "context_dim", "num_head_channels")  # fmt: skip
    config = {key: model.model.model_config.unet_config[key] for key in known}
    network = comfy.cldm.cldm.ControlNet(
        **config, image_size=8, hint_channels=3, num_heads=-1, use_spatial_transformer=True, use_linear_in_transformer=True, legacy=False,
        operations=comfy.ops.disable_weight_init,
    )  # fmt: skip
    return comfy.controlnet.ControlNet(seed_weights(network), load_device=CPU)


def test_controlnet_gives_every_frame_its_hint(model):
    positive, negative = both(model)
    hints = hint_images(F)
    plain = evaluate(model, noise_of(), positive, negative)

    def with_hints(images):
        control = controlnet(model).set_cond_hint(images, 0.7)
        return evaluate(model, noise_of(), with_control(positive, control), with_control(negative, control))

    steered = with_hints(hints)
    assert (steered - plain).abs().max() > 1e-2 * plain.std()
    changed = hints.clone()
    changed[F - 1] = 0
    moved = (with_hints(changed) - steered).abs().amax(dim=(1, 2, 3))
    assert moved.argmax() == F - 1
    assert_same(with_hints(hints[:1]), with_hints(hints[:1].repeat(F, 1, 1, 1)))


def test_controlnet_in_windows(model):
    positive, negative = both(model)
    hints = hint_images(F)

    def run(target, noise, images):
        control = controlnet(model).set_cond_hint(images, 0.7)
        return evaluate(target, noise, with_control(positive, control), with_control(negative, control))

    windows = run(windowed(model, context_length=3, context_overlap=0), noise_of(), hints)
    parts = [run(model, noise_of()[start : start + 3], hints[start : start + 3]) for start in (0, 3)]
    assert_same(windows, torch.cat(parts))


def test_previews_show_the_first_frame(model, monkeypatch):
    monkeypatch.setattr(comfy.cli_args.args, "preview_method", latent_preview.LatentPreviewMethod.Latent2RGB)
    previewer = latent_preview.get_previewer(CPU, model.model.latent_format)
    kind, picture, _ = previewer.decode_latent_to_preview_image("JPEG", noise_of())
    assert (kind, picture.size) == ("JPEG", (W, H))


def apply(model):
    with torch.no_grad():
        sigma = torch.full((F,), SIGMA)
        context = prompt(model)[0][0].repeat(F, 1, 1)
        return model.model.apply_model(noise_of(), sigma, c_crossattn=context, transformer_options={"cond_or_uncond": [0]})


def test_weights_that_stay_outside_give_the_same(model):
    """Low-VRAM mode: core casts every layer's weights when it runs."""
    expected = apply(model)
    model.unpatch_model(CPU)
    model.load(CPU, lowvram_model_memory=1)
    assert model.model.model_lowvram
    assert_same(apply(model), expected)


def test_half_precision_weights(file, model, monkeypatch):
    expected = evaluate(model, noise_of(), *both(model))
    monkeypatch.setattr(comfy.cli_args.args, "fp16_unet", True)
    half = video_model_from_file(file).model
    assert half.model.get_dtype() == torch.float16
    assert_same(evaluate(half, noise_of(), *both(half)), expected, tolerance=0.02)
