"""What a temporal method is:
the one description that loading, applying, training, saving and the tests' rules go by.

A new method is one file that ends in `METHOD = TemporalMethod(...)` and one line in
motion_modules/methods.py.

Letters: N images of a batch, F frames of a video, C channels, H height, W width.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from .file_tensors import StateDict
from .points import Acts
from .unet_places import UNetPlaces


@dataclass(frozen=True, kw_only=True)
class FrameMethod:
    """What a sampling run must know of a method, with weights or without. Only the name is needed."""

    name: str
    """What people call it; the key of METHODS, where it has weights."""
    longest: Callable[[Any], int | None] = lambda config: None
    """Most frames of one video; None without a limit."""
    joint_module_norms: Callable[[Any], bool] = lambda config: False
    """Whether its own norms saw all frames of a video when it was trained."""
    attends: bool = True
    """Whether its layers attend over frames, so that the keys of that can be scaled."""
    takes_views: bool = False
    """Whether its layers go by `call.views`, so that each sees windows of the frames."""
    per_frame: bool = False
    """Whether it computes each frame by itself, so that context windows change nothing."""
    needs: str = ""
    """What a person has to wire into the module besides, and how. Its acts read it as `call.inputs`. Empty:
    nothing.
    """
    streams: int = 1
    """How many images of a batch belong to each frame of a video. 2: the content of all its frames, then the
    motion of all of them.
    """
    sets_keys: bool = False
    """Whether it decides what the UNet's self-attentions read; one MODEL can have one such method."""


@dataclass(frozen=True, kw_only=True)
class TemporalMethod(FrameMethod):
    """One way to let the frames of an image UNet know of each other, by layers of its own.

    The fields without a value are needed; the others have an
    answer that is right for a method that has no such thing.
    """

    claims: Callable[[frozenset[str]], bool]
    """Whether a file with these keys is of this method. Exactly one method claims a file."""
    read: Callable[[StateDict, str], tuple[Any, StateDict]]
    """(tensors of a file, its name) -> config and weights under the names of `build`'s network. Raises
    ValueError for a damaged one.
    """
    build: Callable[..., nn.Module]
    """build(config, operations=, device=, dtype=) -> the layers.
    Made on a real device it changes nothing until it is trained.
    """
    acts: Callable[[nn.Module, UNetPlaces], Acts]
    """(network, where a UNet's layers lie) -> what the method's layers do, and where."""
    new: Callable[[UNetPlaces], Any]
    """The config of a new network for a UNet: where training begins."""
    to_file: Callable[[nn.Module], StateDict] = lambda network: dict(network.state_dict())
    """A network's weights under the published names: what is saved and shared."""
    misfit: Callable[[nn.Module, UNetPlaces], str] = lambda network, places: ""
    """Why a network does not fit a UNet; empty when it does."""
    is_trained: Callable[[str], bool] = lambda name: True
    """Whether training changes the parameter of this name."""
    keeps_float32: Callable[[str], bool] = lambda name: False
    """Whether the parameter of this name stays float32 in a half-precision network."""
    title: Callable[[Any], str] = lambda config: "temporal module"
    """What a person is told that a module of this config is."""
    with_positions: Callable[[Any, int], Any] | None = None
    """(config, rows) -> the config whose position tables have so many rows; None where there are none. The
    tables are those of `positions.is_table_of_layers`.
    """
    beta_schedule: Callable[[Any], str | None] = lambda config: None
    """The entry of BETA_SCHEDULES that it was trained with; None = the checkpoint's own."""
    joint_norms: Callable[[Any], bool] = lambda config: False
    """Whether the UNet's norms saw all frames of a video when it was trained."""
    advice: Callable[[Any], str] = lambda config: ""
    """What a person should set in the sampler; empty where the usual is right."""
    acts_untrained: bool = False
    """Whether frames see each other before anything is trained. One frame alone is the plain UNet's."""


def claimed_by(methods: Mapping[str, TemporalMethod], tensors: StateDict) -> TemporalMethod | None:
    """The method that a file is of, or None. Two that claim one file are our bug."""
    keys = frozenset(tensors)
    claims = [method for method in methods.values() if method.claims(keys)]
    assert len(claims) < 2, [method.name for method in claims]
    return claims[0] if claims else None
