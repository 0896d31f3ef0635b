"""The tiny networks of the golden files of VideoCrafter and
DynamiCrafter, and how the reference's one context is divided.
"""

from __future__ import annotations

import torch

from ....shapes import fold_frames, unfold_frames
from ....video_unets.file_shapes import FileShapes
from ....video_unets.videocrafter.names import settings_from_shapes, to_network
from ....video_unets.videocrafter.network import VideoCrafterUNet
from .golden_case import build, load_case

TEXT_TOKENS = 77
CASES = {
    # case: the system whose file it would be
    "videocrafter/t2v_512_v1_w64": "videocrafter1_t2v_512",
    "videocrafter/t2v_1024_v1_w64": "videocrafter1_t2v_1024",
    "videocrafter/t2v_512_v2_w64": "videocrafter2_t2v_512",
    "videocrafter/i2v_512_v1_w64": "videocrafter1_i2v_512",
    "dynamicrafter/dc_256_w64": "dynamicrafter_256",
    "dynamicrafter/dc_1024_w64": "dynamicrafter_512",
}
LOOPS = ("videocrafter/t2v_1024_v1_w64", "videocrafter/t2v_512_v2_w64", "dynamicrafter/dc_1024_w64")


def golden_network(case: str) -> tuple[VideoCrafterUNet, dict[str, torch.Tensor], dict]:
    """The network of a case with the reference's weights, its inputs and outputs, its description."""
    meta, io, state_dict = load_case(case)
    settings = settings_from_shapes(FileShapes(meta["shapes"], case))
    return build(VideoCrafterUNet, settings, to_network(state_dict)), io, meta


def conditions(
    network: VideoCrafterUNet, io: dict[str, torch.Tensor]
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """(text (B, T, D), {fps, image_tokens}) of the reference's single context."""
    context, extra = io["context"], {}
    if network.image_tokens:
        context, extra["image_tokens"] = context[:, :TEXT_TOKENS], context[:, TEXT_TOKENS:]
    if network.fps_embedding is not None:
        extra["fps"] = io["fps"] if "fps" in io else io["fs"]
    return context, extra


def run(network, x: torch.Tensor, t: torch.Tensor, context: torch.Tensor, **extra) -> torch.Tensor:
    """One call: x (B, C, F, H, W), t (B,), context (B, T, D) -> (B, 4, F, H, W); every video is a
    conditioning chunk of its own.
    """
    videos, frames = x.shape[0], x.shape[2]
    options = {"cond_or_uncond": [0] * videos, **extra.pop("transformer_options", {})}
    with torch.no_grad():
        y = network(
            fold_frames(x),
            t.float().repeat_interleave(frames),
            context.repeat_interleave(frames, 0),
            transformer_options=options,
            **extra,
        )
    return unfold_frames(y, frames)
