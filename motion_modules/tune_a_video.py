"""Tune-A-Video: a checkpoint tuned on one video. Every frame looks at the first and the previous one,
and an attention over frames ends each transformer block.

Source: Wu et al. 2022, arXiv 2212.11565, sections 4.1 and 4.2; github.com/showlab/Tune-A-Video
(models/attention.py) fixes the details: heads as in the block's own attentions, no position table, joint
norms.

Letters: N images, B videos, F frames, N = B*F, T tokens of an image, C channels.
Names are those of the published folders, whose UNet has 798 keys: the 686 of the checkpoint it was tuned
from, of which only `attn1.to_q` and `attn2.to_q` differ, and 7 for each of 16 transformer blocks:

    down_blocks.0.attentions.0.transformer_blocks.0.attn_temp.to_q.weight, .to_k, .to_v, .to_out.0, .norm_temp
    down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.weight    the whole tuned weight
    down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.diff      its change, in files of this pack
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import nn

from ..foreign_text import printable
from .attention_misfit import attention_misfit
from .call import Call
from .file_tensors import StateDict, weights_for, widths_in
from .frame_attention import TemporalAttention, attend_to_frames, attention_over_frames
from .method import TemporalMethod
from .named_layers import add_at_path
from .points import Act, Acts
from .unet_places import UNetPlaces
from .zero_layers import start_at_zero

_BLOCK = re.compile(r"^(.+\.transformer_blocks\.\d+)\.(?:attn|norm)_temp\.")
_QUERIES = ("attn1.to_q", "attn2.to_q")
WHOLE, CHANGE, NONE = "whole", "change", "none"


@dataclass(frozen=True)
class TuneAVideoConfig:
    """channels: C by the published name of a transformer block. queries: what a file has of the tuned `to_q`,
    the WHOLE weights, their CHANGE or NONE of them.
    """

    channels: Mapping[str, int] = field(hash=False)
    queries: str = CHANGE


class TuneAVideo(nn.Module):
    """The temporal attention of every transformer block, and what was tuned of the checkpoint's queries."""

    def __init__(self, config: TuneAVideoConfig, operations=nn, device=None, dtype=None):
        super().__init__()
        self.config = config
        factory_kwargs = {"device": device, "dtype": dtype}
        for name, channels in config.channels.items():
            attention = TemporalAttention(channels, operations, **factory_kwargs)
            add_at_path(self, f"{name}.attn_temp", attention)
            add_at_path(self, f"{name}.norm_temp", operations.LayerNorm(channels, **factory_kwargs))
            queries = _QUERIES if config.queries != NONE else ()
            for query in queries:
                linear = operations.Linear(channels, channels, bias=False, **factory_kwargs)
                add_at_path(self, f"{name}.{query}", linear)
                if config.queries == CHANGE:
                    start_at_zero(linear)


def acts(network: TuneAVideo, places: UNetPlaces) -> Acts:
    """Keys and values of other frames, the tuned queries, and temporal attention behind each block."""
    found: dict[str, Act] = {}
    for name, place in places.attentions().items():
        block = network.get_submodule(name)
        found[f"{place.path}.attn1"] = attend_to_frames(first_and_previous)
        found[place.path] = attention_over_frames(block.norm_temp, block.attn_temp, place.heads)
        for query in _QUERIES if network.config.queries != NONE else ():
            layer = block.get_submodule(query)
            found[f"{place.path}.{query}"] = _queries(layer, network.config.queries == WHOLE)
    return found


def first_and_previous(features: torch.Tensor, call: Call) -> torch.Tensor:
    """What each frame reads, the first and the previous one: features (B, F, T, C) -> (B, F, 2T, C).

    3 frames a b c -> aa, aa, ab: the first reads itself twice.
    """
    previous = torch.cat((features[:, :1], features[:, :-1]), 1)
    return torch.cat((features[:, :1].expand_as(features), previous), 2)


def _queries(layer: nn.Module, whole: bool) -> Act:
    def act(call: Call, inner: Act, x: torch.Tensor) -> torch.Tensor:
        if whole:
            return call.replace(lambda: inner(x), layer(x))
        return call.add(inner(x), layer(x))

    return act


def read(tensors: StateDict, file_name: str) -> tuple[TuneAVideoConfig, StateDict]:
    """Config and weights of a whole tuned UNet, or of a file that has no more than its layers.

    Raises ValueError for a file that is incomplete or damaged.
    """
    channels = widths_in(tensors, _BLOCK, "attn_temp.to_q.weight", file_name)
    first = next(iter(channels))
    kinds = {WHOLE: f"{first}.attn1.to_q.weight", CHANGE: f"{first}.attn1.to_q.diff"}
    has = [kind for kind, key in kinds.items() if key in tensors]
    if len(has) > 1:
        raise ValueError(
            f"'{printable(file_name)}' has '{printable(kinds[WHOLE])}' and its change; keep one of them."
        )
    config = TuneAVideoConfig(channels, has[0] if has else NONE)
    renamed = {key.removesuffix("diff") + "weight" if key.endswith("to_q.diff") else key: value
               for key, value in tensors.items()}  # fmt: skip
    return config, weights_for(TuneAVideo(config, device="meta"), renamed, file_name)


def to_file(network: TuneAVideo) -> StateDict:
    """The weights under published names; changes of queries as `.diff`."""
    weights = dict(network.state_dict())
    if network.config.queries != CHANGE:
        return weights
    return {re.sub(r"(attn[12]\.to_q)\.weight$", r"\1.diff", key): value for key, value in weights.items()}


def new(places: UNetPlaces) -> TuneAVideoConfig:
    """Layers for every transformer block, and queries that are not changed yet."""
    return TuneAVideoConfig({name: place.channels for name, place in places.attentions().items()})


METHOD = TemporalMethod(
    name="Tune-A-Video",
    claims=lambda keys: any(_BLOCK.match(key) for key in keys),
    read=read,
    build=TuneAVideo,
    acts=acts,
    new=new,
    to_file=to_file,
    misfit=lambda network, places: attention_misfit(network.config.channels, places),
    # The reference trains the queries and the temporal attention, not the norm before it.
    is_trained=lambda name: ".norm_temp." not in name,
    title=lambda config: f"Tune-A-Video, {len(config.channels)} transformer blocks",
    joint_norms=lambda config: True,
    acts_untrained=True,
    sets_keys=True,
)
