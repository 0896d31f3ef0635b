"""The nodes of the menu Zoetrope > ControlNet."""

from .load_sparse_ctrl import LoadSparseCtrl
from .place_sparse_images import PlaceSparseImages

NODES = [LoadSparseCtrl, PlaceSparseImages]
"""In the order of the menu."""
