"""Show-1's pixel networks in small, under their published key names, for the demo's text encoder."""

from __future__ import annotations

from functools import partial

import torch

from ...host.video_models.show1 import FIRST_FRAME, LOW_RES_VIDEO, NOISE_LEVEL
from ...video_unets.show1.network import Show1UNet
from ..gold_weights import gold_input
from .key_frames import FILLS_IN
from .video_network import VideoNetwork, gentle_weights, shapes_of_network

TEXT_WIDTH = 64
SHOW1 = {"base": (3, False), "interpolation": (7, False), "sr1": (6, True)}
"""Network -> its input channels, whether it is told how noisy its input is."""


def tiny_show1(kind: str) -> dict[str, torch.Tensor]:
    """What the unet of show-1-<kind> holds, in small; its heads have the published 64 channels."""
    in_channels, noise_levels = SHOW1[kind]
    network = Show1UNet(
        in_channels=in_channels,
        out_channels=6,
        channels=[64, 64],
        layers=[1, 1],
        attention=[False, True],
        emb_channels=64,
        text_dim=TEXT_WIDTH,
        context_dim=64,
        noise_levels=noise_levels,
        device="meta",
    )
    return gentle_weights(shapes_of_network(network))


def _enlarged(frames: int, latent: tuple[int, int, int]) -> dict:
    return {
        LOW_RES_VIDEO: gold_input("low resolution", (frames, *latent)),
        FIRST_FRAME: gold_input("first frame", (1, *latent)),
        NOISE_LEVEL: 250,
    }


def _network(kind: str, golden: str, latent=(3, 8, 16), **more) -> VideoNetwork:
    tensors = partial(tiny_show1, kind)
    return VideoNetwork(f"show1_{kind}", tensors, TEXT_WIDTH, latent, golden=f"show1/{golden}", **more)


NETWORKS = (
    _network("base", "base"),
    _network("interpolation", "interp", **FILLS_IN),
    _network("sr1", "sr1", latent=(3, 16, 32), conditions=_enlarged, frame_wise=False),
)
