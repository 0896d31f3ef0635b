"""The camera controls that are put on a motion module, by the keys of their files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...foreign_text import printable
from ..animatediff.layers import MotionConfig
from ..file_tensors import StateDict, describe_keys
from ..method import TemporalMethod
from . import camera_ctrl, motion_ctrl


@dataclass(frozen=True)
class CameraControl:
    """method: of a module with the control. is_control: whether keys are of a file with the control alone.
    read(tensors, config of the module, file name) -> config and weights that it adds or puts in.
    """

    method: TemporalMethod
    is_control: Callable[[frozenset[str]], bool]
    read: Callable[[StateDict, MotionConfig, str], tuple[MotionConfig, StateDict]]


CAMERA_CONTROLS = tuple(
    CameraControl(module.METHOD, module.is_control, module.read_control)
    for module in (camera_ctrl, motion_ctrl)
)
METHODS = tuple(control.method for control in CAMERA_CONTROLS)
"""Of modules that need camera poses."""


def control_of(tensors: StateDict, file_name: str) -> CameraControl:
    """The control that a file is of. Raises ValueError for another file."""
    keys = frozenset(tensors)
    for control in CAMERA_CONTROLS:
        if control.is_control(keys):
            return control
    whole = next((method.name for method in METHODS if method.claims(keys)), "")
    found = f"a motion module with {whole} (use Load Motion Module)" if whole else describe_keys(tensors)
    raise ValueError(
        f"'{printable(file_name)}' is no camera control: expected keys such as '...attention_blocks.0."
        "processor.qkv_merge.weight' (CameraCtrl) or '...cc_projection.weight' (MotionCtrl), found "
        f"{found}. Choose a file such as CameraCtrl_pruned.safetensors."
    )
