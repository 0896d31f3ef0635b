"""The nodes of the menu Zoetrope > Frames."""

from .compare_clips import CompareClips
from .count_frames import CountFrames
from .degrade_frames import DegradeFrames
from .draw_optical_flow import DrawOpticalFlow
from .interleave_frames import InterleaveFrames
from .make_coarse_video import MakeCoarseVideo
from .make_contact_sheet import MakeContactSheet
from .merge_frames import MergeFrames
from .ping_pong_frames import PingPongFrames
from .plot_frame_differences import PlotFrameDifferences
from .remove_flicker import RemoveFlicker
from .repeat_frames import RepeatFrames
from .reverse_frames import ReverseFrames
from .select_frames import SelectFrames
from .split_frames import SplitFrames

NODES = [
    SelectFrames,
    SplitFrames,
    MergeFrames,
    ReverseFrames,
    PingPongFrames,
    RepeatFrames,
    InterleaveFrames,
    CountFrames,
    RemoveFlicker,
    MakeCoarseVideo,
    DegradeFrames,
    CompareClips,
    MakeContactSheet,
    DrawOpticalFlow,
    PlotFrameDifferences,
]
"""In the order of the menu."""
