"""Every video system that has no files of its own among
the tests, in small, with the conditioning that it needs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from .....host.video_models.key_frames import FRAMES_BETWEEN, KEY_FRAMES
from .....host.video_models.lavie import LOW_RESOLUTION, NOISE_AUGMENTATION
from .....host.video_models.show1 import FIRST_FRAME, LOW_RES_VIDEO, NOISE_LEVEL
from ...cascade_standins import tiny_lavie, tiny_show1
from ...video_standins import tiny_modelscope
from ..context_rig import seeded

F = 5


@dataclass(frozen=True)
class InUse:
    """One system as the tests use it."""

    tensors: Callable[[], dict[str, torch.Tensor]]  # what its file holds
    latent: tuple[int, int, int] = (4, 5, 3)  # channels, height, width of what is sampled
    conditions: Callable[[InUse, int], dict] = (
        lambda system, frames: {}
    )  # what its conditioning nodes add to prompts of so many frames
    frame_wise: bool = True  # whether what a frame is conditioned on does not depend on the frames around it
    controlnets: bool = False  # whether ControlNets for it exist
    lengths: tuple[int, ...] = (1, 3, 7)


def _key_frames(system: InUse, frames: int) -> dict:
    return {KEY_FRAMES: seeded((frames - 1) // (FRAMES_BETWEEN + 1) + 1, *system.latent, seed=21)}


def _low_resolution(system: InUse, frames: int) -> dict:
    return {LOW_RESOLUTION: seeded(frames, 3, *system.latent[1:], seed=22), NOISE_AUGMENTATION: 0.0}


def _enlarged(system: InUse, frames: int) -> dict:
    return {
        LOW_RES_VIDEO: seeded(frames, *system.latent, seed=23),
        FIRST_FRAME: seeded(1, *system.latent, seed=24),
        NOISE_LEVEL: 250,
    }


_FILLS_IN = {"conditions": _key_frames, "frame_wise": False, "lengths": (5, 9)}

SYSTEMS: dict[str, InUse] = {
    "modelscope": InUse(tiny_modelscope, controlnets=True),
    "lavie_base": InUse(lambda: tiny_lavie("base"), controlnets=True),
    "lavie_interpolation": InUse(lambda: tiny_lavie("interpolation"), controlnets=True, **_FILLS_IN),
    "lavie_vsr": InUse(lambda: tiny_lavie("vsr"), conditions=_low_resolution),
    "show1_base": InUse(lambda: tiny_show1("base"), latent=(3, 8, 16)),
    "show1_interpolation": InUse(lambda: tiny_show1("interpolation"), latent=(3, 8, 16), **_FILLS_IN),
    "show1_sr1": InUse(lambda: tiny_show1("sr1"), latent=(3, 16, 32), conditions=_enlarged, frame_wise=False),
}
"""A new system joins with an entry."""
