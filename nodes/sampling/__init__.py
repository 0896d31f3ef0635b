"""The nodes of the menu Zoetrope > Sampling."""

from .apply_context_windows import ApplyContextWindows
from .make_reference_noise import MakeReferenceNoise
from .preview_clip import PreviewClip
from .schedule_prompts import SchedulePrompts
from .schedule_values import ScheduleValues
from .set_frame_guidance import SetFrameGuidance
from .show_context_windows import ShowContextWindows

NODES = [
    SchedulePrompts,
    ScheduleValues,
    ApplyContextWindows,
    ShowContextWindows,
    PreviewClip,
    MakeReferenceNoise,
    SetFrameGuidance,
]
"""In the order of the menu."""
