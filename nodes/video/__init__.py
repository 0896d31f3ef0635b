"""The nodes of the menu Zoetrope > Video."""

from .create_video import CreateVideo
from .encode_video import EncodeVideo
from .load_frames import LoadFrames
from .save_frames import SaveFrames
from .save_latents import SaveLatents
from .take_frames import TakeFrames

NODES = [CreateVideo, TakeFrames, LoadFrames, SaveFrames, SaveLatents, EncodeVideo]
"""In the order of the menu."""
