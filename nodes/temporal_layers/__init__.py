"""The nodes of the menu Zoetrope > Temporal layers."""

from .apply_temporal_decoder import ApplyTemporalDecoder
from .combine_content_motion import CombineContentMotion
from .load_temporal_decoder import LoadTemporalDecoder
from .new_temporal_decoder import NewTemporalDecoder
from .new_temporal_layers import NewTemporalLayers
from .save_temporal_layers import SaveTemporalLayers
from .set_known_frames import SetKnownFrames
from .set_layers_frame_rate import SetLayersFrameRate
from .split_content_motion import SplitContentMotion

NODES = [
    NewTemporalLayers,
    SetKnownFrames,
    SetLayersFrameRate,
    SplitContentMotion,
    CombineContentMotion,
    SaveTemporalLayers,
    NewTemporalDecoder,
    LoadTemporalDecoder,
    ApplyTemporalDecoder,
]
"""In the order of the menu."""
