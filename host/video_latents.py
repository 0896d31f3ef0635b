"""VIDEO to LATENT, encoded while it is decoded: besides the latents only one chunk of frames is in memory."""

from __future__ import annotations

from dataclasses import dataclass

import comfy.utils
import torch
from comfy_api.latest import InputImpl

from ..video_io.decode import decode_in_chunks
from ..video_io.sound import read_sound
from .vae_cancelling import cancelled_between_layers
from .video import FrameOptions, describe_taken, free_memory, stop, video_frames, within_trim


@dataclass(frozen=True)
class VideoLatents:
    """What Video to Latents puts out: LATENT samples (F, C, h, w), AUDIO of the same span, and what was taken."""

    samples: torch.Tensor
    audio: dict | None
    fps: float
    description: str


def video_latents(video, vae, options: FrameOptions, chunk: int, tile_size: int = 0) -> VideoLatents:
    """The latents of a VIDEO's wished frames; `chunk` frames are decoded and encoded at a time, in tiles of tile_size pixels (0 = whole).

    Raises ValueError as video_io.decode does, and for VAEs whose latents span several frames."""
    if vae.latent_dim != 2:
        raise ValueError(
            "this VAE encodes several frames into one latent, which cannot be done a chunk at a time; use Video to Frames and VAE Encode."
        )

    def encode(frames: torch.Tensor) -> torch.Tensor:
        stop()
        with cancelled_between_layers(vae):
            if tile_size:
                return vae.encode_tiled(frames, tile_x=tile_size, tile_y=tile_size, overlap=tile_size // 8)
            return vae.encode(frames)

    if isinstance(video, InputImpl.VideoFromComponents):  # its frames are in memory already
        found = video_frames(video, options)
        bar = comfy.utils.ProgressBar(len(found.images))
        parts = []
        for frames in found.images.split(chunk):
            parts.append(encode(frames))
            bar.update(len(frames))
        return VideoLatents(torch.cat(parts), found.audio, found.fps, found.description)
    source = video.get_stream_source()
    wish = within_trim(options.wish, *video.get_active_trim_window())
    bar = comfy.utils.ProgressBar(1)
    parts, done = decode_in_chunks(source, wish, options.size, chunk, encode, free_memory, bar.update_absolute, stop)
    plan, facts = done.plan, done.facts
    audio = read_sound(source, plan.begin, plan.end, stop, facts.retimed) if facts.has_audio else None
    samples = torch.cat(parts)
    return VideoLatents(samples, audio, done.fps, describe_taken("latents", samples, done))
