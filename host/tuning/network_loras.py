"""LoRAs of a MODEL's own network, trained: what things look like, or how a video network moves them.

Source: Zhao et al. 2023, MotionDirector, arXiv 2310.08465; github.com/showlab/MotionDirector fixes the layers
(self-attention and feed-forward of what looks at pixels; both attentions and feed-forward of what looks at
frames). Guo et al. 2023, arXiv 2307.04725, section 4.1 (domain adapter: of what looks at pixels and text).
"""

from __future__ import annotations

import comfy.sd
import torch
from torch import nn

from ...video_unets.temporal_layers import is_temporal
from .run import TrainingRun, TrainingSampler, train
from .trained_weights import LowRankWeights

NETWORK = "diffusion_model"
PARTS = ("temporal", "spatial", "spatial and text", "all")
"""What a LoRA changes: layers that look at frames; at the pixels of each; at its text too; all of these."""
_ATTENTION, _FEED_FORWARD = ("to_q", "to_k", "to_v", "to_out.0"), ("net.0.proj", "net.2")


def lora_layers(network: nn.Module, part: str) -> list[str]:
    """The names of the layers that a LoRA of a part changes, in the network's order."""
    chosen = []
    for name, layer in network.named_modules():
        if not isinstance(layer, nn.Linear) or not name.endswith(_ATTENTION + _FEED_FORWARD):
            continue
        reads_text = ".attn2." in name
        if is_temporal(network, name):
            wanted = part in ("temporal", "all")
        else:
            wanted = part in ("spatial and text", "all") or (part == "spatial" and not reads_text)
        if wanted:
            chosen.append(name)
    return chosen


def train_network_lora(
    model, run: TrainingRun, rank: int, part: str
) -> tuple[object, dict[str, torch.Tensor], TrainingSampler]:
    """The MODEL with a new LoRA on it, the LoRA under ComfyUI's names, and the run; the MODEL stays as it is.

    Raises ValueError for a network without layers of the part, and as `train` does.
    """
    network = model.get_model_object(NETWORK)
    names = lora_layers(network, part)
    if not names:
        raise ValueError(
            f"this MODEL has no layers of its own for layers={part}; an image checkpoint has 'spatial' and"
            " 'spatial and text', and how its motion module moves things is trained by Train MotionLoRA."
        )
    weights = LowRankWeights(network, names, rank, run.recipe.seed)
    sampler = train(model, weights, run, f"LoRA, rank {rank}, {part}, of {type(network).__name__}")
    lora = {
        f"{NETWORK}.{name}.lora_{side}.weight": matrix.contiguous()
        for name, change in weights.changes.items()
        for side, matrix in zip(("up", "down"), change.pairs()[0], strict=True)
    }
    return comfy.sd.load_lora_for_models(model, None, lora, 1.0, 0.0)[0], lora, sampler
