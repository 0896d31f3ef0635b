"""The nodes of the menu Zoetrope > Sampling."""

from .apply_context_windows import ApplyContextWindows
from .make_reference_noise import MakeReferenceNoise
from .preview_clip import PreviewClip
from .set_frame_guidance import SetFrameGuidance
from .show_context_windows import ShowContextWindows

NODES = [ApplyContextWindows, ShowContextWindows, PreviewClip, MakeReferenceNoise, SetFrameGuidance]
"""In the order of the menu."""
