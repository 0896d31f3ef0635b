"""Writes sound beside a video, a little at a time. C channels, N samples."""

from __future__ import annotations

import av
import torch

LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1"}
RATES = {"libopus": (48000,), "aac": (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)}
"""Samples per second that an encoder takes; those that are not named take any."""


class SoundTrack:
    """The sound of a video that is being written: ComfyUI's AUDIO, {"waveform": (1, C, N) in -1..1, "sample_rate": Hz}.

    Raises ValueError for a number of channels or a rate that no file holds."""

    def __init__(self, container: av.container.OutputContainer, codec: str, audio: dict) -> None:
        waveform, self._rate = audio["waveform"], int(audio["sample_rate"])
        if waveform.ndim != 3 or waveform.shape[1] not in LAYOUTS:
            raise ValueError(f"audio has {waveform.shape[-2]} channels; give 1 (mono), 2 (stereo) or 6 (5.1).")
        if self._rate < 1:
            raise ValueError(f"audio has sample_rate={self._rate}; it must be 1 or more, 44100 is usual.")
        self._samples = waveform[0]
        self._container, self._codec = container, codec
        self._stream = self._resampler = None
        self._written = 0

    def begin(self) -> None:
        """Adds the stream to the container; the video's comes first."""
        layout = LAYOUTS[self._samples.shape[0]]
        rates = RATES.get(self._codec, (self._rate,))
        rate = self._rate if self._rate in rates else next((r for r in reversed(rates) if r > self._rate), rates[0])
        self._stream = self._container.add_stream(self._codec, rate=rate, layout=layout)
        self._resampler = av.AudioResampler(format=self._stream.codec_context.format, layout=layout, rate=rate)

    def write_until(self, seconds: float) -> None:
        """Writes what belongs to the time up to `seconds` and was not written yet."""
        end = min(round(seconds * self._rate), self._samples.shape[-1])
        if end <= self._written:
            return
        piece = self._samples[:, self._written : end].to(device="cpu", dtype=torch.float32).clamp(-1, 1).contiguous()
        frame = av.AudioFrame.from_ndarray(piece.numpy(), format="fltp", layout=LAYOUTS[self._samples.shape[0]])
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
