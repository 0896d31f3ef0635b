"""An image VAE whose decoder sees the frames of a video together: known numbers of neighbouring frames in
every pass, whatever core's batches and tiles are.

Core decodes as many images of a batch at once as memory has room for, and tiles one image after another. To
its code each pass is therefore one video of a video VAE: it is asked for all frames of a tile, and when
memory runs out it takes smaller tiles, not fewer frames.

Letters: N images, B videos, F frames, N = B*F, C channels, h, w of the latent, H, W of the picture.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import comfy.sd
import torch
from einops import rearrange

from ...memory import check_memory, free_memory
from ...motion_modules.call import in_forward
from ..media.vae_cancelling import cancelled_between_layers
from ..node_notes import current_node, say

_TILE = 256
"""Pixels of a tile where whole frames have no room: what core takes then."""


@dataclass(frozen=True)
class FrameSettings:
    """Which frames are decoded together. frames_per_video: F of each video in a batch, 0 = the whole batch.

    A video is decoded chunk_frames frames at a time, with chunk_overlap further ones on both sides that are
    decoded again with their own chunk.
    """

    frames_per_video: int = 0
    chunk_frames: int = 8
    chunk_overlap: int = 4

    def __post_init__(self) -> None:
        if self.frames_per_video < 0 or self.chunk_frames < 1 or self.chunk_overlap < 0:
            raise ValueError(
                f"frames_per_video={self.frames_per_video} must be 0 or more, "
                f"chunk_frames={self.chunk_frames} 1 or more and chunk_overlap={self.chunk_overlap} 0 or"
                " more; 0, 8 and 4 are usual."
            )

    def passes(self, num_frames: int) -> Iterator[tuple[range, range]]:
        """(frames that are decoded, those of them that are kept), chunk by chunk.

        12 frames in chunks of 4 that overlap by 2: 0-5 for 0-3, 2-9 for 4-7, 6-11 for 8-11. What a single
        pass can hold is not divided.
        """
        if num_frames <= self.chunk_frames + 2 * self.chunk_overlap:
            yield range(num_frames), range(num_frames)
            return
        for start in range(0, num_frames, self.chunk_frames):
            end = min(start + self.chunk_frames, num_frames)
            first, last = max(0, start - self.chunk_overlap), min(end + self.chunk_overlap, num_frames)
            yield range(first, last), range(start, end)


class FrameVAE(comfy.sd.VAE):
    """A VAE as core's nodes know it; latents (N, C, h, w) are frames, (B, C, F, h, w) are videos."""

    settings: FrameSettings

    @classmethod
    def of(cls, vae: comfy.sd.VAE, settings: FrameSettings) -> FrameVAE:
        """The same VAE, with a patcher of its own."""
        new = cls.__new__(cls)
        new.__dict__.update(vae.__dict__)
        new.patcher, new.settings = vae.patcher.clone(), settings
        return new

    def decode(self, samples_in: torch.Tensor, vae_options: dict | None = None) -> torch.Tensor:
        """Pictures (N, H, W, 3), of videos (B, F, H, W, 3), in 0..1."""
        return self._decoded(samples_in, lambda video: self._decode_pass(video, vae_options or {}))

    def decode_tiled(
        self, samples, tile_x=None, tile_y=None, overlap=None, tile_t=None, overlap_t=None
    ) -> torch.Tensor:
        """`decode` in tiles, sizes in latents; each tile has all frames of its pass."""
        x, y, around = tile_x or 64, tile_y or 64, 16 if overlap is None else overlap
        return self._decoded(samples, lambda video: self._decode_in_tiles(video, x, y, around))

    def videos_of(self, samples: torch.Tensor) -> torch.Tensor:
        """Latents as videos (B, C, F, h, w). Raises ValueError where they are no whole number of them."""
        if samples.ndim == 5:
            return samples
        frames = self.settings.frames_per_video or len(samples)
        if len(samples) % frames:
            raise ValueError(
                f"the batch of {len(samples)} latents is not a whole number of videos of frames_per_video="
                f"{frames}; decode a multiple of {frames}, or set frames_per_video to 0 (the whole batch is "
                "one video)."
            )
        return rearrange(samples, "(b f) c h w -> b c f h w", f=frames)

    def _decoded(
        self, samples: torch.Tensor, decode_pass: Callable[[torch.Tensor], torch.Tensor]
    ) -> torch.Tensor:
        """decode_pass: (1, C, F, h, w) -> (1, F, H, W, 3)."""
        videos, frames = self.videos_of(samples), None
        for video, latents in enumerate(videos.split(1)):
            for decoded, kept in self.settings.passes(latents.shape[2]):
                with cancelled_between_layers(self):
                    found = decode_pass(latents[:, :, decoded.start : decoded.stop])
                if frames is None:
                    frames = found.new_empty((len(videos), latents.shape[2], *found.shape[2:]))
                own = slice(kept.start - decoded.start, kept.stop - decoded.start)
                frames[video, kept.start : kept.stop] = found[0, own]
        return frames if samples.ndim == 5 else frames.flatten(0, 1)

    def _decode_pass(self, video: torch.Tensor, vae_options: dict) -> torch.Tensor:
        """One pass in whole frames, or in tiles where they have no room.

        On a GPU core finds that out by itself; main memory would be swapped to disk without an error.
        """
        view = self._as_video_vae()
        if self.device.type != "cpu" or view.memory_used_decode(video.shape, self.vae_dtype) <= free_memory():
            return comfy.sd.VAE.decode(view, video, vae_options)
        tile = _TILE // self.spacial_compression_decode()
        _check_tiles(view, video[..., :tile, :tile].shape)
        say(
            f"{_frames_in(view, video.shape)} have no room in memory: tiles of {_TILE} pixels.",
            current_node(),
        )
        return self._decode_in_tiles(video, tile, tile, tile // 4)

    def _decode_in_tiles(self, video: torch.Tensor, x: int, y: int, overlap: int) -> torch.Tensor:
        view = self._as_video_vae()
        return comfy.sd.VAE.decode_tiled(view, video, tile_x=x, tile_y=y, overlap=overlap)

    def _as_video_vae(self) -> FrameVAE:
        """This VAE as one of a video model, to core's code."""
        view, scale = copy.copy(self), self.spacial_compression_decode()
        view.latent_dim = 3
        view.upscale_ratio = view.upscale_index_formula = (1, scale, scale)
        view.memory_used_decode = self._memory_of_video
        view.first_stage_model = _Frames(self.first_stage_model)
        return view

    def _memory_of_video(self, shape: torch.Size, dtype: torch.dtype) -> float:
        return shape[2] * self.memory_used_decode((1, shape[1], *shape[3:]), dtype)


class _Frames:
    """The network as core's VAE uses that of a video model."""

    def __init__(self, network: torch.nn.Module):
        self.network = network

    def decode(self, video: torch.Tensor, **options) -> torch.Tensor:
        """(1, C, F, h, w) -> (1, 3, F, H, W)."""
        frames = rearrange(video, "1 c f h w -> f c h w")
        with in_forward(self.network, len(frames), {}):
            return rearrange(self.network.decode(frames, **options), "f c h w -> 1 c f h w")


def _check_tiles(view: FrameVAE, shape: torch.Size) -> None:
    """Raises ValueError where even a tile (1, C, F, h, w) of a pass has no room."""
    remedy = "lower chunk_frames or chunk_overlap of Apply Temporal Decoder"
    check_memory(int(view.memory_used_decode(shape, view.vae_dtype)), _frames_in(view, shape), remedy)


def _frames_in(view: FrameVAE, shape: torch.Size) -> str:
    scale = view.spacial_compression_decode()
    return f"{shape[2]} frames of {shape[4] * scale}x{shape[3] * scale} that are decoded together"
