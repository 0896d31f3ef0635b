"""The world is the same on every machine and keeps its own rules."""

import random

import pytest
import torch
from zoetrope.demo import world
from zoetrope.demo.dusk import at_dusk, by_day


def test_a_seed_is_a_scene():
    assert world.scene_from_seed(11) == world.scene_from_seed(11)
    assert world.scene_from_seed(11) != world.scene_from_seed(13)
    assert torch.equal(
        world.render_clip(world.scene_from_seed(11), 3), world.render_clip(world.scene_from_seed(11), 3)
    )


def test_the_scenes_of_seeds_do_not_change():
    """The trained weights were made from these; a change of the world wants a new training."""
    scene = world.scene_from_seed(7)
    assert (scene.shape, scene.colour, scene.background, scene.size, scene.motion) == PINNED
    assert world.caption(scene, random.Random(2)) == PINNED_CAPTION


PINNED = ("square", "red", "gray", "big", "bounce")
PINNED_CAPTION = "a big red square bounces on a gray background"


@pytest.mark.parametrize("motion", world.MOTIONS)
def test_a_thing_stays_inside_the_frame(motion):
    for seed in range(17):
        scene = world.scene_from_seed(seed, motion=motion)
        centres = world.path(scene, 40)
        assert centres.min() >= scene.margin - 1e-3
        assert centres.max() <= world.SIZE - scene.margin + 1e-3


@pytest.mark.parametrize(
    ("motion", "axis", "sign"), [("left", 0, -1), ("right", 0, 1), ("up", 1, -1), ("down", 1, 1)]
)
def test_a_drift_goes_where_its_name_says_for_sixteen_frames(motion, axis, sign):
    for seed in range(17):
        steps = world.path(world.scene_from_seed(seed, motion=motion), 16).diff(dim=0)
        assert (steps[:, axis] * sign > 1).all()
        assert steps[:, 1 - axis].abs().max() < 1e-3


def test_frames_are_pictures_and_the_thing_is_where_the_path_says():
    scene = world.scene_from_seed(3, shape="ball")
    frames = world.render_clip(scene, 5)
    assert frames.shape == (5, 3, world.SIZE, world.SIZE)
    assert float(frames.min()) >= 0 and float(frames.max()) <= 1
    colour = torch.tensor(world.COLOURS[scene.colour]) / 255
    for frame, (x, y) in zip(frames, world.path(scene, 5).tolist(), strict=True):
        torch.testing.assert_close(frame[:, int(y), int(x)], colour, atol=1e-4, rtol=0)


def test_clips_of_a_batch_do_not_mix():
    scenes = [world.scene_from_seed(s) for s in (2, 5)]
    together = world.render_clips(scenes, 3, [0.0, 7.0])
    torch.testing.assert_close(together[1], world.render_clip(scenes[1], 3, 7.0))


def test_captions_use_only_the_vocabulary_and_name_what_is_seen():
    rng, known = random.Random(0), set(world.words())
    for seed in range(60):
        scene = world.scene_from_seed(seed)
        text = world.caption(scene, rng)
        assert set(text.replace(",", " ,").split()) <= known
        for word in (scene.colour, scene.shape, scene.background):
            assert word in text
    assert "big" in world.caption(world.scene_from_seed(0, motion="still", size="big"), rng, name_size=1.0)


def test_blinking_is_always_named_and_the_size_of_what_grows_never():
    rng = random.Random(1)
    blinking, growing = world.scene_from_seed(0, motion="blink"), world.scene_from_seed(0, motion="grow")
    for _ in range(20):
        assert "blink" in world.caption(blinking, rng, name_motion=0.0)
        assert not {"small", "big"} & set(world.caption(growing, rng, name_size=1.0).split())


def test_what_grows_shrinks_spins_and_blinks_does():
    def poses(motion):
        return world.poses(world.scene_from_seed(11, motion=motion), 16)

    assert (poses("grow").radii.diff() > 0.4).all() and (poses("shrink").radii.diff() < -0.4).all()
    assert (poses("spin").angles.diff() > 0.1).all()
    assert 6 <= int(poses("blink").opacities.sum()) <= 13
    assert all(
        torch.equal(poses(m).centres, poses(m).centres[:1].expand(16, 2))
        for m in ("grow", "shrink", "spin", "blink")
    )


@pytest.mark.parametrize(
    ("camera", "axis", "sign"),
    [("pan right", 0, -1), ("pan left", 0, 1), ("pan up", 1, 1), ("pan down", 1, -1)],
)
def test_what_is_seen_moves_against_a_pan(camera, axis, sign):
    seen = world.poses(world.random_scene(random.Random(5), motion="still", camera=camera), 16)
    steps = seen.centres.diff(dim=0)
    assert (steps[:, axis] * sign > 1.9).all() and steps[:, 1 - axis].abs().max() < 1e-3
    assert bool((seen.horizons.diff().abs() > 1.9).all()) == (axis == 1)


def test_a_zoom_enlarges_and_leaves_no_trail():
    scene = world.random_scene(random.Random(6), motion="still", camera="zoom in", background="black")
    seen = world.poses(scene, 16)
    assert 1.35 < float(seen.radii[-1] / seen.radii[0]) < 1.65
    last = world.render_clip(scene, 16)[-1]
    told = world.hints([scene], 16, [0.0])[0, -1]
    assert float((last.amax(0) > 0.1).float().sum()) < 1.05 * float((told[0] > 0.02).float().sum())


def test_day_comes_back_from_dusk():
    frames = world.render_clip(world.scene_from_seed(2), 3)
    dusk = at_dusk(frames)
    assert float((dusk - frames).abs().mean()) > 0.05 and float(dusk.min()) >= 0 and float(dusk.max()) <= 1
    torch.testing.assert_close(by_day(dusk), frames, atol=1e-5, rtol=0)


def test_a_shape_that_cannot_be_seen_to_turn_is_refused():
    with pytest.raises(ValueError, match="shape=ball looks the same when it turns"):
        world.scene_from_seed(0, motion="spin", shape="ball")


def test_a_motion_that_leaves_the_view_of_the_camera_is_refused():
    with pytest.raises(
        ValueError, match="motion=right does not stay in view while camera=pan left; choose another"
    ):
        world.random_scene(random.Random(1), motion="right", camera="pan left")


def test_a_thing_that_nobody_can_see_is_refused():
    with pytest.raises(ValueError, match="colour=white must differ from background=white"):
        world.scene_from_seed(0, colour="white", background="white")


def test_places_are_named_where_the_thing_is():
    rng, found = random.Random(2), set()
    for seed in range(60):
        scene = world.scene_from_seed(seed, motion="still")
        where = world.place_of(scene, 3.0)
        x, y = scene.start
        assert ("left" in where) == (x <= 54) and ("right" in where) == (x > 74)
        assert ("top" in where) == (y <= 54) and ("bottom" in where) == (y > 74)
        assert where in world.caption(scene, rng, where=where)
        assert set(where.split()) <= set(world.words())
        found.add(where)
    assert len(found) == 9
