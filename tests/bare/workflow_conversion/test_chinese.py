"""What a conversion says is there in Chinese too."""

import ast
import re

import pytest
from zoetrope.tests.conversion_nodes import load_nodes
from zoetrope.tests.places import ROOT
from zoetrope.tests.ui_workflows import node, workflow
from zoetrope.workflow_conversion.chinese import SENTENCES, in_chinese
from zoetrope.workflow_conversion.convert import NO_GRAPH, convert
from zoetrope.workflow_conversion.rules.vhs_save import FORMATS

SAYING = {"Left", "say", "ask", "ValueError"}
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def template(tree):
    """A text with {} for what is filled in; None of anything else."""
    if isinstance(tree, ast.Constant) and isinstance(tree.value, str):
        return tree.value
    if isinstance(tree, ast.JoinedStr):
        return "".join(v.value if isinstance(v, ast.Constant) else "{}" for v in tree.values)
    return None


def sentences_of_the_source():
    for path in sorted((ROOT / "workflow_conversion").rglob("*.py")):
        if path.name == "embedded.py":  # of the command alone, which speaks English
            continue
        for call in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
            name = getattr(call, "func", None)
            if isinstance(call, ast.Call) and getattr(name, "id", getattr(name, "attr", "")) in SAYING:
                yield from filter(None, map(template, call.args))


def test_every_sentence_of_the_rules_is_translated():
    found = set(sentences_of_the_source())
    assert len(found) > 60
    known = (*SENTENCES, NO_GRAPH)
    assert sorted(found - set(known)) == []
    for why in {why for _, why in FORMATS.values() if why} | {NO_GRAPH}:
        assert CHINESE.search(in_chinese(why)), why


@pytest.mark.parametrize("english", SENTENCES)
def test_a_translation_has_the_names_of_its_sentence(english):
    """Each name once, whatever their order is."""
    count = english.count("{}")
    names = [f"<{number}>" for number in range(count)]
    told = in_chinese(english.format(*names))
    assert CHINESE.search(told) and all(told.count(name) == 1 for name in names)
    assert not re.search(r"[,;.]$", told)


def test_several_reasons_and_unknown_ones():
    both = "frames get their size by another filter; all frames come at once, not in batches; for long videos"
    told = in_chinese(f"{both} take Video to Latents")
    assert told == "各帧用另一种滤波器缩放；所有帧一次到达，不分批；长视频请用“视频转潜空间”"
    assert in_chinese("something else; nothing used it") == "something else; nothing used it"
    assert in_chinese("nothing is wired to model of a; b") == "a; b 的 model 没有连线"


def test_the_note_and_the_report_are_chinese():
    old = workflow(
        {1: node("ADE_Something", {}, []), 2: node("VHS_VAEDecodeBatched", {}, [], {"per_batch": 4})}
    )
    made, report = convert(old, load_nodes(), language="zh")
    (note,) = [raw for raw in made["nodes"] if raw["type"] == "Note"]
    assert note["widgets_values"][0].splitlines() == [
        "转换了 2 个节点中的 1 个；0 个有差异，1 个保留。",
        "- ADE_Something（1）保留：这里没有与之对应的功能。",
    ]
    assert report.as_json("zh")["remarks"][1]["sentence"] == "VHS_VAEDecodeBatched（2）变为 VAE Decode。"
    assert convert(made, load_nodes(), language="zh")[0] == made
