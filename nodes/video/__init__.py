"""The nodes of the menu Zoetrope > Video."""

from .create_video import CreateVideo
from .encode_video import EncodeVideo
from .load_audio_from_path import LoadAudioFromPath
from .load_frames import LoadFrames
from .load_video_from_path import LoadVideoFromPath
from .save_frames import SaveFrames
from .save_latents import SaveLatents
from .take_frames import TakeFrames

NODES = [
    CreateVideo, TakeFrames, LoadFrames, SaveFrames, SaveLatents, EncodeVideo, LoadVideoFromPath,
    LoadAudioFromPath,
]  # fmt: skip
"""In the order of the menu."""
