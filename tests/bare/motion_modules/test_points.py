"""Acts around the layers of a network: nesting, idleness, restoration, and the forward in which they run."""

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint
from zoetrope.frame_values import Placed
from zoetrope.motion_modules.call import Call, frames_in_call, in_forward, running_forward, running_frames
from zoetrope.motion_modules.joint_norm import joint_norm
from zoetrope.motion_modules.points import Applied, Point, inject
from zoetrope.tests.rounding import assert_same


class Network(nn.Module):
    """Two layers with a forward like that of core's UNets."""

    def __init__(self, checkpointed=False):
        super().__init__()
        self.blocks = nn.ModuleList([nn.Linear(3, 3), nn.Linear(3, 3)])
        self.checkpointed = checkpointed

    def forward(self, x, transformer_options=None):
        for block in self.blocks:
            x = checkpoint(block, x, use_reentrant=False) if self.checkpointed else block(x)
        return x


def add(amount):
    return lambda call, inner, x: call.add(inner(x), torch.full_like(x, amount))


def everywhere(forward):
    return Call(forward, forward.num_frames)


@pytest.fixture
def network():
    return Network()


def test_frames_are_counted_from_the_conditioning_chunks():
    assert frames_in_call(21, {"cond_or_uncond": [0, 1, 0]}) == 7
    assert frames_in_call(5, {}) == 5
    for batch, options in ((0, {}), (7, {"cond_or_uncond": [0, 1]})):
        with pytest.raises(ValueError, match=f"a batch of {batch} images"):
            frames_in_call(batch, options)


def test_a_point_is_its_act_around_the_layer_and_the_plain_layer_again_afterwards(network):
    x = torch.randn(5, 3)
    plain = network(x)
    with inject(network, {"blocks.1": add(2.0)}, everywhere):
        torch.testing.assert_close(network(x), plain + 2, atol=1e-6, rtol=0)
    assert torch.equal(network(x), plain)
    assert not [name for module in network.modules() for name in vars(module) if name == "forward"]


def test_the_network_is_restored_after_an_error_and_an_unknown_path_is_named(network):
    plain = network(torch.ones(1, 3))
    with pytest.raises(ZeroDivisionError), inject(network, {"blocks.0": lambda *args: 1 / 0}, everywhere):
        network(torch.ones(1, 3))
    unknown = inject(network, {"blocks.0": add(1), "blocks.7": add(1)}, everywhere)
    with pytest.raises(ValueError, match="Network.*no layer 'blocks.7'"), unknown:
        pass
    assert torch.equal(network(torch.ones(1, 3)), plain)
    assert running_forward() is None


def test_a_forward_that_was_there_before_is_there_again(network):
    network.blocks[0].forward = before = lambda x: x * 0
    with inject(network, {"blocks.0": add(1.0)}, everywhere):
        torch.testing.assert_close(network(torch.ones(2, 3)), network.blocks[1](torch.ones(2, 3)))
    assert network.blocks[0].forward is before


def test_a_later_method_stands_outside_of_an_earlier_one(network):
    order = []

    def act(name):
        return lambda call, inner, x: (order.append(name), inner(x))[1]

    with (
        inject(network, {"blocks.0": act("first")}, everywhere),
        inject(network, {"blocks.0": act("second")}, everywhere),
    ):
        network(torch.ones(1, 3))
    assert order == ["second", "first"]


def test_a_method_resolves_a_forward_once_and_may_be_idle(network):
    seen = []

    def resolve(forward):
        seen.append(forward)
        return None if forward.sigma > 1 else everywhere(forward)

    x = torch.randn(6, 3)
    plain = network(x)
    with inject(network, {"blocks.0": add(1), "blocks.1": add(1)}, resolve):
        assert torch.equal(network(x, transformer_options={"sigmas": torch.tensor([0.5, 2.0])}), plain)
        assert not torch.equal(network(x, transformer_options={"sigmas": torch.tensor([0.5])}), plain)
    assert len(seen) == 2


def test_a_layer_outside_of_a_forward_is_plain(network):
    x = torch.randn(2, 3)
    want = network.blocks[0](x)
    with inject(network, {"blocks.0": add(1.0)}, everywhere):
        assert torch.equal(network.blocks[0](x), want)
    with pytest.raises(RuntimeError, match="outside of its network's forward"):
        running_frames()


def test_gradients_are_the_same_with_layers_that_run_again_in_the_backward_pass():
    gain = nn.Parameter(torch.tensor(0.7))

    def act(call, inner, x):
        return call.add(inner(x), gain * x * call.num_frames)

    gradients = []
    for checkpointed in (False, True):
        network = Network(checkpointed)
        network.load_state_dict(
            {key: torch.ones_like(value) / 3 for key, value in network.state_dict().items()}
        )
        with inject(network, {"blocks.0": act, "blocks.1": act}, everywhere):
            network(torch.arange(15.0).view(5, 3)).square().mean().backward()
        gradients.append([gain.grad.clone(), *(p.grad for p in network.parameters())])
        gain.grad = None
    for plain, again in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, again)


def test_a_copy_of_the_network_runs_its_own_layers(network):
    """Core hands the patches of one network to its copy on another GPU."""
    other = Network()
    point = Point("blocks.0", network.blocks[0].forward, lambda call, inner, x: inner(x), Applied(everywhere))
    x = torch.randn(2, 3)
    for running in (network, other):
        with in_forward(running, 2, {}):
            assert torch.equal(point(x), running.blocks[0](x))


class Window:
    def __init__(self, *frames):
        self.index_list = list(frames)


def test_frame_numbers_follow_the_windows_of_a_call():
    network = nn.Identity()
    with in_forward(network, 10, {"cond_or_uncond": [0, 1]}) as plain:
        assert plain.frame_numbers() == [0, 1, 2, 3, 4] * 2
    with in_forward(network, 6, {"cond_or_uncond": [0, 1], "context_window": Window(1, 2, 4)}) as windowed:
        assert windowed.frame_numbers() == [1, 2, 4] * 2
    both = Window(0, 1, 2, 3)
    both.windows = [Window(0, 1), Window(2, 3), Window(0, 1), Window(2, 3)]
    with in_forward(network, 8, {"cond_or_uncond": [0, 0, 1, 1], "context_window": both}) as several:
        assert several.frame_numbers() == [0, 1, 2, 3] * 2


def test_one_strength_for_each_image_scales_what_is_added(network):
    x = torch.randn(3, 2, 1, 1)
    with in_forward(network, 3, {}) as forward:
        call = Call(forward, 3, strength=Placed(torch.tensor([0.0, 1.0, 2.0]).view(-1, 1, 1), (1, 1)))
        assert call.num_videos == 1
        torch.testing.assert_close(
            call.add(x, torch.ones_like(x)), x + torch.tensor([0.0, 1.0, 2.0]).view(-1, 1, 1, 1)
        )


@pytest.mark.parametrize("methods", [1, 2])
def test_joint_norms_see_a_video_as_one_picture_also_under_two_methods(methods):
    norm = nn.GroupNorm(2, 6)
    x = torch.randn(10, 6, 3, 7)  # two videos of five frames
    forward = norm.forward
    for _ in range(methods):
        forward = Point("norm", forward, joint_norm, Applied(everywhere))
    with in_forward(nn.ModuleDict({"norm": norm}), 10, {"cond_or_uncond": [0, 1]}):
        got = forward(x)
    video = x.view(2, 5, 6, 3, 7).transpose(1, 2)
    assert_same(got, norm(video).transpose(1, 2).reshape(x.shape))
