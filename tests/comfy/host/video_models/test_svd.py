"""Stable Video Diffusion and SV3D as MODEL:
the reference's numbers through the loader, and what a graph has to bring.
"""

import comfy.model_detection
import comfy.model_management
import comfy.sample
import comfy.sd
import pytest
import torch
from comfy.ldm.modules.diffusionmodules.util import timestep_embedding
from comfy_extras.nodes_context_windows import ContextWindowsManualNode
from comfy_extras.nodes_stable3d import SV3D_Conditioning
from comfy_extras.nodes_video_model import SVD_img2vid_Conditioning
from safetensors.torch import save_file
from zoetrope.host.video_models.loader import video_model_from_file
from zoetrope.host.video_models.svd import CONCAT_LATENT
from zoetrope.host.video_models.svd_conditioning import (
    ImageSettings,
    InterpolationSettings,
    OrbitSettings,
    TextSettings,
    image_to_video,
    interpolation,
    orbit,
    text_to_video,
)
from zoetrope.host.video_models.vaes import vae_from_tensors
from zoetrope.shapes import fold_frames
from zoetrope.tests.gold_weights import gold_input
from zoetrope.tests.networks.encoders import tiny_encoders
from zoetrope.tests.networks.golden_cases import load_case, manifest
from zoetrope.tests.networks.svd import LAYOUTS, tiny_svd
from zoetrope.tests.rounding import assert_same
from zoetrope.video_unets.svd import names as svd_names
from zoetrope.video_unets.svd.network import TEMPORAL_SETTINGS
from zoetrope.video_unets.svd.system import PREFIX, VECTOR_WIDTHS

FRAMES, WIDTH, HEIGHT = 5, 56, 40


def load(folder, **kind):
    save_file(tiny_svd(**kind), folder / "svd.safetensors")
    return video_model_from_file(str(folder / "svd.safetensors"))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return load(tmp_path_factory.mktemp("svd"))


@pytest.fixture(scope="module")
def encoders():
    return tuple(tiny_encoders().values())


def image(name="picture", height=60, width=70):
    return gold_input(name, (1, height, width, 3)).abs().clamp(max=1)


def animated(encoders, frames=FRAMES, augmentation=0.02, seed=3):
    return image_to_video(
        *encoders, image(), ImageSettings(WIDTH, HEIGHT, frames, 127, 6, augmentation, seed)
    )


def orbited(encoders, frames=FRAMES, name="sine"):
    return orbit(*encoders, image(), OrbitSettings(WIDTH, HEIGHT, frames, name, 10.0, 20.0, 3))


def sample(model, positive, negative, latent, cfg=2.5):
    samples = latent["samples"]
    noise = gold_input("noise", tuple(samples.shape))
    return comfy.sample.sample(
        model, noise, 1, cfg, "euler", "karras", positive, negative, samples, disable_pbar=True, seed=1
    )  # fmt: skip


def inputs_of_network(model, conditioning, **changes):
    """The arguments of the network's call with the positive conditioning alone."""
    calls = []
    hook = model.model.diffusion_model.register_forward_pre_hook(
        lambda _, args, kwargs: calls.append({"x": args[0], **kwargs}), with_kwargs=True
    )
    try:
        sample(model, *conditioning, cfg=1.0, **changes)
    finally:
        hook.remove()
    return calls[0]


CASES = {"svd/video_unet_w64": ("svd", 16), "svd/diffusers_unet_w64": ("svd_diffusers", 32)}


@pytest.mark.parametrize("case", CASES)
def test_forward_of_a_loaded_file_gives_the_numbers_of_the_reference(tmp_path, monkeypatch, case):
    system, head_channels = CASES[case]
    _, io, state_dict = load_case(case)
    monkeypatch.setattr(svd_names, "HEAD_CHANNELS", head_channels)
    state_dict = {PREFIX + key if system == "svd" else key: value for key, value in state_dict.items()}
    # The golden vector is 24 wide; a file of that width is none of the published ones.
    vector = next(
        key for key in state_dict if key.endswith(("label_emb.0.0.weight", "add_embedding.linear_1.weight"))
    )
    width = VECTOR_WIDTHS["svd"]
    state_dict[vector] = torch.nn.functional.pad(state_dict[vector], (0, width - 24))
    save_file(state_dict, tmp_path / "golden.safetensors")
    loaded = video_model_from_file(str(tmp_path / "golden.safetensors"))
    assert loaded.system.name == system
    if system == "svd":
        x, t, context, y, out = (io[name] for name in ("x", "t", "context", "y", "out"))
    else:
        x, out = (fold_frames(io[name].transpose(1, 2)) for name in ("x", "out"))
        t, context = io["t"].repeat_interleave(5), io["context"].repeat_interleave(5, 0)
        y = torch.stack(
            [timestep_embedding(ids, 8).flatten() for ids in io["added_time_ids"]]
        ).repeat_interleave(5, 0)
    comfy.model_management.load_models_gpu([loaded.model])
    sigma = torch.exp(4 * t)  # the network is told a quarter of its logarithm
    s = sigma.view(-1, 1, 1, 1)
    noisy = x[:, :4] * (s**2 + 1).sqrt()  # core divides by this
    with torch.no_grad():
        denoised = loaded.model.model.apply_model(
            noisy,
            sigma,
            c_concat=x[:, 4:],
            c_crossattn=context,
            y=torch.nn.functional.pad(y, (0, width - 24)),
            transformer_options={"cond_or_uncond": [0, 1]},
        )
    found = (noisy / (s**2 + 1) - denoised) * (s**2 + 1).sqrt() / s
    assert_same(found, out)


def test_noise_levels_are_the_published_ones(tiny):
    sampling = tiny.model.model.model_sampling
    assert float(sampling.sigma_min) == pytest.approx(0.002)
    assert float(sampling.sigma_max) == pytest.approx(700)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_core_saves_loads_again(tmp_path, layout):
    loaded = load(tmp_path, layout=layout)
    model = loaded.model
    comfy.sd.save_checkpoint(str(tmp_path / "saved.safetensors"), model)
    again = video_model_from_file(str(tmp_path / "saved.safetensors"))
    assert again.system.name == loaded.system.name
    for key, value in model.model.diffusion_model.state_dict().items():
        assert torch.equal(again.model.model.diffusion_model.state_dict()[key], value), key


def test_core_reads_the_same_settings_from_the_file(tiny):
    ours = tiny.model.model.model_config.unet_config | TEMPORAL_SETTINGS
    core = comfy.model_detection.detect_unet_config(tiny_svd(), PREFIX)
    assert {
        key: (ours[key], value) for key, value in core.items() if key in ours and ours[key] != value
    } == {}
    assert {"model_channels", "transformer_depth_output", "adm_in_channels", "video_kernel_size"} <= set(
        core
    ) & set(ours)


def test_what_was_found_is_told(tiny):
    assert "Stable Video Diffusion" in tiny.description
    assert "text encoder" not in tiny.description
    with pytest.raises(
        ValueError, match=r"reads no text: an image tells it what to show.*Animate Image \(SVD\)"
    ):
        tiny.clip.tokenize("a cat")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_network_gets_image_token_and_vector(tmp_path, encoders, layout):
    model = load(tmp_path, layout=layout).model
    conditioning = animated(encoders)
    call = inputs_of_network(model, conditioning)
    vector = torch.cat(
        [timestep_embedding(torch.tensor([value]), 256) for value in (6 - 1, 127, 0.02)], dim=1
    )
    torch.testing.assert_close(call["y"], vector.expand(FRAMES, -1))
    image = conditioning[0][0][1][CONCAT_LATENT]
    torch.testing.assert_close(call["x"][:, 4:], image.expand(FRAMES, -1, -1, -1))
    torch.testing.assert_close(call["context"], conditioning[0][0][0].expand(FRAMES, -1, -1))


@pytest.mark.parametrize("frames", [1, 3])
def test_any_number_of_frames_is_sampled(tiny, encoders, frames):
    out = sample(tiny.model, *animated(encoders, frames))
    assert out.shape == (frames, 4, HEIGHT // 8, WIDTH // 8)
    assert out.isfinite().all()


def test_core_s_own_conditioning_and_windows_work(tiny, encoders):
    """Core's windows hand one frame more to the network than its conditioning says."""
    conditioning = SVD_img2vid_Conditioning().encode(
        encoders[0], image(), encoders[1], WIDTH, HEIGHT, 7, 127, 6, 0.0
    )
    (model,) = ContextWindowsManualNode.execute(
        tiny.model, 4, 1, "standard_static", 1, False, "pyramid", 0, False
    ).args[:1]
    out = sample(model, *conditioning)
    assert out.shape == (7, 4, HEIGHT // 8, WIDTH // 8)
    assert out.isfinite().all()


def test_sv3d_p_has_a_camera_for_every_frame(tmp_path, encoders):
    model = load(tmp_path, system="sv3d_p").model
    conditioning = orbited(encoders)
    y = inputs_of_network(model, conditioning)["y"]
    values = conditioning[0][0][1]
    torch.testing.assert_close(y[:, :256], timestep_embedding(torch.tensor([1e-5]), 256).expand(FRAMES, -1))
    polar, azimuth = (
        torch.deg2rad(torch.tensor(angles))
        for angles in ([90 - e for e in values["elevation"]], values["azimuth"])
    )
    torch.testing.assert_close(
        y[:, 256:], torch.cat((timestep_embedding(polar, 512), timestep_embedding(azimuth, 512)), dim=1)
    )
    assert (y.diff(dim=0).abs().amax(dim=1) > 0.01).all()


def test_sv3d_u_is_told_the_augmentation_alone(tmp_path, encoders):
    model = load(tmp_path, system="sv3d_u").model
    y = inputs_of_network(model, orbited(encoders))["y"]
    torch.testing.assert_close(y, timestep_embedding(torch.tensor([1e-5]), 256).expand(FRAMES, -1))


def test_core_s_own_orbit_works(tmp_path, encoders):
    model = load(tmp_path, system="sv3d_p").model
    conditioning = SV3D_Conditioning.execute(
        encoders[0], image(), encoders[1], WIDTH, HEIGHT, FRAMES, 5.0
    ).args
    assert sample(model, *conditioning).isfinite().all()


def test_an_orbit_of_another_length_is_refused(tmp_path, encoders):
    model = load(tmp_path, system="sv3d_p").model
    positive, negative, _ = orbited(encoders, 7)
    with pytest.raises(
        ValueError,
        match=(
            r"the orbit has 7 views \(elevation\), the latent 5 frames; wire the LATENT output of Set Orbit"
        ),
    ):
        sample(model, positive, negative, animated(encoders)[2])


@pytest.mark.parametrize(("in_channels", "mask"), [(8, None), (9, [1, 0, 0, 0, 1])])
def test_interpolation_knows_the_first_and_the_last_frame(tmp_path, encoders, in_channels, mask):
    model = load(tmp_path, in_channels=in_channels).model
    conditioning = interpolation(
        *encoders, image(), image("end"), InterpolationSettings(WIDTH, HEIGHT, FRAMES, 127, 6, 0.0, 0)
    )
    x = inputs_of_network(model, conditioning)["x"]
    assert [bool(frame.any()) for frame in x[:, 4:8]] == [True, False, False, False, True]
    assert (x[0, 4:8] - x[4, 4:8]).abs().max() > 0.01
    assert x.shape[1] == in_channels
    if mask:
        assert x[:, 8].flatten(1).amin(dim=1).tolist() == x[:, 8].flatten(1).amax(dim=1).tolist() == mask


def test_in_image_to_video_every_frame_is_known_to_a_network_with_a_mask(tmp_path, encoders):
    model = load(tmp_path, in_channels=9).model
    assert inputs_of_network(model, animated(encoders))["x"][:, 8].min() == 1


@pytest.mark.parametrize("in_channels", [4, 8, 9])
def test_weights_trained_with_text_take_a_prompt(tmp_path, in_channels):
    model = load(tmp_path, in_channels=in_channels).model
    prompts = [[[gold_input(name, (1, 7, 1024)), {}]] for name in ("positive", "negative")]
    conditioning = text_to_video(*prompts, TextSettings(WIDTH, HEIGHT, FRAMES, 127, 6))
    call = inputs_of_network(model, conditioning)
    assert call["x"].shape == (FRAMES, in_channels, HEIGHT // 8, WIDTH // 8)
    assert not call["x"][:, 4:].any()
    torch.testing.assert_close(call["context"], prompts[0][0][0].expand(FRAMES, -1, -1))
    assert sample(model, *conditioning).isfinite().all()


def prompts_of(width):
    return [[[gold_input(name, (1, 7, width)), {"pooled_output": None}]] for name in ("positive", "negative")]


def test_a_prompt_in_place_of_an_image_is_refused(tiny, encoders):
    with pytest.raises(
        ValueError,
        match=r"makes a video of an image and the positive conditioning has none: put Animate Image \(SVD\)",
    ):
        sample(tiny.model, *prompts_of(1024), animated(encoders)[2])


def test_only_one_side_with_an_image_is_refused(tiny, encoders):
    positive, _, latent = animated(encoders)
    with pytest.raises(ValueError, match="the negative conditioning has none"):
        sample(tiny.model, positive, prompts_of(1024)[1], latent)


def test_another_image_encoder_is_refused(tiny):
    with pytest.raises(
        ValueError,
        match=r"CLIP ViT-H \(width 1024\), the positive conditioning has width 768: wire the CLIP_VISION",
    ):
        sample(tiny.model, *animated(tuple(tiny_encoders(768).values())))


def test_the_text_of_another_encoder_is_refused(tiny):
    with pytest.raises(ValueError, match="the positive conditioning has width 768"):
        sample(tiny.model, *text_to_video(*prompts_of(768), TextSettings(WIDTH, HEIGHT, FRAMES, 127, 6)))


def test_frames_known_for_another_length_are_refused(tiny, encoders):
    positive, negative, _ = interpolation(
        *encoders, image(), image("end"), InterpolationSettings(WIDTH, HEIGHT, 7, 127, 6, 0.0, 0)
    )
    with pytest.raises(
        ValueError, match="was made for 7 frames of 4 channels, the latent has 5 of 4; wire the LATENT output"
    ):
        sample(tiny.model, positive, negative, animated(encoders)[2])


@pytest.fixture(scope="module")
def temporal_vae_tensors():
    """diffusers' temporal VAE at its full size, every tensor a single number."""
    return {
        key: torch.full((1,), 0.01).half().expand(shape)
        for key, shape in manifest("diffusers_svd_xt_vae").items()
    }


def test_the_temporal_decoder_of_diffusers_is_core_s_own(temporal_vae_tensors):
    vae = vae_from_tensors(temporal_vae_tensors, "vae.safetensors")
    assert type(vae.first_stage_model.decoder).__name__ == "VideoDecoder"
    state = vae.first_stage_model.state_dict()
    published = {
        key.removeprefix("first_stage_model."): shape
        for key, shape in manifest("svd").items()
        if "first_stage_model." in key
    }
    assert {key: tuple(value.shape) for key, value in state.items()} == published
    assert float(state["decoder.conv_out.time_mix_conv.weight"].float().mean()) == pytest.approx(
        0.01, rel=0.01
    )


@pytest.mark.parametrize(
    "key", ["decoder.mid_block.resnets.0.time_mixer.mix_factor", "decoder.time_conv_out.bias"]
)
def test_a_key_that_the_temporal_decoder_lacks_is_named(temporal_vae_tensors, key):
    tensors = {name: value for name, value in temporal_vae_tensors.items() if name != key}
    with pytest.raises(ValueError, match=f"'vae.safetensors': '{key}' is missing"):
        vae_from_tensors(tensors, "vae.safetensors")


def test_the_vae_of_sv3d_is_the_one_with_an_encoder():
    kept = {key: shape for key, shape in manifest("sv3d_u").items() if ".encoder." in key or "stage" in key}
    vae = vae_from_tensors(
        {key: torch.empty(1).half().expand(shape) for key, shape in kept.items()}, "sv3d_u.safetensors"
    )
    assert hasattr(vae.first_stage_model, "quant_conv")
