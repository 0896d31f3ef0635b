"""Why layers that were made for the blocks of one UNet do not fit another one."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .unet_places import AttentionPlace, UNetPlaces


def attention_misfit(
    channels: Mapping[str, int],
    places: UNetPlaces,
    wanted: Callable[[UNetPlaces], Mapping[str, AttentionPlace]] = UNetPlaces.attentions,
) -> str:
    """channels: C by the published name of a transformer block. wanted: those that need layers. Empty where
    all of them are there and fit.
    """
    have = {name: place.channels for name, place in wanted(places).items()}
    return _misfit(channels, have, "transformer block")


def resblock_misfit(channels: Mapping[str, int], places: UNetPlaces) -> str:
    """As attention_misfit, for ResBlocks."""
    have = {name: place.channels for name, place in places.resblocks().items()}
    return _misfit(channels, have, "ResBlock")


def transformer_misfit(channels: Mapping[str, int], places: UNetPlaces) -> str:
    """As attention_misfit, for spatial transformers."""
    have = {name: own for name, (_, own) in places.transformers().items()}
    return _misfit(channels, have, "spatial transformer")


def convolution_misfit(
    channels: Mapping[str, int], places: UNetPlaces, in_channels: Mapping[str, int] | None = None
) -> str:
    """As attention_misfit, for the convolutions of ResBlocks; in_channels: those that they read, where it
    matters.
    """
    have = places.convolutions()
    wrong = _misfit(channels, {name: place.channels for name, place in have.items()}, "convolution")
    for name, need in (in_channels or {}).items() if not wrong else ():
        if have[name].in_channels != need:
            return f"at {name} it reads {need} channels, this checkpoint has {have[name].in_channels}"
    return wrong


def levels_misfit(num_levels: int, places: UNetPlaces) -> str:
    """For layers that every checkpoint has alike: num_levels of the UNet that they are for. Empty where it is
    this one's.
    """
    if num_levels == places.num_levels:
        return ""
    return (
        f"it is for a UNet of {num_levels} resolution levels, this checkpoint has {places.num_levels} (SD1.x "
        "and SD2.x have 4, SDXL has 3)"
    )


def _misfit(channels: Mapping[str, int], have: Mapping[str, int], kind: str) -> str:
    for name, need in channels.items():
        if name not in have:
            return f"it has layers for {name}, this checkpoint has no such {kind}"
        if have[name] != need:
            return f"at {name} it has {need} channels, this checkpoint has {have[name]}"
    if len(channels) < len(have):
        return f"it has layers for {len(channels)} {kind}s, this checkpoint has {len(have)}"
    return ""
