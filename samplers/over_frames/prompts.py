"""Prompts that change over frames: which texts each frame has, and how much of each.

The format is that of FizzNodes' BatchPromptSchedule (github.com/FizzleDorf/ComfyUI_FizzNodes) and
AnimateDiff-Evolved's PromptScheduling, see keyed_text.py. What stands in backticks is an expression, whose
value is written there for each frame. What stands behind `--neg` belongs to the negative prompt.

Where FizzNodes is arguably wrong, "FizzNodes" reads a text as it does: max_f in backticks is the last frame's
number instead of the number of frames, a prompt loses a 0 at its end, and the pooled output is that of the
next prompt. Ours: numbers are written with at most 6 decimals, pooled outputs are mixed as prompts are.

Letters: F frames.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ...foreign_text import printable
from ...memory import check_memory
from .curves import CURVES, EVOLVED, LINEAR, Between, between_keys
from .keyed_text import Span, quoted_value, read_entries, unescaped
from .templates import Template, joined, read_templates
from .written_text import WrittenText

PLAIN, FIZZNODES = READ_AS = ("Zoetrope", "FizzNodes")
PRINTED = ("pw_a", "pw_b", "pw_c", "pw_d")
NAMES = ("t", "max_f", *PRINTED)
WEIGHT = 32  # bytes of a number in a list


@dataclass(frozen=True)
class Mix:
    """What a frame is told: two texts, the weight of the second, and its weight in the pooled output."""

    text: str
    next_text: str
    weight: float
    pooled_weight: float


@dataclass(frozen=True)
class PromptPlan:
    """The mixes of all frames, (F), and for the drawing frame, text and weights over frames of each key."""

    positive: list[Mix]
    negative: list[Mix]
    weights: list[tuple[int, str, list[float]]]


@dataclass(frozen=True)
class PromptSettings:
    """Prompts over num_frames frames. Raises ValueError for choices that are not there."""

    text: str
    pre_text: str = ""
    app_text: str = ""
    num_frames: int = 16
    curve: str = LINEAR
    """One of CURVES."""
    loop: bool = False
    """Whether the last prompt goes over into the first at the end."""
    read_as: str = PLAIN
    """One of READ_AS."""
    pw_a: Sequence[float] = (0.0,)
    """pw_a to pw_d: numbers for expressions, one for each frame or one for all."""
    pw_b: Sequence[float] = (0.0,)
    pw_c: Sequence[float] = (0.0,)
    pw_d: Sequence[float] = (0.0,)

    def __post_init__(self) -> None:
        check_choices(self)
        for name in PRINTED:
            if (count := len(getattr(self, name))) not in (1, self.num_frames):
                raise ValueError(
                    f"{name} holds {count} numbers for {self.num_frames} frames; wire one for each frame."
                )

    def names_of(self, frame: int) -> dict[str, float]:
        """The values of the names at a frame."""
        printed = {name: getattr(self, name) for name in PRINTED}
        return {
            "t": frame,
            "max_f": self.num_frames - (self.read_as == FIZZNODES),
            **{name: values[frame % len(values)] for name, values in printed.items()},
        }

    def pooled_weight(self, weight: float) -> float:
        """The weight of the next text in the pooled output: both peers take one text's whole."""
        if self.read_as == FIZZNODES:
            return 1.0
        return float(weight > 0) if self.curve == EVOLVED else weight


def check_choices(settings, curves: Iterable[str] = tuple(CURVES)) -> None:
    """Raises ValueError for a curve, a way of reading or a number of frames that is not there."""
    for name, choices in (("curve", curves), ("read_as", READ_AS)):
        if getattr(settings, name) not in choices:
            raise ValueError(
                f"{name}='{printable(getattr(settings, name))}' must be one of {', '.join(choices)};"
                " choose one of these."
            )
    if settings.num_frames < 1:
        raise ValueError(f"num_frames={settings.num_frames} must be at least 1; raise it.")


def refuse_keys_past_loop(source: WrittenText, entries, settings) -> None:
    """Raises ValueError for a key behind the last frame of a loop, which comes back to the first there."""
    late = [entry for entry in entries if settings.loop and entry.key.frame >= settings.num_frames]
    if late:
        raise source.error(
            late[0].value.start,
            f"frame {late[0].key.frame} is behind the end of the loop, whose last frame is"
            f" {settings.num_frames - 1}, and the first value comes again there; leave it out, or switch loop"
            " off.",
        )


def prompt_plan(settings: PromptSettings) -> PromptPlan:
    """What every frame is told. Raises ValueError with line and column for
    a text that cannot be read, and where there is not the memory for so many prompts.
    """
    source = WrittenText("text", settings.text)
    entries = read_entries(source, quoted_value, settings.num_frames, settings.num_frames)
    refuse_keys_past_loop(source, entries, settings)
    keys = [entry.key for entry in entries]
    check_memory(
        WEIGHT * len(keys) * settings.num_frames,
        f"the weights of {len(keys)} prompts over {settings.num_frames} frames",
        "write fewer prompts or take fewer frames",
    )
    places = between_keys(keys, settings.num_frames, settings.curve, settings.loop)
    before, after = (
        read_templates(WrittenText(name, text), Span(0, len(text)), NAMES, in_quotes=False)
        for name, text in (("pre_text", settings.pre_text), ("app_text", settings.app_text))
    )
    prompts = [read_templates(source, entry.value, NAMES, in_quotes=True) for entry in entries]
    positive, negative = (
        _mixes([joined((before[sign], prompt[sign], after[sign])) for prompt in prompts], places, settings)
        for sign in (0, 1)
    )
    texts = [unescaped(settings.text[entry.value.start : entry.value.end]) for entry in entries]
    weights = list(zip([k.frame for k in keys], texts, key_weights(places, len(keys)), strict=True))
    return PromptPlan(positive, negative, weights)


def _mixes(prompts: list[Template], places: list[Between], settings: PromptSettings) -> list[Mix]:
    """The texts of every frame, whose expressions have the values of that frame in both texts."""
    if settings.read_as == FIZZNODES:
        prompts = [prompt.without_last_zero() for prompt in prompts]
    mixes = []
    for frame, place in enumerate(places):
        names = settings.names_of(frame)
        texts = [prompts[key].text(names) for key in (place.before, place.after)]
        mixes.append(Mix(*texts, place.weight, settings.pooled_weight(place.weight)))
    return mixes


def key_weights(places: list[Between], count: int) -> list[list[float]]:
    """How much each of `count` keys weighs at every frame: a list of F for each key."""
    weights = [[0.0] * len(places) for _ in range(count)]
    for frame, place in enumerate(places):
        weights[place.before][frame] += 1 - place.weight
        weights[place.after][frame] += place.weight
    return weights
