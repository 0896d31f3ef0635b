"""The sound of a span of a video, as one tensor. Times are in seconds; C channels, N samples."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable

import av
import numpy as np
import torch

from .facts import Source, open_video


def read_sound(source: Source, start: float, end: float, stop: Callable[[], None] = int) -> dict | None:
    """The last decodable sound track from start to end: {"waveform": (1, C, N) float32 in -1..1, "sample_rate": Hz}, or None without one.

    Where the track is shorter than the span, the rest is silence. stop, which may raise, is called for every piece of sound."""
    with open_video(source) as container:
        stream = next((s for s in reversed(container.streams.audio) if s.codec_context is not None), None)
        if stream is None:
            return None
        if start > 0:
            container.seek(int(start * av.time_base), backward=True)
        resampler = av.AudioResampler(format="fltp")
        rate, pieces, first = 0, [], None
        try:
            for frame in container.decode(stream):
                stop()
                if frame.time is not None and frame.time >= end:
                    break
                for piece in resampler.resample(frame):
                    rate = piece.sample_rate
                    first = (piece.time if piece.time is not None else start) if first is None else first
                    pieces.append(piece.to_ndarray())
        except av.error.FFmpegError as error:
            logging.warning("The sound cannot be decoded to its end (%s); what is missing is silence.", error.strerror)
    if not pieces:
        return None
    sound = torch.from_numpy(np.concatenate(pieces, axis=1))
    wanted = max(1, math.ceil((end - start) * rate - 1e-6))
    begin = round((start - first) * rate)
    sound = sound[:, max(0, begin) :]
    sound = torch.nn.functional.pad(sound, (max(0, -begin), 0))[:, :wanted]
    sound = torch.nn.functional.pad(sound, (0, wanted - sound.shape[1]))
    return {"waveform": sound[None].clone(), "sample_rate": rate}
