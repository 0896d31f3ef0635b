"""Writes frames as H.264 in MP4 with the colours a browser shows: converted with the BT.709 matrix and tagged with it.

ComfyUI's own writer converts with the BT.601 matrix and leaves the file untagged, so players guess: from 720 lines up
browsers take BT.709, and greens and reds shift.

Source: ITU-R BT.709-6, item 3 (matrix); ITU-T H.273 (code points 1 for BT.709).
Letters: F frames, H height, W width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import BinaryIO

import av
import numpy as np
import torch

BT709 = 1
"""The H.273 code point of BT.709 for primaries, transfer and matrix alike."""
LIMITED_RANGE = 1


def encode_h264(
    frames: Iterable[torch.Tensor], target: str | BinaryIO, fps: float, crf: float = 18.0, audio: dict | None = None,
    progress: Callable[[], None] | None = None,
) -> int:
    """Writes frames (H, W, 3), values 0..1, to an MP4 file or buffer; returns how many were written.

    fps: frames per second, above 0. crf: 1 (best, large) to 51 (worst); 18 looks like the original. audio: ComfyUI's AUDIO,
    {"waveform": (1, channels, samples) in -1..1, "sample_rate": Hz}; what is longer than the video is cut off.
    H.264 in the form that every browser plays has even sides: odd ones are made even by repeating the last row or column.
    progress is called after each frame. Raises ValueError for no frames, or values out of range.
    """
    if not fps > 0:
        raise ValueError(f"fps={fps} must be larger than 0; 8 is usual for AnimateDiff.")
    if not 1 <= crf <= 51:  # 0 makes a profile that browsers do not play
        raise ValueError(f"crf={crf} must lie between 1 (best) and 51 (worst); 18 looks like the original.")
    rate = Fraction(fps).limit_denominator(1001)
    written = 0
    # Moving the index to the front needs a file to read back from; what comes from a buffer is remuxed when it is saved.
    options = {"movflags": "+faststart"} if isinstance(target, str) else {}
    with av.open(target, "w", format="mp4", options=options) as container:
        video = sound = None
        for frame in frames:
            if video is None:
                height, width = (side + side % 2 for side in frame.shape[:2])
                video = _video_stream(container, width, height, rate, crf)
                sound = _audio_stream(container, audio)
            container.mux(video.encode(_video_frame(frame, video.width, video.height)))
            written += 1
            if progress is not None:
                progress()
        if video is None:
            raise ValueError("a video needs at least one frame; 0 were given.")
        container.mux(video.encode(None))
        if sound is not None:
            _write_audio(container, sound, audio, float(written / rate))
    return written


def _video_stream(container, width: int, height: int, rate: Fraction, crf: float):
    stream = container.add_stream("libx264", rate=rate)
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    stream.options = {"crf": str(crf)}
    context = stream.codec_context
    context.color_primaries = context.color_trc = context.colorspace = BT709
    context.color_range = LIMITED_RANGE
    return stream


def _video_frame(frame: torch.Tensor, width: int, height: int) -> av.VideoFrame:
    pixels = (frame[..., :3].detach().float().clamp(0, 1) * 255).round().to(device="cpu", dtype=torch.uint8).numpy()
    missing = (height - pixels.shape[0], width - pixels.shape[1])
    if any(missing):
        pixels = np.pad(pixels, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="edge")
    rgb = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
    out = rgb.reformat(
        format="yuv420p", dst_colorspace="ITU709", src_color_range="JPEG", dst_color_range="MPEG",
    )  # fmt: skip
    out.color_range = LIMITED_RANGE
    return out


def _audio_stream(container, audio: dict | None):
    if audio is None:
        return None
    layout = {1: "mono", 2: "stereo", 6: "5.1"}.get(audio["waveform"].shape[1])
    if layout is None:
        raise ValueError(f"audio has {audio['waveform'].shape[1]} channels; give 1 (mono), 2 (stereo) or 6 (5.1).")
    return container.add_stream("aac", rate=int(audio["sample_rate"]), layout=layout)


def _write_audio(container, stream, audio: dict, seconds: float) -> None:
    samples = audio["waveform"][0, :, : round(seconds * audio["sample_rate"])]
    frame = av.AudioFrame.from_ndarray(
        samples.float().cpu().contiguous().numpy(), format="fltp", layout=stream.layout.name
    )
    frame.sample_rate = int(audio["sample_rate"])
    frame.pts = 0
    container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
