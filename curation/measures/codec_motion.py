"""How much moves in a clip by the motion vectors that its codec stored: nearly free, and rough.

Vectors are divided by the frames that they reach over. Blocks without one stand still, unless they were coded
without reference. Enough to tell still clips; as a score it is up to twice too high.
"""

from __future__ import annotations

import av
import numpy as np

from ...video_io.probe import open_video, video_stream
from ..videos import probed
from .look import ClipLook, ClipView, Measure

CODECS = frozenset(["h264", "hevc", "mpeg4", "mpeg2video", "mpeg1video", "h263", "flv1", "msmpeg4v3", "wmv2"])


class CodecMotion(Measure):
    """`motion`: pixels per frame, at the clip's own size. `motion_speed`: shorter sides a second."""

    columns = ("motion", "motion_speed")

    def begin(self, clip: ClipView) -> ClipLook:
        """The look at one clip, which reads the file itself."""
        return _CodecLook(clip)


class _CodecLook(ClipLook):
    def __init__(self, clip: ClipView) -> None:
        self.clip = clip

    def result(self) -> dict[str, float]:
        row, probe = self.clip.row, probed(self.clip.path)
        if row["codec"] not in CODECS:
            raise ValueError(f"a file of codec {row['codec']} tells no motion vectors; choose the tier dis.")
        lengths = _lengths(self.clip.path, probe, row["first"], row["last"])
        if not lengths:
            raise ValueError("all frames are key frames and tell no motion vectors; choose the tier dis.")
        length = sum(lengths) / len(lengths)
        speed = length / min(row["width"], row["height"]) * self.clip.fps
        return {"motion": round(length, 5), "motion_speed": round(speed, 6)}


def _lengths(path, probe, first: int, last: int) -> list[float]:
    """The mean length of the vectors of each P frame of a span, per frame of time."""
    stamps = {round(time / probe.tick): number for number, time in enumerate(probe.times)}
    found, anchor = [], None
    with open_video(path) as container:
        stream = video_stream(container)
        stream.codec_context.options = {"flags2": "+export_mvs"}
        stream.codec_context.thread_count = 1  # several threads tell other vectors now and then
        if not probe.counted:
            container.seek(round(probe.times[first] / probe.tick), stream=stream, backward=True)
        for place, frame in enumerate(container.decode(stream)):
            number = place if probe.counted else stamps.get(frame.pts)
            if number is None:
                continue
            if number > last:
                break
            if frame.pict_type == av.video.frame.PictureType.B:
                continue
            if anchor is not None and number > first and frame.pict_type == av.video.frame.PictureType.P:
                found.append(_length(frame) / (number - anchor))
            anchor = number
    return found


def _length(frame: av.VideoFrame) -> float:
    """The mean length of a frame's vectors into the past, in pixels over the whole picture."""
    for data in frame.side_data:
        if "MOTION" in str(data.type):
            vectors = np.asarray(data.to_ndarray())
            past = vectors[vectors["source"] < 0]
            scale = np.maximum(past["motion_scale"], 1)
            lengths = np.hypot(past["motion_x"] / scale, past["motion_y"] / scale)
            return float((lengths * past["w"] * past["h"]).sum() / (frame.width * frame.height))
    return 0.0
