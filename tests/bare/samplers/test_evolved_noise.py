"""Noise types that AnimateDiff-Evolved has too give its noise (tests/data/goldens/ade)."""

import pytest
import torch
from safetensors.torch import load_file
from zoetrope.samplers.noise import NOISE_TYPES, arrange_noise

from ...places import GOLDENS


@pytest.mark.parametrize("noise_type", NOISE_TYPES)
def test_noise_is_its_own(noise_type):
    """18 frames of seed 11 in windows of 8, overlap 3."""
    expected = load_file(GOLDENS / "ade" / "noise.safetensors")
    plain = expected["default"]
    assert torch.equal(arrange_noise(plain, noise_type, 0, 8, 3, 11), expected[noise_type])
