import pytest
import torch
from zoetrope.shapes import fold_frames, unfold_frames, videos_in_batch


def test_fold_and_unfold_are_inverse_and_keep_frames_adjacent():
    video = torch.arange(2 * 8 * 5 * 3 * 7).view(2, 8, 5, 3, 7)
    images = fold_frames(video)
    assert images.shape == (10, 8, 3, 7)
    assert torch.equal(images[5 + 3], video[1, :, 3])
    assert torch.equal(unfold_frames(images, 5), video)


@pytest.mark.parametrize(("batch", "frames"), [(7, 5), (0, 5), (5, 0), (4, -1)])
def test_a_batch_that_is_not_whole_videos_is_refused(batch, frames):
    with pytest.raises(ValueError, match="frame"):
        videos_in_batch(batch, frames)


def test_wrong_number_of_dimensions_is_refused():
    with pytest.raises(ValueError, match="5 dimensions"):
        fold_frames(torch.zeros(2, 3, 5, 7))
    with pytest.raises(ValueError, match="4 dimensions"):
        unfold_frames(torch.zeros(2, 3, 5, 7, 1), 2)
