"""Inputs of the nodes that make frames share noise."""

from __future__ import annotations

from comfy_api.latest import io

from ...samplers.shared_noise import NOISE_SHARES
from ..videos_in_batch import frames_per_video


def share_inputs() -> list[io.Input]:
    """How noise is shared: the fields of SharedNoiseSettings."""
    return [
        io.Combo.Input(
            "share",
            options=list(NOISE_SHARES),
            default="same",
            tooltip=(
                "same: one noise for all frames (Make-A-Video). mixed: common and own noise in every frame"
                " (PYoCo). progressive: each frame's noise continues that of the frame before (PYoCo)."
            ),
        ),
        io.Float.Input(
            "amount",
            default=1.0,
            min=0.0,
            max=1000.0,
            step=0.05,
            tooltip=(
                "mixed and progressive: weight of the shared noise against a frame's own, PYoCo's alpha. 0"
                " = none is shared, 1 = as much as own; large values come close to same."
            ),
        ),
        frames_per_video(
            "Frames of one video when a batch holds several one after another; 0 = all frames are one"
            " video. Each video gets noise of its own."
        ),
    ]
