"""How far two ways to one result may lie apart by rounding alone.

Other processors sum in another order, and a batch of another size may go through another kernel. The numbers
below were measured on kernels for AVX-512, AVX2, SSE4.1 and for no vectors (ATEN_CPU_CAPABILITY,
ONEDNN_MAX_CPU_ISA, MKL_CBWR), against float64 where it says so, and have room for three times as much.
"""

from __future__ import annotations

import torch

NETWORK = 5e-5
"""A tiny network in float32, once or for a few steps, in standard deviations of what is expected.

Against float64 our networks are off by up to 8e-6 of these and the goldens, which are float32 too, by up to
7e-6; both against each other by 1e-5. A loop of four steps with guidance 9 comes to 1.6e-5.
"""
DEEP_NETWORK = 1e-4
"""Show-1's upscaler: 2.3e-5 for ours, 1.8e-5 for the golden, 3.0e-5 against each other."""
SPARSE = 4e-4
"""SparseCtrl's networks, whose input is zero but for a few frames: norms meet features that are nearly
constant. Without vectors and with AVX2 convolutions 1.4e-4 (rgb) and 8.4e-5 (scribble) from the goldens.
"""
OTHER_BATCH = 1.5e-4
"""A network in float32 against itself in batches of another size, whose
kernels may be others: up to 4.2e-5 where a norm meets features that are
nearly constant. Where the network can compute in float64, let it (PRECISE).
"""
HALF = 0.1
"""A tiny network in float16, which is 2**13 times coarser: up to 3.2e-2 with guidance at cfg 4."""
SCHEDULE = 5e-5
"""A table of sigmas, relative: sqrt(1 / alpha - 1), alpha (down to 5e-8) a float32 product of 1000."""
WEIGHT = 1e-6
"""A weight of order 1 to which a product of two small matrices was added: 2**-24 of it and of the product."""


def assert_same(result: torch.Tensor, expected: torch.Tensor, tolerance: float = NETWORK) -> None:
    """Equal but for rounding: the largest difference, in standard deviations of what is expected."""
    assert result.shape == expected.shape
    result, expected = result.detach(), expected.detach()
    error = float((result - expected).abs().max() / expected.std())
    assert error < tolerance, f"differs by {error:.1e} standard deviations, more than {tolerance:.1e}"
