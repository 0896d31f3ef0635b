"""Features that an encoder makes of the frames of a video, for the levels of a UNet: AnimateLCM's of images,
CameraCtrl's of camera poses.

Source: both are small adapters like those of T2I-Adapter (Mou et al. 2023, arXiv 2302.08453);
github.com/G-U-N/AnimateLCM and github.com/hehao13/CameraCtrl fix the details.
Letters: B videos, F frames of a video in one call, N = B*F images, C channels, H height, W width.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from .call import Call
from .points import Act
from .zero_layers import start_at_zero

Frames = tuple[int, ...]
"""The numbers of the frames of one video in one call, from 0."""
Levels = list[torch.Tensor]
"""Features (F, C, H, W) for each level of the UNet; the next level has half the height and width."""
Encode = Callable[[Frames], Levels]
"""Makes the features of one video."""


class FeatureBlock(nn.Module):
    """2x2 means where a level begins, a 1x1 convolution where the width changes, then a residual branch.

    A new one that gets zeros puts out zeros."""

    def __init__(self, in_channels: int, channels: int, halves: bool, operations=nn, device=None, dtype=None):
        super().__init__()
        factory_kwargs = {"device": device, "dtype": dtype}
        self.halves = halves
        self.in_conv = None
        if in_channels != channels:
            self.in_conv = operations.Conv2d(in_channels, channels, 1, **factory_kwargs)
            if self.in_conv.bias.device.type != "meta":
                nn.init.zeros_(self.in_conv.bias)
        self.block1 = operations.Conv2d(channels, channels, 3, padding=1, **factory_kwargs)
        self.block2 = operations.Conv2d(channels, channels, 1, **factory_kwargs)
        start_at_zero(self.block2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x (N, in_channels, H, W) -> (N, channels, H, W), half of H and W, rounded up, where it halves.

        Odd sizes repeat the last row or column, as the UNet's own downsampling rounds up."""
        if self.halves:
            odd = (0, x.shape[-1] % 2, 0, x.shape[-2] % 2)
            x = F.avg_pool2d(F.pad(x, odd, mode="replicate") if any(odd) else x, 2)
        if self.in_conv is not None:
            x = self.in_conv(x)
        return x + self.block2(F.relu(self.block1(x)))


class FrameFeatures:
    """Features of the frames of each call. Those of the newest frames are kept for the steps to come.

    num_frames: of one video; frame numbers of several videos begin anew with each.
    """

    def __init__(self, num_frames: int) -> None:
        self.num_frames = num_frames
        self.kept: tuple[tuple, list[Levels]] = ((), [])

    def prepare(self, call: Call, like: torch.Tensor, encode: Encode) -> None:
        """Makes the features of a call, with the type and device of `like`, unless they are kept.

        encode: makes those of one video. Videos and windows with the same frames share them. It is done
        before the layers that read them: gradient checkpointing computes each of those again by itself.
        """
        different = sorted(set(self.videos(call)))
        key = (*different, like.dtype, like.device)
        if torch.is_grad_enabled():  # a graph is backpropagated through once
            call.memory[self] = [encode(frames) for frames in different]
            return
        kept_of, found = self.kept
        if kept_of != key:
            found = [encode(frames) for frames in different]
            self.kept = (key, found)
        call.memory[self] = found

    def at_level(self, call: Call, level: int, like: torch.Tensor) -> torch.Tensor:
        """The features of the images of a call at a level (N, C, H, W), in the size of `like`."""
        videos = self.videos(call)
        different = sorted(set(videos))
        features = [levels[level] for levels in call.memory[self]]
        whole = torch.cat([features[different.index(video)] for video in videos])
        if whole.shape[2:] == like.shape[2:]:
            return whole
        # A node such as PatchModelAddDownscale lets the UNet work on smaller features.
        return F.interpolate(whole, like.shape[2:], mode="bilinear", antialias=True)

    def videos(self, call: Call) -> list[Frames]:
        """The frames of each video of a call."""
        numbers = [number % self.num_frames for number in call.forward.frame_numbers()]
        return [
            tuple(numbers[first : first + call.num_frames])
            for first in range(0, len(numbers), call.num_frames)
        ]


def before_features(
    what: str, size: Callable[[Call], torch.Size], encoder: Callable[[Call, torch.Tensor], Encode]
) -> Act:
    """An act around the first convolution that makes the features of a call for the layers behind it.
    It refuses a part of the image, where features are of the whole.

    what: has features, for the message. size: (height, width) of the latents that are sampled. encoder: of a
    call and its latents (N, C, H, W), what makes the features of one video.
    """

    def act(call: Call, inner: Act, x: torch.Tensor) -> torch.Tensor:
        if x.shape[2:] != size(call):
            raise ValueError(
                f"{what} has features for latents of {tuple(size(call))}, the network got a part of "
                f"{tuple(x.shape[2:])}; limit a prompt by a mask (Conditioning Set Mask), not by an area."
            )
        call.inputs.features.prepare(call, x, encoder(call, x))
        return inner(x)

    return act
