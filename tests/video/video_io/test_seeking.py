"""A few frames from the middle of a long file: the right ones, and little more is decoded than they need."""

import av
import pytest
import torch
from zoetrope.tests.odd_videos import encode, images
from zoetrope.tests.video.video_io.test_probe import numbers_of
from zoetrope.video_io import decode
from zoetrope.video_io.decode import decode_selection
from zoetrope.video_io.decoded_frames import DecodedFrames
from zoetrope.video_io.frame_plan import FrameRequest
from zoetrope.video_io.frame_selection import ReadOptions

FRAMES, GOP, RATE = 500, 50, 25
OPEN = {"g": str(GOP), "bf": "3", "x264-params": "open-gop=1:scenecut=0", "preset": "ultrafast", "crf": "12"}
CLOSED = {"g": str(GOP), "bf": "3", "x264-params": "scenecut=0", "preset": "ultrafast", "crf": "12"}
MPEG2 = {"g": str(GOP), "bf": "2", "qscale": "3", "sc_threshold": "1000000000"}
HEVC = {"preset": "ultrafast", "x265-params": f"log-level=none:keyint={GOP}:open-gop=1:bframes=3"}
LIVE = {"g": str(GOP), "crf": "12", "b": "1M", "deadline": "realtime", "cpu-used": "8"}
FILES = {
    "transport stream": ("x.ts", "libx264", CLOSED, {}), "open GOP": ("o.ts", "libx264", OPEN, {}),
    "open GOP, MKV": ("o.mkv", "libx264", OPEN, {}), "open GOP, MP4": ("o.mp4", "libx264", OPEN, {}),
    "HEVC, open GOP": ("h.ts", "libx265", HEVC, {}),
    "MPEG-2": ("m.ts", "mpeg2video", MPEG2, {}), "program stream": ("m.mpg", "mpeg2video", MPEG2, {}),
    "FLV without an index": ("x.flv", "libx264", CLOSED, {}),
    "MKV without cues": ("l.mkv", "libx264", CLOSED, {"live": "1"}),
    "WebM without cues": ("l.webm", "libvpx", LIVE, {"live": "1"}),
    "fragments": ("f.mp4", "libx264", CLOSED, {"movflags": "frag_keyframe"}),
    "MPEG-4 in AVI": ("x.avi", "mpeg4", {"g": str(GOP), "qscale": "3", "sc_threshold": "1000000000"}, {}),
}  # fmt: skip


def write(path, codec, options, open_options):
    with av.open(str(path), "w", options=open_options) as container:
        _, packets = encode(
            None, codec, images([n % 64 for n in range(FRAMES)]), RATE, options=options, container=container
        )
        container.mux(packets)


@pytest.fixture
def decoded(monkeypatch):
    """The packets that were given to a decoder."""
    packets, original = [], DecodedFrames._packets

    def counted(self):
        for packet in original(self):
            packets.append(packet.pts)
            yield packet

    monkeypatch.setattr(DecodedFrames, "_packets", counted)
    return packets


@pytest.mark.parametrize(("name", "codec", "options", "open_options"), FILES.values(), ids=FILES)
def test_a_window_in_the_middle(name, codec, options, open_options, tmp_path, decoded):
    path = tmp_path / name
    write(path, codec, options, open_options)
    for first in (1, 199, 200, 201, 347, 449, 450, 498):
        decoded.clear()
        found = decode_selection(path, ReadOptions(FrameRequest(skip_first_frames=first, frame_cap=2)))
        assert numbers_of(found.frames) == [first % 64, (first + 1) % 64]
        assert len(decoded) < 2 * GOP + 24, (
            first
        )  # what a decoder with threads is given before its first frame counts too


def test_a_file_without_key_frames_behind_the_first_is_read_from_its_start(tmp_path, decoded):
    """Pictures are refreshed column by column: decoded from the middle on they have old parts for a while."""
    options = {"x264-params": f"intra-refresh=1:keyint={GOP}", "bf": "0", "crf": "12"}
    write(tmp_path / "x.mp4", "libx264", options, {})
    whole = decode_selection(tmp_path / "x.mp4").frames
    for first in (203, 451):
        assert torch.equal(
            decode_selection(
                tmp_path / "x.mp4", ReadOptions(FrameRequest(skip_first_frames=first, frame_cap=2))
            ).frames,
            whole[first : first + 2],
        )


def test_it_is_sought_again_farther_in_front_before_all_is_decoded(tmp_path, decoded, monkeypatch):
    """A demuxer that always lands three seconds behind what it is asked for."""
    write(tmp_path / "x.ts", "libx264", CLOSED, {})
    original = decode._sought
    asked = []

    def late(container, stream, stamp):
        asked.append(stamp)
        return original(container, stream, stamp + 3 * 90000)

    monkeypatch.setattr(decode, "_sought", late)
    found = decode_selection(tmp_path / "x.ts", ReadOptions(FrameRequest(skip_first_frames=403, frame_cap=1)))
    assert numbers_of(found.frames) == [403 % 64]
    assert len(asked) > 2 and asked == sorted(asked, reverse=True) and len(decoded) < 5 * GOP


def test_a_demuxer_that_cannot_seek_reads_from_the_start(tmp_path, monkeypatch):
    write(tmp_path / "x.ts", "libx264", CLOSED, {})
    monkeypatch.setattr(decode, "_sought", lambda *_: False)
    assert numbers_of(
        decode_selection(
            tmp_path / "x.ts", ReadOptions(FrameRequest(skip_first_frames=70, frame_cap=1))
        ).frames
    ) == [70 % 64]
