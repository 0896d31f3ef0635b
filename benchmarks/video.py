"""Reading and writing video against the ffmpeg command line: memory above the frames themselves, speed as a
ratio, memory of a long file.

Like with like: ffmpeg decodes the same file to rgb24 and throws it away, on as many threads; it encodes the
same raw frames with the same codec, preset and quality. Ratios are medians over interleaved repeats, 1 = as
fast, 2 = twice as fast; each repeat of decoding is the best of three. The first time in a process is shown by
itself (first_decode_vs_ffmpeg): ffmpeg keeps no frames, we fill 25 MB for each, and on a virtual machine
memory that was never touched can cost more than everything else.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BEST_OF = 3
KEYS = (
    "decode_rss_over_tensor_mib",
    "decode_vs_ffmpeg",
    "encode_vs_ffmpeg",
    "decode_vs_vhs",
    "stream_rss_slope_kib_per_frame",
)


def main(arguments: list[str]) -> dict:
    """Prints a table, or with --json one object with KEYS as the last line; returns that object. None where
    something is not installed.
    """
    parser = argparse.ArgumentParser(prog="bench video", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument(
        "--frames", type=int, default=300, help="frames of 1920x1080 to decode (300, which need 7.5 GB)"
    )
    parser.add_argument(
        "--stream", type=int, default=2000, help="frames of 512x512 that latents become (2000)"
    )
    parser.add_argument(
        "--vhs", metavar="FOLDER", help="a clone of ComfyUI-VideoHelperSuite whose requirements are installed"
    )
    parser.add_argument("--repeats", type=int, default=3, help="repeats of every timing (3)")
    parser.add_argument(
        "--part", nargs="+", help=argparse.SUPPRESS
    )  # one function of video_parts, in this process
    options = parser.parse_args(arguments)
    if options.part:
        from . import video_parts

        name, *values = options.part
        print(getattr(video_parts, name)(*values))
        return {}
    with tempfile.TemporaryDirectory() as folder:
        result = run(Path(folder), options.frames, options.stream, options.repeats, options.vhs)
    if options.json:
        print(json.dumps(result))
    else:
        for key, value in result.items():
            print(f"  {key:32} {value}")
    return result


def run(
    folder: Path, frames: int = 300, stream: int = 2000, repeats: int = 3, vhs: str | None = None
) -> dict:
    """All measures; each part in a process of its own, so that none sees the memory of another."""
    clip = folder / "clip.mp4"
    make_clip(clip, frames)
    result = dict.fromkeys(KEYS)
    result["decode_rss_over_tensor_mib"] = apart("decode_memory", str(clip))
    ours, first, theirs, others = [], [], [], []
    for _ in range(repeats):
        first.append(apart("first_decode_seconds", str(clip)))
        ours.append(apart("decode_seconds", str(clip)))
        if vhs:
            others.append(apart("vhs_decode_seconds", str(clip), str(Path(vhs).resolve())))
        if shutil.which("ffmpeg"):
            command = [
                "ffmpeg",
                "-v",
                "error",
                "-i",
                str(clip),
                "-f",
                "rawvideo",
                "-pix_fmt",
                "rgb24",
                "-y",
                os.devnull,
            ]
            theirs.append(min(timed(command) for _ in range(BEST_OF)))
    if others:
        result["decode_vs_vhs"] = round(statistics.median(others) / statistics.median(ours), 3)
    if theirs:
        result["first_decode_vs_ffmpeg"] = round(statistics.median(theirs) / statistics.median(first), 3)
        result["decode_vs_ffmpeg"] = round(statistics.median(theirs) / statistics.median(ours), 3)
        result["encode_vs_ffmpeg"] = encode_ratio(folder, repeats)
    if stream:
        result["stream_rss_slope_kib_per_frame"] = apart("stream_slope", str(folder), str(stream))
    return result


def make_clip(path: Path, frames: int) -> None:
    """A moving 1920x1080 H.264 clip."""
    import av
    import numpy as np

    ys, xs = np.mgrid[0:1080, 0:1920]
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=30, options={"preset": "ultrafast", "crf": "23"})
        video.width, video.height, video.pix_fmt = 1920, 1080, "yuv420p"
        for i in range(frames):
            image = np.stack([(xs + 5 * i) % 256, (ys + 3 * i) % 256, (xs + ys) // 12 % 256], -1).astype(
                np.uint8
            )
            container.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(video.encode())


def timed(command: list[str], given: bytes | None = None) -> float:
    """Seconds that a command takes."""
    begun = time.perf_counter()
    subprocess.run(command, check=True, input=given, capture_output=True)
    return time.perf_counter() - begun


def apart(part: str, *arguments: str) -> float:
    """What the function `part` of video_parts returns in a fresh process that has ComfyUI at hand."""
    dev = Path(__file__).parents[1] / "dev.py"
    command = [sys.executable, str(dev), "run", "benchmarks.video", "--part", part, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"ZOETROPE_INSIDE": "1"})
    if done.returncode:
        raise RuntimeError(f"bench video, {part}: {done.stderr.strip()[-2000:]}")
    return float(done.stdout.strip().splitlines()[-1])


def encode_ratio(folder: Path, repeats: int) -> float:
    """How fast 60 frames of 1280x720 become an H.264 file, ffmpeg's seconds divided by ours."""
    raw = folder / "frames.rgb"
    ours, theirs = [], []
    for _ in range(repeats):
        ours.append(apart("encode_seconds", str(folder), str(raw)))
        command = [
            "ffmpeg",
            "-v",
            "error",
            "-f",
            "rawvideo",
            "-pix_fmt",
            "rgb24",
            "-s",
            "1280x720",
            "-r",
            "24",
            "-i",
            str(raw),
        ]
        command += [
            "-c:v",
            "libx264",
            "-crf",
            "18",
            "-pix_fmt",
            "yuv420p",
            "-movflags",
            "+faststart",
            "-y",
            str(folder / "theirs.mp4"),
        ]
        theirs.append(timed(command))
    return round(statistics.median(theirs) / statistics.median(ours), 3)
