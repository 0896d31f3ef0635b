"""HDR and wide-gamut pictures as an SDR screen shows them: PQ, HLG and SDR in BT.2020 to BT.709.

Source: ITU-R BT.2100-2 (PQ and HLG curves), BT.2087 (conversion of primaries), BT.2408 (203 cd/m2 is diffuse
white). Pictures are (..., 3), values 0..1.
"""

from __future__ import annotations

import torch

PQ, HLG = 16, 18  # ffmpeg's numbers of the transfer curves
BT2020 = 9  # its number of the primaries
DIFFUSE_WHITE, PEAK = 203.0, 1000.0  # cd/m2; brighter than PEAK is shown as PEAK
BT2020_TO_BT709 = ((1.6605, -0.5876, -0.0728), (-0.1246, 1.1329, -0.0083), (-0.0182, -0.1006, 1.1187))


def pq_to_light(signal: torch.Tensor) -> torch.Tensor:
    """BT.2100 PQ signal to cd/m2."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    power = signal.clamp(0, 1) ** (1 / m2)
    return 10000 * ((power - c1).clamp(min=0) / (c2 - c3 * power)) ** (1 / m1)


def hlg_to_light(signal: torch.Tensor) -> torch.Tensor:
    """BT.2100 HLG signal to cd/m2 on a screen of 1000 cd/m2."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    signal = signal.clamp(0, 1)
    scene = torch.where(signal <= 0.5, signal**2 / 3, (((signal - c) / a).exp() + b) / 12)
    luma = (scene * torch.tensor((0.2627, 0.6780, 0.0593))).sum(-1, keepdim=True)
    return PEAK * luma.clamp(min=1e-6) ** 0.2 * scene


def sdr_to_light(signal: torch.Tensor) -> torch.Tensor:
    """BT.2020 signal without HDR to light, 1 = white."""
    signal = signal.clamp(0, 1)
    return torch.where(signal < 0.081, signal / 4.5, ((signal + 0.099) / 1.099) ** (1 / 0.45))


def is_wider(primaries: int, transfer: int) -> bool:
    """Whether pictures with these tags show more than BT.709 does."""
    return transfer in (PQ, HLG) or primaries == BT2020


def to_display(signal: torch.Tensor, transfer: int) -> torch.Tensor:
    """A BT.2020 picture as BT.709 signal:
    HDR's highlights above diffuse white are compressed, colours outside BT.709 clipped.
    """
    to_light = {PQ: pq_to_light, HLG: hlg_to_light}.get(transfer)
    light = sdr_to_light(signal) if to_light is None else to_light(signal) / DIFFUSE_WHITE
    linear = torch.einsum("dc,...c->...d", torch.tensor(BT2020_TO_BT709), light).clamp(min=0)
    if to_light is not None:
        brightest = linear.amax(-1, keepdim=True).clamp(min=1e-6)
        peak = PEAK / DIFFUSE_WHITE
        # Extended Reinhard: 0 stays 0, the peak becomes 1, and the ratio of the channels is kept.
        linear = linear * (1 + brightest / peak**2) / (1 + brightest)
    shown = linear.clamp(0, 1)
    return torch.where(shown < 0.018, 4.5 * shown, 1.099 * shown.clamp(min=1e-6) ** 0.45 - 0.099)
