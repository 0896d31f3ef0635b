"""MP4 files whose edit lists cut, delay and repeat: the frames that are shown, and no word of damage."""

import struct

import pytest
from zoetrope.tests.odd_videos import encode, images
from zoetrope.tests.video.video_io.test_probe import numbers_of
from zoetrope.video_io.decode import decode_selection
from zoetrope.video_io.frame_plan import FrameRequest
from zoetrope.video_io.frame_selection import ReadOptions
from zoetrope.video_io.probe import probe_video

RATE, FRAMES = 10, 53
OPTIONS = {"crf": "5", "g": "12", "bf": "2", "x264-params": "scenecut=0"}


def boxes(content, start, end):
    while start < end:
        length, kind = struct.unpack(">I4s", content[start : start + 8])
        yield kind, start, start + length
        start += length


def find(content, *path):
    """Where the box at a path begins and ends."""
    start, end = 0, len(content)
    for depth, kind in enumerate(path):
        start, end = next(
            (a, b) for name, a, b in boxes(content, start + 8 * (depth > 0), end) if name == kind
        )
    return start, end


def box(kind, content):
    return struct.pack(">I4s", 8 + len(content), kind) + content


def edited(content, edits):
    """An MP4, whose index is last, with other edits: (seconds, first frame shown, None = nothing)."""
    clock = {}
    for name, path in (("movie", (b"moov", b"mvhd")), ("media", (b"moov", b"trak", b"mdia", b"mdhd"))):
        start, _ = find(content, *path)
        clock[name] = struct.unpack(">I", content[start + 20 : start + 24])[0]
    start, end = find(content, b"moov", b"trak", b"edts", b"elst")
    begun = struct.unpack(">i", content[start + 20 : start + 24])[0]  # what the encoder shows first

    def entry(seconds, frame):
        media = -1 if frame is None else begun + round(frame * clock["media"] / RATE)
        return struct.pack(">Iihh", round(seconds * clock["movie"]), media, 1, 0)

    elst = box(b"elst", struct.pack(">II", 0, len(edits)) + b"".join(entry(*edit) for edit in edits))
    inner = box(b"edts", elst)
    start, end = find(content, b"moov", b"trak", b"edts")
    trak, moov = find(content, b"moov", b"trak"), find(content, b"moov")
    inner = box(b"trak", content[trak[0] + 8 : start] + inner + content[end : trak[1]])
    return content[: moov[0]] + box(b"moov", content[moov[0] + 8 : trak[0]] + inner + content[trak[1] :])


EDITS = {
    "start": ([(3.3, 20)], range(20, 53)), "end": ([(2.0, 0)], range(20)),
    "both": ([(2.0, 17)], range(17, 37)),
    "both, at key frames": ([(2.4, 12)], range(12, 36)), "two parts": ([(1.0, 10),
    (1.0, 30)], [*range(10, 20), *range(30, 40)]),
    "backwards": ([(1.0, 30), (1.0, 10)], [*range(30, 40), *range(10, 20)]),
    "three parts": ([(0.4, 0), (0.4, 20), (0.4, 44)], [*range(4), *range(20, 24), *range(44, 48)]),
    "delay": ([(0.5, None), (2.0, 0)], range(20)), "one frame": ([(0.1, 33)], [33]),
    "longer than there is": ([(9.0, 40)], range(40, 53)),
}  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("edits") / "whole.mp4"
    encode(path, "libx264", images(range(FRAMES)), RATE, options=OPTIONS)
    return path


@pytest.mark.parametrize(("edits", "numbers"), EDITS.values(), ids=EDITS)
def test_what_an_edit_list_shows_is_read_and_nothing_is_missed(edits, numbers, whole, tmp_path):
    path = tmp_path / "edited.mp4"
    path.write_bytes(edited(whole.read_bytes(), edits))
    found = decode_selection(path)
    assert numbers_of(found.frames) == list(numbers) and found.probe.lost == 0
    if len(edits) == 1:  # between two parts FFmpeg's demuxer leaves a step more
        assert found.fps == RATE and found.probe.end - found.probe.times[0] == pytest.approx(
            len(numbers) / RATE
        )
    for first in range(1, len(numbers), 5):
        assert (
            numbers_of(
                decode_selection(path, ReadOptions(FrameRequest(skip_first_frames=first, frame_cap=2))).frames
            )
            == list(numbers)[first : first + 2]
        )


def test_a_last_frame_that_the_edit_list_cuts_ends_there(tmp_path):
    """Frames at 0, 0.1, 0.2 and 2.2 s, the last of which the edit list shows for half a second."""
    encode(
        tmp_path / "whole.mp4",
        "libx264",
        images(range(5)),
        times=[0, 100, 200, 2200, 4200],
        options={"bf": "0"},
    )
    path = tmp_path / "edited.mp4"
    path.write_bytes(edited((tmp_path / "whole.mp4").read_bytes(), [(2.7, 0)]))
    found = decode_selection(path)
    assert (found.probe.lost, found.probe.end) == (0, pytest.approx(2.7, abs=0.01))
    assert numbers_of(found.frames) == [0, 1, 2, 3] and found.fps == pytest.approx(4 / 2.7, rel=0.01)


@pytest.mark.parametrize(
    "flags",
    ["frag_keyframe", "frag_keyframe+empty_moov", "frag_keyframe+empty_moov+default_base_moof", "faststart"],
)
def test_files_written_otherwise_are_whole(flags, tmp_path):
    import av

    with av.open(str(tmp_path / "x.mp4"), "w", options={"movflags": flags}) as container:
        _, packets = encode(
            None, "libx264", images(range(FRAMES)), RATE, options=OPTIONS, container=container
        )
        container.mux(packets)
    found = decode_selection(tmp_path / "x.mp4")
    assert numbers_of(found.frames) == list(range(FRAMES)) and found.probe.lost == 0 and found.fps == RATE


@pytest.mark.parametrize("edits", [None, [(2.0, 17)]])
def test_a_file_that_is_cut_off_is_still_said_to_be(edits, whole, tmp_path):
    """Its index comes first, so that it can be opened; the last quarter is not there."""
    content = edited(whole.read_bytes(), edits) if edits else whole.read_bytes()
    index, media = find(content, b"moov"), find(content, b"mdat")
    moved = bytearray(
        content[: media[0]] + content[slice(*index)] + content[media[0] : index[0]] + content[index[1] :]
    )
    stco = moved.index(b"stco")
    count = struct.unpack(">I", moved[stco + 8 : stco + 12])[0]
    for place in range(stco + 12, stco + 12 + 4 * count, 4):
        (offset,) = struct.unpack(">I", moved[place : place + 4])
        moved[place : place + 4] = struct.pack(">I", offset + index[1] - index[0])
    (tmp_path / "moved.mp4").write_bytes(moved)
    assert probe_video(tmp_path / "moved.mp4").lost == 0
    there = media[0] + index[1] - index[0] + (media[1] - media[0]) * 3 // 4
    (tmp_path / "cut.mp4").write_bytes(moved[:there])
    probe = probe_video(tmp_path / "cut.mp4")
    assert 5 < probe.lost < 25
    count = probe.num_frames - 4
    assert (
        numbers_of(decode_selection(tmp_path / "cut.mp4", ReadOptions(FrameRequest(frame_cap=count))).frames)
        == list(range(17 if edits else 0, 99))[:count]
    )
