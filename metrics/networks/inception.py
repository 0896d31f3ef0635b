"""Inception as FID has it: TensorFlow's network of 2015-12-05, in the layers of torch-fidelity's file.

Source: Szegedy et al. 2015 (arXiv 1512.00567); names and the four places where it differs from torchvision's
network as in torch-fidelity and pytorch-fid: average pooling does not count the border, the last block takes
the maximum, 1008 classes, resizing as TensorFlow 1 did. N images, H height, W width.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

SIZE, FEATURES, CLASSES = 299, 2048, 1008
DESCRIPTION = "Inception v3 (TensorFlow 2015-12-05), 2048 features"
RESIZE = "299x299, bilinear of TensorFlow 1"
VALUES = "0..255, 8 bit"


class Conv(nn.Module):
    def __init__(self, channels: int, out: int, kernel: int | tuple = 1, **options):
        super().__init__()
        self.conv = nn.Conv2d(channels, out, kernel, bias=False, **options)
        self.bn = nn.BatchNorm2d(out, eps=0.001)

    def forward(self, x):
        return F.relu(self.bn(self.conv(x)), inplace=True)


def _mean_around(x):
    return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


def _most_around(x):
    return F.max_pool2d(x, 3, stride=1, padding=1)


class Block(nn.Module):
    """Branches side by side, whose results are joined; each is a row of layers."""

    def branches(self, x) -> list:
        raise NotImplementedError

    def forward(self, x):
        return torch.cat(self.branches(x), 1)


class BlockA(Block):
    def __init__(self, channels: int, pooled: int):
        super().__init__()
        self.branch1x1 = Conv(channels, 64)
        self.branch5x5_1, self.branch5x5_2 = Conv(channels, 48), Conv(48, 64, 5, padding=2)
        self.branch3x3dbl_1 = Conv(channels, 64)
        self.branch3x3dbl_2 = Conv(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = Conv(96, 96, 3, padding=1)
        self.branch_pool = Conv(channels, pooled)

    def branches(self, x):
        deep = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        wide = self.branch5x5_2(self.branch5x5_1(x))
        return [self.branch1x1(x), wide, deep, self.branch_pool(_mean_around(x))]


class BlockB(Block):
    def __init__(self, channels: int):
        super().__init__()
        self.branch3x3 = Conv(channels, 384, 3, stride=2)
        self.branch3x3dbl_1 = Conv(channels, 64)
        self.branch3x3dbl_2 = Conv(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = Conv(96, 96, 3, stride=2)

    def branches(self, x):
        deep = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return [self.branch3x3(x), deep, F.max_pool2d(x, 3, stride=2)]


class BlockC(Block):
    def __init__(self, channels: int, inner: int):
        super().__init__()
        across, down = {"padding": (0, 3)}, {"padding": (3, 0)}
        self.branch1x1 = Conv(channels, 192)
        self.branch7x7_1 = Conv(channels, inner)
        self.branch7x7_2 = Conv(inner, inner, (1, 7), **across)
        self.branch7x7_3 = Conv(inner, 192, (7, 1), **down)
        self.branch7x7dbl_1 = Conv(channels, inner)
        self.branch7x7dbl_2 = Conv(inner, inner, (7, 1), **down)
        self.branch7x7dbl_3 = Conv(inner, inner, (1, 7), **across)
        self.branch7x7dbl_4 = Conv(inner, inner, (7, 1), **down)
        self.branch7x7dbl_5 = Conv(inner, 192, (1, 7), **across)
        self.branch_pool = Conv(channels, 192)

    def branches(self, x):
        wide = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        deep = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        deep = self.branch7x7dbl_5(self.branch7x7dbl_4(deep))
        return [self.branch1x1(x), wide, deep, self.branch_pool(_mean_around(x))]


class BlockD(Block):
    def __init__(self, channels: int):
        super().__init__()
        self.branch3x3_1, self.branch3x3_2 = Conv(channels, 192), Conv(192, 320, 3, stride=2)
        self.branch7x7x3_1 = Conv(channels, 192)
        self.branch7x7x3_2 = Conv(192, 192, (1, 7), padding=(0, 3))
        self.branch7x7x3_3 = Conv(192, 192, (7, 1), padding=(3, 0))
        self.branch7x7x3_4 = Conv(192, 192, 3, stride=2)

    def branches(self, x):
        wide = self.branch7x7x3_2(self.branch7x7x3_1(x))
        wide = self.branch7x7x3_4(self.branch7x7x3_3(wide))
        return [self.branch3x3_2(self.branch3x3_1(x)), wide, F.max_pool2d(x, 3, stride=2)]


class BlockE(Block):
    def __init__(self, channels: int, pool):
        super().__init__()
        across, down = ((1, 3), {"padding": (0, 1)}), ((3, 1), {"padding": (1, 0)})
        self.pool = pool
        self.branch1x1 = Conv(channels, 320)
        self.branch3x3_1 = Conv(channels, 384)
        self.branch3x3_2a = Conv(384, 384, across[0], **across[1])
        self.branch3x3_2b = Conv(384, 384, down[0], **down[1])
        self.branch3x3dbl_1 = Conv(channels, 448)
        self.branch3x3dbl_2 = Conv(448, 384, 3, padding=1)
        self.branch3x3dbl_3a = Conv(384, 384, across[0], **across[1])
        self.branch3x3dbl_3b = Conv(384, 384, down[0], **down[1])
        self.branch_pool = Conv(channels, 192)

    def branches(self, x):
        wide = self.branch3x3_1(x)
        deep = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        return [
            self.branch1x1(x),
            self.branch3x3_2a(wide),
            self.branch3x3_2b(wide),
            self.branch3x3dbl_3a(deep),
            self.branch3x3dbl_3b(deep),
            self.branch_pool(self.pool(x)),
        ]


class Inception(nn.Module):
    def __init__(self):
        super().__init__()
        self.Conv2d_1a_3x3 = Conv(3, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = Conv(32, 32, 3)
        self.Conv2d_2b_3x3 = Conv(32, 64, 3, padding=1)
        self.Conv2d_3b_1x1 = Conv(64, 80)
        self.Conv2d_4a_3x3 = Conv(80, 192, 3)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = BlockA(192, 32), BlockA(256, 64), BlockA(288, 64)
        self.Mixed_6a = BlockB(288)
        self.Mixed_6b, self.Mixed_6c = BlockC(768, 128), BlockC(768, 160)
        self.Mixed_6d, self.Mixed_6e = BlockC(768, 160), BlockC(768, 192)
        self.Mixed_7a = BlockD(768)
        self.Mixed_7b, self.Mixed_7c = BlockE(1280, _mean_around), BlockE(2048, _most_around)
        self.fc = nn.Linear(FEATURES, CLASSES)

    def forward(self, frames: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Frames (N, H, W, 3), values 0..1 -> features (N, 2048), and logits without their bias (N, 1008)."""
        pixels = (frames.clamp(0, 1) * 255).round().movedim(-1, 1)
        x = (resized_as_tensorflow_1(pixels, SIZE) - 128) / 128
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(F.max_pool2d(x, 3, stride=2)))
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(F.max_pool2d(x, 3, stride=2))))
        x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))))
        features = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x))).mean((2, 3))
        return features, features @ self.fc.weight.T


def resized_as_tensorflow_1(images: torch.Tensor, size: int) -> torch.Tensor:
    """Images (N, C, H, W) at (N, C, size, size), bilinear: place i is read at i H / size, without the half
    pixel that libraries add today, and without a filter.
    """
    for axis in (2, 3):
        length = images.shape[axis]
        places = torch.arange(size, device=images.device, dtype=torch.float32) * (
            torch.tensor(length, dtype=torch.float32) / size
        ).to(images.device)
        before = places.floor().long().clamp_max(length - 1)
        after = (before + 1).clamp_max(length - 1)
        shape = (-1, 1) if axis == 2 else (-1,)
        share = (places - before).view(shape)
        low, high = images.index_select(axis, before), images.index_select(axis, after)
        images = low + (high - low) * share
    return images
