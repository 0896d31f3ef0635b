"""Every odd or broken file of the table gives its frames, checked against what was drawn into them, or an
error that says what to do.
"""

import numpy as np
import pytest
from zoetrope.tests.odd_videos import COLUMNS, ODD_VIDEOS, ROWS, OddVideo, check_frames, images
from zoetrope.video_io.decode import decode_selection
from zoetrope.video_io.frame_plan import FrameRequest
from zoetrope.video_io.frame_selection import ReadOptions

FREE = 8 << 30


def test_the_check_sees_a_wrong_frame_and_a_wrong_colour():
    odd = OddVideo("", lambda path: None, numbers=[2, 3])
    check_frames(odd, np.stack(images([2, 3])), None)
    for wrong in (images([2, 4]), images([3, 2]), [image[..., ::-1] for image in images([2, 3])]):
        with pytest.raises(AssertionError):
            check_frames(odd, np.stack(wrong), None)
    with pytest.raises(AssertionError):
        check_frames(odd, np.stack(images([2, 3])), np.ones((2, ROWS, COLUMNS)))


@pytest.mark.parametrize("odd", ODD_VIDEOS.values(), ids=ODD_VIDEOS)
def test_an_odd_file(odd, tmp_path):
    path = tmp_path / odd.name
    odd.make(path)
    if odd.error:
        with pytest.raises(ValueError, match=odd.error):
            decode_selection(path, ReadOptions(FrameRequest(**odd.request), free_memory=lambda: FREE))
        return
    found = decode_selection(path, ReadOptions(FrameRequest(**odd.request), free_memory=lambda: FREE))
    check_frames(odd, found.frames.numpy(), None if found.alpha is None else found.alpha.numpy())
    assert odd.fps is None or found.fps == pytest.approx(odd.fps, rel=0.01)
