"""Writes sound beside a video, a little at a time. Letters: B sounds, C channels, N samples."""

from __future__ import annotations

import logging

import av
import torch

LAYOUTS = {
    1: "mono", 2: "stereo", 3: "3.0", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1",
}  # fmt: skip
"""Number of channels -> their layout, as Vorbis, Opus and FLAC have it where a file names none."""
WRITTEN_LAYOUTS = {("libopus", "5.0"): "5.1", ("libopus", "6.1"): "7.1"}
"""What an encoder gets instead: FFmpeg 8 writes these channels of Opus in another order than it reads."""
USUAL_RATES = (384000, 352800, 192000, 176400, 96000, 88200)
AAC_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)
RATES = {"libopus": (48000,), "aac": AAC_RATES}
"""Samples per second that an encoder takes; the others take any up to 65535, and the usual above."""
INTEGERS = {torch.uint8: (128, 2**7), torch.int16: (0, 2**15), torch.int32: (0, 2**31)}
"""Kind of number -> what is silence, and what stands for 1."""


def begin_sound(container: av.container.OutputContainer, codec: str, audio: dict) -> SoundTrack | None:
    """The track for AUDIO, {"waveform": (B, C, N) in -1..1, "sample_rate": Hz}; None for no samples.

    Raises ValueError for a number of channels, a rate or a kind of number that no file holds."""
    waveform, rate = audio["waveform"], int(audio["sample_rate"])
    if waveform.ndim != 3 or waveform.shape[1] not in LAYOUTS:
        held = f"{waveform.shape[1]} channels" if waveform.ndim == 3 else f"the shape {tuple(waveform.shape)}"
        raise ValueError(f"audio has {held}; give 1 (mono), 2 (stereo), 6 (5.1) or up to {max(LAYOUTS)}.")
    if rate < 1:
        raise ValueError(f"audio has sample_rate={rate}; it must be 1 or more, 44100 is usual.")
    if not waveform.is_floating_point() and waveform.dtype not in INTEGERS:
        kind = str(waveform.dtype).removeprefix("torch.")
        raise ValueError(f"audio holds numbers of the kind {kind}; give floats in -1..1, or int16.")
    if len(waveform) > 1:
        logging.warning("The audio holds %d sounds; the video gets the first of them.", len(waveform))
    return SoundTrack(container, codec, waveform[0], rate) if waveform.numel() else None


class SoundTrack:
    """The sound (C, N) of a video that is written; what is no number is silence, what is too loud is cut."""

    def __init__(
        self, container: av.container.OutputContainer, codec: str, samples: torch.Tensor, rate: int
    ) -> None:
        self._samples, self._rate = samples, rate
        self._layout = LAYOUTS[len(samples)]
        self._container, self._codec = container, codec
        self._stream = self._resampler = None
        self._written = 0

    def begin(self) -> None:
        """Adds the stream to the container; the video's comes first."""
        rate = written_rate(self._codec, self._rate)
        layout = WRITTEN_LAYOUTS.get((self._codec, self._layout), self._layout)
        self._stream = self._container.add_stream(self._codec, rate=rate, layout=layout)
        format_ = self._stream.codec_context.format
        self._resampler = av.AudioResampler(format=format_, layout=layout, rate=rate)

    def write_until(self, seconds: float) -> None:
        """Writes what belongs to the time up to `seconds` and was not written yet."""
        end = self._samples.shape[-1]
        end = end if seconds * self._rate >= end else round(seconds * self._rate)
        if end <= self._written:
            return
        piece = as_floats(self._samples[:, self._written : end])
        # The channels of a moment beside each other: PyAV takes at most seven in planes of their own.
        frame = av.AudioFrame.from_ndarray(piece.T.reshape(1, -1).numpy(), format="flt", layout=self._layout)
        frame.sample_rate, frame.pts = self._rate, self._written
        self._written = end
        self._encode(frame)

    def finish(self) -> None:
        """Writes what resampler and encoder hold back."""
        if self._written:
            self._encode(None)
        self._container.mux(self._stream.encode(None))

    def _encode(self, frame: av.AudioFrame | None) -> None:
        for piece in self._resampler.resample(frame):
            self._container.mux(self._stream.encode(piece))


def written_rate(codec: str, rate: int) -> int:
    """The rate at which sound of this one is written: the same, else the next higher, else the highest."""
    rates = RATES.get(codec, USUAL_RATES)
    if rate in rates or (codec not in RATES and rate < 2**16):
        return rate
    return next((r for r in reversed(rates) if r > rate), rates[0])


def as_floats(samples: torch.Tensor) -> torch.Tensor:
    """Sound of any kind of number, on any device, as float32 in -1..1: integers by their range, NaN as 0."""
    silence, full = INTEGERS.get(samples.dtype, (0, 1))
    floats = (samples.detach().to(device="cpu", dtype=torch.float32) - silence) / full
    return floats.nan_to_num(nan=0.0, posinf=1.0, neginf=-1.0).clamp(-1, 1)
