"""The question that makes a language model write a script that script.py reads."""

from __future__ import annotations

from ..motion_modules.camera.moves import MOVES

_QUESTION = """\
Write the script of a short film as YAML, for a video model that sees one prompt at a time.
The film: {idea}

It has {num_scenes} scenes of about {seconds:g} seconds each. Write only the YAML, in this form:

style: the look of the whole film, a few words
negative: what must not be seen, a few words
scenes:
  - prompt: "what is seen in the first scene"
    duration: {seconds:g} s
    camera: zoom in
    transition: cut

Rules:
- A prompt describes one picture with one movement in at most 30 words. It says again what everybody looks
  like, because the model does not remember other scenes. Put it in double quotes.
- camera is one of: {moves}.
- transition is cut, "fade 0.5 s" or "morph 1 s": how the scene goes over into the next one.
"""


def question(idea: str, num_scenes: int, seconds: float) -> str:
    """What *Generate Text* is asked. Raises ValueError without an idea and for numbers below 1 and 0.1."""
    idea = " ".join(idea.split())
    if not idea:
        raise ValueError("idea is empty; write in a sentence what the video shall tell.")
    if num_scenes < 1 or not 0.1 <= seconds < float("inf"):
        raise ValueError(
            f"num_scenes={num_scenes} must be at least 1 and seconds={seconds:g} at least 0.1; raise them."
        )
    return _QUESTION.format(idea=idea, num_scenes=num_scenes, seconds=seconds, moves=", ".join(MOVES))
