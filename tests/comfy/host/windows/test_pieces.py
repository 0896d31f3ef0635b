"""Windows of a video in pieces, as a storyboard's cuts make them: each piece is as if it were alone."""

import pytest
import torch
from zoetrope.frame_values import frame_values
from zoetrope.host.injection import MotionSettings, apply_motion_module
from zoetrope.host.windows import ContextSettings, window_plan
from zoetrope.tests.comfy.golden_unet import golden_model, motion_module
from zoetrope.tests.comfy.host.context_rig import PRECISE, H, W, evaluate, prompt, seeded, windowed
from zoetrope.tests.rounding import assert_same

PIECES = (3, 7, 1)
FRAMES = sum(PIECES)


@pytest.fixture(scope="module")
def animatediff():
    return apply_motion_module(golden_model(PRECISE), motion_module("v2"), MotionSettings())


@pytest.mark.parametrize("videos", (1, 2))
def test_each_piece_is_sampled_as_if_it_were_alone(animatediff, videos):
    noise, positive = seeded(videos * FRAMES, 4, H, W), prompt(FRAMES)
    model = windowed(animatediff, frames_per_video=FRAMES, pieces=PIECES)
    found = evaluate(model, noise, prompt(FRAMES) if videos == 1 else prompt(), prompt(seed=3))
    start, alone = 0, []
    for length in videos * PIECES:
        frames = slice(start % FRAMES, start % FRAMES + length)
        told = [[positive[0][0][frames], {}]] if videos == 1 else prompt()
        own = windowed(animatediff) if length > 3 else animatediff
        alone.append(evaluate(own, noise[start : start + length], told, prompt(seed=3)))
        start += length
    assert_same(found, torch.cat(alone))
    if videos == 1:
        whole = evaluate(windowed(animatediff), noise, positive, prompt(seed=3))
        assert (whole - found).abs().max() > 1e-3


def test_the_plan_is_drawn_with_its_borders(animatediff):
    model = windowed(animatediff, pieces=PIECES)
    windows, _ = model.model_options["context_handler"].settings.plan(FRAMES, 0, 0.0)
    assert windows == [[0, 1, 2], [3, 4, 5], [5, 6, 7], [7, 8, 9], [10]]
    assert window_plan(model, FRAMES, 2)[0].ndim == 4


def test_videos_of_another_length_and_loops_are_refused(animatediff):
    model = windowed(animatediff, pieces=PIECES)
    with pytest.raises(ValueError, match="the storyboard has 11 frames and the video 9; wire num_frames"):
        evaluate(model, seeded(9, 4, H, W), prompt(), prompt(seed=3))
    with pytest.raises(ValueError, match="closed_loop is for a video of one piece, .* has 3 between"):
        ContextSettings(context_schedule="looped_uniform", closed_loop=True, pieces=PIECES)


def test_a_module_does_not_run_in_windows_where_it_has_no_strength(monkeypatch):
    """Of the pieces of 3, 7 and 1 frames it acts in the last two: in 3 windows of 3 frames and one of 1."""
    from zoetrope.motion_modules.animatediff.layers import TemporalTransformer

    strength = frame_values([0.0] * 3 + [0.5] * 8)
    module = motion_module("v2")
    model = apply_motion_module(golden_model(PRECISE), module, MotionSettings(strength=strength))
    seen, forward = [], TemporalTransformer.forward

    def counted(self, hidden, *args, **kwargs):
        seen.append(hidden.shape[0])
        return forward(self, hidden, *args, **kwargs)

    monkeypatch.setattr(TemporalTransformer, "forward", counted)
    pieces = windowed(model, pieces=PIECES, windows_per_batch=1)
    found = evaluate(pieces, seeded(FRAMES, 4, H, W), prompt(FRAMES), prompt(seed=3))
    assert set(seen) == {6, 2} and seen.count(6) == 3 * seen.count(2)  # images of both conds
    idle = MotionSettings(start_percent=1.0, end_percent=1.0)  # on the module's noise schedule
    still = apply_motion_module(golden_model(PRECISE), module, idle)
    plain = evaluate(still, seeded(FRAMES, 4, H, W)[:3], prompt(FRAMES), prompt(seed=3))
    assert_same(found[:3], plain)
