"""Where a training run is, on disk: written whole or not at all, read back only by the run that wrote it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from ..foreign_text import printable
from .recipe import Recipe

FILE = "state.pt"


class RunFolder:
    """The folder of one run. what: a fingerprint of the data and of the trained weights, by name."""

    def __init__(self, folder: Path, recipe: Recipe, what: Mapping[str, str]):
        self.path, self.recipe, self.what = folder / FILE, recipe, dict(what)

    def read(self) -> dict[str, Any] | None:
        """The state, or None where there is none.

        Raises ValueError for a state that is damaged or of a run with another recipe, data or weights.
        """
        if not self.path.exists():
            return None
        advice = f"choose another run_name, or remove {printable(self.path.parent)}"
        try:
            state = torch.load(self.path, weights_only=True, map_location="cpu")
            differences = self.recipe.differences(state["recipe"])
            kept = state["what"]
        except Exception as error:
            raise ValueError(
                f"the state of this run cannot be read ({printable(error, 200)}); {advice}."
            ) from error
        differences += [
            f"{name} was {printable(kept.get(name))}, is {printable(now)}"
            for name, now in self.what.items()
            if kept.get(name) != now
        ]
        if differences:
            raise ValueError(
                f"the run of this name was begun otherwise: {'; '.join(differences)}. Set it as it was to go"
                f" on; to begin anew, {advice}."
            )
        return state

    def write(self, state: Mapping[str, Any]) -> None:
        """Puts a state in the place of the one before. Raises OSError where the disk is full; the old one is
        whole then.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_suffix(".part")
        try:
            torch.save({"recipe": asdict(self.recipe), "what": self.what, **state}, part)
            os.replace(part, self.path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
