"""Show-1's files as MODEL:
the reference's numbers through core, key frames, the chain of windows, and what is refused.
"""

import comfy.model_management
import comfy.sample
import comfy.samplers
import comfy.sd
import pytest
import torch
from comfy.k_diffusion.sampling import sample_euler
from zoetrope.host.sampling import dynamic_thresholding
from zoetrope.host.sampling.dynamic_thresholding import threshold_prediction
from zoetrope.host.sampling.sample_in_turns import SamplerInTurns, windows_in_turn
from zoetrope.host.video_models import show1
from zoetrope.host.video_models.key_frames import KEY_FRAMES, blended_key_frames, condition_on_key_frames
from zoetrope.host.video_models.loader import video_model_from_file
from zoetrope.host.video_models.show1 import condition_on_low_resolution
from zoetrope.host.windows import ContextSettings, apply_context_windows
from zoetrope.shapes import fold_frames, unfold_frames
from zoetrope.tests.gold_weights import gold_input
from zoetrope.tests.networks.golden_cases import load_case
from zoetrope.tests.networks.show1 import NETWORKS
from zoetrope.tests.rounding import DEEP_NETWORK, OTHER_BATCH, SCHEDULE, assert_same
from zoetrope.video_unets.show1 import system as show1_system

CASES = {network.system.removeprefix("show1_"): network.golden for network in NETWORKS}


@pytest.fixture(scope="module")
def load(tmp_path_factory):
    """A golden case as a file, read by the loader;
    the golden networks have other numbers of heads than the published ones.
    """
    loaded = {}

    def load_by_name(name):
        if name not in loaded:
            _, io, state_dict = load_case(CASES[name])
            path = tmp_path_factory.mktemp("show1") / "diffusion_pytorch_model.bin"
            torch.save(state_dict, path)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(show1_system, "HEAD_CHANNELS", 16)
                patch.setattr(show1_system, "POOLING_HEADS", 4)
                loaded[name] = video_model_from_file(str(path)), io
        return loaded[name]

    return load_by_name


def prompt(name="positive", **values):
    return [[gold_input(name, (1, 7, 96)), values]]


def pixel_vae():
    return comfy.sd.VAE(sd={"pixel_space_vae": torch.tensor(1.0)})


def sample(model, positive, negative, latent, steps=2, sampler="dpmpp_2m", scheduler="normal", cfg=4.0):
    noise = gold_input("noise", tuple(latent.shape))
    return comfy.sample.sample(
        model, noise, steps, cfg, sampler, scheduler, positive, negative, latent, disable_pbar=True, seed=7
    )


@pytest.mark.parametrize("name", CASES)
def test_a_loaded_file_gives_the_numbers_of_the_reference(load, name):
    loaded, io = load(name)
    model = loaded.model.model
    assert loaded.system.name == f"show1_{name}"
    comfy.model_management.load_models_gpu([loaded.model])
    frames = io["x"].shape[2]
    t = io["t"].repeat_interleave(frames)
    sigma = model.model_sampling.sigmas[t]
    x = fold_frames(io["x"][:, :3]) * (sigma**2 + 1).sqrt().view(
        -1, 1, 1, 1
    )  # core's calculate_input divides by this
    extra = {} if name == "base" else {"c_concat": fold_frames(io["x"][:, 3:])}
    if name == "sr1":
        extra["y"] = io["class_labels"].float().repeat_interleave(frames)
    with torch.no_grad():
        context = io["y"].repeat_interleave(frames, 0)
        denoised = model.apply_model(
            x, sigma, c_crossattn=context, transformer_options={"cond_or_uncond": [0, 0]}, **extra
        )
    eps = unfold_frames((x - denoised) / sigma.view(-1, 1, 1, 1), frames)
    assert_same(eps, io["out"][:, :3], DEEP_NETWORK)


def test_the_schedule_is_the_cosine_one_up_to_where_the_references_start(load):
    sampling = load("base")[0].model.model.model_sampling
    t = torch.arange(1001, dtype=torch.float64) / 1000
    bar = torch.cos((t + 0.008) / 1.008 * torch.pi / 2) ** 2
    betas = (1 - bar[1:] / bar[:-1]).clamp(max=0.999)
    abar = torch.cumprod(1 - betas, 0)
    sigmas = ((1 - abar) / abar).sqrt()
    count = int((sigmas.log() <= 5.1).sum())
    assert len(sampling.sigmas) == count
    torch.testing.assert_close(sampling.sigmas.double(), sigmas[:count], rtol=SCHEDULE, atol=0)


def test_thresholding_follows_the_published_schedulers():
    frames = gold_input("frames", (2, 3, 8, 8), 3.0)
    frames[1] *= 0.1
    out = threshold_prediction(frames, 1.5)
    quantile = torch.quantile(frames[0].abs(), 0.95)
    assert quantile > 1.5
    torch.testing.assert_close(out[0], frames[0].clamp(-1.5, 1.5) / 1.5)
    torch.testing.assert_close(out[1], frames[1].clamp(-1, 1))  # the quantile is below 1


@pytest.mark.parametrize(("name", "largest"), [("base", 1.5), ("sr1", 1.0)])
def test_sampling_is_thresholded(load, monkeypatch, name, largest):
    seen = []
    monkeypatch.setattr(
        dynamic_thresholding,
        "threshold_prediction",
        lambda x, *settings: (seen.append(settings), threshold_prediction(x, *settings))[1],
    )
    loaded, _ = load(name)
    if name == "base":
        out = sample(loaded.model, prompt(), prompt("negative"), torch.zeros(3, 3, 8, 8))
    else:
        out = sample(loaded.model, *upscale_inputs(3))
    assert seen == [(largest, 0.95)] * 2
    assert out.abs().max() <= 1


def test_key_frames_are_blended_over_time():
    """As trilinear interpolation with aligned corners between the first
    and the last of five frames; key frames are marked.
    """
    frames = gold_input("key frames", (3, 3, 2, 7))
    out = blended_key_frames(frames)
    assert out.shape == (9, 4, 2, 7)
    for pair in (0, 1):
        ends = frames[pair : pair + 2].transpose(0, 1)[None]
        expected = torch.nn.functional.interpolate(ends, (5, 2, 7), mode="trilinear", align_corners=True)[
            0
        ].transpose(0, 1)
        torch.testing.assert_close(out[4 * pair : 4 * pair + 5, :3], expected)
    assert out[:, 3, 0, 0].tolist() == [1, 0, 0, 0, 1, 0, 0, 0, 1]


def test_interpolation_in_windows_of_a_pair(load):
    """Windows of five frames that share one are the reference's pairs."""
    loaded, _ = load("interpolation")
    images = gold_input("images", (3, 8, 8, 3)).sigmoid()
    positive, negative, latent = condition_on_key_frames(prompt(), prompt("negative"), pixel_vae(), images)
    assert latent["samples"].shape == (9, 3, 8, 8)
    model = apply_context_windows(loaded.model, ContextSettings(context_length=5, context_overlap=1))
    out = sample(model, positive, negative, latent["samples"])
    noise = gold_input("noise", (9, 3, 8, 8))
    pair = condition_on_key_frames(prompt(), prompt("negative"), pixel_vae(), images[:2])
    alone = comfy.sample.sample(
        loaded.model,
        noise[:5],
        1,
        4.0,
        "dpmpp_2m",
        "normal",
        *pair[:2],
        pair[2]["samples"],
        disable_pbar=True,
        seed=7,
    )
    one_step = sample(model, positive, negative, latent["samples"], steps=1)
    # At sigma 160 rounding is large, up to 9e-4; the shared frame is a mixture.
    torch.testing.assert_close(one_step[:4], alone[:4], atol=4e-3, rtol=0)
    assert out.shape == (9, 3, 8, 8) and out.isfinite().all()


def upscale_inputs(frames, noise_level=250, first_frame=None, name="images"):
    images = gold_input(name, (frames, 4, 8, 3)).sigmoid()
    positive, negative, latent = condition_on_low_resolution(
        prompt(), prompt("negative"), pixel_vae(), images, first_frame, noise_level
    )
    return positive, negative, latent["samples"]


def test_the_upscaling_is_told_video_first_frame_and_noise(load):
    loaded, _ = load("sr1")
    first = gold_input("first frame", (1, 16, 32, 3)).sigmoid()
    positive, _, latent = upscale_inputs(3, 250, first)
    assert latent.shape == (3, 3, 16, 32)
    conds = loaded.model.model.extra_conds(
        noise=latent, device=torch.device("cpu"), seed=17, **positive[0][1]
    )
    assert conds["y"].cond.tolist() == [250]
    given = conds["c_concat"].cond
    torch.testing.assert_close(given[0], first[0].movedim(-1, 0) * 2 - 1)
    low = gold_input("images", (3, 4, 8, 3)).sigmoid().movedim(-1, 1) * 2 - 1
    enlarged = torch.nn.functional.interpolate(low, (16, 32), mode="bilinear", align_corners=True)
    noise = torch.randn(enlarged.shape, generator=torch.manual_seed(7))
    t = torch.arange(252, dtype=torch.float64) / 1000
    bar = torch.cos((t + 0.008) / 1.008 * torch.pi / 2) ** 2
    abar = torch.cumprod(bar[1:] / bar[:-1], 0)[250].float()
    torch.testing.assert_close(given[1:], (abar.sqrt() * enlarged + (1 - abar).sqrt() * noise)[1:])


def test_without_a_video_it_says_what_to_wire(load):
    latent = torch.zeros(5, 3, 16, 16)
    with pytest.raises(ValueError, match="put Condition On Key Frames between"):
        sample(load("interpolation")[0].model, prompt(), prompt("negative"), latent)
    with pytest.raises(ValueError, match="put Condition On Low Resolution"):
        sample(load("sr1")[0].model, prompt(), prompt("negative"), latent)


def test_what_does_not_fit_is_refused(load):
    positive, negative, _ = upscale_inputs(3)
    with pytest.raises(ValueError, match="makes 3 frames of 32 x 16, the latent to sample has 4 of 32 x 16"):
        sample(load("sr1")[0].model, positive, negative, torch.zeros(4, 3, 16, 32))
    values = {KEY_FRAMES: torch.zeros(2, 4, 8, 8)}
    with pytest.raises(ValueError, match="wire the VAE of Load VAE with pixel_space"):
        sample(load("interpolation")[0].model, prompt(**values), prompt(**values), torch.zeros(5, 3, 8, 8))
    with pytest.raises(ValueError, match="takes latents of 3 channels, these have 4"):
        sample(load("base")[0].model, prompt(), prompt(), torch.zeros(5, 4, 8, 8))


def test_windows_in_turn():
    assert [list(w)[:: len(w) - 1] for w in windows_in_turn(29, 8, 1)] == [
        [0, 7],
        [7, 14],
        [14, 21],
        [21, 28],
    ]
    assert windows_in_turn(10, 8, 1) == [range(0, 8), range(2, 10)]
    assert windows_in_turn(5, 8, 1) == [range(0, 5)]
    with pytest.raises(ValueError, match="overlap=8 must be at least 1 and less than length=8"):
        windows_in_turn(29, 8, 8)


def test_windows_continue_from_the_last_frame_of_the_one_before(load):
    """Five frames in windows of three,
    against each window sampled by itself with the frame before as its first frame.
    """
    loaded, _ = load("sr1")
    positive, negative, latent = upscale_inputs(5)
    noise = gold_input("noise", tuple(latent.shape))
    sigmas = comfy.samplers.calculate_sigmas(loaded.model.model.model_sampling, "normal", 2)
    euler = comfy.samplers.KSAMPLER(sample_euler)

    def run(sampler, rows, first=None):
        conds = []
        for given in (positive, negative):
            text, values = given[0]
            values = dict(values, zoetrope_low_res_video=values["zoetrope_low_res_video"][rows])
            conds.append([[text, values if first is None else dict(values, zoetrope_first_frame=first)]])
        return comfy.sample.sample_custom(
            loaded.model, noise[rows], 4.0, sampler, sigmas, *conds, latent[rows], disable_pbar=True, seed=7
        )  # fmt: skip

    # The low-resolution noise is drawn for the whole video,
    # so the windows alone need noise level 0 to be comparable.
    for given in (positive, negative):
        given[0][1]["zoetrope_noise_level"] = 0
    monkey = pytest.MonkeyPatch()
    monkey.setattr(show1, "add_noise", lambda pixels, level, seed: pixels)
    try:
        whole = run(SamplerInTurns(euler, 3, 1), slice(0, 5))
        first = run(euler, slice(0, 3))
        second = run(euler, slice(2, 5), first[2:3])
        not_continued = run(euler, slice(2, 5))
    finally:
        monkey.undo()
    assert_same(whole, torch.cat((first[:2], second)), OTHER_BATCH)
    assert (whole[2:] - not_continued).abs().max() > 0.01


def test_in_turns_is_for_the_upscaling_only(load):
    loaded, _ = load("base")
    sampler = SamplerInTurns(comfy.samplers.KSAMPLER(sample_euler), 3, 1)
    latent = torch.zeros(5, 3, 8, 8)
    with pytest.raises(ValueError, match="is for Show-1's super-resolution 1"):
        comfy.sample.sample_custom(
            loaded.model,
            latent,
            4.0,
            sampler,
            torch.tensor([1.0, 0.0]),
            prompt(),
            prompt(),
            latent,
            disable_pbar=True,
            seed=7,
        )
