"""Tiny VideoCrafter and DynamiCrafter files with the
published names, loaded as MODEL the way the loader node does.
"""

from __future__ import annotations

import functools
import shutil
import tempfile
from pathlib import Path

import comfy.sample
import torch
from safetensors.torch import save_file

from .....host.video_models.loader import video_model_from_file
from .....host.video_models.videocrafter import CONCAT_LATENT, FPS, HIDDEN_STATE
from .....shapes import fold_frames
from .....video_unets.videocrafter.image_projector import ImageProjector
from .....video_unets.videocrafter.system import PREFIX
from ....gold_weights import gold_input, gold_state_dict
from ...video_unets.golden_case import load_case

CLIP_WIDTH = 40
CONTEXT_WIDTH = 48
IMAGE_MODELS = {
    "videocrafter/i2v_512_v1_w64": 5,
    "dynamicrafter/dc_256_w64": 64,
    "dynamicrafter/dc_1024_w64": 64,
}
"""Golden cases that begin with an image, and how many image tokens they have."""
LATENT_SCALE = 0.18215
TINY_VISION = {
    "hidden_size": CLIP_WIDTH,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 56,
    "projection_dim": 24,
    "image_size": 28,
    "patch_size": 14,
    "num_channels": 3,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-5,
    "model_type": "clip_vision_model",
}
"""A CLIP image encoder in small, as core's ClipVisionModel takes it."""


class TokensAsGiven(torch.nn.Module):
    """Stands for the image projector where a golden file has
    the tokens, not the view of CLIP that they were made of.
    """

    def __init__(self):
        super().__init__()
        self.proj_in = torch.nn.Linear(CONTEXT_WIDTH, 1)

    def forward(self, tokens):
        return tokens


def projector_weights(num_queries: int) -> dict[str, torch.Tensor]:
    """A tiny `image_proj_model.*` with one attention head of the published width."""
    sizes = {
        "width": 32,
        "depth": 1,
        "inner": 64,
        "clip_width": CLIP_WIDTH,
        "out_width": CONTEXT_WIDTH,
        "ff_width": 64,
    }
    shapes = ImageProjector(**sizes, num_queries=num_queries, device="meta").state_dict()
    weights = gold_state_dict({key: value.shape for key, value in shapes.items()}, {"latents": 6.0})
    return {"image_proj_model." + key: value for key, value in weights.items()}


@functools.cache
def _case(case: str) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Inputs and outputs of a golden case and its network's
    weights; making the weights takes longer than using them.
    """
    _, io, network = load_case(case)
    return io, network


def tensors_of_file(case: str, image_tokens: int = 0) -> dict[str, torch.Tensor]:
    """What a published file of a golden case would hold:
    network, scale_arr, and an image projector where asked for.
    """
    io, network = _case(case)
    tensors = {PREFIX + key: value for key, value in network.items()} | {"alphas_cumprod": torch.ones(1000)}
    if "scale_arr" in io:
        tensors["scale_arr"] = io["scale_arr"]
    return tensors | (projector_weights(image_tokens) if image_tokens else {})


def load(tensors: dict[str, torch.Tensor]):
    """The LoadedVideoModel of a file with these tensors."""
    folder = Path(tempfile.mkdtemp(prefix="zoetrope-videocrafter-"))
    try:
        save_file({key: value.contiguous() for key, value in tensors.items()}, folder / "model.safetensors")
        return video_model_from_file(str(folder / "model.safetensors"))
    finally:
        shutil.rmtree(folder)


def text(name: str, tokens: int = 7) -> torch.Tensor:
    return gold_input(name, (1, tokens, CONTEXT_WIDTH))


def image_conditions(num_frames: int, size=(8, 8), name: str = "image", fps: float = 24.0) -> dict:
    """What an image-to-video node adds to a conditioning: a view of CLIP and one latent for every frame."""
    latents = gold_input(f"{name} latents", (1, 4, *size)).expand(num_frames, -1, -1, -1)
    return {HIDDEN_STATE: gold_input(f"{name} seen", (1, 9, CLIP_WIDTH)), CONCAT_LATENT: latents, FPS: fps}


def conds_for(case, num_frames=4, size=(8, 8)):
    """A positive and a negative conditioning as the nodes make them."""
    if case not in IMAGE_MODELS:
        return (text("positive"), {FPS: 28.0}), (text("negative"), {FPS: 28.0})
    shown = image_conditions(num_frames, size)
    unseen = shown | {HIDDEN_STATE: gold_input("grey seen", (1, 9, CLIP_WIDTH))}
    return (text("positive"), shown), (text("negative"), unseen)


def sample(
    model, sampler, sigmas, positive, negative, noise, latent=None, cfg=3.0, seed=1, callback=None
) -> torch.Tensor:
    """Core's custom sampling on the CPU: noise (F, 4, H, W) ->
    samples of that shape; positive and negative are (text, extras).
    """
    conds = [[[given[0], dict(given[1])]] for given in (positive, negative)]
    latent = torch.zeros_like(noise) if latent is None else latent
    return comfy.sample.sample_custom(
        model, noise, cfg, sampler, sigmas, *conds, latent, callback=callback, disable_pbar=True, seed=seed
    )


def folded(video: torch.Tensor) -> torch.Tensor:
    """One video (1, C, F, H, W) -> (F, C, H, W)."""
    return fold_frames(video)
