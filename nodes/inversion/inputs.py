"""Inputs that several nodes of this folder have."""

from __future__ import annotations

from comfy_api.latest import io

from ...samplers.inversion import INVERSION_MODES

Inversion = io.Custom("INVERSION")


def step_inputs() -> list[io.Input]:
    """The fields of InversionSettings."""
    return [
        io.Combo.Input(
            "mode",
            options=list(INVERSION_MODES),
            tooltip=(
                "fixed point = each step is solved, so that sampling undoes it; diffusers = one call a step,"
                " as there and in Tune-A-Video; euler = ComfyUI's euler upward."
            ),
        ),
        io.Int.Input(
            "iterations",
            default=10,
            min=1,
            max=100,
            tooltip="The most corrections of a step of the fixed point, each a call of the network.",
        ),
        io.Float.Input(
            "tolerance",
            default=1e-5,
            min=0.0,
            max=0.1,
            step=1e-5,
            round=False,
            advanced=True,
            tooltip=(
                "A correction this small, as a part of the latents' size, is the last of its step. 0 = off,"
                " all iterations."
            ),
        ),
    ]


def largest_error(tooltip: str) -> io.Float.Input:
    """The threshold of a reconstruction, a part of the latents' size."""
    return io.Float.Input(
        "largest_error", default=0.05, min=0.0, max=10.0, step=0.001, round=False, tooltip=tooltip
    )
