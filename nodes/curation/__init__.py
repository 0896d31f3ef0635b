"""The nodes of the menu Zoetrope > Curation."""

from .caption_clips import CaptionClips
from .describe_clips import DescribeClips
from .export_data_set import ExportDataSet
from .filter_clips import FilterClips
from .score_clips import ScoreClips
from .split_into_shots import SplitIntoShots
from .take_frames_of_clips import TakeFramesOfClips

NODES = [
    SplitIntoShots, ScoreClips, FilterClips, DescribeClips, TakeFramesOfClips, CaptionClips, ExportDataSet,
]  # fmt: skip
"""In the order of the menu."""
