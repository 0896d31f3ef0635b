"""Numbers as cosines and sines of many wavelengths, which a linear layer can tell apart.

Source: Vaswani et al. 2017, arXiv 1706.03762, section 3.5, in the layout of ComfyUI's timestep embedding.
"""

from __future__ import annotations

import math

import torch


def sinusoids(numbers: torch.Tensor, channels: int) -> torch.Tensor:
    """numbers (n,) -> (n, channels) float32: cosines in the first half of the channels, sines in the second;
    the wavelengths go from 2 pi to nearly 20000 pi.
    """
    half = channels // 2
    rates = torch.exp(torch.arange(half, device=numbers.device) * (-math.log(10000) / half))
    angles = numbers[:, None] * rates
    return torch.cat((angles.cos(), angles.sin()), -1)
