"""Make-A-Video's temporal layers give the numbers of make-a-video-pytorch, which is not the authors' code.

Spatial attention and feed-forward are the golden code's own, written here: the checkpoint has others.
"""

import json

import pytest
import torch
import torch.nn.functional as nnf
from einops import rearrange
from safetensors.torch import load_file
from torch import nn
from zoetrope.motion_modules.animatediff.layers import sdpa_attention
from zoetrope.motion_modules.call import Call
from zoetrope.motion_modules.make_a_video import (
    PositionBias,
    PseudoAttention,
    behind_convolution,
    behind_transformer,
    read,
    temporal_convolution,
)
from zoetrope.motion_modules.points import inject
from zoetrope.tests.gold_weights import gold_tensor
from zoetrope.tests.places import GOLDENS
from zoetrope.tests.rounding import assert_same

CHANNELS, OUT, HEADS, HEAD_CHANNELS, FRAMES = 32, 40, 4, 8, 8


@pytest.fixture(scope="module")
def tensors():
    return load_file(GOLDENS / "lucidrains" / "make_a_video.safetensors")


def weights(prefix):
    shapes = json.loads((GOLDENS / "lucidrains" / "make_a_video.json").read_text())["shapes"][prefix]
    return {key: gold_tensor(prefix + key, shape) for key, shape in shapes.items()}


def part(all_weights, prefix):
    return {k.removeprefix(prefix): v for k, v in all_weights.items() if k.startswith(prefix)}


class Network(nn.Module):
    """One layer between the input and the output of a forward."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x, transformer_options=None):
        return self.layer(x)


def run(layer, act, x, num_frames=FRAMES):
    """x (B, C, F, H, W) or images (N, C, H, W), of one frame each, through a layer with an act around it."""
    images = rearrange(x, "b c f h w -> (b f) c h w") if x.ndim == 5 else x
    network = Network(layer)
    with (
        inject(network, {"layer": act}, lambda f: Call(f, num_frames, attention=sdpa_attention)),
        torch.no_grad(),
    ):
        y = network(images)
    return rearrange(y, "(b f) c h w -> b c f h w", f=x.shape[2]) if x.ndim == 5 else y


@pytest.fixture(scope="module")
def convolution():
    """The spatial convolution, and the act behind it with the temporal kernel as a file has it."""
    own = weights("mav.conv.")
    layer, temporal = nn.Conv2d(CHANNELS, OUT, 3, padding=1), temporal_convolution(OUT)
    layer.load_state_dict(part(own, "spatial_conv."))
    name = "down_blocks.0.resnets.0.conv1.temporal_conv"
    _, read_weights = read({f"{name}.{k}": v for k, v in part(own, "temporal_conv.").items()}, "file")
    temporal.load_state_dict(part(read_weights, f"{name}."))
    return layer, behind_convolution(temporal)


def test_the_convolution_over_frames(tensors, convolution):
    assert_same(run(*convolution, tensors["x"]), tensors["conv_y"])


@pytest.mark.parametrize(("x", "y"), [("x", "conv_y_no_time"), ("x_image", "conv_y_image")])
def test_images_pass_the_convolution_over_frames(tensors, convolution, x, y):
    assert_same(run(*convolution, tensors[x], num_frames=1), tensors[y])


class SpatialAttention(nn.Module):
    """The golden code's attention over the places of an image, x + attention(x), with a position bias."""

    def __init__(self, own):
        super().__init__()
        self.own = own

    def bias(self, height, width):
        """(heads, T, T) from the same small network, for distances in rows and columns."""
        rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        places = torch.stack((rows.flatten(), columns.flatten()), -1).float()
        hidden = places[:, None] - places
        for name in ("net.0.0", "net.1.0"):
            hidden = nnf.silu(nnf.linear(hidden, *self.linear(f"spatial_rel_pos_bias.{name}")))
        return nnf.linear(hidden, *self.linear("spatial_rel_pos_bias.net.2")).permute(2, 0, 1)

    def linear(self, name):
        return self.own[f"{name}.weight"], self.own[f"{name}.bias"]

    def forward(self, x):
        layer = attention_of(part(self.own, "spatial_attn."))
        tokens = rearrange(x, "n c h w -> n (h w) c")
        change = layer(tokens, self.bias(*x.shape[-2:]), sdpa_attention)
        return x + rearrange(change, "n (h w) c -> n c h w", h=x.shape[-2])


def attention_of(own):
    layer = PseudoAttention(CHANNELS, HEADS, HEAD_CHANNELS)
    layer.load_state_dict({key.replace("norm.gamma", "norm.weight"): value for key, value in own.items()})
    return layer


def feed_forward(own, x):
    """The golden code's feed-forward (B, C, F, H, W); in videos half of its channels come a frame later."""
    u, gate = nnf.conv3d(x, own["ff.proj_in.0.weight"]).chunk(2, dim=1)
    hidden = u * nnf.gelu(gate)
    if x.shape[2] > 1:
        kept, late = hidden.chunk(2, dim=1)
        hidden = torch.cat((kept, nnf.pad(late[:, :, :-1], (0, 0, 0, 0, 1, 0))), 1)
    gain = own["ff.proj_out.0.gamma"].view(-1, 1, 1, 1)
    hidden = nnf.normalize(hidden, dim=1) * hidden.shape[1] ** 0.5 * gain
    return x + nnf.conv3d(hidden, own["ff.proj_out.1.weight"])


@pytest.fixture(scope="module")
def attention():
    """All weights, and the layers of the act behind the spatial attention."""
    own = weights("mav.attn.")
    bias = PositionBias(CHANNELS // 2, HEADS)
    bias.load_state_dict(part(own, "temporal_rel_pos_bias."))
    return own, attention_of(part(own, "temporal_attn.")), bias


def test_the_attention_over_frames(tensors, attention):
    own, layer, bias = attention
    y = run(SpatialAttention(own), behind_transformer(layer, bias), tensors["x"])
    assert_same(feed_forward(own, y), tensors["attn_y"])


def test_the_attention_over_frames_takes_a_causal_mask(tensors, attention):
    own, layer, bias = attention

    def causal(num_frames, like):
        later = torch.ones(num_frames, num_frames, dtype=torch.bool).triu(1)
        return bias(num_frames, like).masked_fill(later, -torch.inf)

    y = run(SpatialAttention(own), behind_transformer(layer, causal), tensors["x"])
    assert_same(feed_forward(own, y), tensors["attn_y_causal"])


@pytest.mark.parametrize(("x", "y"), [("x", "attn_y_no_time"), ("x_image", "attn_y_image")])
def test_images_pass_the_attention_over_frames(tensors, attention, x, y):
    own, layer, bias = attention
    got = run(SpatialAttention(own), behind_transformer(layer, bias), tensors[x], num_frames=1)
    images = rearrange(got, "b c f h w -> (b f) c 1 h w") if got.ndim == 5 else got[:, :, None]
    want = rearrange(tensors[y], "b c f h w -> (b f) c 1 h w") if got.ndim == 5 else tensors[y][:, :, None]
    assert_same(feed_forward(own, images), want)


def test_a_whole_kernel_beside_its_change_is_refused():
    name = "down_blocks.0.resnets.0.conv1.temporal_conv"
    kernel = torch.zeros(OUT, OUT, 3)
    with pytest.raises(ValueError, match=r"conv1\.temporal_conv\.weight' and its change; keep one of them"):
        read({f"{name}.weight": kernel, f"{name}.diff": kernel, f"{name}.bias": torch.zeros(OUT)}, "file")
