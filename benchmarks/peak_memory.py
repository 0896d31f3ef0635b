"""The most memory that this process holds while something runs."""

from __future__ import annotations

import re
from pathlib import Path


class Peak:
    """The most memory that this process (on a GPU: torch's allocator) held while it was entered,
    and how much `more` than before.
    """

    def __init__(self, device=None):
        self.device = device if device is not None and device.type == "cuda" else None

    def __enter__(self) -> Peak:
        if self.device is not None:
            import torch

            torch.cuda.reset_peak_memory_stats(self.device)
            self._before = torch.cuda.memory_allocated(self.device)
        else:
            Path("/proc/self/clear_refs").write_text("5")  # Linux begins to look for the highest value anew
            self._before = resident()
        return self

    def so_far(self) -> int:
        """Bytes more than before, at most until now."""
        if self.device is not None:
            import torch

            return torch.cuda.max_memory_allocated(self.device) - self._before
        return resident("VmHWM") - self._before

    def __exit__(self, *error) -> None:
        self.more = self.so_far()


def resident(kind: str = "VmRSS") -> int:
    """Bytes of this process in memory, now (VmRSS) or at most (VmHWM); Linux only."""
    return int(re.search(kind + r":\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024
