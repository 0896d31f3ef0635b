"""Files of the published video networks at their full size, made from the manifests with seeded values, and
what a step on them needs.

Every weight is a view of a short row of numbers, shifted by one from line to line, which torch's own kind of
file keeps a few kilobytes small; `whole` writes every number out.
"""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch

from ..host.video_models.key_frames import FRAMES_BETWEEN, KEY_FRAMES
from ..host.video_models.lavie import LOW_RESOLUTION, NOISE_AUGMENTATION
from ..host.video_models.show1 import FIRST_FRAME, LOW_RES_VIDEO, NOISE_LEVEL

MANIFESTS = Path(__file__).resolve().parents[1] / "tests" / "data" / "manifests"
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


def manifest(name: str) -> dict[str, list[int]]:
    """{key: shape} of a published file."""
    content = json.loads(gzip.decompress((MANIFESTS / f"{name}.json.gz").read_bytes()))["tensors"]
    return {key: shape for key, (shape, _dtype) in content.items()}


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


def _weight(key: str, shape: list[int], generator: torch.Generator) -> torch.Tensor:
    """Biases near 0, norms near 1, matrices so that activations keep their size; float32."""
    row = torch.randn(max(1, sum(shape)), generator=generator)
    if len(shape) < 2:
        return (0.02 * row + float(key.endswith("weight"))).reshape(shape or ())
    return (row / math.sqrt(math.prod(shape[1:]))).as_strided(shape, [1] * len(shape))


def _key_frames(frames: int, latent: tuple[int, ...]) -> dict:
    return {KEY_FRAMES: torch.zeros((frames - 1) // (FRAMES_BETWEEN + 1) + 1, *latent)}


def _low_resolution(frames: int, latent: tuple[int, ...]) -> dict:
    height, width = latent[1:]
    return {LOW_RESOLUTION: torch.zeros(frames, 3, height, width), NOISE_AUGMENTATION: 50 / 350}


def _enlarged(frames: int, latent: tuple[int, ...]) -> dict:
    return {
        LOW_RES_VIDEO: torch.zeros(frames, *latent),
        FIRST_FRAME: torch.zeros(1, *latent),
        NOISE_LEVEL: 250,
    }


CONDITIONS: dict[str, Callable[[int, tuple[int, ...]], dict]] = {
    "lavie_interpolation": _key_frames,
    "lavie_vsr": _low_resolution,
    "show1_interpolation": _key_frames,
    "show1_sr1": _enlarged,
}
"""System -> what its conditioning nodes add to a prompt, for so many frames and latents (C, H, W)."""
