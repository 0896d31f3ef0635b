"""The nodes of the menu Zoetrope > Temporal layers."""

from .new_temporal_layers import NewTemporalLayers
from .save_temporal_layers import SaveTemporalLayers
from .set_known_frames import SetKnownFrames

NODES = [NewTemporalLayers, SetKnownFrames, SaveTemporalLayers]
"""In the order of the menu."""
