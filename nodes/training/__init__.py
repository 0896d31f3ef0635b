"""The nodes of the menu Zoetrope > Training."""

from .add_training_clip import AddTrainingClip
from .load_training_clips import LoadTrainingClips
from .save_motion_lora import SaveMotionLora
from .set_training_options import SetTrainingOptions
from .train_motion_lora import TrainMotionLora
from .train_temporal_decoder import TrainTemporalDecoder
from .train_temporal_layers import TrainTemporalLayers
from .train_video_lora import TrainVideoLora

NODES = [
    AddTrainingClip,
    LoadTrainingClips,
    TrainTemporalLayers,
    TrainMotionLora,
    TrainVideoLora,
    TrainTemporalDecoder,
    SetTrainingOptions,
    SaveMotionLora,
]
"""In the order of the menu."""
