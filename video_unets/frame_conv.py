"""Convolutions over the frames alone, computed as convolutions of pictures whose height is time.

A kernel of 3x1x1 sees every pixel by itself, so the pixels of a frame are one axis: the same sums, by the
library's kernels for two dimensions. On a CPU these take a third of the time of those for three, and need no
copy of the video for each of the kernel's frames.

Letters: B videos, C channels, F frames, H height, W width, K frames of the kernel.
"""

from __future__ import annotations

import functools

import torch


@functools.cache
def with_frame_convs(operations: type) -> type:
    """ComfyUI's operations (comfy.ops), whose Conv3d computes kernels of one pixel in two dimensions."""

    class FrameConv3d(operations.Conv3d):
        def _conv_forward(self, input, weight, bias, *args, **kwargs):
            """input (B, C, F, H, W), weight (C', C, K, h, w) -> (B, C', F', H', W')."""
            if not self.sees_single_pixels():
                return super()._conv_forward(input, weight, bias, *args, **kwargs)
            out = torch.nn.functional.conv2d(
                input.flatten(3),
                weight.squeeze(-1),
                bias,
                (self.stride[0], 1),
                (self.padding[0], 0),
                (self.dilation[0], 1),
                self.groups,
            )
            return out.unflatten(3, input.shape[3:])

        def sees_single_pixels(self) -> bool:
            return (
                self.kernel_size[1:] == self.stride[1:] == (1, 1)
                and self.padding[1:] == (0, 0)
                and self.padding_mode == "zeros"
            )

    return type(operations.__name__, (operations,), {"Conv3d": FrameConv3d})
