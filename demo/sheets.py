"""Pictures that show how training goes: loss curves and sheets of samples."""

from __future__ import annotations

import pathlib

import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw

from . import networks, stages
from .batches import noise_levels

PROMPTS = (
    "a red ball on a blue background",
    "a big yellow square on a black background",
    "a blue triangle on a white background",
    "a green ring on a gray background",
    "a white ball in the meadow",
    "a purple ring in the desert",
    "a pink square on a green background, drifting left",
    "an orange triangle on a blue background, drifting up",
    "a blue ball bouncing in the desert",
    "a white ring on a black background",
    "a green triangle on a pink background",
    "a red square in the meadow, drifting right",
)


@torch.no_grad()
def sample(
    unet,
    cond: torch.Tensor,
    uncond: torch.Tensor,
    noise: torch.Tensor,
    schedule: int,
    steps: int = 20,
    guidance: float = 4.0,
) -> torch.Tensor:
    """Deterministic sampling (DDIM) of latents (N, 4, h, w) from unit noise; conditionings (N, 77, C)."""
    kept = noise_levels()[schedule].to(noise.device)
    times = torch.linspace(999, 0, steps + 1).round().long()[:-1].to(noise.device)
    context, x = torch.cat([cond, uncond]), noise
    for i, t in enumerate(times):
        both = stages.denoise(unet, torch.cat([x, x]), t.expand(2 * len(x)), context)
        with_text, without = both.chunk(2)
        eps = without + guidance * (with_text - without)
        clean = (x - (1 - kept[t]).sqrt() * eps) / kept[t].sqrt()
        after = kept[times[i + 1]] if i + 1 < len(times) else kept.new_tensor(1.0)
        x = after.sqrt() * clean + (1 - after).sqrt() * eps
    return x


def latents_to_rgb(latents: torch.Tensor) -> torch.Tensor:
    """The colours that latents (N, 4, h, w) hold, enlarged to (N, 3, H, W) in 0..1 without a decoder."""
    return F.interpolate(latents[:, :3] / networks.LATENT_SCALE + 0.5, scale_factor=4).clamp(0, 1)


@torch.no_grad()
def frames_sheet(text, unet, tokens: dict[str, list[int]], path: pathlib.Path) -> None:
    """Four pictures of each prompt of PROMPTS, one prompt a column."""
    device = next(text.parameters()).device
    rows = torch.tensor(
        [text.rows(networks.caption_tokens(p, tokens)) for p in PROMPTS for _ in range(4)], device=device
    )
    empty = text(torch.tensor([text.rows([])] * len(rows), device=device))
    noise = torch.randn(len(rows), 4, 16, 16, generator=torch.Generator().manual_seed(7)).to(device)
    latents = sample(unet, text(rows), empty, noise, schedule=0, steps=12)
    save_grid(latents_to_rgb(latents), len(PROMPTS), path)


CLIP_PROMPTS = (
    "a red ball on a blue background, drifting right",
    "a white ring bounces in the meadow",
    "a yellow square on a black background, drifting left",
    "a purple triangle drifts up in the desert",
    "a blue ball orbits on a white background",
)


def save_grid(frames: torch.Tensor, columns: int, path: pathlib.Path, by_rows: bool = False) -> None:
    """Frames (columns * rows, 3, H, W), column by column or row by row, as one PNG."""
    n, _, h, w = frames.shape
    cells = F.pad(frames.float(), (1, 1, 1, 1), value=1.0)
    cells = (
        cells.unflatten(0, (n // columns, columns))
        if by_rows
        else cells.unflatten(0, (columns, n // columns)).transpose(0, 1)
    )
    grid = cells.permute(0, 3, 1, 4, 2).reshape(n // columns * (h + 2), columns * (w + 2), 3)
    Image.fromarray((grid * 255).round().byte().cpu().numpy()).save(path, optimize=True)


def loss_curve(losses: list[float], path: pathlib.Path, title: str) -> None:
    """The running mean of a stage's loss, logarithmic, as a small PNG."""
    width, height = 480, 200
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    window = max(1, len(losses) // 100)
    values = torch.tensor(losses).log10().unfold(0, window, max(1, window // 2)).mean(1)
    low, high = float(values.min()), float(values.max()) + 1e-6
    points = [
        (
            10 + i * (width - 20) / max(1, len(values) - 1),
            height - 10 - (v - low) / (high - low) * (height - 40),
        )
        for i, v in enumerate(values.tolist())
    ]
    draw.line(points, fill=(30, 80, 200), width=2)
    draw.text(
        (10, 5),
        f"{title}; {len(losses)} steps, loss {10**high:.4f} to {10 ** float(values[-1]):.4f}",
        fill="black",
    )
    image.save(path)
