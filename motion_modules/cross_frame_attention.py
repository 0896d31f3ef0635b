"""Cross-frame attention: what frames read in the UNet's self-attentions are other frames of their video. No
weights, so any checkpoint makes frames that look alike.

Source: Khachatryan et al. 2023, arXiv 2303.13439 (Text2Video-Zero), section 4.2: all frames read the first.
github.com/Picsart-AI-Research/Text2Video-Zero does so in every self-attention, of ControlNets too. Ours: the
previous frame, both, and chosen frames. First and previous together are what Tune-A-Video's attention reads.

In a context window the frames of the window are there and no others. So a frame that all should read is the
nearest to it that the window holds: put the first frame into every window for the published attention.

Letters: B videos, F frames of a video in a call, K frames that are read, T tokens of an image, C channels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .call import Call
from .frame_attention import Source, attend_to_frames
from .method import FrameMethod
from .points import Acts
from .unet_places import UNetPlaces

FIRST, PREVIOUS, BOTH, CHOSEN = "first frame", "previous frame", "first and previous frame", "chosen frames"

METHOD = FrameMethod(name="Cross-frame attention", attends=False, sets_keys=True)


@dataclass(frozen=True)
class ChosenFrames:
    """Frames by their numbers in a video of num_frames frames: what `chosen` reads as call.inputs."""

    numbers: tuple[int, ...]
    num_frames: int


def first(features: torch.Tensor, call: Call) -> torch.Tensor:
    """The first frame of the video or window: features (B, F, T, C) -> (B, F, T, C)."""
    return _read_by_all(features, _numbers(call).argmin(1, keepdim=True))


def previous(features: torch.Tensor, call: Call) -> torch.Tensor:
    """The frame before each, in the order of the window; the first reads itself. 3 frames a b c -> a a b."""
    return torch.cat((features[:, :1], features[:, :-1]), 1)


def first_and_previous(features: torch.Tensor, call: Call) -> torch.Tensor:
    """Both, one behind the other: features (B, F, T, C) -> (B, F, 2T, C)."""
    return torch.cat((first(features, call), previous(features, call)), 2)


def chosen(features: torch.Tensor, call: Call) -> torch.Tensor:
    """The frames of call.inputs, or the nearest to each: features (B, F, T, C) -> (B, F, K*T, C).

    Frames 0 and 6 of 8, in a window of 4, 5, 6, 7: its frames 4 and 6.
    """
    frames: ChosenFrames = call.inputs
    numbers = _numbers(call) % frames.num_frames
    wanted = torch.tensor(frames.numbers)
    return _read_by_all(features, (numbers[:, None] - wanted[:, None]).abs().argmin(2))


SOURCES: dict[str, Source] = {FIRST: first, PREVIOUS: previous, BOTH: first_and_previous, CHOSEN: chosen}
"""Name -> what each frame reads instead of itself."""


def _numbers(call: Call) -> torch.Tensor:
    """The number of each frame of a call among those of the latents, (B, F)."""
    return torch.tensor(call.forward.frame_numbers()).unflatten(0, (-1, call.num_frames))


def _read_by_all(features: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Frames of each video by their places (B, K) in it, one behind the other, for every frame.

    features may have S tiles of a video one after another, (B*S, F, T, C).
    """
    tiles = len(features) // len(places)
    rows = torch.arange(len(features), device=features.device)[:, None]
    places = places.to(features.device).repeat_interleave(tiles, 0)
    read = features[rows, places].flatten(1, 2)
    return read[:, None].expand(-1, features.shape[1], -1, -1)


def acts(places: UNetPlaces, keys_from: str) -> Acts:
    """An act around every self-attention of a UNet, or of a ControlNet, which has no way up. keys_from: one
    of SOURCES. Empty where there is none.
    """
    found = (place for block in places.blocks.values() for place in block.attentions)
    return {f"{place.path}.attn1": attend_to_frames(SOURCES[keys_from]) for place in found}
