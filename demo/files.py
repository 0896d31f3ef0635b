"""The files of the tiny family: what each training stage ends in."""

from __future__ import annotations

import pathlib

FOLDER = pathlib.Path(__file__).parent / "weights"
FILES = {
    "checkpoint": "zoetrope_tiny_sd.safetensors",
    "motion": "zoetrope_tiny_mm.safetensors",
    "motion_v2": "zoetrope_tiny_mm_v2.safetensors",
    "pan": "zoetrope_tiny_lora_PanRight.safetensors",
    "zoom": "zoetrope_tiny_lora_ZoomIn.safetensors",
    "dusk": "zoetrope_tiny_lora_dusk.safetensors",
    "control": "zoetrope_tiny_control_blob.safetensors",
    "camera": "zoetrope_tiny_mm_v2_MotionCtrl.safetensors",
}


def path_of(which: str) -> str:
    """Full path of one of FILES."""
    return str(FOLDER / FILES[which])
