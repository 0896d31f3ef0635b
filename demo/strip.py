"""The moving strip of the README: the demo's videos with the motion module, below them the same without it.

Letters: F frames; clips are (F, 3, H, W), what is drawn is (F, H, W, 3), both in 0..1.
"""

from __future__ import annotations

import pathlib
import textwrap

import torch
import torch.nn.functional as F
from PIL import Image

from ..frame_tools.grids import GridSettings, compare_clips
from ..frame_tools.labels import label_bar, to_image
from . import play

PROMPTS = (
    "a red ball drifts right on a blue background",
    "a white ring bounces in the meadow",
    "a yellow square grows on a black background",
    "a purple triangle drifts up in the desert",
)
SEED = 2
SIDE, GAP = 196, 5  # pixels of a clip and between two
LINE, TITLE = 20, 26  # pixels: height of a line of a prompt, and of a title
LETTERS = 25  # of a prompt in a line
FPS = 8
WITH = "with Apply Motion Module: 16 frames of one video"
WITHOUT = "without it: 16 single images (same checkpoint, prompt and seed)"


def prompt_bar(prompt: str) -> torch.Tensor:
    """A prompt in two lines, as wide as a clip: (2 * LINE, SIDE, 3)."""
    first, second = (textwrap.wrap(f'"{prompt}"', LETTERS) + [""])[:2]
    return torch.cat([label_bar(first, SIDE, LINE), label_bar(second, SIDE, LINE)])


def row(clips: list[torch.Tensor]) -> torch.Tensor:
    """Clips beside each other: (F, SIDE, W, 3)."""
    large = [F.interpolate(clip.clamp(0, 1), (SIDE, SIDE), mode="bicubic", antialias=True) for clip in clips]
    return compare_clips(
        [clip.movedim(1, -1).clamp(0, 1) for clip in large], [], GridSettings(len(large), gap=GAP)
    )


def strip(prompts: tuple[str, ...], moving: list[torch.Tensor], still: list[torch.Tensor]) -> torch.Tensor:
    """Prompts over the clips with the module, over the clips without it; a title over either row."""
    with_it, without = row(moving), row(still)
    frames, _, width, _ = with_it.shape
    heads = compare_clips(
        [prompt_bar(prompt)[None] for prompt in prompts], [], GridSettings(len(prompts), gap=GAP)
    )
    bars = [label_bar(title, width, TITLE)[None] for title in (WITH, WITHOUT)]
    parts = [heads, bars[0], with_it, bars[1], without]
    return torch.cat([part.expand(frames, -1, -1, -1) for part in parts], 1)


def save_webp(images: list[Image.Image], path: pathlib.Path, quality: int) -> None:
    """Writes images of one size as an animated WebP that plays forever, FPS a second."""
    first, *rest = images
    milliseconds = round(1000 / FPS)
    first.save(
        path, save_all=True, append_images=rest, duration=milliseconds, loop=0, quality=quality, method=6
    )


def make_strip(path: pathlib.Path) -> None:
    """Samples the clips, which takes minutes on a CPU, and writes the strip."""
    family = play.load_family()
    models = play.moving(family), play.not_moving(family)
    rows = [[play.clip_of(family, model, prompt, SEED) for prompt in PROMPTS] for model in models]
    save_webp([to_image(frame) for frame in strip(PROMPTS, *rows)], path, quality=80)
