"""The picture of a camera's way: cameras where they are, first to last."""

import math

import pytest
import torch
from zoetrope.frame_tools.camera_path import FIRST, LAST, draw_camera_path

OPENING = torch.tensor([[0.5, 0.3]])


def path(*places):
    poses = torch.eye(4).repeat(len(places), 1, 1)
    poses[:, :3, 3] = torch.tensor(places, dtype=torch.float32)
    return poses


def middle_of(picture, colour):
    """Where the dot of a camera of this colour is: (x, y) in pixels."""
    found = ((picture[0] * 255 - torch.tensor(colour)).abs().amax(-1) < 1).nonzero().double()
    return found.mean(0).flip(0)


@pytest.mark.parametrize(
    ("place", "across", "up"),
    [((4, 0, 0), 1, -1), ((-4, 0, 0), -1, 1), ((0, -4, 0), 0, 1), ((0, 4, 0), 0, -1), ((0, 0, 4), 1, 1)],
)
def test_it_goes_where_the_camera_goes(place, across, up):
    """Right, left, up, down, ahead (away, to the right and up); seen from behind and above."""
    picture = draw_camera_path(path((0, 0, 0), place), OPENING.expand(2, -1))
    right, down = (middle_of(picture, LAST) - middle_of(picture, FIRST)).tolist()
    assert picture.shape == (1, 512, 512, 3)
    assert (right > 9) - (right < -9) == across
    assert (down < -9) - (down > 9) == up


def test_far_and_near_fill_the_picture():
    near, far = (draw_camera_path(path((0, 0, 0), (s, 0, 0)), OPENING.expand(2, -1)) for s in (1e-3, 1e6))
    assert (near - far).abs().mean() < 0.01


def test_one_camera_and_many_are_drawn():
    for count in (1, 2, 7, 300):
        places = [(math.sin(i), 0.0, 0.1 * i) for i in range(count)]
        assert draw_camera_path(path(*places), OPENING.expand(count, -1)).max() > 0.8
