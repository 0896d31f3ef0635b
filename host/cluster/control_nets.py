"""ControlNets of a run on workers: their networks come from the prompt, hints and strengths travel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch

from ..windows.controls import control_chain
from .shipping import HEAVY, receive, ship

OF_A_RUN = {
    "previous_controlnet", "cond_hint", "extra_concat", "timestep_range", "model_sampling_current",
    "control_input", "multigpu_clones",
}  # fmt: skip
"""What core fills in for a run, on each side by itself, and the chain, which travels as numbers."""
LOOKED_AT = 16
"""Tensors of two networks that are compared."""


@dataclass(frozen=True)
class ShippedControl:
    """wire: the number of the CONTROL_NET that it is a copy of. state: what is not as there. previous: the
    number of the one chained before it.
    """

    wire: int
    state: bytes
    previous: int | None


class Controls:
    """The control objects of some conds. wired: the CONTROL_NETs that are wired to the node.

    Raises ValueError where one is a copy of none of them.
    """

    def __init__(self, conds: Iterable[dict], wired: Sequence[object]) -> None:
        self.numbers: dict[int, int] = {}
        self.found: list[ShippedControl] = []
        self.kept: list[object] = []  # so that identities stay their own
        for cond in conds:
            if cond.get("control") is not None:
                for control in reversed(list(control_chain(cond["control"]))):
                    if id(control) not in self.numbers:
                        self._add(control, wired)

    def _add(self, control, wired: Sequence[object]) -> None:
        number = next((i for i, one in enumerate(wired) if _same_network(control, one)), None)
        if number is None:
            raise ValueError(
                "the prompts use a ControlNet that Run Windows on Workers does not know; wire the CONTROL_NET"
                " of that Apply ControlNet to one of its inputs control_net as well."
            )
        base = wired[number].__dict__
        state = {
            name: value
            for name, value in control.__dict__.items()
            if name not in OF_A_RUN and not _is_of_the_network(value, base.get(name))
        }
        previous = control.previous_controlnet
        self.numbers[id(control)] = len(self.found)
        self.kept.append(control)
        self.found.append(
            ShippedControl(number, ship(state), None if previous is None else self.numbers[id(previous)])
        )


def received_controls(shipped: Sequence[ShippedControl], wired: Sequence[object]) -> list[object]:
    """The same control objects around a worker's own networks."""
    made: list = []
    for one in shipped:
        control = wired[one.wire].copy()
        control.__dict__.update(receive(one.state))
        control.previous_controlnet = None if one.previous is None else made[one.previous]
        made.append(control)
    return made


def _same_network(control, other) -> bool:
    """Whether two control objects have one network, or two of one file: core may load it again."""
    if type(control) is not type(other):
        return False
    tensors, theirs = _tensors_of(control), _tensors_of(other)
    if not tensors or list(tensors) != list(theirs):
        return False
    few = list(tensors)[:: max(1, len(tensors) // LOOKED_AT)]
    return all(tensors[name] is theirs[name] or torch.equal(tensors[name], theirs[name]) for name in few)


def _tensors_of(control) -> dict[str, torch.Tensor]:
    """The weights of a control object's networks, or of what it makes them from (ControlLora), by name."""
    found: dict[str, torch.Tensor] = {}
    for name, value in control.__dict__.items():
        if isinstance(value, torch.nn.Module):
            value = dict(value.named_parameters())
        if isinstance(value, dict) and name != "extra_args":
            found |= {f"{name}.{key}": one for key, one in value.items() if isinstance(one, torch.Tensor)}
    return found


def _is_of_the_network(value: object, wired: object) -> bool:
    """Whether the worker's own copy has this, or the same. Functions and networks do not travel."""
    return (
        value is wired
        or (isinstance(value, HEAVY) and type(value) is type(wired))
        or (callable(value) and type(value) is type(wired))
    )
