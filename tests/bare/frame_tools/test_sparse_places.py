"""Where a few images lie among frames; the expected numbers were written by hand from the rules."""

import pytest
from zoetrope.frame_tools.sparse_places import PLACES, frames_of_images, images_in_part

N = None


@pytest.mark.parametrize(
    ("place", "num_images", "frames"),
    [
        ("spread", 1, [0]),
        ("spread", 2, [0, 16]),
        ("spread", 3, [0, 8, 16]),
        ("spread", 4, [0, 5, 10, 16]),
        ("starting", 1, [0]),
        ("starting", 3, [0, 5, 10]),
        ("ending", 1, [16]),
        ("ending", 3, [5, 10, 16]),
        ("centre", 1, [8]),
        ("centre", 3, [4, 8, 12]),
        ("centre", 15, list(range(15))),
        ("ending", 17, list(range(17))),
        ("at frames", 3, [7, 16, 0]),
    ],
)
def test_images_lie_where_the_rule_says(place, num_images, frames):
    """In a video of 17 frames."""
    assert frames_of_images(place, "7, -1, 0", num_images, 17) == frames


@pytest.mark.parametrize("place", [place for place in PLACES if place != "at frames"])
@pytest.mark.parametrize("num_frames", [1, 2, 3, 5, 7, 31])
def test_every_image_has_a_frame_of_its_own(place, num_frames):
    for num_images in range(1, num_frames + 1):
        frames = frames_of_images(place, "", num_images, num_frames)
        assert sorted(set(frames)) == frames and len(frames) == num_images
        assert frames[0] >= 0 and frames[-1] < num_frames


@pytest.mark.parametrize(
    ("placed", "part", "nearest", "seen"),
    [
        ([5, 0], [4, 5, 6], False, [N, 0, N]),
        ([5, 0], [0, 1, 2], True, [1, N, N]),
        ([0, 9], [2, 3, 4, 5], True, [0, N, N, N]),
        ([0, 9], [5, 6, 7], True, [N, N, 1]),
        ([0, 9], [3, 4, 5, 6], True, [0, N, N, 1]),
        ([0, 9], [3, 4, 5, 6], False, [N, N, N, N]),
        ([4], [5, 6, 7], True, [0, N, N]),
        ([4], [1, 3, 5, 7], True, [N, 0, N, N]),
        ([4], [9], True, [0]),
    ],
)
def test_a_part_sees_its_images_or_the_nearest(placed, part, nearest, seen):
    assert images_in_part(placed, part, nearest) == seen
