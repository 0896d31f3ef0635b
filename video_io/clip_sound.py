"""The sound of a clip: exactly the samples of its span, as AAC beside its frames."""

from __future__ import annotations

from collections.abc import Callable

import av

from .probe import Source, VideoProbe
from .sound import read_sound
from .sound_track import SoundTrack, begin_sound

CODEC = "aac"


def sound_of_clip(
    out: av.container.OutputContainer, source: Source, probe: VideoProbe, span: tuple[int, int],
    stop: Callable[[], None] = int,
) -> SoundTrack | None:  # fmt: skip
    """The track of what is heard while the frames of a span (first, last) are shown; None without sound.

    The caller begins it behind the video's stream. Raises ValueError for more than eight channels."""
    if not probe.has_audio:
        return None
    first, last = span
    end = probe.times[last + 1] if last + 1 < probe.num_frames else probe.end
    audio = read_sound(source, probe.times[first], end, stop, probe.retimed)
    return None if audio is None else begin_sound(out, CODEC, audio)
