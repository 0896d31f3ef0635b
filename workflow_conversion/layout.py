"""Where new nodes lie: the main one where the old one was, the others in free places to its left.

The picture is a grid of cells that know which nodes touch them, so that a free place is found without looking
at all nodes.
"""

from __future__ import annotations

import math
from typing import Any

from .targets import Input

CELL = 400.0
GAP, TITLE, ROW, MARGIN = 30.0, 30.0, 24.0, 16.0
WIDTH, NARROW = 320.0, 220.0
STEPS = 14
"""How far from the old node a free place is looked for, in steps of GAP to a node's size."""
Box = tuple[float, float, float, float]


def size_of(inputs: list[Input], outputs: int) -> list[float]:
    """About how large the editor draws a node."""
    widgets = sum(entry.has_widget for entry in inputs)
    sockets = max(len(inputs) - widgets, outputs)
    return [WIDTH, TITLE + ROW * (sockets + widgets) + MARGIN]


def numbers_of(value: Any, default: tuple[float, float]) -> tuple[float, float]:
    """Two numbers, which files hold as a list or as an object with the keys 0 and 1."""
    if isinstance(value, dict):
        value = [value.get("0"), value.get("1")]
    if isinstance(value, list) and len(value) >= 2:
        found = [
            n if isinstance(n, (int, float)) and math.isfinite(n) else d
            for n, d in zip(value, default, strict=False)
        ]
        return float(found[0]), float(found[1])
    return default


class Places:
    """The nodes that lie in a workflow, and where there is room."""

    def __init__(self, nodes: list[dict[str, Any]]):
        self._cells: dict[tuple[int, int], list[Box]] = {}
        self.left, self.top = 0.0, 0.0
        boxes = [self._box(raw) for raw in nodes]
        for box in boxes:
            self._put(box)
        if boxes:
            self.left, self.top = min(b[0] for b in boxes), min(b[1] for b in boxes)

    @staticmethod
    def _box(raw: dict[str, Any]) -> Box:
        x, y = numbers_of(raw.get("pos"), (0.0, 0.0))
        width, height = numbers_of(raw.get("size"), (WIDTH, 100.0))
        return (x, y - TITLE, x + max(width, 1.0), y + max(height, 1.0))

    def take(self, old: dict[str, Any], size: list[float], is_main: bool = False) -> list[float]:
        """A place for a node of that size near the old one. The main one is no wider than need be, so that it
        gets the old one's own place; where others already lay over that, too. Changes `size`.
        """
        x, y = numbers_of(old.get("pos"), (self.left, self.top))
        if is_main:
            width, height = numbers_of(old.get("size"), (WIDTH, 0.0))
            size[0] = min(WIDTH, max(NARROW, width))
            if self._touches((x, y - TITLE, x + min(width, size[0]), y + height)):
                return self._put_at((x, y), size)
        for spot in self._spots(x, y, size):
            if not self._touches((spot[0], spot[1] - TITLE, spot[0] + size[0], spot[1] + size[1])):
                return self._put_at(spot, size)
        return self._put_at((x - (size[0] + GAP), y + STEPS * (size[1] + GAP + TITLE)), size)

    def _put_at(self, spot: tuple[float, float], size: list[float]) -> list[float]:
        self._put((spot[0], spot[1] - TITLE, spot[0] + size[0], spot[1] + size[1]))
        return [round(spot[0], 1), round(spot[1], 1)]

    @staticmethod
    def _spots(x: float, y: float, size: list[float]) -> list[tuple[float, float]]:
        """The old place, then places around it, the near ones first, the left ones before the right ones."""
        wide, high = size[0] + GAP, size[1] + GAP + TITLE
        steps = [
            (across, down / 2)
            for across in range(-STEPS, STEPS // 2)
            for down in range(-2 * STEPS, 2 * STEPS)
        ]
        steps.sort(key=lambda s: (abs(s[0]) * 1.2 + abs(s[1]) + (0.5 if s[0] > 0 else 0.0), s))
        return [(x + across * wide, y + down * high) for across, down in steps]

    def _covered(self, box: Box) -> list[tuple[int, int]]:
        x0, y0, x1, y1 = (max(-1e6, min(1e6, edge)) for edge in box)
        across = range(int(x0 // CELL), min(int(x1 // CELL), int(x0 // CELL) + 40) + 1)
        down = range(int(y0 // CELL), min(int(y1 // CELL), int(y0 // CELL) + 40) + 1)
        return [(i, j) for i in across for j in down]

    def _touches(self, box: Box) -> bool:
        return any(
            box[0] < other[2] and other[0] < box[2] and box[1] < other[3] and other[1] < box[3]
            for cell in self._covered(box)
            for other in self._cells.get(cell, ())
        )

    def _put(self, box: Box) -> None:
        for cell in self._covered(box):
            self._cells.setdefault(cell, []).append(box)
