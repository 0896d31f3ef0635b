"""Convolutions over frames beside a 3x3 convolution are what their names say."""

import pytest
import torch
import torch.nn.functional as nnf
from einops import rearrange
from torch import nn
from zoetrope.motion_modules.call import Call
from zoetrope.motion_modules.inflated_convolutions import (
    CENTRED,
    FACTORISED,
    ConvolutionsConfig,
    FactorisedConvolution,
    FactorisedConvolutions,
    NeighbourFrames,
    from_neighbours,
    then_over_frames,
    with_neighbours,
)
from zoetrope.motion_modules.points import inject
from zoetrope.motion_modules.unet_places import BlockPlaces, ConvPlace, UNetPlaces
from zoetrope.tests.rounding import assert_same

IN, OUT, FRAMES, VIDEOS = 3, 64, 5, 2


class Network(nn.Module):
    """One convolution, as core's ResBlocks call it."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(IN, OUT, 3, padding=1)

    def forward(self, x, transformer_options=None):
        return self.conv(x)


@pytest.fixture
def unet():
    torch.manual_seed(1)
    return Network().requires_grad_(False)


@pytest.fixture
def neighbours():
    """The outer slices of the kernel, with weights as after training."""
    network = NeighbourFrames(ConvolutionsConfig({"conv": OUT}, {"conv": IN}))
    return trained(network.conv.neighbour_frames)


def trained(layer):
    for parameter in layer.parameters():
        nn.init.normal_(parameter, std=0.2)
    return layer.requires_grad_(False)


def run(unet, act, x, strength=1.0):
    """x (B, C, F, H, W) -> the same, with an act around the convolution."""
    with inject(unet, {"conv": act}, lambda forward: Call(forward, x.shape[2], strength)):
        y = unet(rearrange(x, "b c f h w -> (b f) c h w"))
    return rearrange(y, "(b f) c h w -> b c f h w", f=x.shape[2])


def test_centred_3d_is_one_kernel_around_the_checkpoints_own(unet, neighbours):
    to_next, to_previous = neighbours.weight.chunk(2)
    kernel = torch.stack((to_next, unet.conv.weight, to_previous), 2)
    x = torch.randn(VIDEOS, IN, FRAMES, 4, 6)
    want = nnf.conv3d(x, kernel, unet.conv.bias, padding=1)
    assert_same(run(unet, with_neighbours(neighbours), x), want)


def test_one_frame_of_centred_3d_is_the_plain_convolution(unet, neighbours):
    x = torch.randn(VIDEOS, IN, 1, 4, 6)
    assert torch.equal(run(unet, with_neighbours(neighbours), x)[:, :, 0], unet(x[:, :, 0]))


def test_2plus1d_is_the_convolution_then_norm_activation_and_a_kernel_over_frames(unet):
    layer = trained(FactorisedConvolution(OUT))
    x = torch.randn(VIDEOS, IN, FRAMES, 4, 6)
    plain = nnf.conv3d(x, unet.conv.weight[:, :, None], unet.conv.bias, padding=(0, 1, 1))
    frames = [nnf.group_norm(frame, 32, layer.norm.weight, layer.norm.bias) for frame in plain.unbind(2)]
    change = nnf.conv3d(nnf.silu(torch.stack(frames, 2)), layer.temporal_conv.weight, padding=(1, 0, 0))
    assert_same(run(unet, then_over_frames(layer), x), plain + change)
    assert_same(run(unet, then_over_frames(layer), x, strength=0.25), plain + change / 4)


def test_the_worked_example_of_what_neighbours_give():
    given = torch.tensor([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]])[..., None, None]
    assert from_neighbours(given, 3).flatten().tolist() == [20, 1 + 30, 2]


FIRST, SECOND = (f"down_blocks.0.resnets.0.conv{number}" for number in (1, 2))


@pytest.mark.parametrize(
    ("channels", "reads", "message"),
    [
        ({FIRST: OUT, SECOND: OUT}, {FIRST: IN, SECOND: OUT}, ""),
        ({FIRST: 32, SECOND: OUT}, {}, f"at {FIRST} it has 32 channels, this checkpoint has {OUT}"),
        ({FIRST: OUT, SECOND: OUT}, {FIRST: 7}, f"at {FIRST} it reads 7 channels, this checkpoint has {IN}"),
        ({"x.conv1": OUT}, {}, "it has layers for x.conv1, this checkpoint has no such convolution"),
        ({FIRST: OUT}, {}, "it has layers for 1 convolutions, this checkpoint has 2"),
    ],
)
def test_layers_of_another_unet_do_not_fit(channels, reads, message):
    block = BlockPlaces(("input_blocks.1.0",), (), OUT, in_channels=(IN,))
    blocks = {("input", 1): block, ("output", 0): BlockPlaces((), (), None)}
    network = FactorisedConvolutions(ConvolutionsConfig(channels, reads), device="meta")
    assert CENTRED.misfit(network, UNetPlaces(blocks, 1, "out", 4, ConvPlace("", 4, 64))) == message


def test_channels_that_a_norm_cannot_group_are_refused():
    name = f"{FIRST}.factorised"
    tensors = {f"{name}.norm.weight": torch.ones(31), f"{name}.norm.bias": torch.ones(31),
               f"{name}.temporal_conv.weight": torch.ones(31, 31, 3, 1, 1)}  # fmt: skip
    with pytest.raises(ValueError, match="has 31 channels at .* which must be a multiple of 32"):
        FACTORISED.read(tensors, "file")
