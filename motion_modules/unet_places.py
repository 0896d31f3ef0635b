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
class AttentionPlace:
    """One transformer block of a spatial transformer: attn1 (self), attn2 (text), ff, and their norms.

    path: `input_blocks.1.1.transformer_blocks.0`. channels: C of its tokens (N, H*W, C).
    """

    path: str
    channels: int
    heads: int


@dataclass(frozen=True)
class ConvolutionPlace:
    """One 3x3 convolution of a ResBlock, (N, in_channels, H, W) -> (N, channels, H, W).

    path: `input_blocks.1.0.in_layers.2`.
    """

    path: str
    in_channels: int
    channels: int


@dataclass(frozen=True)
class BlockPlaces:
    """One block: the paths of its layers in the order in which they run, and its output channels C.

    transformers: spatial transformers, none at the innermost
    level of SD1.x. channels: None for blocks without a ResBlock.
    attentions: the transformer blocks of all of them.
    in_channels: those that each ResBlock reads.
    """

    resblocks: tuple[str, ...]
    transformers: tuple[str, ...]
    channels: int | None
    attentions: tuple[AttentionPlace, ...] = ()
    in_channels: tuple[int, ...] = ()

    @property
    def last(self) -> str:
        """The layer that a temporal module follows:
        the spatial transformer, or the ResBlock where there is none.
        """
        return (self.transformers or self.resblocks)[0]


@dataclass(frozen=True)
class ResBlockPlace:
    """One ResBlock: its path, the channels that it reads and the channels C that it puts out."""

    path: str
    in_channels: int
    channels: int

    @property
    def convolutions(self) -> tuple[str, str]:
        """The paths of its two 3x3 convolutions, in the order in which they run."""
        return f"{self.path}.in_layers.2", f"{self.path}.out_layers.3"


@dataclass(frozen=True)
class ConvPlace:
    """A convolution: (N, in_channels, H, W) -> (N, out_channels, H, W)."""

    path: str
    in_channels: int
    out_channels: int


@dataclass(frozen=True)
class UNetPlaces:
    """num_levels: resolution levels, 4 in SD1.x and SD2.x, 3 in SDXL.
    output_norm: the GroupNorm before the last convolution.
    emb_channels: E of the embedded noise level (N, E) that every ResBlock gets.
    conv_in: the first convolution. time_embed: the layer that embeds the noise level.
    """

    blocks: Mapping[Block, BlockPlaces]
    num_levels: int
    output_norm: str
    emb_channels: int
    conv_in: ConvPlace
    time_embed: str = "time_embed"

    @property
    def resblocks_per_level(self) -> int:
        """ResBlocks of a level on the way down; the way up has one more. 2 in every published checkpoint."""
        return sum(1 for kind, _ in self.blocks if kind == "output") // self.num_levels - 1

    def published_name(self, block: Block) -> tuple[str, int]:
        """What diffusers calls a block, and the number of the block's ResBlock and transformer in it.

        With 2 ResBlocks a level: ("input", 5) -> ("down_blocks.1", 1), ("output", 5) -> ("up_blocks.1", 2),
        ("middle", 0) -> ("mid_block", 0).
        """
        kind, index = block
        if kind == "middle":
            return "mid_block", 0
        down = kind == "input"
        level, number = divmod(index - down, self.resblocks_per_level + 1)
        return f"{'down' if down else 'up'}_blocks.{level}", number

    def attentions(self) -> dict[str, AttentionPlace]:
        """Every transformer block by the name that diffusers gives it, 16 in SD1.x:
        `down_blocks.0.attentions.0.transformer_blocks.0`.
        """
        found = {}
        for block, places in self.blocks.items():
            name, number = self.published_name(block)
            for depth, attention in enumerate(places.attentions):
                found[f"{name}.attentions.{number}.transformer_blocks.{depth}"] = attention
        return found

    def deepest_attentions(self) -> dict[str, AttentionPlace]:
        """Those of `attentions` in the middle and at the deepest level that has some: 6 in SD1.x, whose
        level 2 of 0 to 3 it is, `down_blocks.2` and `up_blocks.1`.
        """
        found = self.attentions()
        deepest = max(int(name.split(".")[1]) for name in found if name.startswith("down_blocks."))
        parts = "mid_block.", f"down_blocks.{deepest}.", f"up_blocks.{self.num_levels - 1 - deepest}."
        return {name: place for name, place in found.items() if name.startswith(parts)}

    def resblocks(self) -> dict[str, ResBlockPlace]:
        """Every ResBlock by the name that diffusers gives it, 22 in SD1.x:
        `down_blocks.0.resnets.1`, `mid_block.resnets.0`.
        """
        found = {}
        for block, places in self.blocks.items():
            name, number = self.published_name(block)
            for index, (path, reads) in enumerate(zip(places.resblocks, places.in_channels, strict=True)):
                found[f"{name}.resnets.{number + index}"] = ResBlockPlace(path, reads, places.channels)
        return found

    def convolutions(self) -> dict[str, ConvolutionPlace]:
        """Every 3x3 convolution of the ResBlocks by the name that diffusers gives it, 44 in SD1.x:
        `down_blocks.0.resnets.0.conv1`.
        """
        found = {}
        for name, place in self.resblocks().items():
            first, second = place.convolutions
            found[f"{name}.conv1"] = ConvolutionPlace(first, place.in_channels, place.channels)
            found[f"{name}.conv2"] = ConvolutionPlace(second, place.channels, place.channels)
        return found

    def transformers(self) -> dict[str, tuple[str, int]]:
        """Path and channels C of every spatial transformer by the name that diffusers gives it, 16 in SD1.x:
        `down_blocks.0.attentions.0`.
        """
        found = {}
        for block, places in self.blocks.items():
            name, number = self.published_name(block)
            for path in places.transformers:
                found[f"{name}.attentions.{number}"] = path, places.channels
        return found

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
