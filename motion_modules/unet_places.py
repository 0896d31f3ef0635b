"""Where the layers of a Stable Diffusion UNet lie, in the words of the methods:
what they need to name their points.

ComfyUI's classes say which layer is what, so the host fills
this in (host/injection/places.py) and the methods only read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Block = tuple[str, int]
"""("input" | "middle" | "output", index), as core's transformer_options["block"]."""


@dataclass(frozen=True)
class BlockPlaces:
    """One block: the paths of its layers in the order in which they run, and its output channels C.

    transformers: spatial transformers, none at the innermost
    level of SD1.x. channels: None for blocks without a ResBlock.
    """

    resblocks: tuple[str, ...]
    transformers: tuple[str, ...]
    channels: int | None

    @property
    def last(self) -> str:
        """The layer that a temporal module follows:
        the spatial transformer, or the ResBlock where there is none.
        """
        return (self.transformers or self.resblocks)[0]


@dataclass(frozen=True)
class UNetPlaces:
    """num_levels: resolution levels, 4 in SD1.x and SD2.x, 3 in SDXL.
    output_norm: the GroupNorm before the last convolution.
    """

    blocks: Mapping[Block, BlockPlaces]
    num_levels: int
    output_norm: str

    def channels_at(self, block: Block) -> int | None:
        """Output channels of a block; None where there is no such block."""
        return self.blocks[block].channels if block in self.blocks else None

    def resblock_norms(self) -> list[str]:
        """Both GroupNorms of every ResBlock: 44 in SD1.x."""
        return [f"{path}.{norm}" for block in self.blocks.values() for path in block.resblocks
                for norm in ("in_layers.0", "out_layers.0")]  # fmt: skip

    def transformer_norms(self) -> list[str]:
        """The GroupNorm of every spatial transformer: 16 in SD1.x."""
        return [f"{path}.norm" for block in self.blocks.values() for path in block.transformers]
