"""Camera poses: the numbers of CameraCtrl's code, moves where they say, texts that are checked."""

import json
import math

import pytest
import torch
from safetensors.torch import load_file
from zoetrope.motion_modules.camera.moves import FRAMES, MOVES, continued, moved
from zoetrope.motion_modules.camera.pose_text import read_pose_text
from zoetrope.tests.places import GOLDENS

GOLDEN = load_file(GOLDENS / "cameractrl" / "pose.safetensors")
META = json.loads((GOLDENS / "cameractrl" / "pose.json").read_text())
ASPECT = META["original_width"] / META["original_height"]


def close(got, want):
    torch.testing.assert_close(got.float(), want.float(), atol=1e-5, rtol=0)


@pytest.mark.parametrize("size", ["wide", "tall"])
def test_rays_are_the_published_ones(size):
    poses = read_pose_text(META["pose_file"], ASPECT)
    width, height = META["sizes"][size]
    close(poses.pixels(width, height), GOLDEN[f"K_{size}"])
    close(poses.to_world(), GOLDEN["c2w_relative"])
    close(poses.rays(width, height), GOLDEN[f"plucker_{size}"])


def test_rays_of_three_frames_cross_the_same_axis():
    """The reference's cross product takes the frames for the axes there."""
    poses = read_pose_text(META["pose_file"], ASPECT)
    close(poses.of_frames((0, 1, 2)).rays(24, 12), GOLDEN["plucker_wide"][:3])


def test_rays_count_from_the_first_frame_that_is_asked_for():
    """As if the text began there."""
    lines = META["pose_file"].splitlines()
    later = read_pose_text("\n".join([lines[0], *lines[3:]]), ASPECT)
    all_ = read_pose_text(META["pose_file"], ASPECT)
    close(all_.of_frames((2, 3, 4, 5)).rays(24, 12), later.rays(24, 12))


def test_motionctrl_s_matrices_are_the_inverse_of_the_way_to_the_first_camera():
    poses = read_pose_text(META["pose_file"], ASPECT)
    inverse = torch.linalg.inv(GOLDEN["c2w_relative"].double())
    close(poses.matrices(), inverse[:, :3].reshape(-1, 12))


ANGLE = math.radians(60) / FRAMES
S, C = math.sin(ANGLE), math.cos(ANGLE)
STEP = 1.5 / FRAMES
SECOND_POSE = {
    "hold": ((0, 0, 0), (0, 0, 1), (0, 1, 0)),
    "pan left": ((-STEP, 0, 0), (0, 0, 1), (0, 1, 0)),
    "pan right": ((STEP, 0, 0), (0, 0, 1), (0, 1, 0)),
    "pan up": ((0, -STEP, 0), (0, 0, 1), (0, 1, 0)),
    "pan down": ((0, STEP, 0), (0, 0, 1), (0, 1, 0)),
    "zoom in": ((0, 0, 2 * STEP), (0, 0, 1), (0, 1, 0)),
    "zoom out": ((0, 0, -2 * STEP), (0, 0, 1), (0, 1, 0)),
    "tilt up": ((0, 0, 0), (0, -S, C), (0, C, S)),
    "tilt down": ((0, 0, 0), (0, S, C), (0, C, -S)),
    "turn left": ((0, 0, 0), (-S, 0, C), (0, 1, 0)),
    "turn right": ((0, 0, 0), (S, 0, C), (0, 1, 0)),
    "roll clockwise": ((0, 0, 0), (0, 0, 1), (-S, C, 0)),
    "roll anticlockwise": ((0, 0, 0), (0, 0, 1), (S, C, 0)),
    "orbit left": ((-3 * S, 0, 3 - 3 * C), (S, 0, C), (0, 1, 0)),
    "orbit right": ((3 * S, 0, 3 - 3 * C), (-S, 0, C), (0, 1, 0)),
}
"""Where the camera is in the second frame, where it looks, and where its down is."""


@pytest.mark.parametrize("move", MOVES)
def test_a_move_goes_where_it_says(move):
    pose = moved(move, 2, 1.0, 0.5, 1.0).to_world()[1]
    place, ahead, down = (torch.tensor(v, dtype=torch.float64) for v in SECOND_POSE[move])
    close(pose[:3, 3], place)
    close(pose[:3, 2], ahead)
    close(pose[:3, 1], down)


def test_speed_and_frames_multiply():
    assert torch.allclose(
        moved("orbit left", 5, 1.0, 0.5, 1.0).to_camera[4], moved("orbit left", 2, 4.0, 0.5, 1.0).to_camera[1]
    )


def test_a_move_goes_on_in_the_axes_of_the_last_pose():
    """After a turn of 90 degrees to the right, into the picture is to the right of where it began."""
    turned = moved("turn right", 2, 24.0, 0.5, 1.0)
    poses = continued(turned, moved("zoom in", 3, 8.0, 0.5, 1.0))
    assert len(poses) == 4
    close(poses.to_world()[:, :3, 3], torch.tensor([[0, 0, 0], [0, 0, 0], [1.5, 0, 0], [3, 0, 0]]))


def test_a_lens_sees_square_pixels():
    fx, fy, cx, cy = moved("hold", 1, 1.0, 0.5, 16 / 9).pixels(512, 512)[0].tolist()
    assert (fx, fy, cx, cy) == pytest.approx((0.5 * 512 * 16 / 9, 0.5 * 512 * 16 / 9, 256, 256))


LINE = "0 0.5 0.9 0.5 0.5 0 0 1 0 0 0 0 1 0 0 0 0 1 0"


def test_a_text_may_lack_its_address_and_have_empty_lines():
    assert len(read_pose_text(f"{LINE}\n\n{LINE}\n", 1.0)) == 2
    assert len(read_pose_text(f"https://example.invalid/clip\n{LINE}", 1.0)) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no poses: it needs a line of 19 numbers"),
        ("https://example.invalid", "holds no poses"),
        (f"{LINE}\n1 2 3", "line 2 has 3 numbers, the line of a frame needs 19"),
        (LINE.replace("0.9", "x\ud800"), "line 1: .* is not a finite number"),
        (LINE.replace("0.9", "nan"), "line 1: 'nan' is not a finite number"),
        (LINE.replace("0.9", "0"), "line 1: fy=0 must be larger than 0"),
        (f"{LINE}\n" + LINE.replace("0 0 1 0", "0 0 2 0"), "line 2: its nine numbers of R are no rotation"),
    ],
)
def test_a_broken_text_is_refused_by_its_line(text, words):
    with pytest.raises(ValueError, match=words):
        read_pose_text(text, 1.0)


def test_an_unknown_move_is_refused():
    with pytest.raises(ValueError, match="move='fly' is not known; choose one of hold, pan left"):
        moved("fly", 2, 1.0, 0.5, 1.0)
