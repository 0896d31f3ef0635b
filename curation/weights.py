"""Files of weights that a person has: read as plain tensors only."""

from __future__ import annotations

import pickle
from pathlib import Path

import torch

from ..foreign_text import printable


def read_weights(path: Path, what: str, published: str) -> dict[str, torch.Tensor]:
    """The tensors of a .safetensors, .pth, .pt or .ckpt file by name, without code being run.

    what: that needs them; published: what the file is called where people get it. Raises ValueError."""
    path = Path(path)
    if not path.is_file():
        raise ValueError(
            f"{what} needs the file '{printable(path.name)}' in the folder '{printable(str(path.parent))}',"
            f" and it is not there; it is published as {published}."
        )
    try:
        if path.suffix.lower() == ".safetensors":
            from safetensors.torch import load_file

            found = load_file(path)
        else:
            found = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise ValueError(
            f"'{printable(path.name)}' cannot be read as weights ({printable(error)}); get {published} again."
        ) from error
    except Exception as error:  # safetensors raises a type of its own
        raise ValueError(
            f"'{printable(path.name)}' is damaged ({printable(error)}); get it again."
        ) from error
    if isinstance(found, dict) and isinstance(found.get("state_dict"), dict):
        found = found["state_dict"]
    if not isinstance(found, dict) or not all(isinstance(value, torch.Tensor) for value in found.values()):
        raise ValueError(f"'{printable(path.name)}' holds no plain tensors; {what} takes {published}.")
    return found
