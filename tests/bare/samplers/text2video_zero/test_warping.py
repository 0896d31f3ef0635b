"""Warps are those of the published code; without its half pixel every place moves equally far."""

import pytest
import torch
from safetensors.torch import load_file
from zoetrope.samplers.text2video_zero.motion_fields import CameraField, FlowField, field_of_flows
from zoetrope.samplers.text2video_zero.warping import sources, warped

from ....gold_weights import gold_input
from ....places import GOLDENS

GOLDEN = load_file(GOLDENS / "text2video_zero" / "t2vz.safetensors")
WARPS = [name for name in GOLDEN if name.startswith("warp_")]


@pytest.mark.parametrize("name", WARPS)
def test_warps_are_those_of_the_published_code(name):
    _, size, dx, dy = name.split("_")
    height, width = map(int, size.split("x"))
    want = GOLDEN[name]
    first = gold_input(f"warp.{size}", (1, 4, height, width))
    got = torch.cat(list(warped(first, CameraField(float(dx), float(dy)), len(want) + 1, as_published=True)))
    assert torch.equal(got, want)


@pytest.mark.parametrize(("delta", "moves"), [(64, 2), (-64, -2), (32, 1), (8, 0), (16, 1), (-16, 0)])
def test_a_camera_to_the_right_moves_places_to_the_left(delta, moves):
    """16 columns of a canvas of 512: 32 pixels are one; half a place is rounded up everywhere."""
    first = torch.arange(16.0).expand(1, 1, 3, 16)
    (second,) = warped(first, CameraField(delta, 0.0), 2)
    inside = range(max(0, -moves), 16 - max(0, moves))
    assert [float(second[0, 0, 1, j]) for j in inside] == [j + moves for j in inside]


def test_what_lies_beyond_the_border_is_mirrored():
    first = torch.arange(5.0).expand(1, 1, 3, 5)
    (second,) = warped(first, CameraField(2 * 512 / 5, 0.0), 2)
    assert second[0, 0, 0].tolist() == [2, 3, 4, 4, 3]
    (second,) = warped(first, CameraField(-2 * 512 / 5, 0.0), 2)
    assert second[0, 0, 0].tolist() == [1, 0, 0, 1, 2]


def test_a_quarter_turn_of_the_camera_is_one_of_the_picture_the_other_way():
    first = torch.arange(49.0).reshape(1, 1, 7, 7)
    (second,) = warped(first, CameraField(0.0, 0.0, rotation=90.0), 2)
    assert torch.equal(second[0, 0], first[0, 0].rot90(1))  # against the clock


def test_a_camera_that_comes_closer_sees_the_middle_larger():
    first = torch.zeros(1, 1, 9, 9)
    first[..., 3:6, 3:6] = 1
    _, third = warped(first, CameraField(0.0, 0.0, zoom=3**0.5), 3)
    assert torch.equal(third, torch.ones_like(third))  # 3 places of 9, three times larger


def test_a_picture_that_is_not_square_turns_without_a_change_of_its_shape():
    x, y = sources(next(CameraField(0.0, 0.0, rotation=90.0).displacements(2, (5, 11))))
    assert (x[0, 5], y[0, 5]) == (7, 2)  # two places above the middle (2, 5) comes from two to the right


def flows_of_a_shift(frames=4, size=(11, 13)):
    """A video whose content moves 1 pixel to the right and 2 up in each frame."""
    return torch.tensor([-1.0, 2.0])[None, :, None, None].expand(frames - 1, 2, *size)


def test_flows_are_chained():
    field = field_of_flows(flows_of_a_shift())
    moved = [d.mean((1, 2)).tolist() for d in field.displacements(4, (11, 13))]
    torch.testing.assert_close(
        torch.tensor(moved), torch.tensor([[-1.0, 2], [-2, 4], [-3, 6]]).double().float()
    )


def test_a_field_of_a_video_is_resized_with_its_lengths():
    field = field_of_flows(flows_of_a_shift(size=(22, 26)), amount=2.0)
    moved = [d.mean((1, 2)) for d in field.displacements(2, (11, 13))]
    torch.testing.assert_close(moved[0], torch.tensor([-1.0, 2.0]).double())


def test_flows_that_differ_over_places_are_read_where_they_lead_to():
    """Row by row: frame 2 reads 1 to the right in frame 1, whose places left of 4 had moved by 3."""
    flows = torch.zeros(2, 2, 3, 9)
    flows[0, 0, :, :4] = 3
    flows[1, 0] = 1
    field = field_of_flows(flows)
    assert (9 * field.parts[1, 0, 0]).round().tolist() == [4, 4, 4, 1, 1, 1, 1, 1, 1]


@pytest.mark.parametrize("delta", [128.0, -128.0])
def test_a_frame_that_sees_nothing_of_the_first_is_refused(delta):
    frames = warped(torch.zeros(1, 4, 16, 16), CameraField(0.0, delta), 6)
    with pytest.raises(ValueError, match=r"leads frame 4 out of the picture.*\(0.0, -?16.0\).*num_frames"):
        list(frames)


def test_a_video_that_is_too_short_is_refused():
    field = FlowField(torch.zeros(3, 2, 5, 7))
    assert len(list(field.displacements(4, (5, 7)))) == 3
    with pytest.raises(ValueError, match="of a video of 4 frames, num_frames=5 are more; lower num_frames"):
        list(field.displacements(5, (5, 7)))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"delta_x": float("nan")}, "delta_x=nan must be a number of pixels"),
        ({"delta_y": 1e9}, "delta_y=1000000000.0 must be"),
        ({"zoom": 0.0}, "zoom=0.0 must be between 0.1 and 10"),
        ({"zoom": float("nan")}, "zoom=nan must be"),
        ({"rotation": float("inf")}, "rotation=inf must be a number of degrees"),
    ],
)
def test_a_camera_that_makes_no_sense_is_refused(values, told):
    with pytest.raises(ValueError, match=told):
        CameraField(**values)


def test_a_flow_that_is_not_finite_is_refused():
    flows = flows_of_a_shift().clone()
    flows[1, 0, 2, 3] = float("nan")
    with pytest.raises(ValueError, match="needs finite numbers"):
        field_of_flows(flows)
