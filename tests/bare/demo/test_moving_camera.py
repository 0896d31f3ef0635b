"""What a camera that moves as poses say sees of the demo's world."""

import random
from dataclasses import replace

import pytest
import torch
from zoetrope.benchmarks import camera_curves
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


def test_drawn_curves_keep_the_thing_in_view_and_do_all_that_can_be_told():
    rng, ways, turns = random.Random(5), set(), 0
    for _ in range(80):
        poses = world.poses(world.random_scene(rng, "still"), 16)
        drawn, found = moving_camera.draw_curve(rng, poses)
        camera = drawn.poses
        torch.testing.assert_close(
            found.centres, moving_camera.seen_by(poses, camera).centres, atol=1e-3, rtol=0
        )
        assert bool((found.centres - found.radii[:, None] > 0).all())
        assert bool((found.centres + found.radii[:, None] < world.SIZE).all())
        first, last = (
            camera.matrices()[:, [3, 7, 11]].round(decimals=3).diff(dim=0).sign()[[0, -1]].int().tolist()
        )
        turns += first != last
        ways |= {tuple(first), tuple(last)}
    assert ways == {(0, 0, 0)} | {tuple(s * (a == i) for i in range(3)) for a in range(3) for s in (-1, 1)}
    assert 10 < turns < 50


@pytest.mark.parametrize("backwards", [False, True])
def test_teachers_go_a_curve_with_the_shares_it_names(backwards):
    """What a teacher does to a frame is its own way there times its share: together the way of the curve."""
    curve = moving_camera.curve("pan right", 16, 2.0, "zoom in", 0.8)
    taught = moving_camera._taught(curve, backwards)
    for stage, teacher in moving_camera.TEACHERS.items():
        own = moving_camera.curve(teacher.move, 16, teacher.speed).matrices()[:, teacher.place]
        wanted = curve.matrices()[:, teacher.place]
        torch.testing.assert_close(own * taught.shares[stage], wanted, atol=1e-5, rtol=0)
    assert not taught.holds and not taught.shares["rise"].any()
    seen = taught.poses.matrices()[:, [3, 11]]
    assert seen[0].tolist() == [0, 0]  # a curve begins where its first frame is
    if backwards:
        torch.testing.assert_close(seen, curve.matrices()[:, [3, 11]].flip(0) - curve.matrices()[-1, [3, 11]])
    assert moving_camera._taught(moving_camera.curve("hold", 16, 1.0), backwards).holds


def test_each_clip_of_a_batch_is_told_its_own_camera_or_none():
    curves = tuple(moving_camera.curve(move, 4, 1.0) for move in ("pan right", "zoom in", "pan up"))
    told = moving_camera.ToldCameras(curves, torch.tensor([True, False, True]))
    first, second, third = told.matrices(None).split(4)
    assert torch.equal(first, curves[0].matrices()) and torch.equal(third, curves[2].matrices())
    assert not second.any()


@pytest.mark.parametrize("move", camera_curves.MOVES)
def test_what_follows_a_curve_is_told_from_what_does_not(move):
    """What the camera sees follows; what stands still does not, nor what goes the other way."""
    first, *rest = camera_curves.MOVES[move]
    camera = moving_camera.curve(first, 16, *rest)
    scene = world.random_scene(random.Random(1), "still", shape="ball", size="small", background="gray")
    still = world.poses(scene, 16)
    still.centres[:] = 64.0
    rates = world.Poses(*(torch.zeros_like(v) for v in vars(still).values()))

    def shown(seen):
        return camera_curves.follow(world.render([scene] * 16, seen, rates), camera)

    seen = moving_camera.seen_by(still, camera)
    share, follows = shown(seen)
    assert follows and share == pytest.approx(1.0, abs=0.1)
    share, follows = shown(still)
    assert not follows and share == pytest.approx(0.0, abs=0.05)
    share, follows = shown(replace(seen, centres=128 - seen.centres, radii=2 * still.radii - seen.radii))
    assert not follows and share < -0.5


def test_a_camera_on_hold_is_steady():
    scene = world.random_scene(random.Random(1), "still", shape="ball", background="gray")
    camera, drifting = moving_camera.curve("hold", 16, 1.0), world.scene_from_seed(2, motion="right")
    assert camera_curves.follow(world.render_clip(scene, 16, 0.0), camera)[1]
    assert not camera_curves.follow(world.render_clip(drifting, 16, 0.0), camera)[1]
