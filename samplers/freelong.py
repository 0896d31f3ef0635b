"""FreeLong: slow changes of a video from attention over all its frames, fast ones from attention in windows.

Attention over more frames than a network was trained for keeps the whole together and loses the details of
motion; attention in windows does the opposite.

Source: FreeLong (Lu et al. 2024, arXiv 2407.19918): IFFT(FFT(global) P + FFT(local) (1 - P)), P gaussian with
the cut-off 0.25. Frequencies are those over frames; over places as well is not known to be meant.

Letters: B batch, F frames, C channels.
"""

from __future__ import annotations

import torch

from .freeinit import gaussian

CUT_OFF = 0.25


def slow_part(num_frames: int) -> torch.Tensor:
    """The matrix (F, F) that takes the low frequencies of a sequence of frames: the filter without a Fourier
    transform, which not every device has.
    """
    kernel = torch.fft.ifft(gaussian((num_frames, 1, 1), CUT_OFF, CUT_OFF).flatten()).real
    numbers = torch.arange(num_frames)
    return kernel[(numbers[:, None] - numbers) % num_frames]


def blend(whole: torch.Tensor, windows: torch.Tensor, slow: torch.Tensor) -> torch.Tensor:
    """The low frequencies over frames of `whole` and the high ones of `windows`, both (B, F, C)."""
    return windows + torch.matmul(slow.to(windows), whole - windows)
