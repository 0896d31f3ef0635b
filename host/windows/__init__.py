"""Context windows: a sampling run over more frames than the network
was trained for, one window of them at a time. What the nodes use.
"""

from .handler import apply_context_windows
from .settings import FRAME_AXES, ContextSettings
from .shown_plan import window_plan

__all__ = ["FRAME_AXES", "ContextSettings", "apply_context_windows", "window_plan"]
