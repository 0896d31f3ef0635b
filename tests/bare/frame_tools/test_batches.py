"""Frames of images, masks, latents and video latents: all are taken, joined and repeated alike,
with their noise masks and noise numbers."""

import pytest
import torch
from zoetrope.frame_tools.batches import (
    count_frames,
    frame_size,
    interleave_frames,
    join_frames,
    repeat_frames,
    take_frames,
)

F, H, W = 5, 3, 7


def marked(*shape, axis):
    """A tensor whose frames hold their number."""
    numbers = torch.arange(shape[axis], dtype=torch.float32)
    return numbers.view([-1 if place == axis else 1 for place in range(len(shape))]).expand(shape).clone()


MAKERS = {
    "image": lambda frames=F: marked(frames, H, W, 3, axis=0),
    "mask": lambda frames=F: marked(frames, H, W, axis=0),
    "latent": lambda frames=F: {"samples": marked(frames, 4, H, W, axis=0), "type": "other"},
    "video latent": lambda frames=F: {"samples": marked(2, 4, frames, H, W, axis=2)},
}


def numbers_in(frames):
    """The number that each frame holds, after a look that all of the frame holds it."""
    values = frames["samples"] if isinstance(frames, dict) else frames
    axis = 2 if values.ndim == 5 else 0
    values = values.movedim(axis, 0).flatten(1)
    assert (values == values[:, :1]).all()
    return [round(value, 4) for value in values[:, 0].tolist()]


@pytest.fixture(params=MAKERS)
def make(request):
    return MAKERS[request.param]


def test_frames_are_counted_and_measured(make):
    assert count_frames(make()) == F
    assert frame_size(make()) == (H, W)


@pytest.mark.parametrize("numbers", [[0], [4, 4, 1], [0, 2, 4], [4, 3, 2, 1, 0], [1, 2, 3]])
def test_any_frames_in_any_order(make, numbers):
    frames = make()
    assert numbers_in(take_frames(frames, numbers)) == numbers
    assert numbers_in(frames) == [0, 1, 2, 3, 4]


def test_a_range_of_frames_is_not_copied():
    image = MAKERS["image"]()
    assert take_frames(image, [1, 3]).data_ptr() == image[1].data_ptr()


def test_a_cut_puts_one_after_the_other(make):
    assert numbers_in(join_frames(make(2), make(3))) == [0, 1, 0, 1, 2]


def test_a_cross_fade_turns_one_into_the_other_in_even_steps(make):
    faded = numbers_in(join_frames(make(4), make(5), crossfade=3))
    # Frames 1 2 3 of the first turn into 0 1 2 of the second: 1/4, 2/4 and 3/4 of the way.
    assert faded == [0, pytest.approx(0.75), pytest.approx(1.5), pytest.approx(2.25), 3, 4]


def test_a_cross_fade_may_take_all_of_a_clip_but_not_more(make):
    assert count_frames(join_frames(make(2), make(3), crossfade=2)) == 3
    with pytest.raises(ValueError, match="crossfade=3 frames do not fit: the shorter clip has 2"):
        join_frames(make(2), make(3), crossfade=3)


def test_interleaved_and_repeated(make):
    assert numbers_in(interleave_frames(make(2), make(4))) == [0, 0, 1, 1, 2, 3]
    assert numbers_in(repeat_frames(make(2), 2, each_frame=True)) == [0, 0, 1, 1]
    assert numbers_in(repeat_frames(make(2), 3, each_frame=False)) == [0, 1, 0, 1, 0, 1]


def test_what_else_a_latent_says_is_kept():
    assert take_frames(MAKERS["latent"](), [1])["type"] == "other"


def test_a_picture_without_a_batch_counts_as_one_mask():
    mask = torch.rand(H, W)
    assert count_frames(mask) == 1 and frame_size(mask) == (H, W)
    assert repeat_frames(mask, 3, each_frame=False).shape == (3, H, W)
    assert join_frames(mask, torch.rand(2, H, W)).shape == (3, H, W)


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        ("latent", (F, 1, 6, 14)),
        ("latent", (F, 6, 14)),
        ("video latent", (1, 1, F, H, W)),
        ("video latent", (F, 6, 14)),
    ],
)
def test_noise_masks_follow_their_frames(kind, shape):
    latent = {**MAKERS[kind](), "noise_mask": marked(*shape, axis=shape.index(F))}
    mask = take_frames(latent, [4, 1])["noise_mask"]
    assert mask.movedim(mask.shape.index(2), 0).flatten(1)[:, 0].tolist() == [4, 1]


def test_a_noise_mask_for_all_frames_stays_one_and_a_short_one_is_repeated_as_samplers_do():
    latent = MAKERS["latent"]()
    assert take_frames({**latent, "noise_mask": torch.ones(1, H, W)}, [4, 1])["noise_mask"].shape == (
        1,
        1,
        H,
        W,
    )
    taken = take_frames({**latent, "noise_mask": marked(2, H, W, axis=0)}, [2, 3, 4])
    assert taken["noise_mask"][:, 0, 0, 0].tolist() == [0, 1, 0]


def test_a_noise_mask_with_frames_of_pixels_is_brought_to_those_of_the_video_latent():
    """As ComfyUI's samplers read it: 9 masks over 5 frames of latents, here falling evenly in time."""
    mask = torch.linspace(1, 0, 9).view(9, 1, 1).expand(9, 24, 56)
    taken = take_frames({**MAKERS["video latent"](), "noise_mask": mask}, [0, 2, 4])["noise_mask"]
    values = taken[0, 0, :, 0, 0]
    assert taken.shape[:3] == (1, 1, 3) and values[1] == pytest.approx(0.5)
    assert (values.diff() < -0.3).all()


@pytest.mark.parametrize("kind", ["latent", "video latent"])
def test_joined_latents_have_the_masks_of_both_and_sample_all_where_there_was_none(kind):
    masked = {**MAKERS[kind](2), "noise_mask": torch.zeros(1, 6, 14)}
    mask = join_frames(masked, MAKERS[kind](3))["noise_mask"]
    assert mask.shape == ((5, 1, 6, 14) if kind == "latent" else (1, 1, 5, 6, 14))
    assert mask.flatten(-2).mean(-1).flatten().tolist() == [0, 0, 1, 1, 1]
    other = join_frames(MAKERS[kind](3), masked)["noise_mask"]
    assert other.flatten(-2).mean(-1).flatten().tolist() == [1, 1, 1, 0, 0]
    assert "noise_mask" not in join_frames(MAKERS[kind](2), MAKERS[kind](2))


def test_a_frame_keeps_the_number_of_its_noise():
    latent = MAKERS["latent"]()
    assert take_frames(latent, [4, 1])["batch_index"] == [4, 1]
    assert take_frames({**latent, "batch_index": [10, 11, 12, 13, 14]}, [4, 1])["batch_index"] == [14, 11]
    assert "batch_index" not in take_frames(MAKERS["video latent"](), [1])


def test_copies_of_a_frame_get_noise_of_their_own():
    latent = MAKERS["latent"](2)
    assert "batch_index" not in repeat_frames(latent, 2, each_frame=False)
    numbered = {**latent, "batch_index": [5, 6]}
    assert repeat_frames(numbered, 3, each_frame=False)["batch_index"] == [5, 6, 7, 8, 9, 10]
    assert repeat_frames(numbered, 2, each_frame=True)["batch_index"] == [5, 7, 6, 8]


def test_joined_latents_keep_numbers_of_noise_that_were_given():
    latent = MAKERS["latent"](2)
    assert "batch_index" not in join_frames(latent, latent)
    assert join_frames({**latent, "batch_index": [5, 6]}, latent)["batch_index"] == [5, 6, 0, 1]
    assert join_frames({**latent, "batch_index": [5, 6]}, latent, crossfade=1)["batch_index"] == [5, 6, 1]


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (lambda: MAKERS["mask"](), "the first is IMAGE, the second MASK. Wire two IMAGEs"),
        (
            lambda: torch.zeros(F, H, W + 1, 3),
            r"\(3, 7, 3\), the second \(3, 8, 3\) \(height, width, channels\); bring them to one size",
        ),
        (lambda: torch.zeros(F, H, W, 4), "must have frames of one size"),
        (lambda: [1, 2], "must be an IMAGE, a MASK or a LATENT; this is a list"),
        (lambda: torch.zeros(0, H, W, 3), "this IMAGE has no frames"),
        (lambda: {"samples": torch.zeros(2, 3, 5)}, r"latents must be \(F, C, H, W\)"),
    ],
)
def test_what_does_not_go_together_is_refused(other, told):
    with pytest.raises(ValueError, match=told):
        if isinstance(other(), dict):
            count_frames(other())
        join_frames(MAKERS["image"](), other())


def test_video_latents_of_several_videos_are_joined_in_time_only_with_as_many():
    with pytest.raises(ValueError, match="all but the frames"):
        join_frames(MAKERS["video latent"](), {"samples": torch.zeros(1, 4, F, H, W)})
