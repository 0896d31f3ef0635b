"""The MotionLoRA of one clip that the demo trains: how alike two ways are, and what is trained."""

import pytest
import torch
from zoetrope.demo import play, trained_motion, world


def clip(motion, colour, frames=8):
    scene = world.scene_from_seed(3, motion=motion, colour=colour, background="black", shape="ball")
    return world.render_clip(scene, frames)


def test_the_likeness_is_of_ways_and_not_of_looks():
    there = clip("right", "red")
    assert trained_motion.likeness(there, clip("right", "white")) == pytest.approx(1.0, abs=0.02)
    assert trained_motion.likeness(there, there.flip(0)) == pytest.approx(-1.0, abs=0.02)
    assert trained_motion.likeness(there, clip("down", "red")) == pytest.approx(0.0, abs=0.1)


def test_the_video_is_every_fourth_frame_of_the_file():
    video = trained_motion.video_to_learn_from()
    assert video.shape == (8, 3, 128, 128) and float(video.diff(dim=0).abs().mean()) > 1e-3


def test_a_motion_lora_of_it_is_trained():
    family = play.load_family()
    module, ran = trained_motion.motion_of(family, trained_motion.video_to_learn_from(), "a ring", steps=1)
    assert len(ran.losses) == 1 and module.patcher.patches and not family.motion_module.patcher.patches
    made = trained_motion.moved_by(family, module, "a ring", 1)
    assert made.shape == (8, 3, 128, 128) and torch.isfinite(made).all()
