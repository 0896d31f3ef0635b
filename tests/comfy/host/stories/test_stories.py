"""What a storyboard becomes: pictures and their places, a drawing, cameras, and streams with fades."""

import pytest
import torch
from zoetrope.host.stories.cameras import storyboard_poses, storyboard_values
from zoetrope.host.stories.joining import join_scenes, joined_stream
from zoetrope.host.stories.storyboard import tell
from zoetrope.motion_modules.camera.moves import moved

SCRIPT = """\
fps: 4
scenes:
- prompt: a red ball
  duration: 3 frames
  start picture: 2
  camera: zoom in 0.5
  transition: morph 2 frames
- prompt: a blue ball
  duration: 4 frames
  camera: zoom in 2
  transition: fade 2 frames
- prompt: a green ball
  duration: 5 frames
  start picture: 1
"""
PICTURES = torch.stack([torch.full((150, 220, 3), value) for value in (0.25, 0.75)])


def board():
    return tell(SCRIPT, 8.0, PICTURES).storyboard


def test_start_pictures_go_to_the_first_frames_of_their_scenes():
    told = tell(SCRIPT, 8.0, PICTURES)
    assert told.start_frames == "0,7" and torch.equal(told.start_pictures, PICTURES[[1, 0]])
    assert (told.storyboard.num_frames, told.storyboard.fps) == (12, 4)
    none = tell("- a cat", 5.0)
    assert none.start_frames == "" and none.start_pictures is None and none.storyboard.fps == 5


@pytest.mark.parametrize(("pictures", "count"), ((None, 0), (PICTURES[:1], 1)))
def test_pictures_that_are_not_wired_are_missed(pictures, count):
    with pytest.raises(ValueError, match=f"scene 1 starts with picture 2, and {count} pictures are wired"):
        tell(SCRIPT, 8.0, pictures)


def test_the_drawing_shows_start_pictures_and_scenes_as_long_as_they_are():
    plain = tell(SCRIPT.replace("  start picture: 2\n", "").replace("  start picture: 1\n", ""), 8.0)
    drawing = tell(SCRIPT, 8.0, PICTURES).drawing
    assert drawing.shape == plain.drawing.shape and drawing.shape[-1] == 3
    grey = (drawing - 0.75).abs().amax(-1) < 0.01
    assert grey.sum() > 2000 and (plain.drawing - 0.75).abs().amax(-1).lt(0.01).sum() < 100
    bar = drawing[0, -41, 16:-16]  # 3, 4 and 5 of 12 frames
    lengths = [int((bar - colour).abs().amax(-1).lt(0.01).sum()) for colour in bar[[5, len(bar) // 2, -5]]]
    assert [round(12 * length / len(bar), 1) for length in lengths] == pytest.approx([3, 4, 5], abs=0.1)


def test_a_script_with_many_scenes_and_odd_words_is_drawn():
    words = ("球" * 300, "a" * 300, "\u202e|{}@", "")
    script = "scenes:\n" + "".join(f'- prompt: "{word or "x"} {k}"\n' for k in range(18) for word in words)
    told = tell(script, 8.0)
    assert len(told.storyboard.scenes) == 72 and told.drawing.isfinite().all()


def test_the_camera_starts_anew_behind_a_fade_and_goes_on_in_a_morph():
    poses = storyboard_poses(board(), 0.5, 1280, 720)
    assert len(poses) == 12
    first, third = moved("zoom in", 3, 0.5, 0.5, 16 / 9), moved("hold", 5, 1.0, 0.5, 16 / 9)
    assert torch.equal(poses.to_camera[:3], first.to_camera)
    assert torch.equal(poses.to_camera[7:], third.to_camera)
    steps = poses.to_camera[:7, 2, 3].diff()  # along the view: 0.5 x 3 / 16 units a frame, then 2 x
    assert steps.tolist() == pytest.approx([-0.09375] * 2 + [-0.375] * 4)


def test_a_move_has_its_speed_in_its_scenes_only():
    values = storyboard_values(board(), "zoom in", 0.5)
    numbers = values.keys[0].values[:, 0, 0].tolist()
    assert numbers == pytest.approx([0.25, 0.25, 0.5, 0.75, 1, 1, 1, 0, 0, 0, 0, 0])
    with pytest.raises(ValueError, match="no scene has the camera 'orbit left'"):
        storyboard_values(board(), "orbit left", 1.0)


@pytest.mark.parametrize("backward", (False, True))
def test_a_stream_is_joined_as_pictures_are(backward):
    images = torch.rand(12, 5, 3, 3, generator=torch.Generator().manual_seed(4))

    def frames(backward):
        return ((image, None) for image in (images.flip(0) if backward else images))

    stream, count = joined_stream(frames, 12, board())
    whole = join_scenes(images, board())
    seen = torch.stack([frame for frame, _ in stream(backward)])
    assert count == len(whole) == 10
    assert torch.allclose(seen, whole.flip(0) if backward else whole, atol=1e-6)
    assert joined_stream(frames, 12, None) == (frames, 12)
    with pytest.raises(ValueError, match="the storyboard has 12 frames and the video 11"):
        joined_stream(frames, 11, board())
