"""Frames written on other threads: in order, few at a time, with their errors, in inference mode or not."""

import threading

import av
import numpy as np
import pytest
import torch
from zoetrope.video_io.display_matrix import Turn
from zoetrope.video_io.frame_size import Size, SizeRequest, fit_size
from zoetrope.video_io.rgb_writer import UNDER_WAY, RgbWriter

HEIGHT, WIDTH = 17, 23
SIZE = fit_size(Size(WIDTH, HEIGHT), 1.0, SizeRequest())


def image(value):
    return av.VideoFrame.from_ndarray(np.full((HEIGHT, WIDTH, 3), value, np.uint8), format="rgb24")


def test_frames_come_into_their_places_and_are_told_in_order():
    frames, told = torch.full((40, HEIGHT, WIDTH, 3), -1.0), []
    with RgbWriter() as writer:
        for number in range(40):
            place = [(frames[number], None)]
            writer.write(
                image(number),
                Turn(),
                SIZE,
                place,
                lambda n=number: told.append((n, threading.current_thread().name)),
            )
            assert number + 1 - len(told) <= UNDER_WAY
    assert told == [(number, threading.current_thread().name) for number in range(40)]
    assert torch.equal(frames, (torch.arange(40.0) / 255).view(-1, 1, 1, 1).expand_as(frames))


def test_one_frame_in_several_places():
    frames = torch.zeros(3, HEIGHT, WIDTH, 3)
    with RgbWriter() as writer:
        writer.write(image(51), Turn(), SIZE, [(frames[0], None), (frames[2], None)], lambda: None)
    assert frames[:, 0, 0, 0].tolist() == pytest.approx([0.2, 0, 0.2])


@pytest.mark.parametrize("inference", [False, True])
def test_in_inference_mode_as_without(inference):
    """ComfyUI runs nodes in inference mode, which every thread enters for itself."""
    with torch.inference_mode(inference):
        frames, alpha = torch.zeros(1, HEIGHT, WIDTH, 3), torch.zeros(1, HEIGHT, WIDTH)
        frame = av.VideoFrame.from_ndarray(np.full((HEIGHT, WIDTH, 4), 102, np.uint8), format="rgba")
        with RgbWriter() as writer:
            writer.write(frame, Turn(), SIZE, [(frames[0], alpha[0])], lambda: None)
        assert bool((frames == 102 / 255).all()) and bool((alpha == 102 / 255).all())


def test_an_error_of_a_frame_comes_out_at_the_end_at_the_latest():
    too_small = torch.zeros(HEIGHT - 1, WIDTH, 3)
    with pytest.raises(ValueError, match="broadcast"), RgbWriter() as writer:
        writer.write(image(1), Turn(), SIZE, [(too_small, None)], lambda: None)


def test_an_error_of_the_caller_is_the_one_that_is_seen():
    too_small, before = torch.zeros(HEIGHT - 1, WIDTH, 3), threading.active_count()
    with pytest.raises(KeyboardInterrupt), RgbWriter() as writer:
        writer.write(image(1), Turn(), SIZE, [(too_small, None)], lambda: None)
        raise KeyboardInterrupt
    assert threading.active_count() == before
