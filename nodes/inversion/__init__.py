"""The nodes of the menu Zoetrope > Inversion."""

from .create_inversion_sampler import CreateInversionSampler
from .guide_edit import GuideEdit
from .invert_video import InvertVideo
from .optimise_null_text import OptimiseNullText
from .report_reconstruction import ReportReconstruction

NODES = [InvertVideo, GuideEdit, OptimiseNullText, ReportReconstruction, CreateInversionSampler]
"""In the order of the menu."""
