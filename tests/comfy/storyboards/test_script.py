"""Scripts as people and language models write them, and what is said of those that cannot be read."""

import json

import pytest
from zoetrope.storyboards.scenes import Scene, Transition
from zoetrope.storyboards.script import read_script

WRITTEN = """\
style: watercolour
negative: blurry
fps: 10
scenes:
  - prompt: a red ball on the grass
    duration: 2 s
    camera: zoom in 0.5
    transition: fade 0.5 s
  - prompt: "a blue ball: round"
    negative: red
    duration: 16 frames
    start picture: 1
"""
SCENES = (
    Scene("watercolour, a red ball on the grass", 20, "blurry", "zoom in", 0.5, Transition("fade", 5)),
    Scene("watercolour, a blue ball: round", 16, "blurry, red", picture=1),
)


def test_a_script_is_read():
    board = read_script(WRITTEN)
    assert board.scenes == SCENES and board.fps == 10 and board.remarks == ()


def test_json_and_short_forms_are_read():
    short = '{"style": "watercolour", "negative": "blurry", "fps": 10, "scenes": [' + ", ".join(
        json.dumps(scene)
        for scene in (
            {"prompt": "a red ball on the grass", "duration": "2 s", "camera": "zoom in 0.5",
             "transition": "fade 0.5 s"},
            {"prompt": "a blue ball: round", "negative": "red", "duration": "16 frames", "start picture": 1},
        )
    ) + "]}"  # fmt: skip
    assert read_script(short).scenes == SCENES
    assert read_script("- a cat\n- a dog\n").scenes == (Scene("a cat", 16), Scene("a dog", 16))
    assert read_script("- prompt: a cat\n  duration: 3\n", fps=4).scenes == (Scene("a cat", 12),)


CHAT = f"Sure! Here is your storyboard:\n\n```yaml\n{WRITTEN}```\n\nLet me know if you want changes!"
BROKEN = {
    "a code fence and talk": (CHAT, ["talk around the script is left out"]),
    "talk without a fence": (
        f"Here is the script: enjoy.\n\n{WRITTEN}\nI hope you like it!\n",
        ["talk around the script is left out"],
    ),
    "thoughts": (f"<think>\nscenes: maybe two?\n</think>\n{WRITTEN}", ["thoughts are left out"]),
    "a colon in a value": (
        WRITTEN.replace('"a blue ball: round"', "a blue ball: round"),
        ["values with signs of their own are in quotes"],
    ),
    "typographic quotes": (
        WRITTEN.replace('"a blue ball: round"', "“a blue ball: round”"),
        ["typographic quotes became plain"],
    ),
    "bullets": (WRITTEN.replace("- prompt", "* prompt"), ["bullets became -"]),
    "tabs": (WRITTEN.replace("    ", "\t\t").replace("  - ", "\t- "), ["tabs became blanks"]),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_language_models_break_is_mended_and_said(kind):
    text, remarks = BROKEN[kind]
    board = read_script(text)
    assert board.scenes == SCENES and list(board.remarks) == remarks


def test_brackets_of_a_prompt_stay():
    board = read_script("scenes:\n- prompt: [soft], (a ball:1.2)\n- prompt: (a dog:0.8)\n")
    assert [scene.prompt for scene in board.scenes] == ["[soft], (a ball:1.2)", "(a dog:0.8)"]


def test_json_that_ends_early_keeps_its_whole_scenes():
    whole = json.dumps(
        {"scenes": [{"prompt": "a {cat]"}, {"prompt": "a dog"}, {"prompt": "a horse"}]}, indent=1
    )
    board = read_script("Of course:\n" + whole[: whole.index("horse")])
    assert [scene.prompt for scene in board.scenes] == ["a {cat]", "a dog"]
    assert "the text ended early; what was not complete is left out" in board.remarks


def test_what_models_add_is_left_out_or_goes_into_the_prompt():
    text = "title: Balls\nscenes:\n- id: 1\n  description: a ball\n  camera: close-up\n  transition: fade\n"
    board = read_script(text)
    assert board.scenes == (Scene("a ball, close-up", 16),)
    assert board.remarks == (
        "line 1: 'title' is left out",
        "line 3: 'id' is left out",
        "line 5: the camera 'close-up' is no move, it stands in the prompt",
        "the fade behind the last scene is left out",
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "line 1, column 1: found no list of scenes"),
        ("once upon a time", "line 1, column 1: found no list of scenes"),
        ("scenes:\n", "line 1, column 8: 'scenes' must be a list"),
        ("style: a\n", "line 1, column 1: 'scenes' must be a list"),
        ("scenes:\n- camera: hold\n", "line 2, column 3: this scene has no prompt"),
        ("scenes:\n- prompt: a\n  colour: red\n", "line 3, column 3: 'colour' is not known; choose one of p"),
        ("scenes:\n- prompt: a\n  prompt: b\n", "line 3, column 3: 'prompt' is there twice"),
        ("scenes:\n- prompt: a\n  duration: long\n", "line 3, column 13: duration='long' is not understood"),
        ("scenes:\n- prompt: a\n  duration: 0 s\n", "line 3, column 13: duration='0 s' is not understood"),
        ("scenes:\n- prompt: a\n  camera: zom in\n", "line 3, column 11: camera='zom in' .* mean zoom in"),
        ("scenes:\n- prompt: a\n  transition: wipe\n", "line 3, column 15: transition='wipe' is not"),
        ("scenes:\n- prompt: a\n  start picture: 0\n", "line 3, column 18: start picture='0' must be"),
        ("scenes: [{prompt: [a]}]", "line 1, column 19: 'prompt' must be a text"),
        ("scenes:\n- prompt: a\n   camera: hold\n", "line 3, column 10: mapping values are not allowed here"),
        ("fps: nan\nscenes: [a]\n", "line 1, column 6: fps='nan' must be a number from 0.1 to 240"),
        (
            "scenes:\n- prompt: a\n  duration: 2 frames\n  transition: fade 3 frames\n- b\n",
            "line 2, column 3: scene 1: a fade of 3 frames is longer",
        ),
        ("scenes: [" + "[" * 5000, "line 1, column 1: this is no readable text"),
        ("scenes: [a\x00]", "line 1, column 11: this is no readable text"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_its_place(text, told):
    with pytest.raises(ValueError, match=f"^script, {told}"):
        read_script(text)


def test_a_text_of_a_million_letters_is_refused():
    with pytest.raises(ValueError, match="script has 1000001 characters"):
        read_script("a" * 1_000_001)


def test_foreign_words_in_messages_are_printable():
    with pytest.raises(ValueError) as refused:
        read_script('scenes:\n- "pro\\u001bmpt": a\n')
    assert refused.value.args[0].isprintable()
