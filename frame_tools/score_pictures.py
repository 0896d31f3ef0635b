"""Tables of numbers and bars of them as pictures, in the manner of the plots."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from PIL import Image, ImageDraw

from .labels import GREY, WHITE, shortened, text_width, to_tensor, write
from .plots import COLOURS, GROUND, LINES

SIZE, SMALL, PAD = 16, 12, 10
ROW, NOTE = 46, 18
BEST = COLOURS[0]
NAMES, LEAST_WIDTH = 250, 256
BAR = 14
MOST_NOTES = 12


@dataclass(frozen=True)
class TableRow:
    """name, and below it a note in small letters. cells: a text for each column, empty = not measured.
    values: their numbers, None = none. best: the column that wins, None = none does.
    """

    name: str
    note: str
    cells: list[str]
    values: list[float | None]
    best: int | None = None


def draw_table(columns: list[str], rows: list[TableRow], notes: list[str], width: int) -> torch.Tensor:
    """A table (1, height, width, 3), values 0..1, with notes below. The height follows from what is in it."""
    shown = notes[:MOST_NOTES]
    shown += [f"and {len(notes) - MOST_NOTES} more"] if len(notes) > MOST_NOTES else []
    height = ROW + ROW * len(rows) + (NOTE * len(shown) + 2 * PAD if shown else PAD)
    image = Image.new("RGB", (width, height), GROUND)
    draw = ImageDraw.Draw(image)
    left = min(NAMES, width // 2)
    column = max(1, (width - left - PAD) // max(1, len(columns)))
    for number, label in enumerate(columns):
        write(draw, (left + column * number, ROW - 16), shortened(label, SIZE, column - PAD), SIZE, WHITE)
    for place, row in enumerate(rows, 1):
        y = ROW * place
        draw.line((PAD, y, width - PAD, y), fill=LINES)
        write(draw, (PAD, y + 20), shortened(row.name, SIZE, left - 2 * PAD), SIZE, WHITE)
        write(draw, (PAD, y + 37), shortened(row.note, SMALL, width - 2 * PAD), SMALL, GREY)
        for number, cell in enumerate(row.cells):
            colour = BEST if number == row.best else WHITE
            text = shortened(cell, SIZE, column - PAD)
            write(draw, (left + column * number, y + 20), text, SIZE, colour)
    y = ROW * (len(rows) + 1)
    draw.line((PAD, y, width - PAD, y), fill=LINES)
    for number, note in enumerate(shown, 1):
        write(draw, (PAD, y + NOTE * number), shortened(note, SMALL, width - 2 * PAD), SMALL, GREY)
    return to_tensor(image)[None]


def draw_bars(columns: list[str], rows: list[TableRow], width: int) -> torch.Tensor:
    """A group of bars for each row (1, height, width, 3), each row on a scale of its own from 0 on."""
    group = BAR * max(1, len(columns)) + 26
    height = 34 + group * len(rows) + PAD
    image = Image.new("RGB", (width, height), GROUND)
    draw = ImageDraw.Draw(image)
    _legend(draw, columns, width)
    numbers = max((text_width(cell, SMALL) for row in rows for cell in row.cells), default=0) + PAD
    left, right = PAD, width - PAD - min(numbers, width // 3)
    for place, row in enumerate(rows):
        y = 34 + group * place
        write(draw, (left, y + 14), shortened(row.name, SMALL + 1, width - 2 * PAD), SMALL + 1, WHITE)
        largest = max((abs(value) for value in row.values if value is not None), default=0) or 1.0
        for number, value in enumerate(row.values):
            top = y + 20 + BAR * number
            length = 0 if value is None else abs(value) / largest * (right - left)
            if value is not None:
                draw.rectangle((left, top, left + max(1, length), top + BAR - 4), fill=_colour(number))
            write(draw, (left + length + 6, top + BAR - 4), row.cells[number] or "-", SMALL, GREY)
    return to_tensor(image)[None]


def _legend(draw: ImageDraw.ImageDraw, columns: list[str], width: int) -> None:
    x, room = PAD, max(30, (width - 2 * PAD) // max(1, len(columns)) - 30)
    for number, label in enumerate(columns):
        draw.rectangle((x, 12, x + 12, 20), fill=_colour(number))
        text = shortened(label, SMALL + 1, room)
        write(draw, (x + 17, 21), text, SMALL + 1, WHITE)
        x += 17 + text_width(text, SMALL + 1) + 16


def _colour(number: int) -> tuple[int, int, int]:
    return COLOURS[number % len(COLOURS)]
