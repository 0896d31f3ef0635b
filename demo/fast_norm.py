"""GroupNorm for training on a CPU in channels-last layout, several times as fast as torch's bfloat16 kernel.

Sums over the pixels are taken in float32; normalisation is one
multiply-add per pixel. Letters: N images, C channels, H, W.
"""

from __future__ import annotations

import torch
from torch import nn


class _GroupNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias, groups, eps):
        n, c, h, w = x.shape
        pixels = x.permute(0, 2, 3, 1).reshape(n, h * w, c)
        each, count = c // groups, h * w * c // groups

        def over_group(per_channel):
            return (per_channel.view(n, groups, each).sum(2) / count).repeat_interleave(each, 1)

        mean = over_group(pixels.sum(1, dtype=torch.float32))
        square = over_group((pixels * pixels).sum(1, dtype=torch.float32))
        rate = ((square - mean * mean).clamp(min=0) + eps).rsqrt()
        scale = rate * weight.float()
        shift = bias.float() - mean * scale
        out = torch.addcmul(shift.to(x.dtype)[:, None], pixels, scale.to(x.dtype)[:, None])
        ctx.save_for_backward(pixels, weight, rate, mean)
        ctx.over_group, ctx.shape = over_group, x.shape
        return out.view(n, h, w, c).permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx, grad):
        pixels, weight, rate, mean = ctx.saved_tensors
        n, c, h, w = ctx.shape
        grad = grad.permute(0, 2, 3, 1).reshape(n, h * w, c)
        by_bias = grad.sum(1, dtype=torch.float32)
        by_weight = ((grad * pixels).sum(1, dtype=torch.float32) - mean * by_bias) * rate
        scale = weight.float() * rate
        along_mean = rate * ctx.over_group(by_bias * weight.float())
        along_self = rate * rate * ctx.over_group(by_weight * weight.float())
        kind = grad.dtype
        by_x = torch.addcmul(
            (along_self * mean - along_mean).to(kind)[:, None], pixels, -along_self.to(kind)[:, None]
        )
        by_x = by_x.addcmul_(grad, scale.to(kind)[:, None]).view(n, h, w, c).permute(0, 3, 1, 2)
        return by_x, by_weight.sum(0).to(kind), by_bias.sum(0).to(kind), None, None


def speed_up(network: nn.Module) -> nn.Module:
    """Let every GroupNorm of a network that is only trained,
    never saved as a whole, use the fast function.
    """
    for module in network.modules():
        if isinstance(module, nn.GroupNorm):
            module.forward = _forward_of(module)
    return network


def _forward_of(norm: nn.GroupNorm):
    def forward(x: torch.Tensor) -> torch.Tensor:
        return _GroupNorm.apply(x, norm.weight, norm.bias, norm.num_groups, norm.eps)

    return forward
