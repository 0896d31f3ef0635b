"""VIDEO objects to frames, a window at a time,
and frames to VIDEO objects whose colours are right in a browser.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from fractions import Fraction

import comfy.model_management
import comfy.utils
import torch
from comfy_api.latest import InputImpl

from ... import memory
from ...frame_tools.resizing import resized
from ...video_io.decode import decode_selection
from ...video_io.encode import encode_h264
from ...video_io.frame_plan import FrameRequest, plan_span
from ...video_io.frame_presets import FRAME_PRESETS, LENGTH_RULES
from ...video_io.frame_selection import DecodedVideo, Progress, ReadOptions, check_memory
from ...video_io.frame_size import FrameFit, Size, SizeRequest, fit_size
from ...video_io.sound import cut_sound, read_sound


def create_video(images: torch.Tensor, fps: float, crf: float, audio: dict | None = None):
    """IMAGE (F, H, W, 3), values 0..1, to a VIDEO that holds an MP4 tagged with BT.709.
    Raises ValueError for no frames.
    """
    progress = comfy.utils.ProgressBar(len(images))
    buffer = io.BytesIO()
    encode_h264(images, buffer, fps, crf, audio, progress=lambda: progress.update(1))
    buffer.seek(0)
    return InputImpl.VideoFromFile(buffer)


@dataclass(frozen=True)
class VideoFrames:
    """What Video to Frames and Load Frames put out:
    IMAGE, MASK, AUDIO, the frames' speed, and what they were taken from.
    """

    images: torch.Tensor
    mask: torch.Tensor
    audio: dict | None
    fps: float
    description: str
    source_fps: float
    source_frames: int

    def outputs(self) -> tuple:
        """Everything after the sound, in the order of the nodes' outputs."""
        frames, height, width = self.images.shape[:3]
        return (
            self.fps,
            frames,
            self.description,
            frames / self.fps,
            width,
            height,
            self.source_fps,
            self.source_frames,
        )


@dataclass(frozen=True)
class FrameOptions:
    """What Video to Frames, Load Frames and Video to Latents are asked for: which frames, how large."""

    request: FrameRequest
    size: SizeRequest

    @classmethod
    def of(
        cls,
        length: str = "any",
        width: int = 0,
        height: int = 0,
        resize: str = "keep ratio",
        multiple_of: int = 8,
        preset: str = "none",
        **request,
    ) -> FrameOptions:
        """From the nodes' widgets. `request` holds fields of FrameRequest.
        What is left open comes from the preset.
        """
        chosen = FRAME_PRESETS[preset]
        rule = dict(zip(("multiple", "offset"), LENGTH_RULES[length], strict=True))
        return cls(
            chosen.complete(FrameRequest(**request, **rule)),
            SizeRequest(width, height, resize, chosen.multiple_of(multiple_of)),
        )

    def of_video(self, video) -> FrameOptions:
        """The same for the file behind a VIDEO, whose trim is kept."""
        return replace(self, request=within_trim(self.request, *video.get_active_trim_window()))

    def reading(self, progress: Progress) -> ReadOptions:
        """How a source is read; ends with the run when that is cancelled."""
        return ReadOptions(self.request, self.size, free_memory, progress, stop)


def video_frames(video, options: FrameOptions) -> VideoFrames:
    """A VIDEO's wanted frames as IMAGE (F, H, W, 3),
    what is transparent as MASK, and the sound of the same span.

    Raises ValueError as video_io.decode does.
    """
    if isinstance(video, InputImpl.VideoFromComponents):
        return _frames_of_components(video.get_components(), options)
    source = video.get_stream_source()
    reading = options.of_video(video).reading(comfy.utils.ProgressBar(1).update_absolute)
    found = decode_selection(source, reading)
    if not found.probe.has_audio:
        return packed(found)
    return packed(
        found, read_sound(source, found.plan.begin, found.plan.end, stop, found.probe.retimed, free_memory)
    )


def packed(found: DecodedVideo, audio: dict | None = None) -> VideoFrames:
    """Decoded frames as the nodes' outputs."""
    mask = (
        torch.zeros(1, 64, 64) if found.alpha is None else found.alpha.neg_().add_(1)
    )  # as core's Load Image without transparency
    probe = found.probe
    return VideoFrames(
        found.frames,
        mask,
        audio,
        found.fps,
        describe_taken("frames", found.frames, found),
        probe.fps,
        probe.num_frames,
    )


def describe_taken(kind: str, taken: torch.Tensor, found: DecodedVideo) -> str:
    """What was taken from which file, for the nodes' info outputs:
    "frames" (F, H, W, 3) or "latents" (F, C, h, w).
    """
    probe = found.probe
    text = _describe(kind, taken, found.fps, probe.num_frames, probe.fps, probe.size, probe.codec)
    text += "; its frame rate varies, force_rate makes it even" if found.plan.varies else ""
    return (
        f"{text}; the file is cut off, {probe.lost} frames at its end are not there" if probe.lost else text
    )


def free_memory() -> int:
    """Bytes of memory that frames may take:
    what ComfyUI says, and no more than a container's limit leaves.
    """
    return min(comfy.model_management.get_free_memory(torch.device("cpu")), memory.free_memory())


def stop() -> None:
    """Raises what ends a run that was cancelled."""
    comfy.model_management.throw_exception_if_processing_interrupted()


def within_trim(request: FrameRequest, trim_start: float, trim_duration: float) -> FrameRequest:
    """A request that counts from the beginning of a VIDEO's own trim (0 = none),
    as one that counts from the file's.
    """
    duration = request.duration_seconds
    if trim_duration:
        left = trim_duration - request.start_seconds
        if left <= 0:
            raise ValueError(
                f"start_seconds={request.start_seconds:g} lies behind the end of the trimmed video"
                f" ({trim_duration:g} s); start earlier."
            )
        duration = min(duration, left) if duration else left
    return replace(request, start_seconds=request.start_seconds + trim_start, duration_seconds=duration)


def _describe(
    kind: str, taken: torch.Tensor, fps: float, of: int, source_fps: float, size: Size, codec: str
) -> str:
    height, width = taken.shape[1:3] if kind == "frames" else taken.shape[2:]
    told = f"{len(taken)} {kind} of {width}x{height} at {fps:g} fps ({taken.nbytes / 2**20:.0f} MiB)"
    return f"{told}, taken from {of} frames of {size} at {source_fps:g} fps ({codec})"


def _frames_of_components(parts, options: FrameOptions) -> VideoFrames:
    request = options.request
    images, rate = parts.images, Fraction(parts.frame_rate)
    times = [float(index / rate) for index in range(len(images))]
    plan = plan_span(times, request, float(len(images) / rate), claimed=[rate])
    own = Size(images.shape[2], images.shape[1])
    fit = fit_size(own, 1.0, options.size)
    check_memory(len(plan.numbers), fit.out, False, free_memory)
    frames = torch.zeros(len(plan.numbers), fit.out.height, fit.out.width, 3)  # borders stay black
    bar = comfy.utils.ProgressBar(len(plan.numbers))
    for row, number in enumerate(plan.numbers):
        bar.update(1)
        _place(images[number, ..., :3], fit, frames[row])
    audio = None if parts.audio is None else cut_sound(parts.audio, plan.begin, plan.end)
    source = len(images), float(rate), own, "in memory"
    described = _describe("frames", frames, plan.fps, *source)
    return VideoFrames(frames, torch.zeros(1, 64, 64), audio, plan.fps, described, float(rate), len(images))


def _place(image: torch.Tensor, fit: FrameFit, out: torch.Tensor) -> None:
    image = resized(image, fit.scaled.height, fit.scaled.width)
    x, y = fit.offset
    image = image[max(0, -y) : max(0, -y) + fit.out.height, max(0, -x) : max(0, -x) + fit.out.width]
    out[max(0, y) : max(0, y) + image.shape[0], max(0, x) : max(0, x) + image.shape[1]] = image
