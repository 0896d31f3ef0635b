"""The judge reads ground truth without error worth mentioning, and tells a clip from its shuffled frames."""

import random

import pytest
import torch
from zoetrope.demo import judge, world

FRAMES = 120


@pytest.fixture(scope="module")
def read():
    rng = random.Random("judge")
    scenes = [world.random_scene(rng) for _ in range(FRAMES)]
    scenes = [s for s in scenes if s.motion != "blink"]
    times = [rng.uniform(0, 20) for _ in scenes]
    frames = world.render_clips(scenes, 1, times)[:, 0]
    centres = torch.cat([world.path(s, 1, t) for s, t in zip(scenes, times, strict=True)])
    return scenes, centres, judge.read_frames(frames)


@pytest.mark.parametrize("kind", ["colour", "shape", "background"])
def test_reads_ground_truth(read, kind):
    scenes, _, readings = read
    right = sum(getattr(s, kind) == getattr(r, kind) for s, r in zip(scenes, readings, strict=True))
    assert right >= 0.99 * len(scenes)


def test_finds_place_and_size(read):
    scenes, centres, readings = read
    places = torch.tensor([(r.x, r.y) for r in readings])
    assert (places - centres).norm(dim=1).median() < 0.5
    assert (places - centres).norm(dim=1).max() < 4
    fixed = [(s, r) for s, r in zip(scenes, readings, strict=True) if s.motion not in ("grow", "shrink")]
    assert all(abs(r.radius - s.radius) < 0.1 * s.radius for s, r in fixed)


def test_names_motions():
    kinds = len(world.MOTIONS)
    scenes = [world.scene_from_seed(s, motion=world.MOTIONS[s % kinds]) for s in range(3 * kinds)]
    named = [judge.read_motion(world.render_clip(scene, 16)).name for scene in scenes]
    assert sum(name == scene.motion for name, scene in zip(named, scenes, strict=True)) >= 3 * kinds - 1


def test_measures_growth_and_turns():
    grown = judge.read_motion(world.render_clip(world.scene_from_seed(3, motion="grow"), 16))
    assert 1.25 < grown.growth < 1.8
    scene = world.scene_from_seed(4, motion="spin")
    turned = judge.read_motion(world.render_clip(scene, 16))
    assert turned.turn == pytest.approx(15 * scene.speed, rel=0.1)


def test_finds_the_thing_without_its_trail():
    scene = world.scene_from_seed(1, motion="right", shape="ball", colour="red", background="black")
    masks = judge.thing_masks(world.render_clip(scene, 3))
    told = world.hints([scene], 3, [0.0])[0, :, 0]
    assert float((masks - told).abs().mean()) < 0.01


def test_shuffled_frames_are_not_coherent():
    for seed in range(6):
        scene = world.scene_from_seed(seed, motion=world.MOTIONS[1 + seed % 6])
        frames = world.render_clip(scene, 16)
        readings = judge.read_frames(frames)
        assert judge.coherent(readings, judge.read_motion(frames, readings))
        order = torch.randperm(16).tolist()
        frames, readings = frames[order], [readings[i] for i in order]
        assert not judge.coherent(readings, judge.read_motion(frames, readings))


def test_sees_nothing_in_an_empty_frame():
    frame = torch.full((1, 3, world.SIZE, world.SIZE), 0.5) + 0.01 * torch.randn(1, 3, world.SIZE, world.SIZE)
    (reading,) = judge.read_frames(frame)
    assert (reading.colour, reading.shape, reading.background) == ("none", "none", "gray")
