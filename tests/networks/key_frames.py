"""What the networks have in common that fill in between key frames."""

from __future__ import annotations

from ...host.video_models.key_frames import FRAMES_BETWEEN, KEY_FRAMES
from ..gold_weights import gold_input


def _key_frames(frames: int, latent: tuple[int, int, int]) -> dict:
    return {KEY_FRAMES: gold_input("key frames", ((frames - 1) // (FRAMES_BETWEEN + 1) + 1, *latent))}


FILLS_IN = {"conditions": _key_frames, "frame_wise": False, "lengths": (5, 9)}
"""Arguments of their VideoNetwork."""
