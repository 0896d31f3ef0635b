"""VDM's attention over frames gives the numbers of video-diffusion-pytorch, not official code."""

import pytest
import torch
from einops import rearrange
from safetensors.torch import load_file
from torch import nn
from zoetrope.motion_modules.animatediff.layers import sdpa_attention
from zoetrope.motion_modules.call import Call
from zoetrope.motion_modules.points import inject
from zoetrope.motion_modules.video_diffusion import (
    FactorisedAttention,
    RelativePositionBias,
    behind_transformer,
    distance_buckets,
    read,
)
from zoetrope.tests.gold_weights import gold_tensor
from zoetrope.tests.places import GOLDENS
from zoetrope.tests.rounding import assert_same

CHANNELS, HEADS, HEAD_CHANNELS, FRAMES = 32, 4, 32, 8
PREFIX = "vdm.block.fn."
NAMES = {"to_qkv.weight": f"{PREFIX}fn.fn.to_qkv.weight", "to_out.weight": f"{PREFIX}fn.fn.to_out.weight",
         "norm.weight": f"{PREFIX}norm.gamma"}  # fmt: skip


@pytest.fixture(scope="module")
def tensors():
    return load_file(GOLDENS / "lucidrains" / "vdm_temporal_attention.safetensors")


@pytest.fixture(scope="module")
def layers():
    """The attention and the table of biases with the golden weights."""
    layer, table = FactorisedAttention(CHANNELS, HEADS, HEAD_CHANNELS), RelativePositionBias(HEADS)
    shapes = {name: value.shape for name, value in layer.state_dict().items()}
    layer.load_state_dict({name: gold_tensor(NAMES[name], shape) for name, shape in shapes.items()})
    name = "relative_attention_bias.weight"
    table.load_state_dict({name: gold_tensor(f"vdm.bias.{name}", (32, HEADS))})
    return layer, table


def run(layers, x, image_frames=None):
    """x (B, C, F, H, W) through the act around a layer that changes nothing."""
    network = nn.Module()
    network.layer = nn.Identity()
    network.forward = lambda x, transformer_options=None: network.layer(x)

    def resolve(forward):
        return Call(forward, FRAMES, attention=sdpa_attention, image_frames=image_frames)

    with inject(network, {"layer": behind_transformer(*layers)}, resolve), torch.no_grad():
        y = network(rearrange(x, "b c f h w -> (b f) c h w"))
    return rearrange(y, "(b f) c h w -> b c f h w", f=FRAMES)


def test_buckets_of_distances(tensors):
    assert torch.equal(distance_buckets(8), tensors["bucket_8"])
    assert torch.equal(distance_buckets(40), tensors["bucket_40"])


def test_the_worked_example_of_the_buckets():
    assert distance_buckets(10)[0, [0, 1, 7, 8, 9]].tolist() == [0, 17, 23, 24, 24]


def test_the_bias_of_positions(tensors, layers):
    assert_same(layers[1](FRAMES, tensors["x"]), tensors["pos_bias"])


def test_the_attention_over_frames(tensors, layers):
    assert_same(run(layers, tensors["x"]), tensors["y"])


@pytest.mark.parametrize(("focused", "y"), [([True, False], "y_focus"), ([True, True], "y_focus_all")])
def test_images_in_place_of_frames_see_only_themselves(tensors, layers, focused, y):
    image_frames = torch.tensor(focused)[:, None].expand(2, FRAMES)
    assert_same(run(layers, tensors["x"], image_frames), tensors[y])


def test_images_behind_a_video_and_the_video_do_not_mix(tensors, layers):
    """5 frames and 3 images: the frames get what they get alone, whatever the images are."""
    image_frames = torch.tensor([[False] * 5 + [True] * 3] * 2)
    x, other = tensors["x"], tensors["x"].clone()
    other[:, :, 5:] = other[:, :, 5:].roll(1, 2)
    got, again = run(layers, x, image_frames), run(layers, other, image_frames)
    assert_same(again[:, :, :5], got[:, :, :5])
    assert_same(again[:, :, 5:], got[:, :, 5:].roll(1, 2))
    assert not torch.allclose(got[:, :, :5], run(layers, x)[:, :, :5], atol=1e-2)


def test_heads_of_an_odd_number_of_channels_are_refused():
    name = "down_blocks.0.attentions.0.factorised_attn"
    tensors = {f"{name}.norm.weight": torch.ones(8), f"{name}.to_qkv.weight": torch.ones(9, 8),
               f"{name}.to_out.weight": torch.ones(8, 3),
               "time_rel_pos_bias.relative_attention_bias.weight": torch.ones(32, 1)}  # fmt: skip
    with pytest.raises(ValueError, match="heads of 3 channels, which must be an even number"):
        read(tensors, "file")
