"""The trained noise schedule in front of and behind nodes that replace it; core is the oracle."""

import json
import logging
from types import SimpleNamespace

import comfy.model_sampling
import comfy.samplers
import pytest
import torch
from comfy.model_sampling import ModelSamplingDiscrete as CoreSampling
from comfy_extras.nodes_model_advanced import ModelSamplingContinuousEDM, ModelSamplingDiscrete, RescaleCFG
from zoetrope.host import injection
from zoetrope.host.injection import MotionSettings, apply_motion_module, motion
from zoetrope.motion_modules.beta_schedules import LINEAR_SDXL
from zoetrope.tests.comfy.golden_unet import motion_module, sample
from zoetrope.tests.places import GOLDENS

KINDS = ("eps", "v_prediction", "lcm", "x0")
TRAINED, OWN = (
    25.15,
    14.61,
)  # largest noise levels of sqrt_linear and of Stable Diffusion's betas, 0.00085 to 0.012


def discrete(model, kind, zsnr=False):
    return ModelSamplingDiscrete().patch(model, kind, zsnr)[0]


def sampling_of(model):
    return model.get_model_object("model_sampling")


@pytest.mark.parametrize("zsnr", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_the_schedule_is_the_same_in_front_and_behind(plain, module, kind, zsnr):
    before = apply_motion_module(discrete(plain, kind, zsnr), module, MotionSettings())
    behind = discrete(apply_motion_module(plain, module, MotionSettings()), kind, zsnr)
    assert sampling_of(behind).sigma_max == pytest.approx(4518.1 if zsnr else TRAINED, rel=1e-3)
    assert torch.equal(sampling_of(behind).sigmas, sampling_of(before).sigmas)
    small = {"size": (8, 8), "frames": 2, "steps": 2}
    assert torch.equal(sample(behind, **small), sample(before, **small))
    assert not torch.equal(sample(behind, **small), sample(discrete(plain, kind, zsnr), **small))


def test_the_sigmas_are_those_of_core_s_class_with_the_trained_betas(plain, module):
    trained = {"beta_schedule": "sqrt_linear", "linear_start": 0.00085, "linear_end": 0.012}
    wanted = CoreSampling(SimpleNamespace(sampling_settings=trained)).sigmas
    assert torch.equal(
        sampling_of(discrete(apply_motion_module(plain, module, MotionSettings()), "eps")).sigmas, wanted
    )


def test_it_survives_clones_other_nodes_and_a_second_change(plain, module):
    model = apply_motion_module(plain, module, MotionSettings())
    model = discrete(
        RescaleCFG().patch(discrete(model.clone(), "lcm").clone(), 0.7)[0].clone(), "v_prediction"
    )
    assert sampling_of(model).sigma_max == pytest.approx(TRAINED, abs=0.01)
    assert isinstance(sampling_of(model), comfy.model_sampling.V_PREDICTION)
    assert "sampler_cfg_function" in model.model_options
    assert sampling_of(discrete(plain, "lcm")).sigma_max == pytest.approx(OWN, abs=0.01)


def test_a_chosen_schedule_is_kept_and_the_last_apply_decides(plain, module):
    chosen = apply_motion_module(plain, module, MotionSettings(beta_schedule=LINEAR_SDXL))
    assert sampling_of(discrete(chosen, "eps")).sigma_max == pytest.approx(65.93, abs=0.01)
    again = apply_motion_module(chosen, module, MotionSettings())
    assert sampling_of(discrete(again, "eps")).sigma_max == pytest.approx(TRAINED, abs=0.01)
    kept = apply_motion_module(chosen, module, MotionSettings(beta_schedule=injection.USE_EXISTING))
    assert sampling_of(discrete(kept, "eps")).sigma_max == pytest.approx(65.93, abs=0.01)


def test_use_existing_leaves_what_comes_behind(plain, module):
    model = apply_motion_module(plain, module, MotionSettings(beta_schedule=injection.USE_EXISTING))
    assert sampling_of(discrete(model, "lcm")).sigma_max == pytest.approx(OWN, abs=0.01)


def replaced(model, value):
    model = model.clone()
    model.add_object_patch("model_sampling", value)
    return model


class OtherArguments(CoreSampling, comfy.model_sampling.EPS):
    """As a pack may have it: betas of its own, and a constructor of its own."""

    def __init__(self, sigmas):
        super().__init__()
        self.set_sigmas(sigmas)


def own_sigmas():
    sampling = type("Own", (CoreSampling, comfy.model_sampling.EPS), {})()
    sampling.set_sigmas(sampling.sigmas * 1.5)
    return sampling


OTHERS = {
    "continuous": lambda m: ModelSamplingContinuousEDM().patch(m, "v_prediction", 120.0, 0.002)[0],
    "sigmas of its own": lambda m: replaced(m, own_sigmas()),
    "a class of another pack": lambda m: replaced(m, OtherArguments(torch.linspace(0.1, 9.0, 1000))),
}


@pytest.mark.parametrize("name", OTHERS)
def test_another_schedule_behind_is_left_and_said_when_sampling_starts(plain, module, caplog, name):
    model = OTHERS[name](apply_motion_module(plain, module, MotionSettings()))
    wanted = float(sampling_of(OTHERS[name](plain)).sigma_max)
    assert float(sampling_of(model).sigma_max) == wanted
    with caplog.at_level(logging.WARNING):
        sample(model, size=(8, 8), frames=2, steps=1)
    (text,) = [r.message for r in caplog.records if "noise schedule" in r.message]
    assert "sqrt_linear (AnimateDiff)" in text and f"{wanted:.1f}" in text and "use existing" in text
    caplog.clear()
    kept = OTHERS[name](
        apply_motion_module(plain, module, MotionSettings(beta_schedule=injection.USE_EXISTING))
    )
    sample(kept, size=(8, 8), frames=2, steps=1)
    sample(
        discrete(apply_motion_module(plain, module, MotionSettings()), "lcm"), size=(8, 8), frames=2, steps=1
    )
    assert not [r.message for r in caplog.records if "noise schedule" in r.message]


def test_percent_ranges_are_those_of_the_schedule_that_is_sampled(plain, module):
    """Half of a continuous schedule from 120 to 0.002 lies at their geometric mean, 0.49;
    of the trained one at 2.06.
    """
    model = OTHERS["continuous"](apply_motion_module(plain, module, MotionSettings(end_percent=0.5)))
    whole = OTHERS["continuous"](apply_motion_module(plain, module, MotionSettings()))
    without = OTHERS["continuous"](plain)
    steps = {"size": (8, 8), "frames": 2, "steps": 1}
    for sigma, same in ((1.0, whole), (0.3, without)):
        results = [sample(m, **steps, sigmas=torch.tensor([sigma, 0.0])) for m in (model, same)]
        assert torch.equal(*results)
    assert not torch.equal(*(sample(m, **steps, sigmas=torch.tensor([1.0, 0.0])) for m in (model, without)))


PEERS = json.loads((GOLDENS / "ade" / "beta_schedules.json").read_text())
OUR_NAMES = {"linear (HotshotXL/default)": "linear (Stable Diffusion)"}
"""AnimateDiff-Evolved's names that are others here."""


@pytest.mark.parametrize("name", PEERS)
def test_schedules_of_animatediff_evolved_have_its_numbers(plain, module, name):
    settings = MotionSettings(beta_schedule=OUR_NAMES.get(name, name))
    sampling, peer = sampling_of(apply_motion_module(plain, module, settings)), PEERS[name]
    every_tenth = sampling.sigmas if peer["count"] <= 100 else sampling.sigmas[::10]
    assert len(sampling.sigmas) == peer["count"]
    assert every_tenth.tolist() == pytest.approx(peer["every_tenth"], rel=1e-5)
    for scheduler, sigmas in peer["timesteps_steps"].items():
        kind, steps = scheduler.split()
        found = comfy.samplers.calculate_sigmas(sampling, kind, int(steps)).tolist()
        assert found == pytest.approx(sigmas, rel=1e-5)
    for sigma, timestep in peer.get("timestep_of_sigma", []):
        assert sampling.timestep(torch.tensor([sigma])).item() == timestep


def test_an_lcm_schedule_predicts_as_core_s_lcm(plain, module):
    """The betas are the checkpoint's own here, so core's node makes the same object."""
    chosen = apply_motion_module(plain, module, MotionSettings(beta_schedule="lcm"))
    use_existing = MotionSettings(beta_schedule=injection.USE_EXISTING)
    by_core = apply_motion_module(discrete(plain, "lcm"), module, use_existing)
    small = {"size": (8, 8), "frames": 2, "steps": 2, "sampler": "lcm"}
    assert torch.equal(sample(chosen, **small), sample(by_core, **small))
    behind = apply_motion_module(plain, module, MotionSettings(beta_schedule="lcm[100_ots]"))
    assert len(sampling_of(discrete(behind, "lcm")).sigmas) == 100
    assert len(sampling_of(discrete(behind, "eps")).sigmas) == 1000


def test_an_lcm_schedule_is_refused_where_the_model_predicts_no_noise(plain, module):
    with pytest.raises(ValueError, match="'lcm' is for checkpoints that predict noise .* choose another"):
        apply_motion_module(discrete(plain, "v_prediction"), module, MotionSettings(beta_schedule="lcm"))


def test_animatelcm_gets_its_schedule_and_says_how_to_sample(plain, monkeypatch):
    said = []
    monkeypatch.setattr(motion, "say", lambda text, node_id: said.append(text))
    model = apply_motion_module(plain, motion_module("v2", position_length=None), MotionSettings())
    sampling = sampling_of(model)
    assert len(sampling.sigmas) == 100 and sampling.sigma_max == pytest.approx(TRAINED, abs=0.01)
    assert said == [
        "AnimateLCM wants the sampler lcm with 4 to 8 steps, cfg 1 to 2, and its LoRA on the checkpoint."
    ]
