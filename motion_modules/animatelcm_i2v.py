"""AnimateLCM-I2V: AnimateLCM's motion modules, and an encoder whose features of an image enter the UNet.

Source: Wang et al. 2024, arXiv 2402.00769, section 4.3; github.com/G-U-N/AnimateLCM (animatelcm_sd15) fixes
the details: the image latent is not noised and the same for both kinds of conditioning; the features enter
behind the second spatial layer of each level on the way down, before the motion module. In context windows
positions count from the first frame of a window, as those of the motion modules do (ours).

Letters: B videos, F frames, N = B*F images, C channels, H height, W width of the latents.
Names are those of AnimateLCM_sd15_i2v.ckpt: the motion module's without position tables, and `img_encoder.*`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import nn

from . import animatediff
from .animatediff.files import ANIMATELCM_LENGTH, is_image_module, read_motion_module
from .animatediff.layers import (
    MotionConfig,
    MotionModel,
    config_for,
    motion_acts,
    sinusoidal_table,
    unet_block_of_site,
)
from .animatediff.layers import misfit as motion_misfit
from .call import Call
from .file_tensors import StateDict, weights_for
from .frame_features import Encode, FeatureBlock, FrameFeatures, Frames, Levels, before_features
from .points import Act, Acts
from .unet_places import UNetPlaces
from .zero_layers import start_at_zero

LATENT_CHANNELS = 4
BLOCKS_PER_LEVEL = 2
_PREFIX = "img_encoder."


@dataclass(frozen=True)
class ReferenceImage:
    """What the module needs besides its weights.

    latents: of one image for all frames of a video, or of one for each (1 or F, 4, H, W), in the scale of the
    network's latents. num_frames: F of a video. motion_scale: factor of the position table that is added to
    the features, 0..1.5 as published; smaller keeps the image better. weights: of the features of each level.
    """

    latents: torch.Tensor
    num_frames: int
    motion_scale: float = 0.8
    weights: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0)
    features: FrameFeatures = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "features", FrameFeatures(self.num_frames))

    def of_frames(self, frames: Frames) -> torch.Tensor:
        """The image latents of frames (F, 4, H, W)."""
        if len(self.latents) == 1:
            return self.latents.expand(len(frames), -1, -1, -1)
        return self.latents[list(frames)]


class ImageEncoder(nn.Module):
    """Latents of images with their positions -> features for each level of the UNet."""

    def __init__(self, widths: list[int], operations=nn, device=None, dtype=None):
        super().__init__()
        settings = {"device": device, "dtype": dtype}
        self.conv_in = operations.Conv2d(LATENT_CHANNELS, widths[0], 3, padding=1, **settings)
        start_at_zero(self.conv_in)
        self.body = nn.ModuleList()
        before = widths[0]
        for level, channels in enumerate(widths):
            for number in range(BLOCKS_PER_LEVEL):
                halves = level > 0 and number == 0
                self.body.append(FeatureBlock(before, channels, halves, operations, **settings))
                before = channels

    def forward(self, latents: torch.Tensor, motion_scale: float) -> Levels:
        """latents (F, 4, H, W) of the frames of one video."""
        x = self.conv_in(latents)
        x = x + motion_scale * sinusoidal_table(*x.shape[:2])[0, ..., None, None].to(x)
        features = []
        for number, block in enumerate(self.body, 1):
            x = block(x)
            if number % BLOCKS_PER_LEVEL == 0:
                features.append(x)
        return features


class AnimateLCMI2V(MotionModel):
    """Motion modules and the image encoder."""

    def __init__(self, config: MotionConfig, operations=nn, device=None, dtype=None):
        super().__init__(config, operations, device, dtype)
        self.img_encoder = ImageEncoder(config.widths, operations, device, dtype)


def acts(network: AnimateLCMI2V, places: UNetPlaces) -> Acts:
    """The motion modules, with the features of the image in front of the last one of each level down."""
    found = dict(motion_acts(network, places))
    last = network.config.modules_per_down_level - 1
    for level in range(network.config.num_levels):
        block = unet_block_of_site(f"down_blocks.{level}.motion_modules.{last}", last + 1)
        path = places.blocks[block].last
        found[path] = _image_before(found[path], level)

    def encoder(call: Call, x: torch.Tensor) -> Encode:
        image: ReferenceImage = call.inputs
        return lambda frames: network.img_encoder(image.of_frames(frames).to(x), image.motion_scale)

    found[places.conv_in.path] = before_features(
        "the image of AnimateLCM", lambda call: call.inputs.latents.shape[2:], encoder
    )
    return found


def _image_before(motion: Act, level: int) -> Act:
    def act(call: Call, inner: Act, x: torch.Tensor, *args, **kwargs) -> torch.Tensor:
        image: ReferenceImage = call.inputs

        def with_image(x: torch.Tensor, *args, **kwargs) -> torch.Tensor:
            x = inner(x, *args, **kwargs)
            feature = image.features.at_level(call, level, x)
            return call.add(x, image.weights[level] * feature)

        return motion(call, with_image, x, *args, **kwargs)

    return act


def misfit(network: AnimateLCMI2V, places: UNetPlaces) -> str:
    """Why a module does not fit a UNet; empty when it does."""
    if (have := places.conv_in.in_channels) != LATENT_CHANNELS:
        return (
            f"its image encoder takes latents of {LATENT_CHANNELS} channels, the first convolution of this "
            f"checkpoint takes {have} (9 in inpainting checkpoints)"
        )
    return motion_misfit(network, places)


def read(tensors: StateDict, file_name: str) -> tuple[MotionConfig, StateDict]:
    """Config and weights of a file like AnimateLCM_sd15_i2v.ckpt.

    Raises ValueError for one that is incomplete or damaged."""
    own = {key.removeprefix(_PREFIX): value for key, value in tensors.items() if key.startswith(_PREFIX)}
    motion = {key: value for key, value in tensors.items() if not key.startswith(_PREFIX)}
    config, weights = read_motion_module(motion, file_name)
    config = replace(config, version="animatelcm")
    encoder = weights_for(ImageEncoder(config.widths, device="meta"), own, file_name)
    return config, weights | {f"{_PREFIX}{key}": value for key, value in encoder.items()}


METHOD = replace(
    animatediff.METHOD,
    name="AnimateLCM-I2V",
    claims=is_image_module,
    read=read,
    build=AnimateLCMI2V,
    acts=acts,
    new=lambda places: replace(config_for(places), version="animatelcm", position_length=ANIMATELCM_LENGTH),
    misfit=misfit,
    title=lambda config: "AnimateLCM-I2V",
    needs=(
        "an image; put the node 'Animate Image (AnimateLCM)' between Load Motion Module and Apply Motion "
        "Module"
    ),
)
