"""What words of a script mean: durations, cameras, transitions, in the ways people and language models write
them.

Each reader returns None for what it does not know.
"""

from __future__ import annotations

import re
from difflib import get_close_matches

from ..motion_modules.camera.moves import MOVES
from .scenes import CUT, FADE, HOLD, MORPH, Transition

USUAL_SECONDS = {FADE: 0.5, MORPH: 1.0}
LONGEST = 1_000_000  # frames
_DURATION = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*(frames?|f|s|secs?|seconds?)?")
_TRANSITION = {
    CUT: ("cut", "hard cut", "none", "no", "straight cut"),
    FADE: ("fade", "cross-fade", "crossfade", "cross fade", "dissolve", "cross dissolve", "fade to"),
    MORPH: ("morph", "blend", "morph to"),
}
_CAMERA = {
    "hold": ("hold", "none", "no", "static", "still", "fixed", "locked", "static shot", "no movement"),
    "zoom in": ("zoom in", "dolly in", "push in", "move forward", "forward"),
    "zoom out": ("zoom out", "dolly out", "pull out", "pull back", "move back", "backward"),
    "pan left": ("pan left", "move left", "truck left", "track left", "tracking left", "slide left"),
    "pan right": ("pan right", "move right", "truck right", "track right", "tracking right", "slide right"),
    "pan up": ("pan up", "move up", "pedestal up", "crane up", "rise"),
    "pan down": ("pan down", "move down", "pedestal down", "crane down"),
    "tilt up": ("tilt up", "look up"),
    "tilt down": ("tilt down", "look down"),
    "turn left": ("turn left", "look left", "rotate left"),
    "turn right": ("turn right", "look right", "rotate right"),
    "roll clockwise": ("roll clockwise", "roll right", "roll"),
    "roll anticlockwise": ("roll anticlockwise", "roll counterclockwise", "roll left"),
    "orbit left": ("orbit left", "arc left"),
    "orbit right": ("orbit right", "arc right", "orbit", "circle"),
}
_SPEEDS = {
    "slow": 0.5,
    "slowly": 0.5,
    "gentle": 0.5,
    "gently": 0.5,
    "fast": 2.0,
    "quick": 2.0,
    "quickly": 2.0,
}
_FILLERS = {"camera", "the", "a", "speed", "movement", "shot", "x", "at", "is", "on"}
_MOVES = {name: move for move, names in _CAMERA.items() for name in names}
_KINDS = {name: kind for kind, names in _TRANSITION.items() for name in names}


def read_duration(text: str, fps: float) -> int | None:
    """Frames, out of "24 frames", "2 s", "1.5 seconds" or a number of seconds; at least 1.

    >>> [read_duration(text, fps=8) for text in ("24 frames", "1.5s", "2", "long")]
    [24, 12, 16, None]
    """
    found = _DURATION.fullmatch(text.strip().lower())
    if not found:
        return None
    amount, unit = float(found[1]), found[2] or "s"
    frames = round(amount if unit.startswith("f") else amount * fps)
    return max(1, frames) if amount > 0 and frames <= LONGEST else None


def read_transition(text: str, fps: float) -> Transition | None:
    """A kind, with a duration or the usual one.

    >>> read_transition("Fade, 4 frames", fps=8)
    Transition(kind='fade', frames=4)
    """
    words = text.strip().lower().replace(",", " ").replace("(", " ").replace(")", " ")
    found = re.search(r"\d|\.\d", words)
    name = (words[: found.start()] if found else words).strip(" :-")
    kind = _KINDS.get(" ".join(name.split()))
    if kind is None or kind == CUT:
        return Transition() if kind == CUT and not found else None
    frames = read_duration(words[found.start() :], fps) if found else max(1, round(USUAL_SECONDS[kind] * fps))
    return Transition(kind, frames) if frames else None


def read_camera(text: str) -> tuple[str, float] | None:
    """A move of MOVES and its speed, out of "zoom in", "slow pan left", "zoom in, speed 0.5".

    >>> [read_camera(text) for text in ("Zoom in", "slowly dolly in", "pan left 1.5", "close-up")]
    [('zoom in', 1.0), ('zoom in', 0.5), ('pan left', 1.5), None]
    """
    words = re.findall(r"[a-z]+(?:-[a-z]+)*|-?\d*\.?\d+", text.lower())
    speed, name = 1.0, []
    for word in words:
        if word in _SPEEDS:
            speed = _SPEEDS[word]
        elif re.fullmatch(r"-?\d*\.?\d+", word):
            speed = float(word)
        elif word not in _FILLERS:
            name.append(word)
    move = _MOVES.get(" ".join(name)) if name else None
    if move is None or abs(speed) > 100 or (speed == 0 and move != HOLD):
        return None
    return move, 1.0 if move == HOLD else speed


def close_camera(text: str) -> str | None:
    """The move that was probably meant."""
    close = get_close_matches(" ".join(text.lower().split()), [*MOVES, *_MOVES], n=1, cutoff=0.8)
    return _MOVES[close[0]] if close else None
