"""Scenes of a video as cards on a sheet, a bar of time below: what a storyboard looks like.

Letters: H height, W width.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from PIL import Image, ImageDraw

from ..memory import check_memory
from .labels import BLACK, GREY, WHITE, shortened, text_width, to_image, to_tensor, write
from .plots import COLOURS, GROUND, LINES, TEXT

COLUMNS, CARD, GAP, MARGIN = 4, (232, 196), 24, 16
PICTURE = 96
LINES_OF_PROMPT = 3
BAR = 26
MOST_CARDS = 64


@dataclass(frozen=True)
class Card:
    """A scene as it is drawn. length: frames. arrow: (x, y) of the camera, towards the right and down;
    depth: into the picture (above 0) or out of it. next: the words of the transition behind it. picture:
    (H, W, 3) of 0..1.
    """

    heading: str
    prompt: str
    camera: str
    length: int
    arrow: tuple[float, float] = (0.0, 0.0)
    depth: float = 0.0
    next: str = ""
    picture: torch.Tensor | None = None


def draw_cards(cards: Sequence[Card], title: str) -> torch.Tensor:
    """The cards in rows of four, the scenes' lengths as a bar below: (1, H, W, 3). Of many scenes the first
    64 have cards.
    """
    shown = cards[:MOST_CARDS]
    columns = min(COLUMNS, len(shown))
    rows = -(-len(shown) // columns)
    width = 2 * MARGIN + columns * CARD[0] + (columns - 1) * GAP
    top = 2 * MARGIN + TEXT
    height = top + rows * (CARD[1] + GAP) + BAR + 2 * MARGIN
    check_memory(16 * width * height, "the picture of a storyboard", "write fewer scenes")
    image = Image.new("RGB", (width, height), GROUND)
    draw = ImageDraw.Draw(image)
    write(draw, (MARGIN, MARGIN + TEXT), shortened(title, TEXT, width - 2 * MARGIN), TEXT)
    for number, card in enumerate(shown):
        row, column = divmod(number, columns)
        place = MARGIN + column * (CARD[0] + GAP), top + row * (CARD[1] + GAP)
        _draw_card(image, draw, place, card, COLOURS[number % len(COLOURS)])
    _draw_bar(draw, cards, MARGIN, height - MARGIN - BAR, width - 2 * MARGIN)
    return to_tensor(image)[None]


def _draw_card(image, draw: ImageDraw.ImageDraw, place: tuple[int, int], card: Card, colour) -> None:
    x, y = place
    draw.rectangle((x, y, x + CARD[0], y + CARD[1]), outline=LINES)
    draw.rectangle((x, y, x + CARD[0], y + 4), fill=colour)
    write(draw, (x + 8, y + 24), shortened(card.heading, TEXT, CARD[0] - 16), TEXT)
    frame = (x + 8, y + 32, x + CARD[0] - 8, y + 32 + PICTURE)
    draw.rectangle(frame, fill=BLACK)
    if card.picture is not None:
        _paste(image, card.picture, frame)
    _draw_arrow(draw, frame, card)
    below = frame[3] + TEXT + 2
    write(draw, (x + 8, below), shortened(card.camera, TEXT - 2, CARD[0] - 16), TEXT - 2, GREY)
    lines = textwrap.wrap(" ".join(card.prompt.split())[:400], 36, max_lines=LINES_OF_PROMPT, placeholder="…")
    for number, line in enumerate(lines):
        place = x + 8, below + (number + 1) * (TEXT + 2)
        write(draw, place, shortened(line, TEXT - 2, CARD[0] - 16), TEXT - 2)
    if card.next:
        write(draw, (x + CARD[0] - text_width(card.next, TEXT - 2) - 4, y + CARD[1] + TEXT), card.next,
              TEXT - 2, GREY)  # fmt: skip


def _paste(image: Image.Image, picture: torch.Tensor, frame: tuple[int, int, int, int]) -> None:
    """A picture in the middle of its place, whole."""
    small = to_image(picture)
    small.thumbnail((frame[2] - frame[0], frame[3] - frame[1]))
    image.paste(small, ((frame[0] + frame[2] - small.width) // 2, (frame[1] + frame[3] - small.height) // 2))


def _draw_arrow(draw: ImageDraw.ImageDraw, frame: tuple[int, int, int, int], card: Card) -> None:
    """The camera: an arrow along its way, and for a way into the picture frames within frames."""
    x, y = (frame[0] + frame[2]) / 2, (frame[1] + frame[3]) / 2
    if card.depth:
        for share in (0.9, 0.55):
            half = share * (frame[2] - frame[0]) / 2, share * (frame[3] - frame[1]) / 2
            inner = (share == 0.55) == (card.depth > 0)
            draw.rectangle((x - half[0], y - half[1], x + half[0], y + half[1]),
                           outline=WHITE if inner else GREY, width=2 if inner else 1)  # fmt: skip
    dx, dy = card.arrow
    if not (dx or dy):
        return
    reach = 0.35 * min(frame[2] - frame[0], frame[3] - frame[1]) / max(abs(dx), abs(dy))
    end = x + reach * dx, y + reach * dy
    draw.line((x - reach * dx, y - reach * dy, *end), fill=WHITE, width=3)
    across = -dy * reach * 0.3, dx * reach * 0.3
    back = end[0] - 0.45 * reach * dx, end[1] - 0.45 * reach * dy
    draw.polygon((end, (back[0] + across[0], back[1] + across[1]),
                  (back[0] - across[0], back[1] - across[1])), fill=WHITE)  # fmt: skip


def _draw_bar(draw: ImageDraw.ImageDraw, cards: Sequence[Card], x: int, y: int, width: int) -> None:
    """The scenes one after the other, as long as their frames."""
    total, done = sum(card.length for card in cards), 0
    for number, card in enumerate(cards):
        left, right = x + width * done / total, x + width * (done + card.length) / total
        draw.rectangle((left, y, max(left, right - 1), y + BAR), fill=COLOURS[number % len(COLOURS)])
        label = f"{done}"
        if right - left > text_width(label, TEXT) + 8:
            write(draw, (left + 4, y + BAR - 8), label, TEXT, BLACK)
        done += card.length
