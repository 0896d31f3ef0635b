"""LATENT to frames, a chunk at a time, with whatever VAE there is.

VAEs that look at neighbouring frames (SVD's decoder, whose frames are the batch, image VAEs with temporal
layers, and video VAEs with 5-D latents) get some latents more on both sides of every chunk; what is decoded
of those is thrown away. Letters: B videos, T latents in time, F frames, C channels, h, w of the latent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from ...video_io.frame_size import Size
from ..video_models.frame_vae import FrameVAE
from .vae_cancelling import cancelled_between_layers

SMALLEST_TILE = 64  # pixels


def check_tile_size(tile_size: int) -> None:
    """Raises ValueError for tiles (pixels) that are smaller
    than what a VAE's layers look at; 0 = whole frames.
    """
    if tile_size and tile_size < SMALLEST_TILE:
        raise ValueError(
            f"tile_size={tile_size} must be 0 (whole frames) or at least {SMALLEST_TILE} pixels; 512 is "
            "usual."
        )


@dataclass(frozen=True)
class ChunkRequest:
    """How much is decoded at once."""

    chunk_frames: int = 8  # latents in time
    chunk_overlap: int = 4  # latents on each side of a chunk, for VAEs that look at neighbours
    tile_size: int = 0  # pixels, 0 = whole frames

    def __post_init__(self) -> None:
        if self.chunk_frames < 1 or self.chunk_overlap < 0:
            raise ValueError(
                f"chunk_frames={self.chunk_frames} must be 1 or more and"
                f" chunk_overlap={self.chunk_overlap} 0 or more; 8 and 4 are usual."
            )
        check_tile_size(self.tile_size)


class LatentStream:
    """The frames of a LATENT, decoded when they are asked for.

    Raises ValueError for latents that the VAE does not take."""

    def __init__(self, vae, samples: torch.Tensor, request: ChunkRequest) -> None:
        dimensions = vae.latent_dim + 2
        if isinstance(vae, FrameVAE):  # the frames of each video together, and of no other
            samples, dimensions = vae.videos_of(samples), 5
        elif samples.ndim == 5 and vae.latent_dim == 2:  # an image VAE takes the frames one by one
            samples = samples.movedim(2, 1).flatten(0, 1)
        if samples.ndim != dimensions or samples.shape[1] != vae.latent_channels:
            raise ValueError(
                f"latents of shape {tuple(samples.shape)} do not fit this VAE, which takes"
                f" {vae.latent_channels} channels and {dimensions} dimensions; load the VAE of the"
                " model that made them."
            )
        self._vae, self._request = vae, request
        self._in_time = samples.ndim == 5
        self._videos = list(samples.split(1)) if self._in_time else [samples]
        self.count = sum(self._frames_of(self._length(video)) for video in self._videos)
        scale = vae.spacial_compression_decode()
        self.size = Size(samples.shape[-1] * scale, samples.shape[-2] * scale)

    def frames(self, backward: bool = False) -> Iterator[tuple[torch.Tensor, None]]:
        """Every frame (H, W, 3) in 0..1, from the last to the first when backward, with no opacity."""
        for video in reversed(self._videos) if backward else self._videos:
            starts = range(0, self._length(video), self._request.chunk_frames)
            for start in reversed(starts) if backward else starts:
                decoded = self._decode(
                    video, start, min(start + self._request.chunk_frames, self._length(video))
                )
                for frame in decoded.flip(0) if backward else decoded:
                    yield frame, None

    def _decode(self, video: torch.Tensor, start: int, end: int) -> torch.Tensor:
        around = self._request.chunk_overlap if self._in_time or looks_at_neighbours(self._vae) else 0
        # The first latent of what a video VAE decodes becomes fewer frames than the others.
        if self._in_time and not isinstance(self._vae, FrameVAE):
            around = max(1, around)
        first, last = max(0, start - around), min(self._length(video), end + around)
        latents = video[:, :, first:last] if self._in_time else video[first:last]
        frames = decode_latents(self._vae, latents, self._request.tile_size)
        return frames[self._frames_of(start - first) : self._frames_of(end - first)]

    def _length(self, video: torch.Tensor) -> int:
        return video.shape[2] if self._in_time else len(video)

    def _frames_of(self, latents: int) -> int:
        """How many frames the first so many latents become."""
        ratio = self._vae.upscale_ratio
        return int(ratio[0](latents)) if self._in_time and latents and isinstance(ratio, tuple) else latents


def looks_at_neighbours(vae) -> bool:
    """Whether an image VAE's decoder mixes the frames of a batch, as SVD's does."""
    decoder = getattr(vae.first_stage_model, "decoder", None)
    return decoder is not None and any(isinstance(module, torch.nn.Conv3d) for module in decoder.modules())


def decode_latents(vae, latents: torch.Tensor, tile_size: int) -> torch.Tensor:
    """Frames (F, H, W, 3) of one chunk; tile_size in pixels, 0 = whole frames."""
    with cancelled_between_layers(vae):
        if tile_size:
            tile = max(8, tile_size // vae.spacial_compression_decode())
            frames = vae.decode_tiled(latents, tile_x=tile, tile_y=tile, overlap=tile // 8)
        else:
            frames = vae.decode(latents)
    return frames.reshape(-1, *frames.shape[-3:])
