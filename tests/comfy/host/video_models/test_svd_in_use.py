"""Stable Video Diffusion among core's own features: batched and split conditioning, windows, ControlNet,
LoRA, previews, little memory.
"""

import comfy.cldm.cldm
import comfy.cli_args
import comfy.controlnet
import comfy.ops
import latent_preview
import pytest
import torch
from safetensors.torch import save_file
from zoetrope.host.sampling.frame_guidance import set_frame_guidance
from zoetrope.host.video_models.loader import video_model_from_file
from zoetrope.host.video_models.loras import add_video_lora
from zoetrope.host.video_models.svd_conditioning import (
    ImageSettings,
    InterpolationSettings,
    OrbitSettings,
    image_to_video,
    interpolation,
    orbit,
)
from zoetrope.samplers.frame_guidance import GuidanceSettings
from zoetrope.tests.comfy.host.context_rig import (
    CPU,
    evaluate,
    hint_images,
    seed_weights,
    seeded,
    windowed,
    with_control,
)
from zoetrope.tests.gold_weights import gold_input
from zoetrope.tests.networks.encoders import tiny_encoders
from zoetrope.tests.networks.svd import tiny_svd
from zoetrope.tests.rounding import HALF, OTHER_BATCH, assert_same

F, H, W = 6, 8, 5  # hint_images are of this size


@pytest.fixture(scope="module")
def encoders():
    return tuple(tiny_encoders().values())


@pytest.fixture(scope="module", params=["svd", "sv3d_p"])
def file(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("svd") / f"{request.param}.safetensors"
    save_file(tiny_svd(system=request.param), path)
    return str(path)


@pytest.fixture
def model(file):
    return video_model_from_file(file).model


def image(name="picture"):
    return gold_input(name, (1, 8 * H, 8 * W, 3)).abs().clamp(max=1)


def both(model, encoders, frames=F):
    """Positive and negative conditioning as the system's node makes them."""
    if model.model.system.name == "svd":
        return image_to_video(*encoders, image(), ImageSettings(8 * W, 8 * H, frames))[:2]
    return orbit(*encoders, image(), OrbitSettings(8 * W, 8 * H, frames, "sine"))[:2]


def noise_of(frames=F, seed=1):
    return seeded(frames, 4, H, W, seed=seed)


def test_conditioning_computed_together_or_one_by_one_gives_the_same(model, encoders):
    sizes = []
    model.model.diffusion_model.register_forward_pre_hook(lambda _, args: sizes.append(args[0].shape[0]))
    together = evaluate(model, noise_of(), *both(model, encoders))
    assert sizes == [2 * F]
    model.model.memory_usage_factor = 1e9  # now core finds room for one conditioning only
    sizes.clear()
    split = evaluate(model, noise_of(), *both(model, encoders))
    assert sizes == [F, F]
    assert_same(split, together, OTHER_BATCH)


def test_one_window_is_no_window(model, encoders):
    windows = windowed(model, context_length=F, context_overlap=2)
    conditioning = both(model, encoders)
    assert torch.equal(
        evaluate(windows, noise_of(), *conditioning), evaluate(model, noise_of(), *conditioning)
    )


def cut(conditioning, start, stop):
    """Conditioning of some frames of a longer video."""
    names = ("elevation", "azimuth")
    return [
        [token, {key: value[start:stop] if key in names else value for key, value in values.items()}]
        for token, values in conditioning
    ]


@pytest.mark.parametrize("windows_per_batch", [0, 1])
def test_windows_are_videos_of_their_length(model, encoders, windows_per_batch):
    """Windows that do not overlap are as many separate videos,
    each from the same image and with the cameras of its frames.
    """
    windows = windowed(model, context_length=3, context_overlap=0, windows_per_batch=windows_per_batch)
    conditioning = both(model, encoders)
    together = evaluate(windows, noise_of(), *conditioning)
    parts = [
        evaluate(
            model, noise_of()[start : start + 3], *(cut(side, start, start + 3) for side in conditioning)
        )
        for start in (0, 3)
    ]
    assert_same(together, torch.cat(parts), OTHER_BATCH)


def test_windows_between_two_images_get_the_frames_that_are_theirs(file, encoders):
    model = video_model_from_file(file).model
    if model.model.system.name != "svd":
        pytest.skip("SV3D interpolates nothing")
    conditioning = interpolation(
        *encoders, image(), image("end"), InterpolationSettings(8 * W, 8 * H, F, augmentation=0.0)
    )[:2]
    together = evaluate(windowed(model, context_length=3, context_overlap=0), noise_of(), *conditioning)
    parts = []
    for start in (0, 3):
        sides = [
            [
                [token, {**values, "concat_latent_image": values["concat_latent_image"][start : start + 3]}]
                for token, values in side
            ]
            for side in conditioning
        ]
        parts.append(evaluate(model, noise_of()[start : start + 3], *sides))
    assert_same(together, torch.cat(parts), OTHER_BATCH)


def test_a_picture_is_a_video_of_one_frame(model, encoders):
    out = evaluate(model, noise_of(1), *both(model, encoders, 1))
    assert out.shape == (1, 4, H, W)
    assert out.isfinite().all()


def test_guidance_over_frames_sees_the_whole_clip_behind_windows(model, encoders):
    def run(target):
        return evaluate(target, noise_of(), *both(model, encoders))

    settings = {"context_length": 3, "context_overlap": 0}
    shaped = run(windowed(set_frame_guidance(model, GuidanceSettings()), **settings))
    cond, uncond = (
        evaluate(windowed(model, **settings), noise_of(), *both(model, encoders), cfg=cfg)
        for cfg in (1.0, 0.0)
    )
    scale = torch.linspace(1.0, 4.0, F).view(-1, 1, 1, 1)
    assert_same(shaped, uncond + scale * (cond - uncond))


def controlnet(model):
    """A ControlNet of the kind made for SD2.x, as narrow as the stand-in."""
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
        **config, in_channels=4, image_size=8, hint_channels=3, num_heads=-1, use_spatial_transformer=True,
        use_linear_in_transformer=True, legacy=False, operations=comfy.ops.disable_weight_init,
    )  # fmt: skip
    return comfy.controlnet.ControlNet(seed_weights(network), load_device=CPU)


def steered(target, model, encoders, images, frames=slice(0, F)):
    control = controlnet(model).set_cond_hint(images, 0.7)
    sides = (with_control(cut(side, frames.start, frames.stop), control) for side in both(model, encoders))
    return evaluate(target, noise_of()[frames], *sides)


def test_controlnet_gives_every_frame_its_hint(model, encoders):
    hints = hint_images(F)
    plain = evaluate(model, noise_of(), *both(model, encoders))
    with_hints = steered(model, model, encoders, hints)
    assert (with_hints - plain).abs().max() > 1e-2 * plain.std()
    changed = hints.clone()
    changed[F - 1] = 0
    moved = (steered(model, model, encoders, changed) - with_hints).abs().amax(dim=(1, 2, 3))
    assert moved.argmax() == F - 1
    assert_same(
        steered(model, model, encoders, hints[:1]),
        steered(model, model, encoders, hints[:1].repeat(F, 1, 1, 1)),
    )


def test_controlnet_in_windows(model, encoders):
    hints = hint_images(F)
    windows = steered(windowed(model, context_length=3, context_overlap=0), model, encoders, hints)
    parts = [
        steered(model, model, encoders, hints[start : start + 3], slice(start, start + 3)) for start in (0, 3)
    ]
    assert_same(windows, torch.cat(parts), OTHER_BATCH)


def test_a_camera_motion_lora_changes_how_frames_go_together(model, encoders, tmp_path):
    """One on a layer of attention over frames alone; strength 0 is off."""
    name = "unet.down_blocks.0.attentions.0.temporal_transformer_blocks.0.attn1.to_v"
    content = {
        f"{name}.lora_B.weight": gold_input("up", (64, 3)),
        f"{name}.lora_A.weight": gold_input("down", (3, 64), 0.3),
    }
    save_file(content, tmp_path / "pan.safetensors")
    plain = evaluate(model, noise_of(), *both(model, encoders))
    off, on = (
        evaluate(
            add_video_lora(model, str(tmp_path / "pan.safetensors"), strength),
            noise_of(),
            *both(model, encoders),
        )
        for strength in (0.0, 1.0)
    )
    assert torch.equal(off, plain)
    assert (on - plain).abs().max() > 1e-2 * plain.std()


def test_previews_show_the_first_frame(model, monkeypatch):
    monkeypatch.setattr(comfy.cli_args.args, "preview_method", latent_preview.LatentPreviewMethod.Latent2RGB)
    previewer = latent_preview.get_previewer(CPU, model.model.latent_format)
    kind, image, _ = previewer.decode_latent_to_preview_image("JPEG", noise_of())
    assert (kind, image.size) == ("JPEG", (W, H))


def test_weights_that_stay_outside_give_the_same(model, encoders):
    """Low-VRAM mode: core casts every layer's weights when it runs."""
    ((token, values),) = both(model, encoders)[0]
    evaluate(model, noise_of(), *both(model, encoders))  # loads it
    conds = model.model.extra_conds(
        **values, cross_attn=token, noise=noise_of(), device=CPU, prompt_type="positive"
    )

    def apply():
        given = {name: value.process_cond(batch_size=F, area=None).cond for name, value in conds.items()}
        given["c_concat"] = conds["c_concat"].cond
        with torch.no_grad():
            return model.model.apply_model(
                noise_of(), torch.full((F,), 3.0), transformer_options={"cond_or_uncond": [0]}, **given
            )

    inside = apply()
    model.unpatch_model(CPU)
    model.load(CPU, lowvram_model_memory=1)
    assert model.model.model_lowvram
    assert_same(apply(), inside)


def test_half_precision_weights(file, model, encoders, monkeypatch):
    expected = evaluate(model, noise_of(), *both(model, encoders))
    monkeypatch.setattr(comfy.cli_args.args, "fp16_unet", True)
    half = video_model_from_file(file).model
    assert half.model.get_dtype() == torch.float16
    assert_same(evaluate(half, noise_of(), *both(half, encoders)), expected, HALF)
