"""The parts of `bench video` that run in processes of their own; each returns one number."""

from __future__ import annotations

import sys
import time
import types
from pathlib import Path

import torch

from .peak_memory import Peak
from .video import BEST_OF

MIB = 2**20


def decode_memory(clip: str) -> float:
    """MiB of memory above the frames themselves while a clip is decoded into one tensor."""
    from ..video_io.decode import decode_selection
    from ..video_io.frame_plan import FrameRequest
    from ..video_io.frame_selection import ReadOptions

    decode_selection(clip, ReadOptions(FrameRequest(frame_cap=2)))  # libraries are loaded
    with Peak() as memory:
        frames = decode_selection(clip).frames
    return round((memory.more - frames.nbytes) / MIB, 1)


def first_decode_seconds(clip: str) -> float:
    """Seconds to decode a clip into one tensor, the first one of a process."""
    from ..video_io.decode import decode_selection
    from ..video_io.frame_plan import FrameRequest
    from ..video_io.frame_selection import ReadOptions

    decode_selection(clip, ReadOptions(FrameRequest(frame_cap=2)))
    begun = time.perf_counter()
    decode_selection(clip)
    return time.perf_counter() - begun


def decode_seconds(clip: str) -> float:
    """Seconds to decode a clip into one tensor, the best of three in memory that a first one has returned:
    the system has it at hand.
    """
    first_decode_seconds(clip)
    return min(first_decode_seconds(clip) for _ in range(BEST_OF))


def vhs_decode_seconds(clip: str, folder: str) -> float:
    """Seconds that VideoHelperSuite's Load Video takes for the same clip; `folder` is a clone of it, its
    requirements are installed.
    """
    import server

    server.PromptServer.instance = types.SimpleNamespace(
        prompt_queue=None
    )  # it wants one when it is imported; loading does not
    sys.path.insert(0, folder)
    from videohelpersuite.load_video_nodes import load_video

    every = {
        "force_rate": 0,
        "custom_width": 0,
        "custom_height": 0,
        "skip_first_frames": 0,
        "select_every_nth": 1,
    }
    seconds = []
    for _ in range(1 + BEST_OF):
        begun = time.perf_counter()
        load_video(video=clip, frame_load_cap=0, **every)
        seconds.append(time.perf_counter() - begun)
    return min(seconds[1:])


def encode_seconds(folder: str, raw: str) -> float:
    """Seconds to write 60 frames of 1280x720 as H.264 with crf 18; the same frames lie in `raw`
    afterwards.
    """
    from ..video_io.encode import EncodeSettings
    from ..video_io.video_file import VideoFile

    ys, xs = torch.meshgrid(torch.arange(720), torch.arange(1280), indexing="ij")
    images = torch.stack(
        [torch.stack([(xs + 5 * i) % 256, (ys + 3 * i) % 256, (xs + ys) // 9 % 256], -1) for i in range(60)]
    )
    Path(raw).write_bytes(images.to(torch.uint8).numpy().tobytes())
    frames = images.float().div_(255)
    del images
    settings = EncodeSettings("H.264 (mp4)", 24.0, 18.0)
    begun = time.perf_counter()
    with VideoFile(Path(folder), "ours", settings, False, None, {}) as file:
        for frame in frames:
            file.write(frame, None)
    seconds = time.perf_counter() - begun
    file.path.unlink()
    return seconds


@torch.inference_mode()  # as ComfyUI runs nodes
def stream_slope(folder: str, count: str) -> float:
    """KiB by which the peak of memory rises with every frame after the first quarter, while so many latents
    of 512x512 become a file.

    The tiny family's autoencoder decodes them.
    """
    from ..demo import play
    from ..host.media.latent_stream import ChunkRequest, LatentStream
    from ..video_io.encode import EncodeSettings
    from ..video_io.video_file import VideoFile

    vae = play.load_family().vae
    latents = torch.zeros(1, 4, 64, 64).expand(
        int(count), -1, -1, -1
    )  # the latents' own memory is not the question
    stream = LatentStream(vae, latents, ChunkRequest())
    settings = EncodeSettings("H.264 (mp4)", 24.0, 18.0)
    quarter, early = max(1, int(count) // 4), 0
    with Peak() as memory, VideoFile(Path(folder), f"stream{count}", settings, False, None, {}) as file:
        for number, (frame, _) in enumerate(stream.frames(), 1):
            file.write(frame, None)
            if number == quarter:
                early = memory.so_far()
    file.path.unlink()
    return round((memory.more - early) / 1024 / max(1, int(count) - quarter), 2)
