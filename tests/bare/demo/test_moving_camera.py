"""What a camera that moves as poses say sees of the demo's world."""

import random

import pytest
import torch
from zoetrope.demo import moving_camera, world

FRAMES = 11
FOCAL = 0.5 * 1280 / 720 * world.SIZE  # pixels, of a frame that is cut out of the middle of 1280x720


def seen(move, speed, x=50.0, y=80.0):
    scene = world.random_scene(random.Random(3), "still", shape="ball")
    poses = world.poses(scene, FRAMES)
    poses.centres[:] = torch.tensor([x, y])
    camera = moving_camera.curve(move, FRAMES, speed)
    return poses, moving_camera.seen_by(poses, camera)


def test_a_camera_on_hold_sees_what_is_there():
    before, after = seen("hold", 0.0)
    for name in ("centres", "radii", "horizons"):
        torch.testing.assert_close(getattr(after, name), getattr(before, name), atol=1e-4, rtol=1e-6)


@pytest.mark.parametrize(("move", "axis", "sign"), [
    ("pan right", 0, -1), ("pan left", 0, 1), ("pan up", 1, 1), ("pan down", 1, -1),
    ("turn right", 0, -1), ("turn left", 0, 1), ("tilt up", 1, 1), ("tilt down", 1, -1),
])  # fmt: skip
def test_what_is_seen_goes_against_the_camera(move, axis, sign):
    speed = 0.6 if move.startswith("pan") else 0.1
    before, after = seen(move, speed)
    moved = after.centres - before.centres
    assert bool((sign * moved[1:, axis] > 0).all()) and bool(moved[-1, 1 - axis].abs() < 2)
    horizon = after.horizons[-1] - before.horizons[-1]
    assert abs(float(horizon) - (float(moved[-1, 1]) if axis else 0.0)) < 2


def test_a_pan_goes_as_far_as_a_pinhole_says():
    """A shift of 1.5 units in 16 frames in front of a picture at DISTANCE, nearer things no faster."""
    before, after = seen("pan right", 2.0)
    shift = FOCAL * 1.5 * 2.0 * (FRAMES - 1) / 16 / moving_camera.DISTANCE
    torch.testing.assert_close(after.centres[-1, 0], before.centres[-1, 0] - shift)
    torch.testing.assert_close(after.radii, before.radii)


def test_a_zoom_makes_things_larger_and_farther_from_the_middle():
    before, after = seen("zoom in", 1.0)
    factor = moving_camera.DISTANCE / (moving_camera.DISTANCE - 3.0 * (FRAMES - 1) / 16)
    torch.testing.assert_close(after.radii[-1], before.radii[-1] * factor)
    middle = world.SIZE / 2
    torch.testing.assert_close(after.centres[-1] - middle, (before.centres[-1] - middle) * factor)
    torch.testing.assert_close(after.horizons[-1] - middle, (before.horizons[-1] - middle) * factor)


def test_a_curve_of_two_moves_turns_in_the_middle():
    poses = world.poses(world.random_scene(random.Random(3), "still"), 16)
    poses.centres[:] = 64.0
    camera = moving_camera.curve("pan right", 16, 3.0, "pan left", 3.0)
    xs = moving_camera.seen_by(poses, camera).centres[:, 0]
    assert xs[0] == pytest.approx(64.0, abs=1e-4) and int(xs.argmin()) == 7
    step = FOCAL * 1.5 * 3.0 / 16 / moving_camera.DISTANCE
    torch.testing.assert_close(xs.diff(), torch.tensor([-step] * 7 + [step] * 8), atol=1e-4, rtol=1e-4)
