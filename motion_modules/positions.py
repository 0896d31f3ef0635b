"""Position tables of temporal layers, stretched and cut: other numbers for more or for slower frames.

Source: AnimateDiff-Evolved's adjustments of the table ("pe"): these steps in this order, and linear
interpolation between rows with half-pixel edges. A sweetspot of 16 stretched to 24 is cap=16, length=24.

Letters: R rows of a table, C channels.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields

import torch
import torch.nn.functional as nnf

POSITION_TABLE = "pos_encoder.pe"
"""How the names of such tables end: parameters (1, R, C) whose row f is added to frame f."""


def is_table_of_layers(name: str) -> bool:
    """Whether a parameter is the table of a layer in the UNet, not of an encoder beside it (CameraCtrl's)."""
    return name.endswith(POSITION_TABLE) and ".temporal_transformer." in name


@dataclass(frozen=True)
class PositionChange:
    """What is done to a table, in this order; numbers of rows, 0 leaves a step out.

    stretch: rows that interpolation adds. offset_before: first rows that are dropped. cap: rows that are kept
    of the rest. length: rows after interpolation. offset_after: first rows that are dropped then. Raises
    ValueError for negative numbers.
    """

    stretch: int = 0
    offset_before: int = 0
    cap: int = 0
    length: int = 0
    offset_after: int = 0

    def __post_init__(self) -> None:
        for field in fields(self):
            if (value := getattr(self, field.name)) < 0:
                raise ValueError(f"{field.name}={value} must be 0 (off) or larger; raise it.")

    def __bool__(self) -> bool:
        return any(astuple(self))

    def rows(self, rows: int) -> int:
        """How many rows a table of so many has afterwards. Raises ValueError where none is left.

        >>> PositionChange(cap=16, length=24, offset_after=3).rows(32)
        21
        """
        rows = _after_offset(rows + self.stretch, "offset_before", self.offset_before)
        rows = min(rows, self.cap) if self.cap else rows
        return _after_offset(self.length or rows, "offset_after", self.offset_after)

    def most_rows(self, rows: int) -> int:
        """The rows that the table of so many has at most on the way."""
        return max(rows + self.stretch, self.length)

    def of(self, table: torch.Tensor) -> torch.Tensor:
        """A table (1, R, C) changed: (1, rows(R), C). Raises ValueError as `rows` does."""
        self.rows(table.shape[1])
        if self.stretch:
            table = _interpolated(table, table.shape[1] + self.stretch)
        table = table[:, self.offset_before :]
        table = table[:, : self.cap] if self.cap else table
        table = _interpolated(table, self.length) if self.length else table
        return table[:, self.offset_after :].contiguous()


def _after_offset(rows: int, name: str, offset: int) -> int:
    if offset >= rows:
        raise ValueError(f"{name}={offset} must be smaller than the {rows} rows of the table; lower it.")
    return rows - offset


def _interpolated(table: torch.Tensor, rows: int) -> torch.Tensor:
    """A table (1, R, C) -> (1, rows, C)."""
    return nnf.interpolate(table.transpose(1, 2), size=rows, mode="linear").transpose(1, 2)
