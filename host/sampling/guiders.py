"""What a guider must have for nodes that change its scale."""

from __future__ import annotations


def check_one_scale(guider, node: str) -> None:
    """Raises ValueError for a guider that has no scale, or two; node: the name that the message gives."""
    if hasattr(guider, "cfg2"):
        raise ValueError(f"{node} needs a guider with one cfg, this one has two; use KSampler or CFGGuider.")
    if "negative" not in guider.original_conds:
        raise ValueError(
            f"{node} needs a guider with a negative prompt, this one has none; use KSampler or CFGGuider."
        )
