"""Reads a script of scenes: YAML, so JSON too.

    style: watercolour
    negative: blurry
    fps: 8
    scenes:
      - prompt: a red ball on the grass
        duration: 2 s
        camera: zoom in
        transition: fade 0.5 s
      - prompt: a blue ball on the grass
        duration: 16 frames
        start picture: 1

A text that cannot be read like this is mended (mending.py), as language models write them; what was mended is
in the storyboard's remarks. Positions in errors are those of the mended text, which keeps its lines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import yaml

from ..foreign_text import printable
from ..samplers.over_frames.written_text import WrittenText
from .mending import mended
from .scenes import CUT, FADE, HOLD, MORPH, Scene, Storyboard, Transition, problem_of
from .words import MOVES, close_camera, read_camera, read_duration, read_transition

LONGEST_TEXT, MOST_SCENES = 1_000_000, 10_000
USUAL_SECONDS = 2.0
TOP = ("scenes", "style", "negative", "fps")
FIELDS = ("prompt", "duration", "camera", "transition", "negative", "start picture")
_SAME = {
    "scene list": "scenes", "shots": "scenes", "storyboard": "scenes",
    "negative prompt": "negative", "frame rate": "fps", "look": "style",
    "description": "prompt", "text": "prompt", "visual": "prompt", "visuals": "prompt", "scene": "prompt",
    "shot": "prompt", "length": "duration", "time": "duration", "camera movement": "camera",
    "camera motion": "camera", "camera move": "camera", "transition to next": "transition",
    "picture": "start picture", "image": "start picture", "start image": "start picture",
}  # fmt: skip
_LEFT_OUT = ("title", "name", "id", "number", "index", "notes", "note", "comment", "audio", "sound", "music",
             "dialogue", "narration", "logline", "summary", "total duration", "mood", "scene number",
             "shot number")  # fmt: skip


@dataclass(frozen=True)
class _Value:
    """A text of the script and where it stands."""

    text: str
    place: int


@dataclass(frozen=True)
class _Reader:
    """The text that is read and what is said about it."""

    source: WrittenText
    remarks: list[str]

    def error(self, place: int, message: str) -> ValueError:
        return self.source.error(place, message)

    def tree(self) -> yaml.Node:
        """Raises ValueError with line and column for what is no YAML."""
        try:
            node = yaml.compose(self.source.text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            raise self.error(
                mark.index if mark else 0,
                f"{printable(error.problem or error.context or 'this cannot be read')}; put texts with : or #"
                " in quotes, and indent the lines of a scene alike.",
            ) from None
        except (yaml.YAMLError, RecursionError) as error:
            place = getattr(error, "position", 0)
            raise self.error(
                place if isinstance(place, int) else 0,
                "this is no readable text (signs that cannot be printed, or endless brackets); remove it.",
            ) from None
        if not isinstance(node, yaml.MappingNode | yaml.SequenceNode):
            raise self.error(0, "found no list of scenes; begin with 'scenes:' and a line '- prompt: ...'.")
        return node

    def fields(self, node: yaml.MappingNode, known: tuple[str, ...]) -> dict[str, yaml.Node]:
        """The parts of a mapping under the names of `known`."""
        found = {}
        for key, value in node.value:
            place = key.start_mark.index
            written = key.value if isinstance(key, yaml.ScalarNode) else ""
            name = " ".join(written.lower().replace("_", " ").replace("-", " ").split())
            name = name if name in known else _SAME.get(name, name)
            if name not in known:
                if name not in _LEFT_OUT:
                    raise self.error(
                        place, f"'{printable(written)}' is not known; choose one of {', '.join(known)}."
                    )
                self.remarks.append(f"line {key.start_mark.line + 1}: '{printable(name)}' is left out")
            elif name in found:
                raise self.error(place, f"'{printable(name)}' is there twice; leave one out.")
            else:
                found[name] = value
        return found

    def value(self, fields: Mapping[str, yaml.Node], name: str) -> _Value | None:
        """A text; None where it is not there, or empty."""
        node = fields.get(name)
        if node is None:
            return None
        if not isinstance(node, yaml.ScalarNode):
            raise self.error(node.start_mark.index, f"'{printable(name)}' must be a text; put it in quotes.")
        text = " ".join(node.value.split())
        is_nothing = not text or (node.style is None and text in ("null", "~"))
        return None if is_nothing else _Value(text, node.start_mark.index)

    def number(self, fields: Mapping[str, yaml.Node], name: str, low: float, high: float) -> float | None:
        """A number between low and high; None where it is not there."""
        value = self.value(fields, name)
        if value is None:
            return None
        try:
            number = float(value.text)
        except ValueError:
            number = float("nan")
        if not low <= number <= high:
            raise self.error(
                value.place, f"{name}='{printable(value.text)}' must be a number from {low:g} to {high:g}."
            )
        return number


def read_script(text: str, fps: float | None = None, name: str = "script") -> Storyboard:
    """The storyboard of a text. fps: frames a second where the text says nothing, None = 8. name: of the
    input, for errors.

    Raises ValueError with line and column for what cannot be read or mended, unknown words, and transitions
    that do not fit.
    """
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"{name} has {len(text)} characters, at most {LONGEST_TEXT} are read; shorten it.")
    try:
        return _storyboard(_Reader(WrittenText(name, text), []), fps or 8.0)
    except ValueError:
        changed, remarks = mended(text)
        if changed == text:
            raise
    return _storyboard(_Reader(WrittenText(name, changed), remarks), fps or 8.0)


def _storyboard(reader: _Reader, fps: float) -> Storyboard:
    tree = reader.tree()
    top = {"scenes": tree} if isinstance(tree, yaml.SequenceNode) else reader.fields(tree, TOP)
    listed = top.get("scenes")
    if not isinstance(listed, yaml.SequenceNode) or not listed.value:
        place = listed.start_mark.index if listed is not None else 0
        raise reader.error(place, "'scenes' must be a list with at least one line '- prompt: ...'.")
    if len(listed.value) > MOST_SCENES:
        raise reader.error(
            listed.start_mark.index, f"{len(listed.value)} scenes are more than {MOST_SCENES}; take fewer."
        )
    fps = reader.number(top, "fps", 0.1, 240) or fps
    whole = {key: value.text if (value := reader.value(top, key)) else "" for key in ("style", "negative")}
    scenes = [_scene(reader, node, fps, whole) for node in listed.value]
    last = scenes[-1].transition
    if last.kind != CUT:
        reader.remarks.append(f"the {last.kind} behind the last scene is left out")
        scenes[-1] = replace(scenes[-1], transition=Transition())
    if problem := problem_of(tuple(scenes)):
        number, message = problem
        raise reader.error(listed.value[number].start_mark.index, f"scene {number + 1}: {message}")
    return Storyboard(tuple(scenes), fps, tuple(reader.remarks))


def _scene(reader: _Reader, node: yaml.Node, fps: float, whole: Mapping[str, str]) -> Scene:
    if isinstance(node, yaml.ScalarNode):  # a list of prompts
        fields = {"prompt": node}
    elif isinstance(node, yaml.MappingNode):
        fields = reader.fields(node, FIELDS)
    else:
        raise reader.error(node.start_mark.index, "a scene must be a prompt, or lines such as 'prompt: ...'.")
    prompt = reader.value(fields, "prompt")
    if prompt is None:
        raise reader.error(node.start_mark.index, "this scene has no prompt; write what is seen.")
    negative = reader.value(fields, "negative")
    camera, said = _camera(reader, fields)
    picture = reader.number(fields, "start picture", 1, MOST_SCENES)
    return Scene(
        _listed(whole["style"], prompt.text, said),
        _read(reader, fields, "duration", lambda text: read_duration(text, fps), "such as 2 s or 16 frames")
        or max(1, round(USUAL_SECONDS * fps)),
        _listed(whole["negative"], negative.text if negative else ""),
        *camera,
        _read(reader, fields, "transition", lambda text: read_transition(text, fps),
              f"{CUT}, {FADE} or {MORPH}, with a duration such as 0.5 s") or Transition(),
        None if picture is None else int(picture),
    )  # fmt: skip


def _listed(*texts: str) -> str:
    """Texts behind each other, a comma between."""
    return ", ".join(text.rstrip(" ,") for text in texts if text)


def _read(
    reader: _Reader, fields: Mapping[str, yaml.Node], name: str, read: Callable[[str], Any], example: str
) -> Any:
    """What a text means; None where it is not there. Raises ValueError for one that means nothing."""
    value = reader.value(fields, name)
    if value is None:
        return None
    meaning = read(value.text)
    if meaning is None:
        raise reader.error(
            value.place, f"{name}='{printable(value.text, 60)}' is not understood; write {example}."
        )
    return meaning


def _camera(reader: _Reader, fields: Mapping[str, yaml.Node]) -> tuple[tuple[str, float], str]:
    """The move and its speed, and what is said of the camera that is no move, which belongs to the prompt."""
    value = reader.value(fields, "camera")
    if value is None:
        return (HOLD, 1.0), ""
    if move := read_camera(value.text):
        return move, ""
    if close := close_camera(value.text):
        raise reader.error(
            value.place,
            f"camera='{printable(value.text, 60)}' is not understood; did you mean {close}? There are"
            f" {', '.join(MOVES)}.",
        )
    line = reader.source.text.count("\n", 0, value.place) + 1
    reader.remarks.append(
        f"line {line}: the camera '{printable(value.text, 60)}' is no move, it stands in the prompt"
    )
    return (HOLD, 1.0), value.text
