"""The temporal methods of this pack. A new one is a line here."""

from __future__ import annotations

from . import (
    align_your_latents,
    animatediff,
    animatelcm_i2v,
    directed_attention,
    dual_stream,
    frame_rate,
    imagen_video,
    inflated_convolutions,
    make_a_video,
    masked_frames,
    pia,
    simda,
    tune_a_video,
    video_diffusion,
)
from .camera import controls
from .method import TemporalMethod

METHODS: dict[str, TemporalMethod] = {
    method.name: method
    for method in (
        animatediff.METHOD,
        pia.METHOD,
        animatelcm_i2v.METHOD,
        *controls.METHODS,
        tune_a_video.METHOD,
        simda.METHOD,
        directed_attention.METHOD,
        directed_attention.METHOD_CAUSAL,
        align_your_latents.METHOD,
        inflated_convolutions.FACTORISED,
        inflated_convolutions.CENTRED,
        make_a_video.METHOD,
        video_diffusion.METHOD,
        imagen_video.METHOD,
        masked_frames.METHOD,
        dual_stream.METHOD,
        frame_rate.METHOD,
    )
}
"""Name -> method. Rules over every entry: tests/comfy/temporal_methods."""
