"""Optical flow against known movements,
and the colours it is drawn in against those of the Middlebury benchmark.
"""

import pytest
import torch
import torch.nn.functional as nn
from zoetrope.frame_tools import optical_flow

H, W = 96, 128


def texture():
    """A soft random texture (H, W, 3), 0..1."""
    rough = torch.rand(1, 3, H // 4, W // 4)
    return nn.interpolate(rough, size=(H, W), mode="bicubic")[0].movedim(0, -1).clamp(0, 1)


def moved(frame, x, y):
    """The frame with everything moved by (x, y) pixels."""
    rows = torch.arange(H).view(-1, 1).expand(H, W) - y
    columns = torch.arange(W).view(1, -1).expand(H, W) - x
    grid = torch.stack([(2 * columns + 1) / W - 1, (2 * rows + 1) / H - 1], -1)[None].float()
    return nn.grid_sample(frame.movedim(-1, 0)[None], grid, padding_mode="reflection", align_corners=False)[
        0
    ].movedim(0, -1)


@pytest.mark.parametrize("movement", [(0.0, 0.0), (3.0, 0.0), (0.0, -5.0), (0.4, 0.7), (-5.0, 3.5)])
def test_movements_of_a_texture_are_found(movement):
    frame = texture()
    flow = optical_flow.flow_between(frame, moved(frame, *movement))
    assert flow.shape == (2, H, W)
    error = torch.hypot(flow[0] - movement[0], flow[1] - movement[1])[10:-10, 10:-10]
    assert error.median() < 0.1 and error.mean() < 0.5


def test_a_thing_moves_and_the_ground_stands_still():
    ys, xs = torch.meshgrid(torch.arange(float(H)), torch.arange(float(W)), indexing="ij")

    def scene(x, y):
        ball = (14 - torch.hypot(xs - x, ys - y)).clamp(0, 1)[..., None]
        return 0.2 * (1 - ball) + ball * torch.tensor([0.9, 0.3, 0.1])

    flow = optical_flow.flow_between(scene(50, 50), scene(56, 47))
    assert flow[:, 50, 50].tolist() == pytest.approx([6, -3], abs=0.5)
    assert flow[:, 8, 8].abs().max() < 0.1 and flow[:, 50, 120].abs().max() < 0.1


def test_grey_frames_and_small_ones_have_a_flow_too():
    assert optical_flow.flow_between(torch.rand(7, 11, 1), torch.rand(7, 11, 1)).isfinite().all()
    assert optical_flow.flow_between(torch.rand(1, 1, 3), torch.rand(1, 1, 3)).shape == (2, 1, 1)


def test_a_clip_has_a_step_less_than_frames():
    steps = []
    assert optical_flow.flow_frames(torch.rand(3, 13, 17, 3), progress=lambda: steps.append(1)).shape == (
        2,
        2,
        13,
        17,
    )
    assert len(steps) == 2
    with pytest.raises(ValueError, match="movement needs at least 2 frames, got 1"):
        optical_flow.flow_frames(torch.rand(1, 13, 17, 3))


# Directions and their colours, computed from the formula of the benchmark's own colour coding.
@pytest.mark.parametrize(("direction", "colour"), [
    ((1, 0), (1, 0, 0)), ((-1, 0), (0, 0.82, 1)), ((0, 1), (1, 0.93, 0)), ((0, -1), (0.4, 0, 1)),
])  # fmt: skip
def test_colours_say_where_to(direction, colour):
    flows = torch.tensor(direction, dtype=torch.float32).view(1, 2, 1, 1) * 4
    assert optical_flow.draw_flow(flows, 4)[0, 0, 0].tolist() == pytest.approx(colour, abs=0.12)


def test_still_is_white_pale_is_slow_and_too_far_is_dark():
    flows = torch.tensor([0.0, 1.0, 4.0, 8.0]).view(4, 1, 1, 1) * torch.tensor([1.0, 0.0]).view(1, 2, 1, 1)
    still, slow, full, beyond = optical_flow.draw_flow(flows, 4)[:, 0, 0]
    assert still.tolist() == [1, 1, 1]
    assert slow.tolist() == pytest.approx([1, 0.75, 0.75], abs=0.05)
    assert full[1:].max() < 0.05 and beyond[0] == pytest.approx(0.75, abs=0.01)


def test_the_wheel_goes_round_in_even_steps():
    wheel = optical_flow.colour_wheel()
    assert wheel.shape == (55, 3)
    assert (torch.cat([wheel, wheel[:1]]).diff(dim=0).abs().sum(1) < 0.26).all()
    assert (wheel.max(1).values == 1).all()


def test_full_colour_by_itself_is_what_nearly_all_pixels_stay_below():
    flows = torch.zeros(1, 2, 10, 100)
    flows[0, 0] = torch.arange(1000.0).view(10, 100) / 10
    assert optical_flow.far_movement(flows) == pytest.approx(99, abs=0.2)
    assert optical_flow.far_movement(torch.zeros(1, 2, 3, 3)) == 1.0
