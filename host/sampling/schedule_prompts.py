"""Prompts over Frames: one CONDITIONING that has a row for each frame, from any CLIP.

ComfyUI repeats the rows of a CONDITIONING over the batch, so where frames are the batch, frame i is told row
i. Context windows cut the rows of their frames (host/windows/conds.py).

Texts of several lengths (77, 154, ... tokens) are brought to a common one by repeating them, as ComfyUI does
for texts in one call: attention over a text twice is that over it once. So a frame with one text alone has
the result of that text.

Letters: F frames, L tokens, D width of the embedding.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import comfy.model_management
import comfy.utils
import torch

from ...foreign_text import printable
from ...frame_tools.plots import plot_values
from ...memory import check_memory
from ...samplers.over_frames.prompts import Mix, PromptPlan, PromptSettings, prompt_plan
from .prompt_frames import FRAMES_TOLD

LONGEST_REPEAT = 4  # times the longest text: core's limit too
POOLED = "pooled_output"
LABELLED = 6  # prompts whose texts are in the drawing; of more only their frames

Encoded = list[tuple[torch.Tensor, dict]]
"""What a CLIP makes of a text: an entry for each range of the schedule of its hooks."""


def schedule_prompts(clip, settings: PromptSettings, frame: int = -1) -> tuple[list, list, torch.Tensor]:
    """(positive, negative) CONDITIONING and the weights of the prompts over frames, drawn (1, H, W, 3).

    frame: of this one alone; -1 = of all. Raises ValueError for texts that cannot be read or mixed, for a
    frame that is not there, and where there is not the memory.
    """
    plan = prompt_plan(settings)
    told = (plan.positive, plan.negative)
    if frame >= len(plan.positive):
        raise ValueError(f"frame={frame} must be at most {len(plan.positive) - 1}, the last frame; lower it.")
    if frame >= 0:
        told = tuple([mixes[frame]] for mixes in told)
    encoded = _encode(clip, [*told[0], *told[1]], len(told[0]))
    positive, negative = (_conditioning(encoded, mixes) for mixes in told)
    return positive, negative, draw_weights(plan)


def frames_of_latent(latent: Mapping) -> int:
    """Images in the batch of a LATENT. Raises ValueError for video latents (B, C, F, H, W)."""
    samples = latent["samples"]
    if samples.ndim != 4:
        raise ValueError(
            f"the latents have the shape {tuple(samples.shape)}, as those of video models have, whose frames"
            " all have one prompt; wire latents of images, such as Empty Latent Image with a batch of frames."
        )
    return samples.shape[0]


def draw_weights(plan: PromptPlan, width: int = 768, height: int = 320) -> torch.Tensor:
    """The weight of each prompt over frames as a picture (1, height, width, 3)."""
    few = len(plan.weights) <= LABELLED
    labels = [f"{frame}: {printable(text, 60)}" if few else f"{frame}" for frame, text, _ in plan.weights]
    series = [weights for _, _, weights in plan.weights]
    return plot_values(series, labels, width, height, "Weight of each prompt")


def _texts(mixes: list[Mix]) -> list[str]:
    """Every text that some frame is told, once."""
    told = {}
    for mix in mixes:
        told |= dict.fromkeys([mix.text] if min(mix.weight, mix.pooled_weight) < 1 else [])
        told |= dict.fromkeys([mix.next_text] if max(mix.weight, mix.pooled_weight) > 0 else [])
    return list(told)


def _encode(clip, mixes: list[Mix], num_frames: int) -> dict[str, Encoded]:
    """Each distinct text, encoded once."""
    texts, encoded = _texts(mixes), {}
    bar = comfy.utils.ProgressBar(len(texts))
    for text in texts:
        comfy.model_management.throw_exception_if_processing_interrupted()
        encoded[text] = clip.encode_from_tokens_scheduled(clip.tokenize(text), show_pbar=False)
        if len(encoded) == 1:
            size = sum(cond.nbytes for cond, _ in encoded[text])
            check_memory(
                size * (len(texts) + 3 * num_frames),
                f"{len(texts)} prompts over {num_frames} frames",
                "take fewer frames, or prompts without numbers that change from frame to frame",
            )
        bar.update(1)
    return encoded


def _conditioning(encoded: dict[str, Encoded], mixes: list[Mix]) -> list[list]:
    """A CONDITIONING whose rows are the mixes' texts; a single row where all frames are told the same."""
    texts = _texts(mixes)
    if len(texts) == 1:
        return [[cond, dict(extras)] for cond, extras in encoded[texts[0]]]
    return [
        _entry({text: encoded[text][place] for text in texts}, mixes)
        for place in range(len(encoded[texts[0]]))
    ]


def _entry(encoded: dict[str, tuple[torch.Tensor, dict]], mixes: list[Mix]) -> list:
    conds = _of_one_length({text: cond for text, (cond, _) in encoded.items()})
    extras = {text: more for text, (_, more) in encoded.items()}
    told = {name: _same(name, [more.get(name) for more in extras.values()])
            for name in next(iter(extras.values())) if name != POOLED}  # fmt: skip
    if all(isinstance(more.get(POOLED), torch.Tensor) for more in extras.values()):
        pooled = {text: more[POOLED] for text, more in extras.items()}
        told[POOLED] = _rows(pooled, mixes, lambda mix: mix.pooled_weight)
    else:
        told[POOLED] = None
    if len(mixes) > 1:  # one row is for every frame
        told[FRAMES_TOLD] = len(mixes)
    return [_rows(conds, mixes, lambda mix: mix.weight), told]


def _rows(values: dict[str, torch.Tensor], mixes: list[Mix], weight: Callable[[Mix], float]) -> torch.Tensor:
    """(F, ...) from tensors (1, ...) of the texts."""
    rows = []
    for mix in mixes:
        one, other = (values.get(text) for text in (mix.text, mix.next_text))
        part = weight(mix)
        rows.append(torch.lerp(one, other, part) if 0 < part < 1 else other if part else one)
    return torch.cat(rows)


def _of_one_length(conds: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Texts (1, L, D) repeated to the same L. Raises ValueError where that would be too long."""
    lengths = sorted({cond.shape[1] for cond in conds.values()})
    common = math.lcm(*lengths)
    if common > LONGEST_REPEAT * lengths[-1]:
        raise ValueError(
            f"prompts of {', '.join(map(str, lengths))} tokens cannot be mixed, because their common multiple"
            f" is {common} tokens; make them about equally long."
        )
    return {text: cond.repeat(1, common // cond.shape[1], 1) for text, cond in conds.items()}


def _same(name: str, values: list):
    """What all texts have besides their embedding. Raises ValueError where it is not the same."""
    first = values[0]
    for value in values[1:]:
        is_tensor = isinstance(first, torch.Tensor) and isinstance(value, torch.Tensor)
        if not (torch.equal(first, value) if is_tensor else first is value or first == value):
            raise ValueError(
                f"this CLIP gives '{printable(name)}' with each prompt, and it differs between them, so it"
                " cannot be mixed over frames; use a CLIP of SD1.x, SD2.x or SDXL, or one prompt."
            )
    return first
