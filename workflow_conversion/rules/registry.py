"""The rules by node type. A rule asks a `Plan` for what takes a node's place, or raises Left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..graph import Node
from ..plan import Plan

Convert = Callable[[Node, Plan], None]
USES, TAKES, MAKES = STAGES = (0, 1, 2)
"""What uses others goes first, so that what makes things finds nodes of ours behind it."""


@dataclass(frozen=True)
class Rule:
    """How a type is converted, and when."""

    convert: Convert
    stage: int


RULES: dict[str, Rule] = {}
OPTIONS: set[str] = set()
"""Types that are nothing by themselves: settings for nodes that have rules."""


def rule(*types: str, stage: int = TAKES) -> Callable[[Convert], Convert]:
    """Registers a function for these types."""

    def register(convert: Convert) -> Convert:
        for kind in types:
            RULES[kind] = Rule(convert, stage)
        return convert

    return register


def options(*types: str) -> None:
    """Registers types that go once nothing needs them."""
    OPTIONS.update(types)
