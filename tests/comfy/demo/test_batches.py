"""What training draws: the same batch from the same step, in this process or in another;
captions, poses and levels that fit.
"""

import dataclasses
import random

import pytest
import torch
from zoetrope.demo import batches, moving_camera, networks, stages, train, training, world


@pytest.fixture(scope="module")
def drawer():
    return batches.Drawer()


def test_a_step_is_drawn_alike_here_and_in_other_processes(drawer):
    def draw(seed):
        return drawer.clips(21, seed, "motion")

    here = list(batches.in_order(draw, range(5, 8), workers=0))
    there = [
        batch for _, batch in zip(range(3), batches.in_order(draw, range(5, 8), workers=2), strict=False)
    ]
    for one, other in zip(here, there, strict=True):
        assert one.scenes == other.scenes and one.seed == other.seed
        assert torch.equal(one.rows, other.rows) and torch.equal(one.times, other.times)
        assert torch.equal(one.frames(), other.frames())
    assert here[0].scenes != here[1].scenes


def test_a_batch_shows_what_its_scenes_say(drawer):
    batch = drawer.clips(33, 3, "motion", camera="pan left")
    assert batch.num_frames == 16 and len(batch.scenes) == 2
    clip = world.render_clip(batch.scenes[0], 16, 0.0)  # a clip with a moving camera begins at time 0
    torch.testing.assert_close(batch.frames()[:16], clip)
    torch.testing.assert_close(batch.outlines(), world.hints(batch.scenes, 16, [0.0, 0.0]).flatten(0, 1))


def test_rows_are_those_of_the_caption_and_motions_are_those_it_names(drawer):
    batch = drawer.images(40, 11, "unet")
    ids = networks.vocabulary(drawer.tokens)
    named = 0
    for row, motion in zip(batch.rows.tolist(), batch.motions.tolist(), strict=True):
        if motion < len(world.MOTIONS):
            verb = world.MOTION_WORDS[world.MOTIONS[motion]]
            tokens = {ids[r] for r in row if r < len(ids)}
            spoken = [networks.caption_tokens(phrase, drawer.tokens) for pair in verb for phrase in pair]
            # Words of a caption are sometimes replaced by unknown ones, so not all of a phrase need be there.
            assert any(set(phrase) & tokens for phrase in spoken)
            named += 1
    assert named > 10
    assert (
        batch.kept.min() > 0 and batch.kept.max() < 1 and batch.times.max() > 900 and batch.times.min() < 100
    )


def test_half_of_the_clips_show_a_favoured_motion_at_every_noise_level(drawer):
    favouring = batches.Drawer(("orbit", "spin"))
    drawn = [
        favouring.clips(64, seed, "motion", camera=camera)
        for seed in range(40)
        for camera in ("fixed", "pan right")
    ]
    favoured = [scene.motion in ("orbit", "spin") for batch in drawn for scene in batch.scenes]
    assert 0.4 < sum(favoured) / len(favoured) < 0.7
    levels = torch.cat([batch.times for batch in drawn])
    for low, high in ((0, 350), (350, 680), (680, 1000)):
        there = [
            is_favoured
            for is_favoured, time in zip(favoured, levels.tolist(), strict=True)
            if low <= time < high
        ]
        assert 0.35 < sum(there) / len(there) < 0.75
    alike = drawer.clips(640, 1, "motion")
    assert sum(scene.motion in ("orbit", "spin") for scene in alike.scenes) < 0.4 * len(alike.scenes)


def test_the_loss_counts_errors_of_velocity_alike_at_every_level(drawer):
    """A network that says "no noise" is wrong by the noise, so by 1 / kept on average;
    one that knows it is never wrong.
    """
    batch = drawer.images(29, 2, "unet")
    latents = networks.encode(batch.frames())
    context = torch.zeros(29, 77, 64)

    class Silent(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(1))
            self.seen = None

        def forward(self, x, t, context=None, transformer_options=None):
            self.seen = x
            return torch.zeros_like(x)

    silent = Silent()
    loss = stages.noise_loss(silent, latents, batch, context)
    kept = batch.kept.view(-1, 1, 1, 1)
    noise = (silent.seen - kept.sqrt() * latents) / (1 - kept).sqrt()
    torch.testing.assert_close(loss, (noise**2 / kept).mean(), rtol=1e-4, atol=0)

    class Knowing(Silent):
        def forward(self, x, t, context=None, transformer_options=None):
            return noise

    assert stages.noise_loss(Knowing(), latents, batch, context) < 1e-8


def test_a_stage_ends_by_its_steps_or_by_its_minutes():
    by_steps = training.Clock(40, None, spent=1e6)
    assert by_steps.progress(10) == 0.25 and by_steps.progress(40) == 1.0
    by_time = training.Clock(40, 2.0, spent=60.0)
    assert 0.5 <= by_time.progress(4000) < 0.6
    assert training.Clock(40, 2.0, spent=120.0).progress(0) >= 1.0


def test_the_rate_is_the_stage_s_or_the_one_given(tmp_path):
    assert training.Setup(tmp_path).rate_of("motion_v2") == training.RATES["motion_v2"]
    given = training.Setup(tmp_path, rate=3e-4).rate_of("motion_v2")
    assert training.learning_rate(given, step=100, done=0.5) == 3e-4
    assert training.learning_rate(given, step=100, done=1.0) == pytest.approx(0.03 * 3e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--stage control --favour orbit", "--favour needs --stage motion, motion_v2, pan, rise, zoom"),
        ("--stage motion --favour fly", "invalid choice: 'fly'"),
        (
            "--stage zoom --favour still grow",
            "--favour grow: motion=grow does not stay in view while camera=zoom in",
        ),
        ("--stage all --rate 0.1", "needs one --stage of unet"),
        ("--stage motion --rate 0", "--rate=0.0 must be above 0"),
    ],
)
def test_options_that_a_stage_cannot_follow_are_refused(arguments, message, tmp_path, capsys):
    with pytest.raises(SystemExit):
        train.main([*arguments.split(), "--work", str(tmp_path / "work")])
    assert message in capsys.readouterr().err and not (tmp_path / "work").exists()


def test_a_stage_goes_on_where_it_was_interrupted(tmp_path, drawer):
    """Three and then two steps more lead to the weights of five in a row;
    the second half draws the second half's batches.
    """
    wanted = torch.tensor([1.0, 2.0])

    def run(work, *stops):
        for stop in stops:
            weight = torch.nn.Parameter(torch.zeros(2))
            optimiser = training.MasterOptimiser([("w", weight)], (), ema=0.9)
            seeds = []

            def loss_of(seed, seeds=seeds, weight=weight):
                seeds.append(int(seed))
                return ((weight - wanted) ** 2).sum() * (1 + int(seed))

            setup = training.Setup(work, steps=stop)
            work.mkdir(exist_ok=True)
            training.fit("dusk", optimiser, lambda seed: (torch.tensor(seed),), loss_of, setup)
        return optimiser.master["w"], seeds

    whole, seeds = run(tmp_path / "whole", 5)
    assert seeds == [0, 1, 2, 3, 4]
    halves, seeds = run(tmp_path / "halves", 3, 5)
    assert seeds == [3, 4]
    # The rate falls towards each run's own end, so the weights are near each other, not equal.
    assert torch.linalg.norm(halves - whole) < 0.5 * torch.linalg.norm(whole)
    assert training.averages(tmp_path / "halves", "dusk")["w"].shape == (2,)


def test_clips_under_a_told_camera_show_what_it_sees(drawer):
    batch = drawer.steered(40, 4, "camera")
    again = drawer.steered(40, 4, "camera")
    assert len(batch.curves) == len(batch.scenes) == 2 and batch.num_frames == 16
    assert torch.equal(batch.frames(), again.frames())
    for clip, camera in zip(batch.seen.split(16), [curve.poses for curve in batch.curves], strict=True):
        back = torch.linalg.inv(camera.to_camera)
        undone = moving_camera.seen_by(clip, dataclasses.replace(camera, to_camera=back))
        assert float((undone.radii[0] - clip.radii[0]).abs()) < 1e-3 and len(camera) == 16
    assert not any(
        word in world.caption(scene, random.Random(0), 1.0)
        for scene in batch.scenes
        for word in ("camera", "zoom")
    )
