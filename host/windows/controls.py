"""ControlNets of a context window: each frame gets its own hint, which ComfyUI core does not do (every window
gets hints 0, 1, 2, ...).

For the time of one evaluation the hints of the frames at hand take the place of the hints of the whole video
in the control object and in those chained before it; afterwards, also after an exception, everything is as it
was. Hints prepared by a ControlNet (scaled, encoded by its VAE) are kept for the run, frame by frame, so that
they are prepared once and not at every step.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from .conds import take_frames

# What a control object of ComfyUI derives from or holds its hints in.
HINT_ATTRIBUTES = ("cond_hint_original", "cond_hint", "extra_concat_orig", "control_input")
# How control objects of Advanced-ControlNet are told which frames they see;
# they select hints, masks and strengths themselves.
FRAME_ATTRIBUTES = ("sub_idxs", "full_latent_length", "context_length")


def control_chain(control) -> Iterator:
    """The control object and those chained before it."""
    while control is not None:
        yield control
        control = control.previous_controlnet


def hint_count(control) -> int:
    """How many images a control object has as hints; 0 when it has none."""
    hints = control.cond_hint_original
    return hints.shape[0] if isinstance(hints, torch.Tensor) else 0


def selects_frames_itself(control) -> bool:
    """Whether a control object takes frame numbers instead of hints (the protocol of Advanced-ControlNet)."""
    return all(hasattr(control, name) for name in FRAME_ATTRIBUTES)


def finds_its_frames(control) -> bool:
    """Whether a control object of this pack reads the frames of a call, and keeps its hints whole."""
    return getattr(control, "finds_its_frames", False)


class PreparedHints:
    """Hints of one control object as its network wants them, (n,
    ...) for n hint images, kept beside the original images.
    """

    def __init__(self, control):
        self.control = control  # kept alive, so that its id stays its own
        self.original: torch.Tensor = control.cond_hint_original
        self.hints: torch.Tensor | None = None
        self.known: set[int] = set()

    def rows(self, frames: list[int]) -> list[int]:
        """The hint image of each frame: as in ComfyUI, few hints are repeated over the video."""
        return [frame % self.original.shape[0] for frame in frames]

    def get(self, rows: list[int], device: torch.device) -> torch.Tensor | None:
        """The hints of these rows, or None when one of them has not been prepared yet."""
        if not self.known.issuperset(rows):
            return None
        distinct = list(dict.fromkeys(rows))
        return self.hints[distinct].to(device)[[distinct.index(row) for row in rows]]

    def put(self, rows: list[int], hints: torch.Tensor) -> None:
        """Keeps the hints (len(rows), ...) of these rows."""
        if self.hints is None:
            shape = (self.original.shape[0], *hints.shape[1:])
            self.hints = torch.empty(shape, dtype=hints.dtype, device=self.original.device)
        new = {row: place for place, row in enumerate(rows) if row not in self.known}
        if new:
            self.hints[list(new)] = hints[list(new.values())].to(self.hints.device)
            self.known.update(new)


class HintStore:
    """Prepared hints of one sampling run: for each control object, its hint images and latent size."""

    def __init__(self):
        self.stored: dict[tuple, PreparedHints] = {}

    def of(self, control, latent_size: tuple[int, ...]) -> PreparedHints:
        """What is known of the hints that the control object has now, for latents of this size."""
        key = (id(control), id(control.cond_hint_original), latent_size)
        if key not in self.stored:
            self.stored[key] = PreparedHints(control)
        return self.stored[key]


def _set_hints(control, rows: list[int], prepared: PreparedHints, device: torch.device) -> None:
    control.cond_hint = prepared.get(rows, device)
    # As those that are kept: kernels round by strides, and which are kept depends on the windows before.
    control.cond_hint_original = prepared.original[rows].contiguous()
    control.extra_concat_orig = [take_frames(mask, rows) for mask in control.extra_concat_orig]
    if hasattr(
        control, "control_input"
    ):  # T2I-Adapter: its network's answer to the hints of the last evaluation
        control.control_input = None


@contextmanager
def hints_of_frames(control, frames: list[int], num_frames: int, x: torch.Tensor, store: HintStore):
    """Within this context the control object and those chained before it have the
    hints of exactly these frames of num_frames, in this order: one for each row
    of the latents x. A single hint image stays: it is the same for all frames.
    """
    saved, prepared = [], []
    try:
        for part in control_chain(control):
            if finds_its_frames(part):
                continue
            if selects_frames_itself(part):
                saved.append((part, {name: getattr(part, name) for name in FRAME_ATTRIBUTES}))
                part.sub_idxs, part.full_latent_length, part.context_length = frames, num_frames, len(frames)
            elif hint_count(part) > 1:
                saved.append(
                    (part, {name: getattr(part, name) for name in HINT_ATTRIBUTES if hasattr(part, name)})
                )
                hints = store.of(part, tuple(x.shape[2:]))
                _set_hints(part, hints.rows(frames), hints, x.device)
                prepared.append((part, hints))
        yield
        for part, hints in prepared:
            if isinstance(part.cond_hint, torch.Tensor) and part.cond_hint.shape[0] == len(frames):
                hints.put(hints.rows(frames), part.cond_hint)
    finally:
        for part, values in saved:
            for name, value in values.items():
                setattr(part, name, value)
