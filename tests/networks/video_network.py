"""One tiny network of a published video system, as workflows, tests of systems in use and benchmarks read it.

Letters: F frames, C channels, H height, W width of what is sampled, T tokens and D width of a text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from ..gold_weights import gold_input, gold_tensor

LAST_LAYER = re.compile(r"(^|\.)(out\.2|conv_out)\.")


@dataclass(frozen=True)
class VideoNetwork:
    """A published system in small; its layers stand where the published ones stand.

    system: its name in VIDEO_UNETS. tensors: makes what its file holds. text_width: D. latent: (C, H, W).
    conditions: what its conditioning nodes add to a prompt, for F frames of a latent (C, H, W).
    num_frames: F of a test. lengths: other F that run. frame_wise: whether what a frame is conditioned on
    does not depend on the frames around it. controlnets: whether ControlNets for it exist. golden: the case
    of its reference. tokens: T.
    """

    system: str
    tensors: Callable[[], dict[str, torch.Tensor]]
    text_width: int
    latent: tuple[int, int, int] = (4, 5, 3)
    conditions: Callable[[int, tuple[int, int, int]], dict] = lambda frames, latent: {}
    num_frames: int = 5
    lengths: tuple[int, ...] = (1, 3, 7)
    frame_wise: bool = True
    controlnets: bool = False
    golden: str = ""
    tokens: int = 7

    def prompt(self, name: str, frames: int, rows: int = 1) -> list:
        """A conditioning of `rows` seeded texts (rows, T, D) for a video of `frames` frames."""
        text = gold_input(name, (rows, self.tokens, self.text_width))
        return [[text, {"pooled_output": None, **self.conditions(frames, self.latent)}]]

    def write(self, path: Path) -> None:
        """Writes its file as a pickle of torch."""
        torch.save(self.tensors(), path)


def gentle_weights(shapes, gain: float = 0.3) -> dict[str, torch.Tensor]:
    """Seeded weights whose last layer is weak, so that sampling stays in the range of real latents."""
    return {
        key: gold_tensor(key, shape, gain if LAST_LAYER.search(key) else 1.0) for key, shape in shapes.items()
    }


def shapes_of_network(network: torch.nn.Module) -> dict[str, tuple[int, ...]]:
    """{key: shape} of a network, which may be on the meta device."""
    return {key: tuple(value.shape) for key, value in network.state_dict().items()}
