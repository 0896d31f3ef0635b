"""Scenes on one line of frames: borders, transitions, prompts and cameras, counted by hand."""

import pytest
import torch
from zoetrope.samplers.over_frames.prompts import PromptSettings, prompt_plan
from zoetrope.storyboards.joining import joined, joined_images
from zoetrope.storyboards.scenes import Scene, Storyboard, Transition

CUT, FADE, MORPH = Transition(), Transition("fade", 2), Transition("morph", 3)


def board(*scenes):
    return Storyboard(tuple(Scene(*scene[:2], transition=scene[2]) for scene in scenes))


STORY = board(("a", 5, CUT), ("b", 7, MORPH), ("c", 6, FADE), ("d", 4, FADE))


def test_frames_are_counted_and_borders_are_where_scenes_do_not_blend():
    assert STORY.starts() == [0, 5, 12, 18]
    assert STORY.pieces() == [5, 13, 4]
    assert STORY.fades() == [(18, 2)]  # that behind the last scene is none
    assert (STORY.num_frames, STORY.num_joined) == (22, 20)


def test_a_morph_blends_prompts_around_its_border():
    """Three frames belong to both: 11 of b, 12 and 13 of c."""
    assert STORY.pure_frames() == [(0, 4), (5, 10), (14, 17), (18, 21)]
    weights = STORY.weights()
    assert weights[1] == pytest.approx([0] * 5 + [1] * 6 + [0.75, 0.5, 0.25] + [0] * 8)
    assert weights[2] == pytest.approx([0] * 11 + [0.25, 0.5, 0.75] + [1] * 4 + [0] * 4)
    assert [sum(shares) for shares in zip(*weights, strict=True)] == pytest.approx([1] * 22)


def test_prompts_over_frames_reads_the_same_weights():
    scenes = (
        Scene('a "ball" \\(red\\)', 4, "blurry", transition=Transition("morph", 4)),
        Scene("球, new\nline", 3, transition=Transition("morph", 1)),
        Scene("c", 5),
        Scene("d", 1),
    )
    story = Storyboard(scenes)
    plan = prompt_plan(PromptSettings(story.prompts(), num_frames=story.num_frames))
    told = [
        {text: share for text, share in ((mix.text, 1 - mix.weight), (mix.next_text, mix.weight)) if share}
        for mix in plan.positive
    ]
    texts = [scene.prompt for scene in scenes]
    expected = [
        {text: share for text, share in zip(texts, shares, strict=True) if share}
        for shares in zip(*story.weights(), strict=True)
    ]
    assert [set(frame) for frame in told] == [set(frame) for frame in expected]
    assert all(frame == pytest.approx(wanted) for frame, wanted in zip(told, expected, strict=True))
    assert plan.negative[0].text == "blurry" and plan.negative[-1].text == ""


def test_a_camera_has_its_speed_in_its_scenes():
    scenes = (
        Scene("a", 2, camera="zoom in", speed=0.5),
        Scene("b", 2, transition=Transition("morph", 2)),
        Scene("c", 3, camera="zoom in", speed=2.0),
    )
    story = Storyboard(scenes)
    assert story.camera_values("zoom in") == pytest.approx([0.5, 0.5, 0, 2 / 3, 4 / 3, 2, 2])
    assert story.camera_values("hold") == pytest.approx([0, 0, 1, 2 / 3, 1 / 3, 0, 0])
    with pytest.raises(
        ValueError, match="no scene has the camera 'pan left'; the storyboard has zoom in, hol"
    ):
        story.camera_values("pan left")


def test_start_pictures_lie_at_the_first_frames():
    scenes = (Scene("a", 4, picture=2), Scene("b", 3), Scene("c", 5, picture=1))
    assert Storyboard(scenes).start_pictures() == [(0, 2), (7, 1)]


@pytest.mark.parametrize("backward", (False, True))
def test_fades_mix_the_ends_of_two_scenes(backward):
    """Frame i has the brightness i; of a fade of 2 from frame 3 on, thirds of two frames."""
    story = board(("a", 3, FADE), ("b", 4, CUT), ("c", 3, Transition("fade", 1)), ("d", 1, CUT))
    numbers = reversed(range(11)) if backward else range(11)
    frames = ((torch.full((1, 1, 3), float(i)), torch.tensor([[i / 2]])) for i in numbers)
    seen = [(float(frame[0, 0, 0]), float(alpha)) for frame, alpha in joined(frames, story, backward)]
    expected = [0, (2 * 1 + 3) / 3, (2 + 2 * 4) / 3, 5, 6, 7, 8, (9 + 10) / 2]
    expected = expected[::-1] if backward else expected
    assert [frame for frame, _ in seen] == pytest.approx(expected)
    assert [2 * alpha for _, alpha in seen] == pytest.approx(expected)


def test_images_are_joined_and_their_number_is_checked():
    story = board(("a", 3, FADE), ("b", 3, CUT))
    images = torch.arange(6.0).view(6, 1, 1, 1).expand(-1, 2, 2, 3) / 10
    done = joined_images(images, story)
    assert done[:, 0, 0, 0].tolist() == pytest.approx([0, (2 * 0.1 + 0.3) / 3, (0.2 + 2 * 0.4) / 3, 0.5])
    whole = board(("a", 3, CUT), ("b", 3, CUT))
    assert joined_images(images, whole) is images
    with pytest.raises(ValueError, match="the storyboard has 6 frames and the video 5"):
        joined_images(images[:5], story)


@pytest.mark.parametrize(
    ("scenes", "told"),
    [
        ([("a", 1, FADE), ("b", 9, CUT)], "scene 1: a fade of 2 frames is longer .* has 1 frames"),
        ([("a", 9, FADE), ("b", 3, FADE), ("c", 9, CUT)], "scene 2: its 3 frames are fewer .* take, 4"),
        ([("a", 2, MORPH), ("b", 2, CUT)], "scene 2: its 2 frames are fewer .* take, 2"),
        ([("a", 9, Transition("fade", 0)), ("b", 9, CUT)], "scene 1: a fade of 0 frames is none"),
        ([], "at least one scene"),
    ],
)
def test_transitions_that_do_not_fit_are_refused(scenes, told):
    with pytest.raises(ValueError, match=told):
        board(*scenes)


def test_a_cut_and_a_morph_may_take_a_scene_to_its_last_frame():
    assert board(("a", 2, FADE), ("b", 4, FADE), ("c", 2, CUT)).num_joined == 4
    assert board(("a", 2, MORPH), ("b", 3, CUT)).pure_frames() == [(0, 0), (4, 4)]
