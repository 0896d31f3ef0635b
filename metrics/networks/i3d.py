"""I3D as FVD has it: trained on Kinetics-400, in the layers of the file i3d_pretrained_400.pt.

Source: Carreira and Zisserman 2017 (arXiv 1705.07750); names as in pytorch-i3d; epsilon of the norms, resize
and the mean over time as in cd-fvd and TATS, whose file it is. B videos, F frames, H height, W width.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

SIZE, CLASSES, LEAST_FRAMES = 224, 400, 9
DESCRIPTION = "I3D (Kinetics-400), 400 logits"
RESIZE = "224x224, bilinear without a filter"
VALUES = "-1..1"


def _padded(x: torch.Tensor, kernel: tuple, stride: tuple) -> torch.Tensor:
    """With zeros at both ends, more at the last one: ceil(side / stride) remain, as TensorFlow pads."""
    around = []
    for side, k, s in zip(reversed(x.shape[2:]), reversed(kernel), reversed(stride), strict=True):
        needed = max(k - (side % s or s), 0)
        around += [needed // 2, needed - needed // 2]
    return F.pad(x, around)


class Unit(nn.Module):
    def __init__(self, channels: int, out: int, kernel: tuple = (1, 1, 1), stride: tuple = (1, 1, 1)):
        super().__init__()
        self.kernel, self.stride = kernel, stride
        self.conv3d = nn.Conv3d(channels, out, kernel, stride, bias=False)
        self.bn = nn.BatchNorm3d(out, eps=1e-5)

    def forward(self, x):
        return F.relu(self.bn(self.conv3d(_padded(x, self.kernel, self.stride))))


class Pool(nn.Module):
    def __init__(self, kernel: tuple, stride: tuple):
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, x):
        return F.max_pool3d(_padded(x, self.kernel, self.stride), self.kernel, self.stride)


class Mixed(nn.Module):
    def __init__(self, channels: int, widths: tuple):
        super().__init__()
        cube = (3, 3, 3)
        self.b0 = Unit(channels, widths[0])
        self.b1a, self.b1b = Unit(channels, widths[1]), Unit(widths[1], widths[2], cube)
        self.b2a, self.b2b = Unit(channels, widths[3]), Unit(widths[3], widths[4], cube)
        self.b3a, self.b3b = Pool(cube, (1, 1, 1)), Unit(channels, widths[5])

    def forward(self, x):
        branches = self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)), self.b3b(self.b3a(x))
        return torch.cat(branches, 1)


class Head(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv3d = nn.Conv3d(1024, CLASSES, 1)

    def forward(self, x):
        return self.conv3d(x)


_SIDES, _ALL = ((1, 3, 3), (1, 2, 2)), ((3, 3, 3), (2, 2, 2))
_WIDTHS = {
    "3b": (64, 96, 128, 16, 32, 32),
    "3c": (128, 128, 192, 32, 96, 64),
    "4b": (192, 96, 208, 16, 48, 64),
    "4c": (160, 112, 224, 24, 64, 64),
    "4d": (128, 128, 256, 24, 64, 64),
    "4e": (112, 144, 288, 32, 64, 64),
    "4f": (256, 160, 320, 32, 128, 128),
    "5b": (256, 160, 320, 32, 128, 128),
    "5c": (384, 192, 384, 48, 128, 128),
}


class I3D(nn.Module):
    def __init__(self):
        super().__init__()
        layers = {
            "Conv3d_1a_7x7": Unit(3, 64, (7, 7, 7), (2, 2, 2)),
            "MaxPool3d_2a_3x3": Pool(*_SIDES),
            "Conv3d_2b_1x1": Unit(64, 64),
            "Conv3d_2c_3x3": Unit(64, 192, (3, 3, 3)),
            "MaxPool3d_3a_3x3": Pool(*_SIDES),
        }
        channels = 192
        for place, widths in _WIDTHS.items():
            if place == "4b":
                layers["MaxPool3d_4a_3x3"] = Pool(*_ALL)
            if place == "5b":
                layers["MaxPool3d_5a_2x2"] = Pool((2, 2, 2), (2, 2, 2))
            layers[f"Mixed_{place}"] = Mixed(channels, widths)
            channels = widths[0] + widths[2] + widths[4] + widths[5]
        self.order = tuple(layers)
        for name, layer in layers.items():
            self.add_module(name, layer)
        self.logits = Head()

    def forward(self, videos: torch.Tensor) -> torch.Tensor:
        """Videos (B, F, H, W, 3), values 0..1 -> logits (B, 400), the mean over time.

        Raises ValueError for fewer than 9 frames, of which nothing would remain.
        """
        num_videos, num_frames = videos.shape[:2]
        if num_frames < LEAST_FRAMES:
            raise ValueError(
                f"fvd needs clips of at least {LEAST_FRAMES} frames, got {num_frames}; take longer ones (16"
                " are usual)."
            )
        pixels = (videos.clamp(0, 1) * 255).round().flatten(0, 1).movedim(-1, 1)
        pixels = F.interpolate(pixels, size=(SIZE, SIZE), mode="bilinear", align_corners=False)
        x = (2 * pixels / 255 - 1).unflatten(0, (num_videos, num_frames)).movedim(2, 1)
        for name in self.order:
            x = getattr(self, name)(x)
        return self.logits(F.avg_pool3d(x, (2, 7, 7), 1)).flatten(3).mean((2, 3))
