"""The nodes of the menu Zoetrope > AnimateDiff."""

from .adjust_position_table import AdjustPositionTable
from .adjust_weights import AdjustWeights
from .animate_image_lcm import AnimateImageLCM
from .animate_image_pia import AnimateImagePIA
from .apply_motion_module import ApplyMotionModule
from .load_camera_control import LoadCameraControl
from .load_motion_lora import LoadMotionLora
from .load_motion_module import LoadMotionModule
from .make_camera_poses import MakeCameraPoses
from .move_camera import MoveCamera

NODES = [
    LoadMotionModule,
    LoadMotionLora,
    AdjustPositionTable,
    AdjustWeights,
    AnimateImagePIA,
    AnimateImageLCM,
    LoadCameraControl,
    MakeCameraPoses,
    MoveCamera,
    ApplyMotionModule,
]
"""In the order of the menu."""
