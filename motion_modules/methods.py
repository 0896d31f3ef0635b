"""The temporal methods of this pack. A new one is a line here."""

from __future__ import annotations

from . import align_your_latents, animatediff, directed_attention, simda, tune_a_video
from .method import TemporalMethod

METHODS: dict[str, TemporalMethod] = {
    method.name: method
    for method in (
        animatediff.METHOD,
        tune_a_video.METHOD,
        simda.METHOD,
        directed_attention.METHOD,
        directed_attention.METHOD_CAUSAL,
        align_your_latents.METHOD,
    )
}
"""Name -> method. Rules over every entry: tests/comfy/test_temporal_methods.py."""
