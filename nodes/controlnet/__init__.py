"""The nodes of the menu Zoetrope > ControlNet."""

from .control_net_over_time import ControlNetOverTime
from .load_sparse_ctrl import LoadSparseCtrl
from .place_sparse_images import PlaceSparseImages

NODES = [ControlNetOverTime, LoadSparseCtrl, PlaceSparseImages]
"""In the order of the menu."""
