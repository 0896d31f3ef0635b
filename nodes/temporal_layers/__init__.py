"""The nodes of the menu Zoetrope > Temporal layers."""

from .apply_temporal_decoder import ApplyTemporalDecoder
from .load_temporal_decoder import LoadTemporalDecoder
from .new_temporal_decoder import NewTemporalDecoder
from .new_temporal_layers import NewTemporalLayers
from .save_temporal_layers import SaveTemporalLayers
from .set_known_frames import SetKnownFrames

NODES = [
    NewTemporalLayers,
    SetKnownFrames,
    SaveTemporalLayers,
    NewTemporalDecoder,
    LoadTemporalDecoder,
    ApplyTemporalDecoder,
]
"""In the order of the menu."""
