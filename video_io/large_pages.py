"""Fresh memory in large pages: handing out 24 MiB a frame in pages of 4 KiB takes the kernel longer than decoding the frame.

Source: madvise(2) of the Linux manual, MADV_HUGEPAGE.
"""

from __future__ import annotations

import ctypes
import mmap
import sys

import torch

LARGE = 2**21  # bytes of a large page on x86-64 and on most 64-bit Arm kernels


def in_large_pages(fresh: torch.Tensor) -> torch.Tensor:
    """The same tensor, whose memory, not yet written to, the kernel is asked to give in large pages.

    A wish: where there are no such pages nothing changes. Only whole large pages inside the tensor are named."""
    advice = getattr(mmap, "MADV_HUGEPAGE", None)
    begin = -(-fresh.data_ptr() // LARGE) * LARGE
    length = (fresh.data_ptr() + fresh.nbytes) // LARGE * LARGE - begin
    if advice is not None and sys.platform == "linux" and fresh.device.type == "cpu" and length > 0:
        ctypes.CDLL(None).madvise(ctypes.c_void_p(begin), ctypes.c_size_t(length), ctypes.c_int(advice))
    return fresh
