"""What a published video network is: which files are its own, how it is built, and how it is sampled.

Each system's folder has a system.py with its entries; `formats.py` lists them all. Shapes are those of the
file's tensors.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from .diffusers_names import unet3d_names

Shapes = Mapping[str, tuple[int, ...]]


@dataclasses.dataclass(frozen=True)
class Sampling:
    """How a network was trained to be sampled."""

    prediction: str = "eps"
    """One of "eps", "v", "edm_v" (v over EDM's noise levels sigma_min to sigma_max, no beta schedule)."""
    beta_schedule: str = "linear"
    """ComfyUI's name: its "linear" is diffusers' "scaled_linear", its "sqrt_linear" their "linear"."""
    linear_start: float = 0.00085
    linear_end: float = 0.012
    zero_terminal_snr: bool = False
    sigma_min: float | None = None
    sigma_max: float | None = None
    base_scale: float | None = None
    """VideoCrafter's scale_arr falls from 1 to this over the first 400 timesteps; None = no such scale."""
    largest_sigma: float | None = None
    """Where sampling starts in a schedule that goes on; None = at its end."""
    threshold: float | None = None
    """Largest value of a predicted pixel in dynamic thresholding (-1..1 is the trained range); None = off."""


@dataclasses.dataclass(frozen=True)
class VideoSystem:
    """One kind of published file."""

    name: str
    """What errors, tests and tables call it: "modelscope", "videocrafter2_t2v_512", ..."""
    title: str
    """What a person is told was found."""
    prefix: str
    """With which the network's keys begin in the file, "" where it stands alone."""
    claims: Callable[[Shapes], bool]
    """Whether a file with these keys and shapes is this system's; exactly one system does."""
    network: type
    """Its class."""
    settings: Callable[[Shapes], dict[str, Any]]
    """The network's arguments, read from shapes without the prefix."""
    to_network: Callable[[dict], dict]
    """Published keys (prefix removed) -> the network's keys; may change shapes, not values."""
    sampling: Callable[[Mapping], Sampling]
    """From the file's tensors, where a published buffer decides."""
    memory_usage_factor: float
    num_frames: int
    """That it was trained for."""
    model: str = "text"
    """What ComfyUI hands to the network: a key of host.video_models.models.MODELS; "text" = text alone."""
    fixed_length: bool = False
    """Whether other numbers of frames are refused."""
    size_multiple: int = 8
    """Pixels that width and height must be a multiple of."""
    latent: str = "sd15"
    """What is sampled: a key of host.video_models.latents.LATENTS."""
    text_encoder: str = "openclip-h"
    """What to wire as its CLIP: a key of host.video_models.parts.TEXT_ENCODERS; "" = it reads no text."""
    vae_prefix: str = "first_stage_model."
    """With which the keys of the VAE begin where the file carries one."""
    vision_prefix: str = "embedder.model.visual."
    """With which the keys of the image encoder begin where the file carries one."""
    default_fps: int = 0
    """What its fps or frame-stride input gets where the graph gives none; 0 = it has no such input."""
    saved_names: Callable[[Iterable[str]], Mapping[str, str]] = lambda published_keys: {}
    """The file's keys -> {network's key: file's key} under which what ComfyUI saves is a file of this system
    again; keys that are not in it stay the network's.
    """
    lora_modules: Callable[[Sequence[int], Sequence[bool]], Mapping[str, str]] = unet3d_names
    """(ResBlocks, attention or not, of every level) -> {diffusers' name of a layer: core's}; LoRAs name
    layers in this way.
    """
    refine: Callable[[Mapping], VideoSystem] | None = None
    """The system as the values of the file's tensors narrow it down, where files of one layout differ in a
    published buffer.
    """
