"""A video network's file as a MODEL:
what is detected, loaded and refused, and the reference's numbers through core's sampler.
"""

import dataclasses
import pickle

import comfy.model_management
import comfy.sample
import comfy.samplers
import comfy.sd
import comfy.utils
import pytest
import torch
from comfy.patcher_extension import WrapperExecutor
from safetensors.torch import save_file
from zoetrope.host.sampling.scaled_sampling import ddim_sigmas, reference_ddim
from zoetrope.host.video_models import network_file
from zoetrope.host.video_models.latents import LatentCheck
from zoetrope.host.video_models.loader import video_model_from_file
from zoetrope.host.video_models.parts import MissingPart
from zoetrope.host.video_models.vaes import vae_from_tensors
from zoetrope.shapes import fold_frames, unfold_frames
from zoetrope.tests.gold_weights import gold_input
from zoetrope.tests.networks.golden_cases import hollow, load_case, manifest
from zoetrope.tests.networks.modelscope import tiny_modelscope
from zoetrope.tests.rounding import assert_same
from zoetrope.video_unets.modelscope import names as modelscope_names


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A small ModelScope file and what the loader made of it."""
    path = tmp_path_factory.mktemp("video") / "text2video_pytorch_model.pth"
    torch.save(tiny_modelscope(), path)
    return video_model_from_file(str(path))


def conditioning(name="positive", width=1024, rows=1):
    return [[gold_input(name, (rows, 7, width)), {}]]


def sample(
    model,
    frames=5,
    size=(8, 8),
    steps=2,
    cfg=4.0,
    sampler="ddim",
    scheduler="ddim_uniform",
    noise=None,
    channels=4,
    **kwargs,
):
    """Core's own sampling: (F, C, H, W)."""
    latent = torch.zeros(frames, channels, *size)
    noise = gold_input("noise", tuple(latent.shape)) if noise is None else noise
    positive = kwargs.pop("positive", conditioning())
    negative = kwargs.pop("negative", conditioning("negative"))
    return comfy.sample.sample(
        model,
        noise,
        steps,
        cfg,
        sampler,
        scheduler,
        positive,
        negative,
        latent,
        disable_pbar=True,
        seed=1,
        **kwargs,
    )


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("wrapping", [None, "state_dict", "ema"])
def test_every_weight_is_the_files(tmp_path, monkeypatch, wrapping, zipped):
    monkeypatch.setattr(network_file, "_READ_AT_ONCE", 2**20)
    weights = tiny_modelscope()
    path = tmp_path / "model.pth"
    torch.save(
        {wrapping: weights, "epoch": 1} if wrapping else weights, path, _use_new_zipfile_serialization=zipped
    )
    loaded = video_model_from_file(str(path)).model.model.diffusion_model.state_dict()
    assert {key.replace(".0.op.", ".op.") for key in loaded} == set(weights)
    for key, value in loaded.items():
        assert torch.equal(value, weights[key.replace(".0.op.", ".op.")]), key


def test_what_was_found_is_told(tiny):
    assert tiny.system.name == "modelscope"
    assert "ModelScopeT2V or ZeroScope" in tiny.description
    assert "trained for 16 frames" in tiny.description
    assert "open_clip_pytorch_model.bin" in tiny.description


def test_half_precision_file_keeps_its_numbers(tmp_path):
    weights = {key: value.half() for key, value in tiny_modelscope().items()}
    save_file(weights, tmp_path / "zeroscope.safetensors")
    model = video_model_from_file(str(tmp_path / "zeroscope.safetensors")).model.model
    assert torch.equal(model.diffusion_model.out[2].weight.float(), weights["out.2.weight"].float())


@pytest.mark.parametrize(
    ("use", "told"),
    [
        (
            lambda loaded: loaded.clip.tokenize("a cat"),
            "no text encoder; wire Load CLIP with open_clip_pytorch_model.bin",
        ),
        (lambda loaded: loaded.vae.decode(torch.zeros(1, 4, 8, 8)), "no VAE; wire Load VAE"),
        (lambda loaded: loaded.clip_vision.encode_image(torch.zeros(1, 8, 8, 3)), "no image encoder"),
    ],
)
def test_a_part_that_the_file_lacks_says_so_when_used(tiny, use, told):
    with pytest.raises(ValueError, match=told):
        use(tiny)


def test_a_missing_part_can_be_looked_at():
    """ComfyUI's caches ask objects for attributes; only use is an error."""
    assert not hasattr(MissingPart("x"), "get_ram_usage")


# The narrow golden networks have heads of 16 channels, the published ones of 64.
@pytest.fixture
def golden(monkeypatch, tmp_path):
    def load(case):
        monkeypatch.setattr(modelscope_names, "HEAD_CHANNELS", 16)
        meta, io, state_dict = load_case(case)
        path = tmp_path / "golden.pth"
        torch.save(state_dict, path)
        return video_model_from_file(str(path)).model, io, meta

    return load


@pytest.mark.parametrize("case", ["modelscope/unetsd_w64", "diffusers_unet3d/unet3d_w64"])
def test_forward_of_a_loaded_file_gives_the_numbers_of_the_reference(golden, case):
    model, io, _ = golden(case)
    comfy.model_management.load_models_gpu([model])
    sampling = model.model.model_sampling
    frames = io["x"].shape[2]
    t = io["t"].repeat_interleave(frames)
    sigma = sampling.sigmas[t]
    x = fold_frames(io["x"]) * (sigma**2 + 1).sqrt().view(
        -1, 1, 1, 1
    )  # core's calculate_input divides by this
    options = {"cond_or_uncond": [0, 0]}
    with torch.no_grad():
        denoised = model.model.apply_model(
            x, sigma, c_crossattn=io["y"].repeat_interleave(frames, 0), transformer_options=options
        )
    eps = (x - denoised) / sigma.view(-1, 1, 1, 1)
    assert_same(unfold_frames(eps, frames), io["out"])


def test_sampling_gives_the_numbers_of_the_reference(golden):
    """The reference's DDIM loop of four steps with guidance 9,
    by core's CFG guider and the exact DDIM sampler.
    """
    model, io, meta = golden("modelscope/unetsd_w64")
    noise = fold_frames(io["ddim_noise"])
    out = comfy.sample.sample_custom(
        model,
        noise,
        9.0,
        reference_ddim(0.0),
        ddim_sigmas(model, "uniform", 4),
        [[io["y"][:1], {}]],
        [[io["y"][1:], {}]],
        torch.zeros_like(noise),
        disable_pbar=True,
    )
    x = unfold_frames(model.model.process_latent_in(out), 3)
    assert_same(x, io["out_ddim"])


def test_core_ddim_visits_the_timesteps_of_the_reference(golden):
    model, io, _ = golden("modelscope/unetsd_w64")
    sampling = model.model.model_sampling
    sigmas = comfy.samplers.calculate_sigmas(sampling, "ddim_uniform", 4)
    assert sampling.timestep(sigmas[:-1]).tolist() == io["ddim_timesteps"].tolist()


@pytest.mark.parametrize("frames", [1, 5])
def test_a_batch_of_frames_is_sampled(tiny, frames):
    out = sample(tiny.model, frames=frames)
    assert out.shape == (frames, 4, 8, 8)
    assert out.isfinite().all()


def test_wrong_text_encoder_is_named_when_sampling(tiny):
    with pytest.raises(ValueError, match="width 1024, the conditioning has width 768.*OpenCLIP ViT-H"):
        sample(tiny.model, positive=conditioning(width=768), negative=conditioning(width=768))


def test_latents_of_another_kind_are_refused(tiny):
    with pytest.raises(ValueError, match="4 channels, these have 3"):
        sample(tiny.model, channels=3)
    with pytest.raises(ValueError, match=r"shape \(F, C, H, W\); these have shape \(1, 4, 5, 8, 8\)"):
        sample(tiny.model, noise=torch.zeros(1, 4, 5, 8, 8))


@pytest.mark.parametrize(("size", "refused"), [((8, 8), False), ((8, 12), True), ((12, 8), True)])
def test_sizes_that_the_network_cannot_halve_are_refused(tiny, size, refused):
    check = LatentCheck(dataclasses.replace(tiny.system, size_multiple=64))
    noise = torch.zeros(3, 4, *size)
    guider = comfy.samplers.CFGGuider(tiny.model)
    guider.conds = {}  # as a sampler sets them
    run = WrapperExecutor.new_class_executor(lambda noise: noise, guider, [check]).execute
    if refused:
        with pytest.raises(ValueError, match=f"multiples of 64 pixels, got {size[1] * 8} x {size[0] * 8}"):
            run(noise)
    else:
        assert run(noise) is noise


def test_what_core_saves_loads_again(tiny, tmp_path):
    path = tmp_path / "saved.safetensors"
    comfy.sd.save_checkpoint(str(path), tiny.model)
    again = video_model_from_file(str(path))
    assert again.system.name == "modelscope"
    for key, value in tiny.model.model.diffusion_model.state_dict().items():
        assert torch.equal(again.model.model.diffusion_model.state_dict()[key], value), key


def test_core_reads_the_text_encoder_that_modelscope_is_published_with():
    """open_clip_pytorch_model.bin has the names that VideoCrafter's files have behind a prefix;
    core takes it for SD2.x's.
    """
    prefix = "cond_stage_model.model."
    keys = {
        key[len(prefix) :]: shape
        for key, shape in manifest("videocrafter2_t2v_512").items()
        if key.startswith(prefix)
    }
    assert "transformer.resblocks.0.ln_1.weight" in keys
    converted = comfy.utils.clip_text_transformers_convert(hollow(keys), "", "")
    assert comfy.sd.detect_te_model(converted) == comfy.sd.TEModel.CLIP_H


def test_core_reads_the_vae_that_modelscope_is_published_with():
    keys = manifest("modelscope_VQGAN_autoencoder_needed")
    tensors = {key: value.half() for key, value in hollow(keys).items()}
    vae = vae_from_tensors({"state_dict": tensors, "epoch": 1}, "VQGAN_autoencoder.pth")
    assert {f"first_stage_model.{key}" for key in vae.first_stage_model.state_dict()} == set(keys)
    assert vae.latent_channels == 4


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"lora_unet_x.lora_up.weight": torch.zeros(1)}, "a LoRA"),
        ({"model.diffusion_model.input_blocks.0.0.weight": torch.zeros(1)}, "Load Checkpoint"),
        ({"first_stage_model.encoder.conv_in.weight": torch.zeros(1)}, "a VAE"),
    ],
)
def test_another_kind_of_file_is_named(tmp_path, content, told):
    path = tmp_path / "other.pth"
    torch.save(content, path)
    with pytest.raises(ValueError, match=f"'other.pth' is not a video network.*{told}"):
        video_model_from_file(str(path))


def test_truncated_file_is_named(tmp_path):
    path = tmp_path / "model.pth"
    torch.save(tiny_modelscope(), path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(
        ValueError, match="'model.pth'.*cannot be read: it is cut off, its end is missing; download it again"
    ):
        video_model_from_file(str(path))


def test_code_in_a_pickle_is_not_run(tmp_path):
    class Harm:
        def __reduce__(self):
            return print, ("harm",)

    path = tmp_path / "model.pth"
    with path.open("wb") as file:
        pickle.dump({"x": Harm()}, file)
    with pytest.raises(ValueError, match="'model.pth'"):
        video_model_from_file(str(path))


def test_missing_key_of_a_file_is_named(tmp_path):
    weights = tiny_modelscope()
    del weights["output_blocks.2.0.temopral_conv.conv3.3.bias"]
    torch.save(weights, tmp_path / "model.pth")
    with pytest.raises(
        ValueError, match=r"lacks 1 of its \d+ keys.*'output_blocks\.2\.0\.temopral_conv\.conv3\.3\.bias'"
    ):
        video_model_from_file(str(tmp_path / "model.pth"))
