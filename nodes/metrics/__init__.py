"""The nodes of the menu Zoetrope > Metrics."""

from .choose_threshold import ChooseThreshold
from .load_metric_network import LoadMetricNetwork
from .load_video_set import LoadVideoSet
from .make_video_set import MakeVideoSet
from .measure_set import MeasureSet
from .measure_video import MeasureVideo
from .plot_scores import PlotScores
from .rate_candidates import RateCandidates
from .tabulate_scores import TabulateScores

NODES = [
    MeasureVideo,
    MeasureSet,
    LoadVideoSet,
    MakeVideoSet,
    LoadMetricNetwork,
    TabulateScores,
    PlotScores,
    RateCandidates,
    ChooseThreshold,
]
"""In the order of the menu."""
