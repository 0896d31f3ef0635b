"""What metrics are told by ComfyUI's own models: features of frames, of a text, and optical flow.

Letters: F frames, H height, W width, D features.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from ...frame_tools.optical_flow import flow_between
from ...metrics.metric import Named
from ..media.frame_tools import raft
from ..media.video import stop
from .networks import MetricNetwork

CHUNK = 8
"""Frames that an encoder sees at a time."""
HEAD_FEATURES = 768
LEAST_SPREAD, MOST_SPREAD = 1e-4, 10.0
"""Standard deviation of the weights of a text projection that a file has brought."""


def image_encoder(clip_vision) -> Named:
    """CLIP_VISION as frames (F, H, W, 3) -> (F, D), its projected features where it has a projection."""
    config = clip_vision.config
    kind = "DINO" if is_dino(clip_vision) else "SigLIP" if "siglip" in clip_vision.model_type else "CLIP"
    network = (
        f"{kind} ViT, {config.get('num_hidden_layers', '?')} layers, patch {config.get('patch_size', '?')}"
    )

    def encode(frames: torch.Tensor) -> torch.Tensor:
        parts = []
        for chunk in frames[..., :3].split(CHUNK):
            stop()
            embeds = clip_vision.encode_image(chunk.float()).image_embeds
            parts.append(embeds.flatten(1).float().cpu())
        return torch.cat(parts)

    side = clip_vision.image_size
    return Named(network, encode, f"{side}x{side} from the middle, bicubic")


def is_dino(clip_vision) -> bool:
    """Whether a CLIP_VISION is one of DINO's networks."""
    return clip_vision.model_type.startswith("dino")


def subject_encoder(clip_vision) -> Named:
    """`image_encoder` of a DINO network. Raises ValueError for another one."""
    if not is_dino(clip_vision):
        raise ValueError(
            "subject_vision must be a DINO network, this is a CLIP one; load DINOv2 with Load CLIP Vision, or"
            " leave subject_vision open."
        )
    return image_encoder(clip_vision)


def text_features(clip, text: str) -> torch.Tensor:
    """The projected features (D,) of a text, which lie in the space of the image features of the same CLIP.

    Raises ValueError for a CLIP without a projection, as most SD1.5 checkpoints hold it.
    """
    model, tokens = clip.cond_stage_model, clip.tokenize(text)
    model.reset_clip_options()
    if hasattr(model, "clip") and not _has_projection(getattr(model, model.clip)):
        raise ValueError(
            "this CLIP has no text projection, so its texts cannot be compared with pictures (checkpoints of"
            " Stable Diffusion 1 leave it out); take clip_l.safetensors with Load CLIP."
        )
    model.set_clip_options({"projected_pooled": True})
    try:
        clip.load_model(tokens)
        model.set_clip_options({"execution_device": clip.patcher.load_device})
        pooled = model.encode_token_weights(tokens)[1]
    finally:
        model.reset_clip_options()
    if pooled is None:
        raise ValueError(
            "this text encoder makes no features of a whole text; take the CLIP that belongs to the image"
            " encoder, for example clip_l.safetensors with Load CLIP."
        )
    return pooled[0].float().cpu()


def _has_projection(encoder) -> bool:
    """Whether a text projection has been read. Where a file brings none, ComfyUI leaves the memory as it was:
    it is told by numbers that no trained projection has.
    """
    projection = getattr(getattr(encoder, "transformer", None), "text_projection", None)
    if projection is None or projection.weight.is_meta:
        return False
    weight = projection.weight.detach().float()
    if not bool(weight.isfinite().all()):
        return False
    in_use = bool((weight.abs().amax(1) > 0).all())
    return in_use and LEAST_SPREAD < float(weight.std()) < MOST_SPREAD


def flow_finder(optical_flow=None) -> Named:
    """Flow between two frames: RAFT of OPTICAL_FLOW, or without it Lucas and Kanade's."""
    if optical_flow is None:
        return Named("optical flow without a network (Lucas-Kanade)", flow_between)
    return Named("optical flow by RAFT (12 steps)", raft(optical_flow))


def aesthetic_head(network: MetricNetwork) -> Named:
    """A head as features (F, 768) -> (F,). It raises ValueError for features of another width."""

    def score(features: torch.Tensor) -> torch.Tensor:
        if features.shape[-1] != HEAD_FEATURES:
            raise ValueError(
                f"aesthetic heads take the {HEAD_FEATURES} features of CLIP-L/14; this image encoder has"
                f" {features.shape[-1]}. Load clip_vision of CLIP-L/14."
            )
        return network(features)

    return Named(network.kind.description, score)


def in_chunks(function: Callable, frames: torch.Tensor, chunk: int = CHUNK) -> list:
    """What a function makes of frames, some at a time; ends with the run when that is cancelled."""
    made = []
    for part in frames.split(chunk):
        stop()
        made.append(function(part))
    return made
