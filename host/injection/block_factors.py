"""Factors of values for the blocks of a UNet: "down", "down 0", "down 0.1", "mid", "up 3.2"."""

from __future__ import annotations

from collections.abc import Callable

from ...foreign_text import printable
from ...frame_values import FrameValues
from ...motion_modules.unet_places import UNetPlaces


def block_factors(
    values: tuple[float | FrameValues, ...], places: UNetPlaces
) -> Callable[[str], tuple[float, ...]] | None:
    """A function from a layer's path to the factor of each of the values there; None where all are 1.

    Raises ValueError for a block that the UNet does not have.
    """
    given = [one for one in values if isinstance(one, FrameValues)]
    if not any(one.blocks for one in given):
        return None
    names = block_names(places)
    known = {name for several in names.values() for name in several}
    for unknown in (name for one in given for name in one.blocks if name not in known):
        raise ValueError(
            f"blocks: this checkpoint has no block '{printable(unknown)}'; its blocks are "
            f"{', '.join(sorted(known))}."
        )
    table = {
        path: tuple(one.factor_at(several) if isinstance(one, FrameValues) else 1.0 for one in values)
        for path, several in names.items()
    }
    return lambda path: table.get(_block_of(path), (1.0,) * len(values))


def block_names(places: UNetPlaces) -> dict[str, tuple[str, ...]]:
    """The names of each block from the widest to the narrowest, by its path.

    `input_blocks.5` of SD1.x -> "down", "down 1", "down 1.1".
    """
    found = {}
    for block in (block for block, place in places.blocks.items() if place.resblocks):
        level, number = places.published_name(block)
        group, _, index = level.partition("_blocks.")
        kind = block[0]
        if kind == "middle":
            found["middle_block"] = ("mid",)
        else:
            found[f"{kind}_blocks.{block[1]}"] = (group, f"{group} {index}", f"{group} {index}.{number}")
    return found


def _block_of(path: str) -> str:
    first, _, rest = path.partition(".")
    return first if first == "middle_block" else f"{first}.{rest.partition('.')[0]}"
