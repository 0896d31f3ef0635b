"""Oscillating guidance: which scale each step has."""

import pytest
from zoetrope.samplers.oscillating_guidance import OscillationSettings, guidance_of_step


def scales(steps, high=15.0, **settings):
    return [guidance_of_step(OscillationSettings(**settings), step, high) for step in range(steps)]


def test_first_steps_are_high_then_low_and_high_take_turns():
    assert scales(7, high_steps=3) == [15, 15, 15, 1, 15, 1, 15]
    assert scales(5, low_cfg=2.5, high_steps=0) == [2.5, 15, 2.5, 15, 2.5]
    assert scales(5, high_steps=5) == [15] * 5


def test_bad_settings_are_refused():
    with pytest.raises(ValueError, match="low_cfg=nan must be a number"):
        OscillationSettings(low_cfg=float("nan"))
    with pytest.raises(ValueError, match="high_steps=-1 must be at least 0"):
        OscillationSettings(high_steps=-1)
