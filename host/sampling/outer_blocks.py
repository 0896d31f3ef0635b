"""The outer blocks of core's UNet run alone, without a change of the network: a short step of
samplers/deep_features.py.

Core's forward asks transformer_options before every layer whether another function takes its place, and shows
patches what goes into every output block. So a short step is a call with options of its own: deep layers put
out nothing, and the kept feature (N, C, H, W) takes the place of the last nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from comfy.ldm.modules.attention import SpatialTransformer
from comfy.ldm.modules.diffusionmodules.openaimodel import Downsample, UNetModel

from ...foreign_text import printable
from ..injection.places import places_of

_PATCHES = ("input_block_patch", "input_block_patch_after_skip", "output_block_patch")
"""Core's names of patches that see a block's features; the transformer_options are their last argument."""


class OuterBlocks:
    """The first `depth` input blocks and the last `depth` output blocks of a UNet."""

    def __init__(self, network: UNetModel, depth: int) -> None:
        self.network, self.depth = network, depth
        self.first_output = len(network.output_blocks) - depth
        deep = [*network.input_blocks[depth:], *network.output_blocks[: self.first_output]]
        if network.middle_block is not None:
            deep.append(network.middle_block)
        self._deep_layers = {layer for block in deep for layer in block}

    def __instancecheck__(self, layer: object) -> bool:
        """Core asks for layers by class; a deep layer is an instance of this."""
        return layer in self._deep_layers

    def recording(self, options: dict, record: Callable[[torch.Tensor], None]) -> dict:
        """transformer_options of a whole step: record gets a copy of the feature."""

        def patch(h, skip, own_options):
            if own_options["block"] == ("output", self.first_output):
                record(h.clone())  # patches may write into it
            return h, skip

        return _with_patches(options, output_block_patch=[patch, *_patches(options, "output_block_patch")])

    def short(self, options: dict, feature: torch.Tensor) -> dict:
        """transformer_options of a short step with this feature, which patches may write into."""

        def patch(h, skip, own_options):
            return (feature if own_options["block"] == ("output", self.first_output) else h), skip

        seen = {name: [self._outside(p) for p in _patches(options, name)] for name in _PATCHES}
        seen["output_block_patch"].insert(0, patch)
        layers = [(self, _nothing), *_patches(options, "forward_timestep_embed_patch")]
        seen |= {"forward_timestep_embed_patch": layers, "middle_block_after_patch": []}
        return _with_patches(options, **seen)

    def _outside(self, patch: Callable) -> Callable:
        """A patch of others that is not shown deep blocks."""

        def shown(h, *rest):
            kind, index = rest[-1]["block"]
            if index < self.depth if kind == "input" else index >= self.first_output:
                return patch(h, *rest)
            return h if len(rest) == 1 else (h, rest[0])

        return shown

    def control(self, control: dict | None) -> dict | None:
        """A ControlNet's residuals of a short step; core takes them from the end of each list."""
        if control is None:
            return None
        outer = {
            "input": lambda block: block < self.depth,
            "middle": lambda block: False,
            "output": lambda block: block >= self.first_output,
        }
        return {
            name: [v if outer[name](len(values) - 1 - i) else None for i, v in enumerate(values)]
            for name, values in control.items()
        }

    def feature_shape(self, height: int, width: int) -> tuple[int, int, int]:
        """(C, H, W) of the feature of latents of this size."""
        channels = places_of(self.network).channels_at(("output", self.first_output - 1))
        layers = (layer for block in self.network.input_blocks[: self.depth] for layer in block)
        halved = 2 ** sum(isinstance(layer, Downsample) for layer in layers)
        return channels, -(-height // halved), -(-width // halved)


def outer_blocks(model, depth: int) -> OuterBlocks:
    """Those of a MODEL. Raises ValueError where it has none, or not more than `depth` at each end."""
    network = model.get_model_object("diffusion_model")
    if not isinstance(network, UNetModel) or not hasattr(network, "output_blocks"):
        raise ValueError(
            "Reuse Deep Features needs a UNet that ComfyUI runs block by block, this MODEL is a"
            f" {printable(type(network).__name__)}; leave the node out."
        )
    if (count := len(network.output_blocks)) <= depth:
        raise ValueError(
            f"depth={depth} must be smaller than {count}, the number of blocks at each end of this MODEL's"
            " network; lower depth."
        )
    return OuterBlocks(network, depth)


def _nothing(layer, x: torch.Tensor, emb, context, options: dict, *others) -> torch.Tensor:
    """In place of a deep layer. Transformers are counted as ever, patches of others go by their number."""
    if isinstance(layer, SpatialTransformer) and "transformer_index" in options:
        options["transformer_index"] += 1
    return x.new_empty((0, 1, 1, 1))


def _patches(options: dict, name: str) -> list:
    return options.get("patches", {}).get(name, [])


def _with_patches(options: dict, **patches: list) -> dict:
    return {**options, "patches": {**options.get("patches", {}), **patches}}
