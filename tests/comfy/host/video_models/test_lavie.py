"""LaVie's files as MODEL: the reference's numbers through core,
key frames, the low-resolution video, and what is refused.
"""

import comfy.model_management
import comfy.sample
import comfy.samplers
import comfy.sd
import comfy_extras.nodes_sdupscale
import pytest
import torch
from comfy.taesd.taesd import TAESD
from zoetrope.host.video_models.key_frames import KEY_FRAMES, condition_on_key_frames, nearest_key_frames
from zoetrope.host.video_models.loader import video_model_from_file
from zoetrope.host.windows import ContextSettings, apply_context_windows
from zoetrope.shapes import fold_frames, unfold_frames
from zoetrope.tests.gold_weights import gold_input, gold_state_dict
from zoetrope.tests.networks.golden_cases import load_case
from zoetrope.tests.networks.lavie import NETWORKS
from zoetrope.tests.rounding import OTHER_BATCH, SCHEDULE, assert_same
from zoetrope.video_unets.lavie import names as lavie_names

CASES = {network.system.removeprefix("lavie_"): network.golden for network in NETWORKS}


@pytest.fixture(scope="module")
def load(tmp_path_factory):
    """A golden case as a file, read by the loader; the golden networks have 2 heads and 351 noise levels, the
    published ones 8 and 1000.
    """
    loaded = {}

    def load_by_name(name):
        if name not in loaded:
            _, io, state_dict = load_case(CASES[name])
            path = tmp_path_factory.mktemp("lavie") / f"lavie_{name}.pt"
            torch.save({"ema": state_dict}, path)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(lavie_names, "HEADS", 2)
                patch.setattr(lavie_names, "NOISE_LEVELS", 351)
                loaded[name] = video_model_from_file(str(path)), io
        return loaded[name]

    return load_by_name


def prompt(name="positive", **values):
    return [[gold_input(name, (1, 7, 48)), values]]


def sample(model, positive, negative, latent, steps=2, sampler="ddim", scheduler="normal", cfg=4.0):
    noise = gold_input("noise", tuple(latent.shape))
    return comfy.sample.sample(
        model, noise, steps, cfg, sampler, scheduler, positive, negative, latent, disable_pbar=True, seed=7
    )


@pytest.mark.parametrize("name", CASES)
def test_a_loaded_file_gives_the_numbers_of_the_reference(load, name):
    loaded, io = load(name)
    model = loaded.model.model
    assert loaded.system.name == f"lavie_{name}"
    comfy.model_management.load_models_gpu([loaded.model])
    frames = io["x"].shape[2]
    t = io["t"].repeat_interleave(frames)
    sigma = model.model_sampling.sigmas[t]
    scale = (sigma**2 + 1).sqrt().view(-1, 1, 1, 1)  # core's calculate_input divides the latents by it
    extra = (
        {"c_concat": fold_frames(io["x"][:, 4:] if name == "interpolation" else io["low_res"])}
        if name != "base"
        else {}
    )
    if name == "vsr":
        extra["y"] = io["class_labels"].repeat_interleave(frames)
    x = fold_frames(io["x"][:, :4]) * scale
    with torch.no_grad():
        context = io["y"].repeat_interleave(frames, 0)
        denoised = model.apply_model(
            x, sigma, c_crossattn=context, transformer_options={"cond_or_uncond": [0, 0]}, **extra
        )
    s = sigma.view(-1, 1, 1, 1)
    # eps: x0 = x - sigma * eps; v: x0 = x / (sigma^2 + 1) - v * sigma / sqrt(sigma^2 + 1)
    out = (x - denoised) / s if name != "vsr" else (x / scale**2 - denoised) * scale / s
    assert_same(unfold_frames(out, frames), io["out"])


@pytest.mark.parametrize("name", CASES)
def test_the_betas_are_the_references(load, name):
    loaded, _ = load(name)
    _, io, _ = load_case(CASES["interpolation"])
    abar = torch.cumprod(1 - io["betas_full"].double(), 0)
    sigmas = ((1 - abar) / abar).sqrt()
    torch.testing.assert_close(
        loaded.model.model.model_sampling.sigmas.double(), sigmas, rtol=SCHEDULE, atol=0
    )


def test_core_normal_scheduler_visits_the_references_timesteps(load):
    loaded, io = load("interpolation")
    sampling = loaded.model.model.model_sampling
    sigmas = comfy.samplers.calculate_sigmas(sampling, "normal", 50)
    t = torch.linspace(999, 0, 50)
    torch.testing.assert_close(sampling.sigma(t), sigmas[:-1], rtol=SCHEDULE, atol=0)
    assert (t.flip(0) - io["respaced_timesteps"]).abs().max() <= 0.51


def test_key_frames_are_given_to_the_frames_around_them():
    _, io, _ = load_case(CASES["interpolation"])
    numbers = torch.arange(16.0).view(16, 1, 1, 1)
    assert (4 * nearest_key_frames(numbers)).flatten().tolist() == io["copied_src_index"].tolist()


def core_vae():
    """Core's VAE object around a TAESD with seeded weights."""
    with torch.device("meta"):
        shapes = {key: value.shape for key, value in TAESD(latent_channels=4).state_dict().items()}
    return comfy.sd.VAE(sd=gold_state_dict(shapes))


def test_interpolation_makes_nine_frames_of_three(load):
    loaded, _ = load("interpolation")
    images = gold_input("images", (3, 64, 64, 3)).sigmoid()
    positive, negative, latent = condition_on_key_frames(prompt(), prompt("negative"), core_vae(), images)
    assert latent["samples"].shape == (9, 4, 8, 8)
    out = sample(loaded.model, positive, negative, latent["samples"])
    assert out.shape == (9, 4, 8, 8) and out.isfinite().all()
    other, negative, _ = condition_on_key_frames(prompt(), prompt("negative"), core_vae(), images.flip(0))
    assert (sample(loaded.model, other, negative, latent["samples"]) - out).abs().max() > 0.01


def test_key_frames_reach_the_network_scaled_and_without_noise(load):
    loaded, _ = load("interpolation")
    values = {KEY_FRAMES: gold_input("latents", (2, 4, 8, 8))}
    seen = []

    def look(apply, args):
        seen.append(args["c"]["c_concat"])
        return apply(args["input"], args["timestep"], **args["c"])

    model = loaded.model.clone()
    model.set_model_unet_function_wrapper(look)
    sample(model, prompt(**values), prompt("negative", **values), torch.zeros(5, 4, 8, 8))
    assert torch.equal(seen[0], (values[KEY_FRAMES][[0, 0, 0, 1, 1]] * 0.18215).repeat(2, 1, 1, 1))


@pytest.mark.parametrize("name", ["interpolation", "vsr"])
def test_without_a_video_it_says_what_to_wire(load, name):
    loaded, _ = load(name)
    told = {
        "interpolation": "put Condition On Key Frames between",
        "vsr": "put SD_4XUpscale_Conditioning between",
    }[name]
    with pytest.raises(ValueError, match=told):
        sample(loaded.model, prompt(), prompt("negative"), torch.zeros(3, 4, 8, 8))


@pytest.mark.parametrize(
    ("key_frames", "told"),
    [
        ((2, 4, 8, 8), "make a video of 5 frames of 8 x 8 latents, the latent to sample has 4 of 8 x 8"),
        ((2, 3, 64, 64), "works on 4 channels, the key frames were encoded to 3; wire the VAE of SD1.x"),
        ((1, 4, 8, 8), "at least 2 key frames, got 1"),
    ],
)
def test_key_frames_that_do_not_fit_are_refused(load, key_frames, told):
    loaded, _ = load("interpolation")
    values = {KEY_FRAMES: torch.zeros(key_frames)}
    with pytest.raises(ValueError, match=told):
        sample(loaded.model, prompt(**values), prompt(**values), torch.zeros(4, 4, 8, 8))


def upscale_inputs(images, noise_augmentation):
    node = comfy_extras.nodes_sdupscale.SD_4XUpscale_Conditioning
    positive, negative, latent = node.execute(
        images, prompt(), prompt("negative"), 4.0, noise_augmentation
    ).args
    return positive, negative, latent["samples"]


def test_the_upscaler_takes_cores_conditioning(load):
    """The latents are as large as the low-resolution video; the noise level counts."""
    loaded, _ = load("vsr")
    images = gold_input("images", (3, 8, 16, 3)).sigmoid()
    outs = [sample(loaded.model, *upscale_inputs(images, level)) for level in (0.0, 50 / 350)]
    assert outs[0].shape == (3, 4, 8, 16)
    assert (outs[0] - outs[1]).abs().max() > 0.01


def test_noise_on_the_low_resolution_video_is_the_references(load):
    """Level 50 of the schedule that diffusers calls scaled_linear, 1e-4 to 0.02."""
    loaded, _ = load("vsr")
    betas = torch.linspace(1e-4**0.5, 0.02**0.5, 1000, dtype=torch.float64) ** 2
    abar = torch.cumprod(1 - betas, 0)[50].float()
    images = gold_input("images", (3, 3, 8, 8))
    conds = loaded.model.model.extra_conds(
        concat_image=images,
        noise_augmentation=50 / 350,
        noise=torch.zeros(3, 4, 8, 8),
        device=torch.device("cpu"),
        seed=17,
    )
    noise = torch.randn(images.shape, generator=torch.manual_seed(7))
    torch.testing.assert_close(conds["c_concat"].cond, abar.sqrt() * images + (1 - abar).sqrt() * noise)
    assert conds["y"].cond.tolist() == [50]


@pytest.mark.parametrize("name", ["base", "vsr"])
def test_windows_of_frames(load, name):
    """Windows without overlap are the reference's chunks;
    each gets the frames of the video that belong to it.
    """
    loaded, _ = load(name)
    windowed = apply_context_windows(loaded.model, ContextSettings(context_length=3, context_overlap=0))
    if name == "vsr":
        positive, negative, latent = upscale_inputs(gold_input("images", (6, 8, 8, 3)).sigmoid(), 0.0)
    else:
        positive, negative, latent = prompt(), prompt("negative"), torch.zeros(6, 4, 8, 8)
    out = sample(windowed, positive, negative, latent)
    noise = gold_input("noise", (6, 4, 8, 8))
    halves = []
    for part in (slice(0, 3), slice(3, 6)):
        conds = [
            [
                [text, {k: v[part] if k == "concat_image" else v for k, v in values.items()}]
                for text, values in p
            ]
            for p in (positive, negative)
        ]
        halves.append(
            comfy.sample.sample(
                loaded.model,
                noise[part],
                2,
                4.0,
                "ddim",
                "normal",
                *conds,
                latent[part],
                disable_pbar=True,
                seed=7,
            )
        )
    assert_same(out, torch.cat(halves), OTHER_BATCH)
