"""Vary Guidance, held to core's sampler with the cfg of each step, frame and place."""

import comfy.samplers
import pytest
import torch
from comfy_extras.nodes_custom_sampler import BasicGuider
from zoetrope.frame_values import frame_values
from zoetrope.host.sampling.varying_guidance import VaryingGuidance
from zoetrope.host.windows import ContextSettings, apply_context_windows
from zoetrope.motion_modules.call import STREAMS
from zoetrope.nodes.sampling import VaryGuidance
from zoetrope.nodes.sampling.vary_value_by_block import VaryValueByBlock
from zoetrope.tests.comfy.golden_unet import golden_model, sample
from zoetrope.tests.comfy.nodes.sampling.test_oscillating_guidance_nodes import (
    HIGH,
    LOW,
    OTHERS,
    evaluated,
    oscillating,
    step_by_step,
    windowed,
)
from zoetrope.tests.gold_weights import gold_input
from zoetrope.tests.rounding import assert_same

SCALES = [2.0, 7.0, 1.0, 3.0, 5.0]
FRAME_BY_FRAME = {name: other for name, other in OTHERS.items() if name != "rescale"}
"""Our own Rescale Guidance takes its deviation over all frames."""


def varied(model, cfg, frames_per_video=0):
    return VaryGuidance.execute(model=model, cfg=cfg, frames_per_video=frames_per_video).args[0]


@pytest.mark.parametrize("others", OTHERS.values(), ids=OTHERS)
def test_a_number_takes_the_place_of_the_samplers(others):
    expected = sample(others(golden_model()), cfg=2.5)
    assert torch.equal(sample(others(varied(golden_model(), 2.5)), cfg=HIGH), expected)
    assert torch.equal(sample(varied(others(golden_model()), 2.5), cfg=HIGH), expected)


def test_a_key_holds_from_the_first_step_whose_noise_is_not_above_its_own():
    sampling = golden_model().get_model_object("model_sampling")
    second = comfy.samplers.calculate_sigmas(sampling, "normal", 4)[1]
    at, behind = 0.333, 0.334  # of the schedule, on both sides of the second step's noise level
    assert sampling.percent_to_sigma(at) > second > sampling.percent_to_sigma(behind)
    for start, scales in ((at, [HIGH, 1.5, 1.5, 1.5]), (behind, [HIGH, HIGH, 1.5, 1.5])):
        values = frame_values([1.5], start_percent=start, before=frame_values([HIGH]))
        expected = step_by_step(golden_model(), scales)
        assert_same(sample(varied(golden_model(), values), steps=4, cfg=3.0), expected)


@pytest.mark.parametrize("others", FRAME_BY_FRAME.values(), ids=FRAME_BY_FRAME)
def test_every_frame_is_cores_with_its_own_cfg(others):
    values = frame_values(SCALES)
    before = sample(others(varied(golden_model(), values)), cfg=HIGH)
    behind = sample(varied(others(golden_model()), values), cfg=HIGH)
    for frame, cfg in enumerate(SCALES):
        expected = sample(others(golden_model()), cfg=cfg)[frame]
        assert_same(before[frame], expected)
        assert_same(behind[frame], expected)


def test_a_step_of_cfg_1_leaves_out_the_negative_prompt():
    values = frame_values([1.0] * 5, start_percent=0.5, before=frame_values(SCALES))
    calls = evaluated(varied(golden_model(), values), steps=4, cfg=HIGH)
    assert calls[0] == [0, 1] and calls[-1] == [0]


def test_oscillation_takes_it_for_the_samplers_cfg():
    expected = sample(oscillating(golden_model()), steps=4, cfg=HIGH)
    assert torch.equal(sample(oscillating(varied(golden_model(), HIGH)), steps=4, cfg=3.0), expected)
    assert torch.equal(sample(varied(oscillating(golden_model()), HIGH), steps=4, cfg=3.0), expected)
    frames = sample(varied(oscillating(golden_model()), frame_values(SCALES)), steps=4, cfg=LOW)
    assert_same(frames[1], sample(oscillating(golden_model()), steps=4, cfg=SCALES[1])[1])


def recorded(model, latent):
    """(prompt, negative, guided) predictions of one step on latents."""
    seen = []

    def record(args):
        seen.append([args[name] for name in ("cond_denoised", "uncond_denoised", "denoised")])
        return args["denoised"]

    model.set_model_sampler_post_cfg_function(record)
    run(model, latent)
    return seen[0]


def run(model, latent, guider=None):
    if guider is None:
        guider = comfy.samplers.CFGGuider(model)
        guider.set_conds(*([[gold_input(name, (1, 7, 48)), {}]] for name in ("positive", "negative")))
        guider.set_cfg(HIGH)
    sampler, sigmas = comfy.samplers.sampler_object("euler"), torch.tensor([5.0, 0.0])
    noise = torch.linspace(-1, 1, latent.numel()).view_as(latent)
    out = guider.sample(noise, latent, sampler, sigmas, disable_pbar=True)
    assert getattr(guider, "cfg", HIGH) == HIGH
    return out


@pytest.mark.parametrize("around", [lambda model: model, windowed], ids=["whole", "windows"])
def test_a_mask_gives_each_place_its_cfg(around):
    mask = torch.zeros(1, 16, 8)
    mask[:, :, 4:] = 1
    model = varied(around(golden_model()), frame_values([6.0], mask, outside=1.5))
    cond, uncond, result = recorded(model, torch.zeros(5, 4, 16, 8))
    assert_same(result[..., :4], (uncond + 1.5 * (cond - uncond))[..., :4])
    assert_same(result[..., 4:], (uncond + 6.0 * (cond - uncond))[..., 4:])
    assert (cond - uncond).abs().max() > 1e-2


def windows_of_videos(model):
    return apply_context_windows(
        model, ContextSettings(context_length=3, context_overlap=1, frames_per_video=5)
    )


@pytest.mark.parametrize(("around", "told"), [(lambda model: model, 5), (windows_of_videos, 0)])
def test_every_video_of_a_batch_gets_the_values(around, told):
    model = varied(around(golden_model()), frame_values(SCALES), told)
    cond, uncond, result = recorded(model, torch.zeros(10, 4, 8, 8))
    for image in range(10):
        cfg = SCALES[image % 5]
        assert_same(result[image], uncond[image] + cfg * (cond[image] - uncond[image]))


def test_video_latents_have_their_frames_on_the_time_axis():
    x = torch.zeros(2, 4, 5, 3, 7)
    settings = VaryingGuidance(frame_values(SCALES))
    scale = settings.at(lambda start: True, x, {})
    assert float(scale) == 7.0  # the one furthest from 1: core runs the negative prompt
    assert scale.tensor.shape == (2, 1, 5, 1, 1)
    assert scale.tensor[1].flatten().tolist() == SCALES
    mask = torch.zeros(5, 3, 7)
    mask[2, 1, 3] = 1
    placed = VaryingGuidance(frame_values([4.0], mask, outside=2.0)).at(lambda start: True, x, {}).tensor
    assert placed.shape == (2, 1, 5, 3, 7)
    assert (placed == 4.0).nonzero()[:, 2:].tolist() == [[2, 1, 3]] * 2


def test_content_and_motion_of_a_video_have_the_same_scales():
    options = {"transformer_options": {STREAMS: 2}}
    scale = VaryingGuidance(frame_values(SCALES)).at(lambda start: True, torch.zeros(10, 4, 3, 7), options)
    assert scale.tensor.flatten().tolist() == SCALES * 2


def test_a_second_node_replaces_the_first():
    twice = varied(varied(golden_model(), frame_values(SCALES)), 2.5)
    assert torch.equal(sample(twice, cfg=HIGH), sample(golden_model(), cfg=2.5))


def test_what_cannot_guide_is_refused():
    blocks = VaryValueByBlock.execute(down=1.0, mid=1.0, up=1.0, blocks="up 3: 0").args[0]
    with pytest.raises(ValueError, match="blocks up 3, guidance has no blocks"):
        varied(golden_model(), blocks)
    with pytest.raises(ValueError, match="cfg=nan must be a finite number"):
        varied(golden_model(), float("nan"))
    with pytest.raises(ValueError, match="frames_per_video=-1 must be 0"):
        varied(golden_model(), 2.0, -1)
    latent = torch.zeros(7, 4, 8, 8)
    with pytest.raises(ValueError, match="values for 5 frames, the video has 7"):
        run(varied(golden_model(), frame_values(SCALES)), latent)
    with pytest.raises(ValueError, match="7 frames are not a whole number of videos of frames_per_video=5"):
        run(varied(golden_model(), frame_values(SCALES), 5), latent)
    guider = BasicGuider.execute(varied(golden_model(), 2.0), [[gold_input("positive", (1, 7, 48)), {}]])
    with pytest.raises(ValueError, match="Vary Guidance needs a guider with a negative prompt"):
        run(None, latent, guider.args[0])
