"""Core's UNets described for the temporal methods, which do not know core's classes."""

from __future__ import annotations

from collections.abc import Iterator

from comfy.cldm.cldm import ControlNet
from comfy.ldm.modules.attention import SpatialTransformer
from comfy.ldm.modules.diffusionmodules.openaimodel import ResBlock, UNetModel

from ...motion_modules.unet_places import AttentionPlace, Block, BlockPlaces, ConvPlace, UNetPlaces


def places_in(model, what: str = "a motion module") -> UNetPlaces:
    """`places_of` the UNet of a MODEL. Raises ValueError where it has none of Stable Diffusion's kind.

    what: needs it, for the message.
    """
    unet = model.get_model_object("diffusion_model")
    if not isinstance(unet, UNetModel):
        raise ValueError(
            f"{what} needs a Stable Diffusion UNet, this MODEL is a {type(unet).__name__}; load an"
            " SD1.x checkpoint (or SDXL for an SDXL module) with Load Checkpoint."
        )
    return places_of(unet)


def places_of(unet: UNetModel | ControlNet) -> UNetPlaces:
    """Where the layers of a UNet, or of a ControlNet's half of one, lie."""
    blocks = {block: _block_places(path, layers) for block, path, layers in _blocks(unet)}
    first = unet.input_blocks[0][0]
    conv_in = ConvPlace("input_blocks.0.0", first.in_channels, first.out_channels)
    return UNetPlaces(blocks, len(unet.channel_mult), "out.0", 4 * unet.model_channels, conv_in)


def _blocks(unet: UNetModel | ControlNet) -> Iterator[tuple[Block, str, object]]:
    for kind, layers in (("input", unet.input_blocks), ("output", getattr(unet, "output_blocks", ()))):
        for index, block in enumerate(layers):
            yield (kind, index), f"{kind}_blocks.{index}", block
    if unet.middle_block is not None:
        yield ("middle", 0), "middle_block", unet.middle_block


def _block_places(path: str, layers) -> BlockPlaces:
    """Down- and upsamplers that are ResBlocks themselves count as such: their norms are."""
    resblocks = [(f"{path}.{i}", layer) for i, layer in enumerate(layers) if isinstance(layer, ResBlock)]
    transformers = tuple(
        f"{path}.{i}" for i, layer in enumerate(layers) if isinstance(layer, SpatialTransformer)
    )
    channels = resblocks[0][1].out_channels if resblocks else None
    attentions = tuple(place for path in transformers for place in _attentions(path, layers))
    names, reads = tuple(name for name, _ in resblocks), tuple(layer.channels for _, layer in resblocks)
    return BlockPlaces(names, transformers, channels, attentions, reads)


def _attentions(path: str, layers) -> Iterator[AttentionPlace]:
    transformer = layers[int(path.rpartition(".")[2])]
    for depth, block in enumerate(transformer.transformer_blocks):
        attention = block.attn1
        place = f"{path}.transformer_blocks.{depth}"
        yield AttentionPlace(place, attention.heads * attention.dim_head, attention.heads)
