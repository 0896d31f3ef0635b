"""Coarse videos of one picture, against shifts, turns and tangents worked out by hand."""

import math

import pytest
import torch
from zoetrope.frame_tools.coarse_video import MoveSettings, coarse_video, plane_points

HEIGHT, WIDTH = 12, 20


def picture(channels=3):
    return torch.rand(1, HEIGHT, WIDTH, channels, generator=torch.Generator().manual_seed(5))


def test_the_first_frame_is_the_picture_and_a_still_move_repeats_it():
    image = picture()
    frames, masks = coarse_video(image, MoveSettings(num_frames=3, zoom=1.7, roll=9))
    assert torch.equal(frames[0], image[0]) and not torch.equal(frames[1], image[0])
    assert not masks[0].any()
    frames, masks = coarse_video(image, MoveSettings(num_frames=3))
    assert torch.equal(frames, image.expand(3, -1, -1, -1)) and not masks.any()


def test_a_pan_by_whole_pixels_is_a_shift_and_what_is_past_the_edge_is_said():
    image = picture()
    frames, masks = coarse_video(image, MoveSettings(num_frames=2, pan_x=0.25, pan_y=-0.25, outside="black"))
    moved = torch.zeros_like(image[0])
    moved[3:, :15] = image[0, :9, 5:]
    assert (frames[1] - moved)[4:, :13].abs().max() < 1e-5  # cubic curves reach two pixels over the edge
    assert (masks[1] == torch.ones(HEIGHT, WIDTH).index_fill(1, torch.arange(15), 0)
            .index_fill(0, torch.arange(3), 1)).all()  # fmt: skip


def test_the_edge_or_a_mirror_goes_on_past_the_picture():
    image = picture()
    edge, _ = coarse_video(image, MoveSettings(num_frames=2, pan_x=0.5, outside="edge"))
    assert (edge[1, :, 13:] - image[0, :, -1:]).abs().max() < 1e-5
    mirror, _ = coarse_video(image, MoveSettings(num_frames=2, pan_x=0.5, outside="mirror"))
    assert (mirror[1, :, 10:] - image[0, :, 10:].flip(1)).abs().max() < 1e-5


def test_a_roll_of_a_quarter_turn_turns_the_picture():
    image = torch.rand(1, 9, 9, 3, generator=torch.Generator().manual_seed(6))
    frames, _ = coarse_video(image, MoveSettings(num_frames=2, roll=90))
    # the camera goes round clockwise, so the picture goes round the other way
    assert (frames[1] - torch.rot90(image[0])).abs().max() < 1e-5


@pytest.mark.parametrize("turn", (-17.0, 29.0))
def test_a_turn_is_the_tangent_of_the_sum_of_angles(turn):
    move = MoveSettings(turn=turn, field_of_view=40)
    points = plane_points(1, 7, move)[0, :, 0]  # one row, so no y
    half = math.tan(math.radians(20))
    for column, point in enumerate(points.tolist()):
        angle = math.atan(half * ((column + 0.5) / 7 * 2 - 1)) + math.radians(turn)
        assert point == pytest.approx(math.tan(angle) / half, abs=1e-12)


def test_a_tilt_looks_down_and_away_behind_the_camera():
    points = plane_points(5, 3, MoveSettings(tilt=30))
    assert points[2, 1, 1] == pytest.approx(
        math.tan(math.radians(30)) / (math.tan(math.radians(25)) * 5 / 3), abs=1e-12
    )
    away = plane_points(3, 9, MoveSettings(turn=80, field_of_view=120))
    assert away[:, -1].isnan().all() and not away[:, 0].isnan().any()
    frames, masks = coarse_video(picture(), MoveSettings(num_frames=2, turn=80, field_of_view=120))
    assert frames.isfinite().all() and masks[1, :, -1].all()


def test_a_zoom_goes_on_by_equal_factors():
    move = MoveSettings(num_frames=3, zoom=4.0)
    assert [move.at(share).zoom for share in move.shares()] == [1, 2, 4]
    assert torch.allclose(plane_points(6, 6, move.at(0.5)), plane_points(6, 6, move.at(0)) / 2)


def test_paths_start_at_the_picture_and_one_comes_back():
    assert MoveSettings(num_frames=5).shares() == [0, 0.25, 0.5, 0.75, 1]
    assert MoveSettings(num_frames=4, path="there and back").shares() == pytest.approx([0, 0.5, 1, 0.5])
    ease = MoveSettings(num_frames=5, path="ease").shares()
    assert ease == pytest.approx([0, 0.15625, 0.5, 0.84375, 1])
    assert MoveSettings(num_frames=1).shares() == [0]


def chequered(height, width):
    """Black and white pixels in turn, (1, H, W, 3)."""
    board = (torch.arange(height)[:, None] + torch.arange(width)) % 2
    return board.float()[None, ..., None].expand(-1, -1, -1, 3)


def test_a_smaller_picture_is_averaged():
    """A pattern of single pixels is grey at a fifth of its size, not noise."""
    board = (
        ((torch.arange(60)[:, None] + torch.arange(60)) % 2).float()[None, ..., None].expand(-1, -1, -1, 3)
    )
    frames, masks = coarse_video(board, MoveSettings(num_frames=2, zoom=0.2, outside="black"))
    inside = frames[1][masks[1] == 0]
    assert len(inside) == 12 * 12 and (inside - 0.5).abs().max() < 0.1


@pytest.mark.parametrize(
    "settings",
    (
        {"zoom": 0}, {"zoom": math.nan}, {"num_frames": 0}, {"turn": 90}, {"field_of_view": 180},
        {"path": "quick"}, {"outside": "white"}, {"pan_x": math.inf},
    ),
)  # fmt: skip
def test_what_is_out_of_range_is_refused(settings):
    name, value = next(iter(settings.items()))
    with pytest.raises(ValueError, match=f"^{name}='?{value}"):
        MoveSettings(**settings)


def test_several_pictures_are_refused_and_opacity_stays():
    with pytest.raises(ValueError, match="2 images are given"):
        coarse_video(picture().repeat(2, 1, 1, 1), MoveSettings())
    with pytest.raises(ValueError, match="no frames"):
        coarse_video(picture()[:0], MoveSettings())
    frames, _ = coarse_video(picture(4), MoveSettings(num_frames=2, zoom=2))
    assert frames.shape == (2, HEIGHT, WIDTH, 4)
