"""Frames a chunk at a time are the frames of one go, whatever the chunk, in memory of one chunk."""

import av
import numpy as np
import pytest
import torch
from zoetrope.video_io.decode import decode_in_chunks, decode_selection
from zoetrope.video_io.frame_plan import FrameRequest
from zoetrope.video_io.frame_selection import FrameChunks, ReadOptions
from zoetrope.video_io.frame_size import SizeRequest
from zoetrope.video_io.probe import probe_video

SIZE = SizeRequest()
FRAMES = 23


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """23 frames of 48x32, each another gray, with one key frame only."""
    path = tmp_path_factory.mktemp("chunks") / "grays.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=8)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "bgr0"
        for number in range(FRAMES):
            image = np.full((32, 48, 3), 10 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return str(path)


@pytest.mark.parametrize("chunk", [1, 5, 23, 100])
@pytest.mark.parametrize(
    "wanted",
    [
        FrameRequest(),
        FrameRequest(start_seconds=0.5, frame_cap=11),
        FrameRequest(select_every_nth=3),
        FrameRequest(force_rate=19.0),
        FrameRequest(force_rate=3.0, skip_first_frames=2),
    ],
)
def test_chunks_are_the_frames_of_one_go(video, wanted, chunk):
    whole = decode_selection(video, ReadOptions(wanted))
    seen = []

    def work(frames):
        seen.append(frames.data_ptr())
        return frames.clone()

    parts, done = decode_in_chunks(video, ReadOptions(wanted, SIZE), chunk, work)
    assert torch.equal(torch.cat(parts), whole.frames)
    assert all(len(part) == chunk for part in parts[:-1]) and 0 < len(parts[-1]) <= chunk
    assert (done.fps, done.numbers) == (whole.fps, whole.numbers) and len(done.frames) == 0
    assert len(set(seen)) == 1  # the same memory again and again


def test_memory_is_asked_for_one_chunk_only(video):
    bytes_of_a_frame = 48 * 32 * 3 * 4
    decode_in_chunks(
        video, ReadOptions(FrameRequest(), SIZE, free_memory=lambda: 5 * bytes_of_a_frame), 4, len
    )
    with pytest.raises(ValueError, match="8 frames of 48x32 need"):
        decode_in_chunks(
            video, ReadOptions(FrameRequest(), SIZE, free_memory=lambda: 5 * bytes_of_a_frame), 8, len
        )


def test_what_work_raises_ends_the_decoding(video):
    calls = []

    def work(frames):
        calls.append(len(frames))
        raise RuntimeError("cancelled")

    with pytest.raises(RuntimeError, match="cancelled"):
        decode_in_chunks(video, ReadOptions(FrameRequest(), SIZE), 4, work)
    assert calls == [4]


def test_a_gap_is_an_error_and_no_shift(video):
    """A frame that cannot be decoded is named; what comes after it never takes its place."""
    given = []
    chunks = FrameChunks(
        probe_video(video), ReadOptions(FrameRequest(), SIZE), 2, lambda frames: given.append(frames.clone())
    )
    with chunks, av.open(video) as container:
        for number, image in enumerate(container.decode(video=0)):
            if number != 3:
                chunks.put(number, image)
    assert len(given) == 1 and torch.equal(
        given[0], decode_selection(video, ReadOptions(FrameRequest(frame_cap=2))).frames
    )
    with pytest.raises(ValueError, match="wanted frames could not be decoded, from 0.38 s"):
        chunks.finished()


def test_a_chunk_of_nothing_is_refused(video):
    with pytest.raises(ValueError, match="chunk_frames=0 must be 1 or more"):
        decode_in_chunks(video, ReadOptions(FrameRequest(), SIZE), 0, len)
