"""The world is the same on every machine and keeps its own rules."""
import random

import pytest
import torch
from zoetrope.demo import world


def test_a_seed_is_a_scene():
    assert world.scene_from_seed(11) == world.scene_from_seed(11)
    assert world.scene_from_seed(11) != world.scene_from_seed(13)
    assert torch.equal(world.render_clip(world.scene_from_seed(11), 3), world.render_clip(world.scene_from_seed(11), 3))


def test_the_scenes_of_seeds_do_not_change():
    """The trained weights were made from these; a change of the world wants a new training."""
    scene = world.scene_from_seed(7)
    assert (scene.shape, scene.colour, scene.background, scene.size, scene.motion) == PINNED
    assert world.caption(scene, random.Random(2)) == PINNED_CAPTION


PINNED = ("triangle", "pink", "black", "small", "still")
PINNED_CAPTION = "a pink triangle on a black background"


@pytest.mark.parametrize("motion", world.MOTIONS)
def test_a_thing_stays_inside_the_frame(motion):
    for seed in range(17):
        scene = world.scene_from_seed(seed, motion=motion)
        centres = world.path(scene, 40)
        assert centres.min() >= scene.margin - 1e-3
        assert centres.max() <= world.SIZE - scene.margin + 1e-3


@pytest.mark.parametrize(("motion", "axis", "sign"), [("left", 0, -1), ("right", 0, 1), ("up", 1, -1), ("down", 1, 1)])
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
    assert scene.size in world.caption(scene, rng, name_size=1.0)


def test_a_thing_that_nobody_can_see_is_refused():
    with pytest.raises(ValueError, match="colour=white must differ from background=white"):
        world.scene_from_seed(0, colour="white", background="white")
