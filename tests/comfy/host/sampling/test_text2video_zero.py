"""Prepare Text2Video-Zero gives the numbers of the published code, whole; what it refuses."""

import json
from dataclasses import dataclass

import comfy.samplers
import comfy.supported_models
import comfy.utils
import pytest
import torch
from comfy.ldm.modules.diffusionmodules.openaimodel import Timestep
from comfy_extras.nodes_model_advanced import ModelSamplingDiscrete
from safetensors.torch import load_file
from zoetrope.host.injection import MotionSettings
from zoetrope.host.injection.cross_frame_attention import CrossFrames, apply_cross_frame_attention
from zoetrope.host.sampling.text2video_zero import prepare_frames
from zoetrope.host.windows import ContextSettings, apply_context_windows
from zoetrope.motion_modules.call import STREAMS
from zoetrope.samplers.text2video_zero.motion_fields import CameraField, FlowField
from zoetrope.samplers.text2video_zero.renoising import PrepareSettings
from zoetrope.tests.comfy.method_rules import checkpoint
from zoetrope.tests.gold_weights import gold_input, gold_state_dict, gold_tensor
from zoetrope.tests.networks.image_unets import IMAGE_UNETS, image_unet
from zoetrope.tests.places import GOLDENS
from zoetrope.tests.rounding import assert_same

ROUNDING = 1e-4  # of the size of the latents, over 50 steps with guidance 7.5


@dataclass
class GivenNoise:
    """A NOISE of given numbers."""

    drawn: torch.Tensor
    seed = 5

    def generate_noise(self, latent):
        assert latent["samples"].shape == self.drawn.shape
        return self.drawn


def golden(name):
    folder, _, file = name.rpartition("/")
    return load_file(GOLDENS / folder / f"{file}.safetensors"), json.loads(
        (GOLDENS / folder / f"{file}.json").read_text()
    )


class GoldenSD(comfy.supported_models.SD15):
    unet_extra_config = {"num_heads": 8, "num_head_channels": -1}


SD_LEVELS = {
    "num_res_blocks": [1] * 4,
    "channel_mult": (1, 2, 2, 2),
    "transformer_depth": [1, 1, 1, 0],
    "transformer_depth_output": [1] * 6 + [0] * 2,
    "use_linear_in_transformer": False,
}


class GoldenSDXL(comfy.supported_models.SDXL):
    unet_extra_config = {"num_heads": -1, "num_head_channels": 16}


SDXL_LEVELS = {
    "model_channels": 64,
    "channel_mult": (1, 1, 2),
    "num_res_blocks": [2] * 3,
    "transformer_depth": [0, 0, 1, 1, 2, 2],
    "transformer_depth_output": [0, 0, 0, 1, 1, 1, 2, 2, 2],
    "transformer_depth_middle": 2,
    "adm_in_channels": 80,
    "num_classes": "sequential",
    "use_linear_in_transformer": True,
}


def model_of(base, levels, weights):
    names = comfy.utils.unet_to_diffusers({"transformer_depth_middle": 1, **levels})
    return image_unet(base, {names[key]: value for key, value in weights.items()}, **levels)


def level_signal(sigma):
    return 1 / (1 + sigma**2) ** 0.5


def sd_model():
    """The golden network, which predicts a(t) x + 0.3 unet(x)."""
    _, meta = golden("text2video_zero/t2vz")
    weights = {key: gold_tensor(key, s, 0.5 if "conv_out" in key else 1) for key, s in meta["shapes"].items()}
    model = model_of(GoldenSD, SD_LEVELS, weights)

    def shrunk(apply_model, given):
        x, sigma = given["input"], given["timestep"].reshape(-1, 1, 1, 1)
        denoised = apply_model(x, given["timestep"], **given["c"])
        kept = level_signal(sigma) ** 2
        own = (1 - kept) ** 0.5 / (0.64 * kept + 1 - kept)
        return x - sigma * own * x * level_signal(sigma) + 0.3 * (denoised - x)

    model.set_model_unet_function_wrapper(shrunk)
    return model


def sdxl_model():
    tensors, meta = golden("text2video_zero_sdxl/t2vz_sdxl")
    model = model_of(GoldenSDXL, SDXL_LEVELS, gold_state_dict(meta["shapes"], meta["gains"]))
    times = Timestep(8)(tensors["time_ids"].flatten()).reshape(1, -1)
    model.model.encode_adm = lambda pooled_output, **_: torch.cat((pooled_output, times), 1)
    return model


def guider_of(model, positive, negative, cfg=7.5, **frames):
    model = apply_cross_frame_attention(model, CrossFrames(**frames), MotionSettings())
    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds(positive, negative)
    guider.set_cfg(cfg)
    return guider


def sigmas_of(model, timesteps):
    """Those of DDIM, which ends at the level of timestep 0."""
    table = model.get_model_object("model_sampling").sigmas
    return torch.stack([table[t] for t in [*timesteps, 0]])


def run_whole(guider, sigmas, x_t, eps, settings):
    """Latents of all frames at T1 and in the end, both times the signal of their level, as published."""
    # ComfyUI begins with sigma times the noise, the published code with the noise, whose signal is not 0.
    start = x_t / level_signal(sigmas[0]) / sigmas[0]
    noise, euler = GivenNoise(torch.cat((start, eps))), comfy.samplers.ksampler("euler")
    empty = {"samples": torch.zeros_like(x_t)}
    at_t1, rest = prepare_frames(noise, guider, euler, sigmas, empty, CameraField(), settings)
    nothing = torch.zeros_like(at_t1["samples"])
    end = guider.sample(nothing, at_t1["samples"], euler, rest, disable_pbar=True, seed=1)
    scale = guider.model_patcher.model.latent_format.scale_factor
    return at_t1["samples"] * scale * level_signal(rest[0]), end * scale * level_signal(sigmas[-1])


def assert_of_size(got, want, tolerance=ROUNDING):
    assert (got - want).abs().max() < tolerance * want.abs().max()


def test_sd1_is_the_published_one_from_noise_to_latents():
    tensors, meta = golden("text2video_zero/t2vz")
    model = sd_model()
    conds = [[[gold_input(f"t2vz.{name}", (1, 7, 48)), {}]] for name in ("pos", "neg")]
    sigmas = sigmas_of(model, meta["full"]["timesteps"])
    x_t, eps = gold_input("t2vz.xT", (1, 4, 16, 16)), gold_input("t2vz.eps", (5, 4, 16, 16))
    settings = PrepareSettings(num_frames=6, t1_step=2, t0_step=5, as_published=True)
    at_t1, end = run_whole(guider_of(model, *conds), sigmas, x_t, eps, settings)
    assert_of_size(at_t1, torch.cat((tensors["full_x_t1"], tensors["full_xk_t1"])))
    assert_of_size(end, tensors["full_x0"])


def test_sdxl_is_the_published_one_from_noise_to_latents():
    tensors, meta = golden("text2video_zero_sdxl/t2vz_sdxl")
    model = sdxl_model()
    conds = [[[tensors[side], {"pooled_output": tensors[f"pooled_{side}"]}]] for side in ("pos", "neg")]
    sigmas = sigmas_of(model, tensors["timesteps"].tolist())
    settings = PrepareSettings(num_frames=4, t1_step=2, t0_step=4, as_published=True)
    at_t1, end = run_whole(guider_of(model, *conds), sigmas, tensors["xT"], tensors["eps"], settings)
    assert_of_size(at_t1, torch.cat((tensors["x_t1"], tensors["x_k_t1"])))
    assert_of_size(end, tensors["x0"])


SIZE = (8, 16)


def small_guider(kind="SD1.x", model=None, **frames):
    unet = IMAGE_UNETS[kind]
    conds = [unet.conditioning(name) for name in ("positive", "negative")]
    return guider_of(checkpoint(kind) if model is None else model, *conds, cfg=3.0, **frames)


def steps_of(guider, count=6):
    sampling = guider.model_patcher.get_model_object("model_sampling")
    return comfy.samplers.calculate_sigmas(sampling, "normal", count)


def prepared(guider, latents=None, seed=3, sampler="euler", field=None, sigmas=None, extra=None, **settings):
    """LATENT and SIGMAS of prepare_frames with random noise on small latents."""
    settings = PrepareSettings(**{"num_frames": 5, "t1_step": 2, "t0_step": 4, **settings})
    latents = torch.zeros(1, 4, *SIZE) if latents is None else latents
    drawn = torch.randn(
        len(latents) * settings.num_frames, 4, *SIZE, generator=torch.Generator().manual_seed(seed)
    )
    return prepare_frames(
        GivenNoise(drawn),
        guider,
        comfy.samplers.sampler_object(sampler),
        steps_of(guider) if sigmas is None else sigmas,
        {"samples": latents, **(extra or {})},
        field or CameraField(64.0, 0.0),
        settings,
    ), drawn


def plain_steps(guider, noise, latents, sigmas):
    """ComfyUI's own steps of one image."""
    euler = comfy.samplers.ksampler("euler")
    return guider.sample(noise, latents, euler, sigmas, disable_pbar=True, seed=1)


def flow_model():
    """A MODEL of rectified flow on the network of SD1.x."""
    model = checkpoint("SD1.x").clone()

    class Flow(comfy.model_sampling.ModelSamplingDiscreteFlow, comfy.model_sampling.CONST):
        pass

    model.add_object_patch("model_sampling", Flow())
    return model


KINDS = {
    "noise": lambda: checkpoint("SD1.x"),
    "v": lambda: ModelSamplingDiscrete().patch(checkpoint("SD1.x"), "v_prediction", False)[0],
    "flow": flow_model,
}


@pytest.mark.parametrize("kind", KINDS)
def test_frames_come_from_the_first_one_at_the_level_of_t1(kind):
    """By hand: signal a and noise s of a level, x = a y; x1 = a1/a0 x0 + sqrt(s1^2 - (a1/a0 s0)^2) eps."""
    guider = small_guider(model=KINDS[kind]())
    (latent, rest), drawn = prepared(guider)
    sigmas = steps_of(guider)
    assert torch.equal(rest, sigmas[2:])
    at_t1 = plain_steps(guider, drawn[:1], torch.zeros(1, 4, *SIZE), sigmas[:3])
    at_t0 = plain_steps(guider, torch.zeros_like(drawn[:1]), at_t1, sigmas[2:5])
    assert torch.equal(latent["samples"][:1], at_t1)
    s1, s0 = float(sigmas[2]), float(sigmas[4])
    a1, a0 = (1 - s1, 1 - s0) if kind == "flow" else (1.0, 1.0)
    scale = guider.model_patcher.model.latent_format.scale_factor
    fresh = (s1**2 - (a1 / a0 * s0) ** 2) ** 0.5
    for k in range(1, 5):
        moved = torch.cat((at_t0[..., 2 * k :], at_t0.flip(-1)[..., : 2 * k]), -1)  # 2 places of 16, mirrored
        x1 = a1 / a0 * (a0 * scale * moved) + fresh * drawn[k : k + 1]
        assert_same(latent["samples"][k : k + 1], x1 / (a1 * scale), 1e-4)


def test_a_start_image_is_what_the_first_frame_is_made_of():
    guider = small_guider()
    image, sigmas = gold_tensor("image", (1, 4, *SIZE)), steps_of(small_guider())[2:]
    (latent, _), drawn = prepared(guider, image, sigmas=sigmas, t1_step=1, t0_step=2)
    assert torch.equal(latent["samples"][:1], plain_steps(guider, drawn[:1], image, sigmas[:2]))


def test_t0_at_t1_adds_no_noise():
    (latent, _), _ = prepared(small_guider(), t0_step=2, field=CameraField(0.0, 0.0))
    assert_same(latent["samples"], latent["samples"][:1].expand(5, -1, -1, -1), 1e-6)


def test_several_latents_become_several_videos(caplog):
    """Each as alone; a MODEL that knows of videos or windows sees single images here."""
    starts = gold_tensor("starts", (2, 4, *SIZE))
    (both, _), drawn = prepared(small_guider(), starts)
    assert "2 latents become 2 videos of 5 frames each" in caplog.text
    for video in range(2):
        noise = GivenNoise(drawn[5 * video : 5 * video + 5])
        guider, settings = small_guider(), PrepareSettings(5, 2, 4)
        euler, start = comfy.samplers.ksampler("euler"), {"samples": starts[video : video + 1]}
        alone, _ = prepare_frames(
            noise, guider, euler, steps_of(guider), start, CameraField(64.0, 0.0), settings
        )
        assert_same(both["samples"][5 * video : 5 * video + 5], alone["samples"], 1e-4)


def test_windows_and_videos_of_the_model_wait_for_all_frames():
    want = prepared(small_guider())[0][0]["samples"]
    for change in (
        lambda m: apply_context_windows(m, ContextSettings(context_length=3, context_overlap=1)),
        lambda m: apply_cross_frame_attention(m, CrossFrames(), MotionSettings(frames_per_video=5)),
    ):
        guider = comfy.samplers.CFGGuider(change(checkpoint("SD1.x")))
        guider.set_conds(*(IMAGE_UNETS["SD1.x"].conditioning(name) for name in ("positive", "negative")))
        guider.set_cfg(3.0)
        assert torch.equal(prepared(guider)[0][0]["samples"], want)


def test_a_chosen_frame_need_not_be_there_yet():
    guider = small_guider(keys_from="chosen frames", frames="0,4")
    want = prepared(small_guider())[0][0]["samples"]
    assert torch.equal(prepared(guider)[0][0]["samples"], want)


def test_the_guider_stays_as_it_was_after_a_failure_too():
    guider = small_guider()
    before = guider.model_options
    prepared(guider)
    assert guider.model_options is before and "zoetrope_single_frames" not in before["transformer_options"]

    def fail(*args, **kwargs):
        raise RuntimeError("out of memory, say")

    guider.model_options["sampler_cfg_function"] = fail
    with pytest.raises(RuntimeError, match="out of memory"):
        prepared(guider)
    assert guider.model_options is before


@pytest.mark.parametrize("sampler", ["euler_ancestral", "dpmpp_2m", "uni_pc", "ddim"])
def test_other_samplers_go_the_same_way(sampler):
    latent = prepared(small_guider(), sampler=sampler)[0][0]["samples"]
    assert latent.shape == (5, 4, *SIZE) and torch.isfinite(latent).all()


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"t0_step": 9}, "t0_step=9 not larger"),
        ({"t1_step": 6, "t0_step": 6}, "t1_step=6 must be smaller than the 6 steps"),
        ({"field": CameraField(300.0, 0.0)}, "leads frame 2 out of the picture"),
        ({"field": FlowField(torch.zeros(3, 2, 8, 8))}, "of a video of 4 frames, num_frames=5 are more"),
        ({"latents": torch.zeros(1, 4, 3, *SIZE)}, "needs the latents of images, 4 dimensions"),
        ({"extra": {"noise_mask": torch.ones(1, *SIZE)}}, "takes no latents with a noise mask"),
        ({"as_published": True, "t0_step": 6}, "as_published needs .* a t0_step before the last one"),
        ({"num_frames": 10**9}, "10000000000? frames|1000000000 frames"),
    ],
)
def test_what_does_not_go_together_is_refused_before_sampling(values, told, monkeypatch):
    guider = small_guider()

    def sampled(*args, **kwargs):
        raise AssertionError("sampling has begun")

    monkeypatch.setattr(guider, "sample", sampled)
    with pytest.raises(ValueError, match=told):
        settings = {
            k: v for k, v in values.items() if k in ("t0_step", "t1_step", "num_frames", "as_published")
        }
        prepare_frames(
            GivenNoise(torch.zeros(5, 4, *SIZE)),
            guider,
            comfy.samplers.ksampler("euler"),
            steps_of(guider),
            {"samples": values.get("latents", torch.zeros(1, 4, *SIZE)), **values.get("extra", {})},
            values.get("field", CameraField(64.0, 0.0)),
            PrepareSettings(**{"num_frames": 5, "t1_step": 2, "t0_step": 4, **settings}),
        )


def test_flows_have_no_published_product():
    with pytest.raises(ValueError, match="needs a MODEL with discrete timesteps"):
        prepared(small_guider(model=flow_model()), as_published=True)


def test_dual_streams_are_refused():
    model = checkpoint("SD1.x").clone()
    model.model_options["transformer_options"][STREAMS] = 2
    with pytest.raises(ValueError, match="makes no motion halves"):
        prepared(small_guider(model=model))
