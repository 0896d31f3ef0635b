"""What videos can be written as: container, codec, pixel formats, quality and what each of them cannot do.

A format is one entry of VIDEO_FORMATS; the encoder and the nodes know nothing else of it. Only those are
offered whose encoder the installed PyAV has. Source: ISO/IEC 14496-12 (MP4), RFC 9559 (Matroska, WebM), RFC
9649 (WebP), W3C PNG third edition (APNG), GIF89a.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import av

from ..foreign_text import printable

AUTO = "auto"


@dataclass(frozen=True)
class VideoFormat:
    """One way to write a video."""

    extension: str
    container: str  # as FFmpeg's muxers are called
    codec: str  # as FFmpeg's encoders are called
    pix_fmt: str  # of opaque frames where none is chosen
    alpha_pix_fmt: str | None = None  # of frames with opacity; None = the format has none
    more_pix_fmts: tuple[str, ...] = ()
    crf: tuple[float, float, float] | None = (
        None  # best, worst, what is taken where none is given; None = has no such setting
    )
    quality: Callable[[float], dict[str, str]] = lambda crf: {
        "crf": f"{crf:g}"
    }  # crf -> options of the encoder
    options: dict[str, str] = field(default_factory=dict)  # of the encoder
    hardware: str | None = None  # the encoder of NVIDIA's graphics cards for the same codec
    container_options: dict[str, str] = field(default_factory=dict)
    tag: str | None = None  # four characters that players look for
    audio: str | None = None  # codec of the sound; None = the format has none
    loop: Callable[[int], dict[str, str]] | None = (
        None  # times it is played, 0 = for ever -> options of the container
    )
    sides: tuple[int, int] = (1, 16384)  # smallest and largest width and height
    max_fps: float = 240.0
    played_as: str = "video"  # what shows it in a browser: "video", "image", or "nothing"
    # a PNG of the first frame goes with it, because no front end finds a workflow in the file itself
    sidecar: bool = False

    @property
    def pix_fmts(self) -> tuple[str, ...]:
        """Every pixel format that may be chosen."""
        return tuple(
            dict.fromkeys(
                [self.pix_fmt, *([self.alpha_pix_fmt] if self.alpha_pix_fmt else []), *self.more_pix_fmts]
            )
        )


def _webp_quality(crf: float) -> dict[str, str]:
    return {"lossless": "1"} if crf == 0 else {"lossless": "0", "quality": f"{100 - crf:g}"}


# use_metadata_tags: the workflow under its own name;
# faststart: what a player and the front end read comes first.
MP4 = {"movflags": "use_metadata_tags+faststart"}
H264 = VideoFormat(
    "mp4",
    "mp4",
    "libx264",
    "yuv420p",
    None,
    ("yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le"),
    (1, 51, 18),
    container_options=MP4,
    audio="aac",
    hardware="h264_nvenc",
    sides=(2, 16384),  # crf 0 makes a profile that browsers do not play
)
VIDEO_FORMATS: dict[str, VideoFormat] = {
    "H.264 (mp4)": H264,
    "H.265 (mp4)": replace(
        H264,
        codec="libx265",
        hardware="hevc_nvenc",
        more_pix_fmts=("yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le", "yuv420p12le"),
        crf=(0, 51, 20),
        options={"x265-params": "log-level=error"},
        tag="hvc1",
        sides=(16, 8192),
    ),
    "AV1 (mp4)": replace(
        H264,
        codec="libsvtav1",
        hardware="av1_nvenc",
        more_pix_fmts=("yuv420p10le",),
        crf=(1, 63, 28),
        options={"preset": "8"},
        sides=(64, 8192),
    ),
    "VP9 (webm)": VideoFormat(
        "webm",
        "webm",
        "libvpx-vp9",
        "yuv420p",
        "yuva420p",
        ("yuv422p", "yuv444p"),
        (0, 63, 28),
        options={"row-mt": "1", "cpu-used": "4", "deadline": "good", "auto-alt-ref": "0"},
        audio="libopus",
    ),
    "ProRes (mov)": VideoFormat(
        "mov",
        "mov",
        "prores_ks",
        "yuv422p10le",
        "yuva444p10le",
        ("yuv444p10le",),
        container_options=MP4,
        audio="pcm_s16le",
        sides=(16, 16384),
        played_as="nothing",
        sidecar=True,
        options={"vendor": "apl0"},
    ),
    "FFV1 (mkv)": VideoFormat(
        "mkv",
        "matroska",
        "ffv1",
        "bgr0",
        "bgra",
        ("gbrp16le", "gbrap16le", "yuv420p", "yuv444p"),
        audio="flac",
        options={"level": "3", "slicecrc": "1", "slices": "4"},
        played_as="nothing",
        sidecar=True,
    ),
    # GIF counts how often it is repeated, WebP and APNG how often they are played.
    "GIF": VideoFormat(
        "gif",
        "gif",
        "gif",
        "pal8",
        "pal8",
        loop=lambda plays: {"loop": str(-1 if plays == 1 else max(0, plays - 1))},
        max_fps=50,
        played_as="image",
        sidecar=True,
    ),
    "WebP": VideoFormat(
        "webp",
        "webp",
        "libwebp_anim",
        "bgra",
        "bgra",
        crf=(0, 100, 10),
        quality=_webp_quality,
        loop=lambda plays: {"loop": str(plays)},
        sides=(1, 16383),
        max_fps=100,
        played_as="image",
    ),
    "APNG": VideoFormat(
        "png",
        "apng",
        "apng",
        "rgb24",
        "rgba",
        ("rgb48be", "rgba64be"),
        loop=lambda plays: {"plays": str(plays)},
        max_fps=100,
        played_as="image",
    ),
}
"""What a person chooses -> how it is written."""


@functools.cache
def available_formats() -> dict[str, VideoFormat]:
    """Those of VIDEO_FORMATS whose encoders the installed PyAV has."""
    found = {}
    for name, entry in VIDEO_FORMATS.items():
        try:
            av.codec.Codec(entry.codec, "w")
        except av.codec.codec.UnknownCodecError:
            continue
        found[name] = entry
    return found


def find_format(name: str) -> VideoFormat:
    """The format of that name. Raises ValueError when it is unknown or its encoder is not there."""
    available = available_formats()
    if name not in available:
        why = "needs an encoder that the installed PyAV lacks" if name in VIDEO_FORMATS else "is unknown"
        raise ValueError(f"the format '{printable(name)}' {why}; choose one of {', '.join(available)}.")
    return available[name]


def hardware_options(crf: float) -> dict[str, str]:
    """Options of an encoder of graphics cards for a quality. Source: `ffmpeg -h encoder=h264_nvenc`."""
    return {"preset": "p5", "rc": "vbr", "cq": f"{max(1, min(crf, 51)):g}", "b": "0"}


def has_alpha(pix_fmt: str) -> bool:
    """Whether a pixel format keeps opacity."""
    return pix_fmt == "pal8" or any(c.is_alpha for c in av.VideoFormat(pix_fmt, 16, 16).components)


def choose_pix_fmt(name: str, entry: VideoFormat, request: str, with_alpha: bool) -> str:
    """The pixel format to write.
    Raises ValueError when the format, or the pixel format that is wanted, keeps no opacity.
    """
    if with_alpha and entry.alpha_pix_fmt is None:
        with_it = [other for other, it in available_formats().items() if it.alpha_pix_fmt]
        raise ValueError(f"{name} keeps no transparency; disconnect the mask or choose {', '.join(with_it)}.")
    if request == AUTO:
        return entry.alpha_pix_fmt if with_alpha else entry.pix_fmt
    if with_alpha and not has_alpha(request):
        raise ValueError(f"pix_fmt={request} keeps no transparency; disconnect the mask or choose {AUTO}.")
    return request


def check_settings(
    name: str, entry: VideoFormat, fps: float, crf: float | None, pix_fmt: str, loops: int
) -> None:
    """Raises ValueError for settings that the format does not have or take."""
    if not 0 < fps <= entry.max_fps:
        raise ValueError(
            f"fps={fps:g} must be above 0 and at most {entry.max_fps:g} in {name}; 8 is usual for"
            " AnimateDiff."
        )
    if crf is not None and entry.crf is None:
        raise ValueError(f"crf={crf:g} has no meaning in {name}, which has no such setting; leave it at -1.")
    if crf is not None and not entry.crf[0] <= crf <= entry.crf[1]:
        best, worst, usual = entry.crf
        raise ValueError(
            f"crf={crf:g} must lie between {best:g} (best) and {worst:g} (worst) in {name}; {usual:g} is"
            " usual."
        )
    if pix_fmt not in (AUTO, *entry.pix_fmts):
        raise ValueError(
            f"pix_fmt={pix_fmt} does not go with {name}; choose {AUTO} or one of {', '.join(entry.pix_fmts)}."
        )
    if loops < 0:
        raise ValueError(f"loop_count={loops} must be 0 (for ever) or more.")


def check_sound(name: str, entry: VideoFormat, with_audio: bool) -> None:
    """Raises ValueError for sound where the format has none."""
    if with_audio and entry.audio is None:
        with_it = [other for other, it in available_formats().items() if it.audio]
        raise ValueError(f"{name} has no sound; disconnect the audio or choose {', '.join(with_it)}.")
