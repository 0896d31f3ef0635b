"""A first convolution that sees images beside the noisy latents: five more channels, a mask and a latent.

PIA and masked frames share it. It is a convolution of its own, whose output is added to the checkpoint's:
the same numbers as one convolution of nine channels.

Letters: N images, F frames, C channels of the convolution's output, H height, W width of the latents.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import nn

from .call import Call
from .points import Act
from .unet_places import UNetPlaces
from .zero_layers import start_at_zero

NOISY, CONDITION = 4, 5
"""Channels of the noisy latent, and of mask and image latent."""


@dataclass(frozen=True)
class ImageCondition:
    """What the convolution sees, made ready for a sampling run.

    latents: of the images (1 or F, 4, H, W), in the scale of the network's latents; one is every frame's.
    mask: how much each frame is like its image (F,).
    """

    latents: torch.Tensor
    mask: torch.Tensor

    def unseen(self) -> ImageCondition:
        """The same where nothing is known: mask and latents are zero."""
        return replace(self, latents=torch.zeros_like(self.latents), mask=torch.zeros_like(self.mask))

    def channels(self, call: Call, x: torch.Tensor) -> torch.Tensor:
        """Mask and image latent beside noisy latents x (N, 4, H, W): (N, 5, H, W).

        Context windows have those of their frames. Raises ValueError for another size.
        """
        size = x.shape[2:]
        if self.latents.shape[2:] != size:
            raise ValueError(
                f"the images beside the latents have the size {tuple(self.latents.shape[2:])}, the network "
                f"got a part of {tuple(size)}; limit a prompt by a mask (Conditioning Set Mask), not by an "
                "area."
            )
        frames = torch.tensor(call.forward.frame_numbers())
        mask, latents = (_of_frames(values, frames).to(x) for values in (self.mask, self.latents))
        mask = mask[:, None, None, None].expand(len(x), 1, *size)
        return torch.cat((mask, latents.expand(len(x), -1, -1, -1)), 1)


def _of_frames(values: torch.Tensor, frames: torch.Tensor) -> torch.Tensor:
    """The rows of these frames; a single one is every frame's. Further videos begin at the first again."""
    return values if len(values) == 1 else values[frames % len(values)]


def condition_convolution(channels: int, bias: bool, operations=nn, device=None, dtype=None) -> nn.Module:
    """(N, 5, H, W) -> (N, C, H, W); zero in a new one."""
    layer = operations.Conv2d(CONDITION, channels, 3, padding=1, bias=bias, device=device, dtype=dtype)
    start_at_zero(layer)
    return layer


def see_images(layer: nn.Module) -> Act:
    """An act around the first convolution, x (N, 4, H, W): what `layer` makes of `call.inputs` is added."""

    def act(call: Call, inner: Act, x: torch.Tensor) -> torch.Tensor:
        condition: ImageCondition = call.inputs
        return call.add(inner(x), layer(condition.channels(call, x)))

    return act


def condition_misfit(channels: int, places: UNetPlaces) -> str:
    """Why a convolution with C output channels does not fit a UNet; empty when it does."""
    have = places.conv_in
    if have.in_channels != NOISY:
        return (
            f"it puts images beside latents of {NOISY} channels, the first convolution of this checkpoint "
            f"takes {have.in_channels} (9 in inpainting checkpoints)"
        )
    if have.out_channels != channels:
        return f"its first convolution makes {channels} channels, that of this checkpoint {have.out_channels}"
    return ""
