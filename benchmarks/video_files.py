"""Files of the published video networks at their full size, made from the manifests with seeded values, and
what a step on them needs.

Every weight is a view of a short row of numbers, shifted by one from line to line, which torch's own kind of
file keeps a few kilobytes small; `whole` writes every number out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch

from ..tests.networks.golden_cases import manifest

SMALLEST = 8  # rows and columns of latents that every network can halve three times


@dataclass(frozen=True)
class PublishedSize:
    """A published file and the sizes of a step on it."""

    manifest: str
    frames: int  # as published
    height: int  # of the latents, as published
    width: int
    text: int  # width of the text
    least_frames: int = 2
    least_size: int = SMALLEST
    base_scale: float | None = None  # what the file's scale_arr ends with
    conditioning: str = ""  # the node of core's that conditions it: a checkpoint that core loads itself
    more: Mapping[str, tuple[int, ...] | None] = field(default_factory=dict)
    """Further arguments of the network: their shape behind the conditionings, None for one number a frame."""

    def shape(self, published: bool) -> tuple[int, int, int]:
        """(frames, height, width) as published or the smallest legal ones."""
        return (
            (self.frames, self.height, self.width)
            if published
            else (self.least_frames, self.least_size, self.least_size)
        )


FPS = {"fps": ()}
IMAGE = FPS | {"image_tokens": (16, 1024)}
IMAGES = FPS | {"image_tokens": (256, 1024)}
LEVEL = {"y": None}

SIZES = {
    "modelscope": PublishedSize("modelscope_text2video_pytorch_model", 16, 32, 32, 1024),
    "modelscope_diffusers": PublishedSize("diffusers_text-to-video-ms-1.7b_unet", 16, 32, 32, 1024),
    "zeroscope_v2_576w": PublishedSize("modelscope_text2video_pytorch_model", 24, 40, 72, 1024),
    "zeroscope_v2_XL": PublishedSize("modelscope_text2video_pytorch_model", 24, 72, 128, 1024),
    "videocrafter1_t2v_512": PublishedSize("videocrafter1_t2v_512", 16, 40, 64, 1024),
    "videocrafter1_t2v_1024": PublishedSize(
        "videocrafter1_t2v_1024", 16, 72, 128, 1024, base_scale=0.3, more=FPS
    ),
    "videocrafter2_t2v_512": PublishedSize(
        "videocrafter2_t2v_512", 16, 40, 64, 1024, base_scale=0.7, more=FPS
    ),
    "videocrafter1_i2v_512": PublishedSize(
        "videocrafter1_i2v_512", 16, 40, 64, 1024, base_scale=0.7, more=IMAGE
    ),
    "dynamicrafter_256": PublishedSize("dynamicrafter_256", 16, 32, 32, 1024, least_frames=16, more=IMAGES),
    "dynamicrafter_512": PublishedSize(
        "dynamicrafter_512", 16, 40, 64, 1024, least_frames=16, base_scale=0.7, more=IMAGES
    ),
    "dynamicrafter_1024": PublishedSize(
        "dynamicrafter_1024", 16, 72, 128, 1024, least_frames=16, base_scale=0.3, more=IMAGES
    ),
    "lavie_base": PublishedSize("lavie_base", 16, 40, 64, 768),
    "lavie_interpolation": PublishedSize("lavie_interpolation", 61, 40, 64, 768, least_frames=5),
    "lavie_vsr": PublishedSize("lavie_vsr", 8, 320, 512, 1024, more=LEVEL),
    "show1_base": PublishedSize("show1_base_unet", 8, 40, 64, 4096),
    "show1_interpolation": PublishedSize("show1_interpolation_unet_assumed", 5, 40, 64, 4096, least_frames=5),
    "show1_sr1": PublishedSize("show1_sr1_unet", 8, 160, 256, 4096, least_size=16, more=LEVEL),
    "svd": PublishedSize("svd", 14, 72, 128, 1024, conditioning="SVD_img2vid_Conditioning"),
    "svd_xt": PublishedSize("svd_xt", 25, 72, 128, 1024, conditioning="SVD_img2vid_Conditioning"),
    "sv3d_u": PublishedSize("sv3d_u", 21, 72, 72, 1024, conditioning="SV3D_Conditioning"),
    "sv3d_p": PublishedSize("sv3d_p", 21, 72, 72, 1024, conditioning="SV3D_Conditioning"),
}
"""Published file -> its sizes; the ZeroScopes are ModelScopeT2V's network, Show-1's sr2 is
modelscope_diffusers.
"""


def write_file(path: Path, size: PublishedSize, whole: bool = False) -> None:
    """The published file in small or, with `whole`, in full, as a pickle of torch."""
    generator = torch.Generator().manual_seed(0)
    tensors = {key: _weight(key, shape, generator) for key, shape in manifest(size.manifest).items()}
    if size.base_scale is not None:
        tensors["scale_arr"] = torch.cat(
            (torch.linspace(1, size.base_scale, 400), torch.full((1000,), size.base_scale))
        )
    if whole:
        tensors = {key: value.clone(memory_format=torch.contiguous_format) for key, value in tensors.items()}
    torch.save({"state_dict": tensors}, path)


def _weight(key: str, shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
    """Biases near 0, norms near 1, matrices so that activations keep their size; float32."""
    row = torch.randn(max(1, sum(shape)), generator=generator)
    if len(shape) < 2:
        return (0.02 * row + float(key.endswith("weight"))).reshape(shape)
    return (row / math.sqrt(math.prod(shape[1:]))).as_strided(shape, [1] * len(shape))
