"""The nodes of the menu Zoetrope > Video models."""

from .animate_image import AnimateImage
from .animate_image_svd import AnimateImageSVD
from .animate_text_svd import AnimateTextSVD
from .condition_key_frames import ConditionKeyFrames
from .condition_low_resolution import ConditionLowResolution
from .create_ddim_sampler import CreateDDIMSampler
from .create_ddim_sigmas import CreateDDIMSigmas
from .encode_show1_text import EncodeShow1Text
from .interpolate_images import InterpolateImages
from .interpolate_images_svd import InterpolateImagesSVD
from .load_video_lora import LoadVideoLora
from .load_video_model import LoadVideoModel
from .load_video_vae import LoadVideoVAE
from .rescale_guidance import RescaleGuidance
from .sample_in_turns import SampleInTurns
from .set_frame_rate import SetFrameRate
from .set_noise_scale import SetNoiseScale
from .set_orbit import SetOrbit

NODES = [
    LoadVideoModel,
    LoadVideoVAE,
    LoadVideoLora,
    SetFrameRate,
    AnimateImage,
    InterpolateImages,
    CreateDDIMSampler,
    CreateDDIMSigmas,
    RescaleGuidance,
    SetNoiseScale,
    ConditionKeyFrames,
    EncodeShow1Text,
    ConditionLowResolution,
    SampleInTurns,
    AnimateImageSVD,
    InterpolateImagesSVD,
    AnimateTextSVD,
    SetOrbit,
]
"""In the order of the menu."""
