"""VIDEO to LATENT, encoded while it is decoded: besides the latents only one chunk of frames is in memory."""

from __future__ import annotations

from dataclasses import dataclass

import comfy.utils
import torch
from comfy_api.latest import InputImpl

from ...memory import check_memory
from ...video_io.decode import decode_in_chunks
from ...video_io.sound import read_sound
from .latent_stream import check_tile_size
from .vae_cancelling import cancelled_between_layers
from .video import FrameOptions, describe_taken, free_memory, stop, video_frames


@dataclass(frozen=True)
class VideoLatents:
    """What Video to Latents puts out:
    LATENT samples (F, C, h, w), AUDIO of the same span, and what was taken.
    """

    samples: torch.Tensor
    audio: dict | None
    fps: float
    description: str


def video_latents(video, vae, options: FrameOptions, chunk: int, tile_size: int = 0) -> VideoLatents:
    """The latents of a VIDEO's wanted frames; `chunk` frames are decoded and encoded at a time, in tiles of
    tile_size pixels (0 = whole).

    Raises ValueError as video_io.decode does, and for VAEs whose latents span several frames.
    """
    check_tile_size(tile_size)
    if vae.latent_dim != 2:
        raise ValueError(
            "this VAE encodes several frames into one latent, which cannot be done a chunk at a time; use"
            " Video to Frames and VAE Encode."
        )
    encode = _Encoder(vae, tile_size)
    if isinstance(video, InputImpl.VideoFromComponents):  # its frames are in memory already
        found = video_frames(video, options)
        parts = []
        for frames in found.images.split(chunk):
            encode.tell(sum(map(len, parts)) + len(frames), len(found.images))
            parts.append(encode(frames))
        return VideoLatents(torch.cat(parts), found.audio, found.fps, found.description)
    source = video.get_stream_source()
    parts, done = decode_in_chunks(source, options.of_video(video).reading(encode.tell), chunk, encode)
    plan, probe = done.plan, done.probe
    audio = (
        read_sound(source, plan.begin, plan.end, stop, probe.retimed, free_memory)
        if probe.has_audio
        else None
    )
    samples = torch.cat(parts)
    return VideoLatents(samples, audio, done.fps, describe_taken("latents", samples, done))


class _Encoder:
    """Encodes chunks of frames;
    with the first one it asks whether the latents of all frames fit into memory.
    """

    def __init__(self, vae, tile_size: int) -> None:
        self.vae, self.tile_size = vae, tile_size
        self.bar = comfy.utils.ProgressBar(1)
        self.total = 0  # frames that there will be
        self.asked = False

    def tell(self, done: int, total: int) -> None:
        """How many frames are decoded of how many."""
        self.total = total
        self.bar.update_absolute(done, total)

    def __call__(self, frames: torch.Tensor) -> torch.Tensor:
        """Latents (F, C, h, w) of frames (F, H, W, 3)."""
        stop()
        with cancelled_between_layers(self.vae):
            if self.tile_size:
                tile = {"tile_x": self.tile_size, "tile_y": self.tile_size, "overlap": self.tile_size // 8}
                latents = self.vae.encode_tiled(frames, **tile)
            else:
                latents = self.vae.encode(frames)
        if not self.asked:
            self.asked = True
            # Those of the chunks, and all of them in one.
            needed = 2 * self.total * latents[0].numel() * latents.element_size()
            what, remedy = f"the latents of {self.total} frames", "take fewer frames or a smaller size"
            check_memory(needed, what, remedy, free_memory)
        return latents
