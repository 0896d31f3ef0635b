"""Makes demo.webp, the moving picture of the README:
the family's videos with the motion module, below the same without it.

python dev.py run demo.picture
"""

from __future__ import annotations

import pathlib

import torch
import torch.nn.functional as F
from PIL import Image

from . import play
from .sheets import CLIP_PROMPTS

FPS = 8
GAP = 4  # white pixels between the videos


def grid(rows: list[list[torch.Tensor]]) -> torch.Tensor:
    """Rows of clips (F, 3, H, W) in 0..1 -> the frames (F, 3, H', W') of one picture."""
    return torch.cat([torch.cat([F.pad(clip, (GAP,) * 4, value=1.0) for clip in row], 3) for row in rows], 2)


def save_webp(frames: torch.Tensor, path: pathlib.Path) -> None:
    """Frames (F, 3, H, W) in 0..1 as an animated WebP that plays forever."""
    images = [Image.fromarray((f.movedim(0, -1) * 255).round().byte().numpy()) for f in frames]
    images[0].save(
        path, save_all=True, append_images=images[1:], duration=1000 // FPS, loop=0, quality=80, method=6
    )


def main() -> None:
    family = play.load_family()
    rows = [
        [play.clip_of(family, model, text, seed).clamp(0, 1) for seed, text in enumerate(CLIP_PROMPTS)]
        for model in (play.moving(family), play.not_moving(family))
    ]
    path = pathlib.Path(__file__).parent / "demo.webp"
    save_webp(grid(rows), path)
    print(f"{path}  {path.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
