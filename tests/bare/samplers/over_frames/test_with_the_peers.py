"""Prompts and values over frames against what FizzNodes and AnimateDiff-Evolved made of the same texts."""

import json
import re

import pytest
from zoetrope.samplers.over_frames.curves import EVOLVED
from zoetrope.samplers.over_frames.prompts import FIZZNODES, PRINTED, PromptSettings, prompt_plan
from zoetrope.samplers.over_frames.values import ValueSettings, schedule_values
from zoetrope.tests.places import GOLDENS

FIZZ = json.loads((GOLDENS / "ade" / "fizznodes.json").read_text(encoding="utf8"))
EVOLVED_ONES = json.loads((GOLDENS / "ade" / "ade_schedules.json").read_text(encoding="utf8"))
NUMBER = re.compile(r"-?\d+\.\d+")


def cases(kind, but=()):
    return [pytest.param(case, id=name) for name, case in kind.items() if name not in but]


def plain(text):
    """A text with single blanks, and numbers written shortly, as our expressions write them."""
    return NUMBER.sub(lambda found: f"{round(float(found[0]), 6) + 0.0:g}", " ".join(text.split()))


def weights_of(mixes):
    """What each frame is told, as {text: weight}."""
    frames = []
    for mix in mixes:
        frame = {}
        for text, weight in ((mix.text, 1 - mix.weight), (mix.next_text, mix.weight)):
            if weight:
                frame[plain(text)] = frame.get(plain(text), 0) + weight
        frames.append(frame)
    return frames


def assert_told(mixes, encoded):
    expected = [{plain(text): weight for text, weight in frame.items()} for frame in encoded]
    assert len(mixes) == len(expected)
    for frame, (is_told, told) in enumerate(zip(weights_of(mixes), expected, strict=True)):
        assert is_told == pytest.approx(told, abs=1e-6), f"frame {frame}"


def fizz(case, **changes):
    printed = {name: case[name] if isinstance(case[name], list) else [float(case[name])] for name in PRINTED}
    texts = {name: case[name] for name in ("text", "pre_text", "app_text")}
    settings = {**texts, "num_frames": case["max_frames"], "read_as": FIZZNODES, **printed, **changes}
    return PromptSettings(**settings)


@pytest.mark.parametrize("case", cases(FIZZ["prompts"], but={"function_with_t"}))
def test_prompts_are_those_of_fizznodes(case):
    plan = prompt_plan(fizz(case))
    assert_told(plan.positive, case["encoded"]["positive"])
    assert_told(plan.negative, case["encoded"]["negative"])


def test_what_fizznodes_gets_wrong_is_right_by_default():
    texts = FIZZ["prompts"]
    root = prompt_plan(fizz(texts["function_with_t"], read_as="Zoetrope")).positive
    assert [mix.text for mix in root[:4]] == [
        "(red fox:1)", "(red fox:1.414214)", "(red fox:1.732051)", "(red fox:2)"]  # fmt: skip
    assert "error" in texts["function_with_t"]["encoded"]
    zero = prompt_plan(fizz(texts["ends_in_zero"], read_as="Zoetrope")).positive
    assert zero[0].text == "camera at f 10 size 720"
    number = prompt_plan(fizz(texts["expression_int"], read_as="Zoetrope")).positive
    assert (number[0].text, number[0].next_text) == ("fox number 0", "bird number 16")


@pytest.mark.parametrize("case", cases(FIZZ["values"], but={"first_late", "function_two_arguments"}))
def test_values_are_those_of_fizznodes(case):
    settings = ValueSettings(case["text"], case["max_frames"], read_as=FIZZNODES)
    assert schedule_values(settings) == pytest.approx(case["values"], abs=1e-6)


def test_values_that_fizznodes_cannot_read():
    def values(name):
        return schedule_values(ValueSettings(FIZZ["values"][name]["text"], 16))

    assert all("error" in FIZZ["values"][name]["values"] for name in ("first_late", "function_two_arguments"))
    assert values("first_late")[:7] == [1, 1, 1, 1, 1, 1.25, 1.5]
    assert values("function_two_arguments") == [0.0] * 9 + [1.0] * 7
    assert values("past_end")[:3] == [0, 0.125, 0.25]  # FizzNodes leaves the key out


FAULTY = {
    "unsorted",  # runs backwards from the key before in the text
    "max_f_key",  # refused
    "length_0",  # the length is that of the last key
    "values_replace",
    "values_replace_short",
}


@pytest.mark.parametrize("case", cases(EVOLVED_ONES["prompts"], but=FAULTY))
def test_prompts_are_those_of_animatediff_evolved(case):
    pre, app = (f"{case[name]}," * bool(case[name]) for name in ("prepend_text", "append_text"))
    texts = {"text": case["text"].replace('fox"', 'fox,"').replace('bird"', 'bird,"')} if pre else {}
    settings = {"text": case["text"], "pre_text": pre, "app_text": app.rstrip(","), **texts}
    plan = prompt_plan(PromptSettings(**settings, num_frames=case["max_length"], curve=EVOLVED))
    assert_told(plan.positive, case["encoded"])
    pooled = [mix.next_text if mix.pooled_weight else mix.text for mix in plan.positive]
    assert pooled == case["pooled_of"]
    assert {mix.pooled_weight for mix in plan.positive} <= {0.0, 1.0}


@pytest.mark.parametrize(
    "case", cases(EVOLVED_ONES["values"], but={"numbers", "length_0", "expression", "unsorted"})
)
def test_values_are_those_of_animatediff_evolved(case):
    settings = ValueSettings(case["text"], case["max_length"])
    assert schedule_values(settings) == pytest.approx(case["values"], abs=1e-6)
