"""Imagen Video's causal layers give the numbers of imagen-pytorch, which is not the authors' code."""

import json

import pytest
import torch
from einops import rearrange
from safetensors.torch import load_file
from torch import nn
from zoetrope.motion_modules.animatediff.layers import sdpa_attention
from zoetrope.motion_modules.call import Call
from zoetrope.motion_modules.imagen_video import (
    CausalAttention,
    behind_convolution,
    behind_transformer,
    causal_convolution,
)
from zoetrope.motion_modules.points import inject
from zoetrope.tests.gold_weights import gold_tensor
from zoetrope.tests.places import GOLDENS
from zoetrope.tests.rounding import assert_same

CHANNELS, OUT, HEADS, HEAD_CHANNELS, FRAMES = 32, 40, 4, 8, 8


@pytest.fixture(scope="module")
def tensors():
    return load_file(GOLDENS / "lucidrains" / "imagen_video.safetensors")


def weights(prefix):
    shapes = json.loads((GOLDENS / "lucidrains" / "imagen_video.json").read_text())["shapes"][prefix]
    return {key: gold_tensor(prefix + key, shape) for key, shape in shapes.items()}


class Network(nn.Module):
    """One layer between the input and the output of a forward."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x, transformer_options=None):
        return self.layer(x)


def run(layer, act, x, num_frames=FRAMES):
    """x (B, C, F, H, W) through a layer of images with an act around it."""
    network = Network(layer)
    with (
        inject(network, {"layer": act}, lambda f: Call(f, num_frames, attention=sdpa_attention)),
        torch.no_grad(),
    ):
        y = network(rearrange(x, "b c f h w -> (b f) c h w"))
    return rearrange(y, "(b f) c h w -> b c f h w", f=x.shape[2])


@pytest.fixture(scope="module")
def convolution():
    """The spatial convolution, and the act behind it: the change of the golden kernel from the one that
    gives each frame itself, which is its last slice.
    """
    own, layer, temporal = (
        weights("imagen.conv."),
        nn.Conv2d(CHANNELS, OUT, 3, padding=1),
        causal_convolution(OUT),
    )
    layer.load_state_dict({key: own[f"spatial_conv.{key}"] for key in ("weight", "bias")})
    change = own["temporal_conv.weight"].clone()
    change[:, :, 2] -= torch.eye(OUT)
    temporal.load_state_dict({"weight": change[..., None, None], "bias": own["temporal_conv.bias"]})
    return layer, behind_convolution(temporal)


def test_the_convolution_over_frames(tensors, convolution):
    assert_same(run(*convolution, tensors["x"]), tensors["conv_y"])


def test_images_pass_the_convolution_over_frames(tensors, convolution):
    assert_same(run(*convolution, tensors["x"], num_frames=1), tensors["conv_y_ignore_time"])


def peg_layer():
    layer, own = causal_convolution(CHANNELS, groups=CHANNELS), weights("imagen.peg.")
    layer.load_state_dict({key: own[f"fn.1.{key}"] for key in ("weight", "bias")})
    return layer


def test_the_convolution_that_tells_positions(tensors):
    got = run(nn.Identity(), behind_convolution(peg_layer()), tensors["x"])
    assert_same(got, tensors["peg_y_causal"])


def own_name(key):
    """Of a golden weight of the attention."""
    key = key.removeprefix("fn.fn.").replace(".mlp.", ".net.")
    return f"{key.removesuffix('.g')}.weight" if key.endswith(".g") else key


def attention_layer():
    layer = CausalAttention(CHANNELS, HEADS, HEAD_CHANNELS)
    layer.load_state_dict({own_name(key): value for key, value in weights("imagen.attn.").items()})
    return layer


def test_the_attention_that_looks_back(tensors):
    """Behind a position convolution at rest, so that it stands alone."""
    act = behind_transformer(causal_convolution(CHANNELS, groups=CHANNELS), attention_layer())
    assert_same(run(nn.Identity(), act, tensors["x"]), tensors["attn_y_causal"])


def test_positions_come_before_the_attention(tensors):
    """What the attention alone makes of the golden output of the position convolution."""
    alone = behind_transformer(causal_convolution(CHANNELS, groups=CHANNELS), attention_layer())
    want = run(nn.Identity(), alone, tensors["peg_y_causal"])
    both = behind_transformer(peg_layer(), attention_layer())
    assert_same(run(nn.Identity(), both, tensors["x"]), want)


def test_images_pass_the_layers_behind_a_transformer(tensors):
    act = behind_transformer(peg_layer(), attention_layer())
    assert torch.equal(run(nn.Identity(), act, tensors["x"], num_frames=1), tensors["x"])


def test_no_frame_sees_a_later_one(tensors, convolution):
    """Frames 5 to 7 are changed; what comes before stays."""
    changed = tensors["x"].clone()
    changed[:, :, 5:] += 1
    behind = nn.Identity(), behind_transformer(peg_layer(), attention_layer())
    for layer, act in (convolution, behind):
        before, after = run(layer, act, tensors["x"]), run(layer, act, changed)
        assert_same(after[:, :, :5], before[:, :, :5])
        assert not torch.allclose(after[:, :, 5:], before[:, :, 5:], atol=1e-3)
