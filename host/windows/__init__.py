"""Context windows: a sampling run over more frames than the network
was trained for, one window of them at a time. What the nodes use.
"""

from .handler import apply_context_windows, window_plan
from .settings import FRAME_AXES, ContextSettings

__all__ = ["FRAME_AXES", "ContextSettings", "apply_context_windows", "window_plan"]
