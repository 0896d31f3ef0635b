"""The nodes of the menu Zoetrope > Text2Video-Zero."""

from .apply_cross_frame_attention import ApplyCrossFrameAttention
from .control_net_cross_frames import ControlNetCrossFrames
from .make_motion_field import MakeMotionField
from .prepare_text2_video_zero import PrepareText2VideoZero
from .read_motion_field import ReadMotionField
from .smooth_background import SmoothBackground

NODES = [
    ApplyCrossFrameAttention,
    ControlNetCrossFrames,
    MakeMotionField,
    ReadMotionField,
    PrepareText2VideoZero,
    SmoothBackground,
]
"""In the order of the menu."""
