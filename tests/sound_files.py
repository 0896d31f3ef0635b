"""Small videos with sound, made on the spot with PyAV, whose sound is known:
a beep of 0.1 s at every whole second.

C channels, N samples; times are in seconds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np

RATE = 48000
BEEP = 0.1
LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}


@dataclass(frozen=True)
class Sound:
    """A track to be written. late: when it begins."""

    samples: np.ndarray
    rate: int = RATE
    codec: str = "pcm_f32le"
    late: float = 0.0
    disposition: int = 0


def beeps(seconds, channels=1, rate=RATE, loud=0.5):
    """(C, N) float32."""
    t = np.arange(round(seconds * rate)) / rate
    wave = loud * np.sin(2 * np.pi * 1000 * t) * (t % 1 < BEEP)
    return np.tile(wave.astype(np.float32), (channels, 1))


def onsets(sound, above=0.1):
    """When a beep begins in read sound, in seconds."""
    rate = sound["sample_rate"]
    heard = np.nonzero(sound["waveform"][0].abs().amax(0).numpy() > above)[0]
    return [
        float(n) / rate for n, before in zip(heard, [-rate, *heard], strict=False) if n - before > 0.3 * rate
    ]


def spoilt(packet):
    """A packet as long, but of nothing that a decoder knows."""
    other = av.Packet(b"\xff" * packet.size)
    other.pts, other.dts, other.time_base, other.duration = (
        packet.pts,
        packet.dts,
        packet.time_base,
        packet.duration,
    )
    other.stream = packet.stream
    return other


def packets_of(stream, sound):
    """The track's packets, encoded; pcm in pieces of 20 ms."""
    layout = LAYOUTS[len(sound.samples)]
    frame = av.AudioFrame.from_ndarray(sound.samples.T.reshape(1, -1), format="flt", layout=layout)
    frame.sample_rate, frame.pts = sound.rate, 0
    size = stream.codec_context.frame_size or sound.rate // 50
    resampler = av.AudioResampler(
        format=stream.codec_context.format, layout=layout, rate=sound.rate, frame_size=size
    )
    packets = []
    for piece in [*resampler.resample(frame), *resampler.resample(None)]:
        piece.pts = (piece.pts or 0) + round(sound.late * sound.rate)
        packets += stream.encode(piece)
    return packets + stream.encode(None)


def write(
    path,
    seconds,
    sounds: Sequence[Sound],
    change: Callable = lambda packet, time: packet,
    codec="mpeg4",
    late=0.0,
):
    """A grey video of 25 frames a second from `late` on, with these tracks.

    change(packet, time) gives what is written for a packet of sound, or None. Returns the path as text."""
    with av.open(str(path), "w") as container:
        image = container.add_stream(codec, rate=25)
        image.width, image.height, image.pix_fmt = 46, 34, "yuv420p"
        tracks = [container.add_stream(s.codec, rate=s.rate, layout=LAYOUTS[len(s.samples)]) for s in sounds]
        for track, sound in zip(tracks, sounds, strict=True):
            track.disposition = sound.disposition
        packets = []
        for number in range(round(seconds * 25)):
            frame = av.VideoFrame.from_ndarray(np.full((34, 46, 3), 90, np.uint8), format="rgb24").reformat(
                format="yuv420p"
            )
            frame.pts, frame.time_base = number + round(late * 25), Fraction(1, 25)
            packets += image.encode(frame)
        packets += image.encode(None)
        for track, sound in zip(tracks, sounds, strict=True):
            packets += packets_of(track, sound)
        for packet in sorted(packets, key=lambda p: float((p.dts or 0) * p.time_base)):
            if packet.stream.type == "audio":
                packet = change(packet, float((packet.pts or 0) * packet.time_base))
            if packet is not None:
                container.mux(packet)
    return str(path)
