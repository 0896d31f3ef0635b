"""What a published video network is: which files are its own, how it is built, and how it is sampled.

Each system's module holds its entries; `formats.py` lists them all. Shapes are those of the file's tensors.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from .diffusers_names import unet3d_names

Shapes = Mapping[str, tuple[int, ...]]


@dataclasses.dataclass(frozen=True)
class Sampling:
    """How a network was trained to be sampled; the names of
    beta schedules are ComfyUI's, which differ from diffusers'.
    """

    # "eps", "v", or "edm_v" (v over EDM's noise levels sigma_min to sigma_max, without a beta schedule)
    prediction: str = "eps"
    beta_schedule: str = (
        "linear"  # ComfyUI's "linear" is diffusers' "scaled_linear", its "sqrt_linear" their "linear"
    )
    linear_start: float = 0.00085
    linear_end: float = 0.012
    zero_terminal_snr: bool = False
    sigma_min: float | None = None
    sigma_max: float | None = None
    base_scale: float | None = (
        None  # VideoCrafter's scale_arr falls from 1 to this over the first 400 timesteps
    )


@dataclasses.dataclass(frozen=True)
class VideoSystem:
    """One kind of published file."""

    name: str  # "modelscope", "videocrafter2_t2v_512", ...: what errors, tests and the README's table call it
    title: str  # what a person is told was found
    prefix: str  # with which the network's keys begin in the file, "" where it stands alone
    claims: Callable[
        [Shapes], bool
    ]  # whether a file with these keys and shapes is this system's; exactly one system does
    network: Callable[[], type]  # imports and returns the class
    settings: Callable[
        [Shapes], dict[str, Any]
    ]  # its constructor's arguments, read from shapes without the prefix
    to_network: Callable[
        [dict], dict
    ]  # published keys (prefix removed) -> the network's keys; may change shapes, not values
    sampling: Callable[[Mapping], Sampling]  # from the file's tensors, where a published buffer decides
    memory_usage_factor: float
    num_frames: int  # that it was trained for
    fixed_length: bool = False  # whether other numbers of frames are refused
    size_multiple: int = 8  # pixels that width and height must be a multiple of
    latent: str = (
        "sd15"  # "sd15" (4 channels, 1/8 size), "pixels" (3 channels, full size), or a name host/ knows
    )
    conditions: tuple[str, ...] = ()  # beyond text: "fps", "concat_image", "image_tokens", "noise_level", ...
    # "openclip-h", "clip-l" or "t5-xxl": what to wire to its CLIP input; "" = it reads no text
    text_encoder: str = "openclip-h"
    vae_prefix: str = "first_stage_model."  # with which the keys of the VAE begin where the file carries one,
    vision_prefix: str = "embedder.model.visual."  # and those of the image encoder
    default_fps: int = (
        0  # what its fps or frame-stride input gets where the graph gives none; 0 = it has no such input
    )
    # {network's key: file's key} under which what ComfyUI saves is a file of this system again; keys that it
    # lacks stay the network's.
    saved_names: Callable[[Iterable[str]], Mapping[str, str]] = lambda published_keys: {}
    # (ResBlocks, attention or not, of every level) -> {diffusers'
    # name of a layer: core's}; LoRAs name layers in this way.
    lora_modules: Callable[[Sequence[int], Sequence[bool]], Mapping[str, str]] = unet3d_names
    # The system as the values of the file's tensors narrow it
    # down, where files of one layout differ in a published buffer.
    refine: Callable[[Mapping], VideoSystem] | None = None
