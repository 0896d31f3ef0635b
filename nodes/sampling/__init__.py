"""The nodes of the menu Zoetrope > Sampling."""

from .apply_context_windows import ApplyContextWindows
from .apply_free_init import ApplyFreeInit
from .apply_layer_views import ApplyLayerViews
from .combine_noise import CombineNoise
from .create_fifo_sampler import CreateFifoSampler
from .extend_video import ExtendVideo
from .fix_frames import FixFrames
from .guide_by_known_frames import GuideByKnownFrames
from .guide_motion import GuideMotion
from .make_frame_noise import MakeFrameNoise
from .make_reference_noise import MakeReferenceNoise
from .oscillate_guidance import OscillateGuidance
from .preview_clip import PreviewClip
from .rearrange_noise import RearrangeNoise
from .reuse_deep_features import ReuseDeepFeatures
from .run_seeds_on_workers import RunSeedsOnWorkers
from .run_windows_on_workers import RunWindowsOnWorkers
from .schedule_prompts import SchedulePrompts
from .schedule_values import ScheduleValues
from .set_frame_denoise import SetFrameDenoise
from .set_frame_guidance import SetFrameGuidance
from .share_noise import ShareNoise
from .share_upscale_noise import ShareUpscaleNoise
from .show_context_windows import ShowContextWindows
from .threshold_prediction import ThresholdPrediction
from .vary_guidance import VaryGuidance
from .vary_value import VaryValue
from .vary_value_by_block import VaryValueByBlock
from .warp_noise import WarpNoise

NODES = [
    SchedulePrompts,
    ScheduleValues,
    VaryValue,
    VaryValueByBlock,
    ApplyContextWindows,
    ApplyLayerViews,
    ShowContextWindows,
    CreateFifoSampler,
    ExtendVideo,
    FixFrames,
    SetFrameDenoise,
    GuideByKnownFrames,
    PreviewClip,
    ApplyFreeInit,
    MakeFrameNoise,
    MakeReferenceNoise,
    RearrangeNoise,
    ShareNoise,
    WarpNoise,
    CombineNoise,
    ShareUpscaleNoise,
    SetFrameGuidance,
    VaryGuidance,
    OscillateGuidance,
    ThresholdPrediction,
    ReuseDeepFeatures,
    GuideMotion,
    RunWindowsOnWorkers,
    RunSeedsOnWorkers,
]
"""In the order of the menu."""
