"""What models want of the frames they are given:
how many, how fast, and sides that are a multiple of what.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from .frame_plan import FrameRequest

LENGTH_RULES = {"any": (1, 0), "4n+1": (4, 1), "8n+1": (8, 1), "8n": (8, 0), "16n": (16, 0)}
"""What a node offers -> multiple and offset:
Wan and HunyuanVideo take 4n+1 frames, LTX-Video 8n+1, AnimateDiff 16.
"""


@dataclass(frozen=True)
class FramePreset:
    """The rate, cap and length rule that fill in for what was left open,
    and the multiple of both sides that is added.
    """

    rate: float = 0.0  # frames per second, 0 = the source's
    frame_cap: int = 0  # frames, 0 = all
    length: str = "any"  # of LENGTH_RULES
    multiple: int = 1  # pixels

    def complete(self, request: FrameRequest) -> FrameRequest:
        """A request whose rate, cap and length rule come from the preset where they were left open."""
        rule = (request.multiple, request.offset) if request.multiple > 1 else LENGTH_RULES[self.length]
        return replace(
            request,
            force_rate=request.force_rate or self.rate,
            frame_cap=request.frame_cap or self.frame_cap,
            multiple=rule[0],
            offset=rule[1],
        )

    def multiple_of(self, multiple: int) -> int:
        """The multiple of both sides that suits the model and what was asked for."""
        return math.lcm(multiple, self.multiple)


FRAME_PRESETS = {
    "none": FramePreset(),
    "AnimateDiff": FramePreset(8, 16, multiple=8),
    "AnimateDiff, long": FramePreset(8, length="16n", multiple=8),
    "ModelScope, ZeroScope": FramePreset(8, 24, multiple=8),
    "Stable Video Diffusion": FramePreset(6, 25, multiple=64),
    "Wan": FramePreset(16, 81, "4n+1", 16),
    "HunyuanVideo": FramePreset(24, 129, "4n+1", 16),
    "LTX-Video": FramePreset(25, 97, "8n+1", 32),
}
"""What a node offers. The numbers of frames of Wan and LTX-Video, and LTX-Video's rate, are the defaults of
ComfyUI's own nodes for them; Wan's rate is that of Wan 2.1's configuration (2.2's 5B model takes 24);
HunyuanVideo's are those of its sampling script.
"""
