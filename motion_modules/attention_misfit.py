"""Why layers that were made for the transformer blocks of one UNet do not fit another one."""

from __future__ import annotations

from collections.abc import Mapping

from .unet_places import UNetPlaces


def attention_misfit(channels: Mapping[str, int], places: UNetPlaces) -> str:
    """channels: C by the published name of a transformer block. Empty where all of them are there and fit."""
    have = {name: place.channels for name, place in places.attentions().items()}
    for name, need in channels.items():
        if name not in have:
            return f"it has layers for {name}, this checkpoint has no such transformer block"
        if have[name] != need:
            return f"at {name} it has {need} channels, this checkpoint has {have[name]}"
    missing = [name for name in have if name not in channels]
    if missing:
        return f"it has layers for {len(channels)} transformer blocks, this checkpoint has {len(have)}"
    return ""
