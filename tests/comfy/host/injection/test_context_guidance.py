"""Context guidance is the paper's equation, by results of samplings without it; it costs one evaluation of
the network where it acts and nothing elsewhere.
"""

from dataclasses import dataclass, replace

import comfy.sample
import pytest
import torch
from zoetrope.host.injection import MotionSettings, apply_motion_module
from zoetrope.host.injection.known_frames import KnownFrames, set_known_frames
from zoetrope.host.sampling.frame_guidance import GuidanceSettings, set_frame_guidance
from zoetrope.host.windows import ContextSettings, apply_context_windows
from zoetrope.motion_modules.image_condition import ImageCondition
from zoetrope.motion_modules.masked_frames import METHOD
from zoetrope.tests.comfy.host.media.small_vaes import image_vae
from zoetrope.tests.comfy.method_rules import Case, F, H, W
from zoetrope.tests.gold_weights import gold_input
from zoetrope.tests.rounding import assert_same

IMAGES = gold_input("images", (2, 40, 56, 3)).sigmoid()
NOISE = gold_input("noise", (F, 4, H, W))
SCALE, CFG = 2.5, 3.0


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    return Case(METHOD, "SD1.x", tmp_path_factory.mktemp("guided"))


def moving(case, scale=1.0, model=None, **settings):
    known = KnownFrames(image_vae(), IMAGES, "0,-1", scale)
    module = set_known_frames(case.trained(), known)
    return apply_motion_module(model or case.plain, module, MotionSettings(**settings))


@dataclass(frozen=True)
class NothingKnown:
    """Mask and masked latents by hand, where no frame is known."""

    def for_run(self, model, shape, num_frames):
        return ImageCondition(torch.zeros(num_frames, 4, H, W), torch.zeros(num_frames))


def without_context(case):
    return apply_motion_module(case.plain, replace(case.trained(), inputs=NothingKnown()), MotionSettings())


def sample(case, model, cfg=CFG, steps=1, prompt="positive"):
    """Of one step of euler what comes out is what the guidance has made of the network's results."""
    prompts = (case.unet.conditioning(name) for name in (prompt, "negative"))
    return comfy.sample.sample(
        model, NOISE, steps, cfg, "euler", "normal", *prompts, torch.zeros_like(NOISE),
        disable_pbar=True, seed=1,
    )  # fmt: skip


def test_it_is_the_equation_of_the_paper_beside_a_prompt(case):
    seen, unseen = (sample(case, m, 1.0, prompt="negative") for m in (moving(case), without_context(case)))
    prompted = sample(case, moving(case), 1.0)
    want = unseen + SCALE * (seen - unseen) + CFG * (prompted - seen)
    # CFG counts from the negative prompt: seen + CFG (prompted - seen), and seen moves by the context.
    assert_same(sample(case, moving(case, SCALE)), want)
    assert (want - sample(case, moving(case))).abs().max() > 0.01 * want.abs().max()


def test_without_a_negative_prompt_it_is_the_equation_alone(case):
    seen, unseen = (sample(case, model, 1.0) for model in (moving(case), without_context(case)))
    assert_same(sample(case, moving(case, SCALE), 1.0), unseen + SCALE * (seen - unseen))


def test_at_scale_0_no_context_is_seen_where_there_is_no_prompt(case):
    assert_same(sample(case, moving(case, 0.0), 1.0), sample(case, without_context(case), 1.0))


def evaluations(case, model, cfg=CFG, steps=5):
    """Frames that the network computes, in videos."""
    rows = []
    model = model.clone()

    def count(apply_model, arguments):
        rows.append(len(arguments["input"]))
        return apply_model(arguments["input"], arguments["timestep"], **arguments["c"])

    model.set_model_unet_function_wrapper(count)
    sample(case, model, cfg, steps)
    return sum(rows) / F


def test_it_costs_one_evaluation_where_it_acts(case):
    assert evaluations(case, moving(case)) == 2 * 5
    assert evaluations(case, moving(case, SCALE)) == 3 * 5
    assert evaluations(case, moving(case, SCALE), cfg=1.0) == 2 * 5
    first_steps = evaluations(case, moving(case, SCALE, end_percent=0.5))
    assert 2 * 5 < first_steps < 3 * 5


def test_windows_guide_their_frames(case):
    """The first convolution computes each frame by itself, so windows change nothing."""
    windows = ContextSettings(context_length=3, context_overlap=1)
    whole = sample(case, moving(case, SCALE), steps=2)
    assert_same(sample(case, apply_context_windows(moving(case, SCALE), windows), steps=2), whole)


def test_it_works_beside_guidance_over_frames(case):
    """What it adds does not depend on the guidance by the prompt."""
    guidance = GuidanceSettings("linear", 1.0)
    plain, guided = (sample(case, set_frame_guidance(moving(case, s), guidance)) for s in (1.0, SCALE))
    seen, unseen = (sample(case, m, 1.0, prompt="negative") for m in (moving(case), without_context(case)))
    assert_same(guided, plain + (SCALE - 1) * (seen - unseen))


def test_two_modules_are_guided_one_by_one(case):
    """Each drops its own frames only."""
    twice = moving(case, SCALE, model=moving(case, SCALE, strength=0.5), strength=0.5)
    one = moving(case, SCALE, model=moving(case, strength=0.5), strength=0.5)
    assert evaluations(case, twice) == 4 * 5
    assert evaluations(case, one) == 3 * 5
    assert not torch.allclose(sample(case, twice), sample(case, one), atol=1e-3)


@pytest.mark.parametrize("scale", [-0.5, float("nan"), float("inf")])
def test_odd_scales_are_refused(scale):
    with pytest.raises(ValueError, match="context_guidance=.* must be a finite number, 0 or larger"):
        KnownFrames(image_vae(), IMAGES, "0", scale)
