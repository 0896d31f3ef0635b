"""docs/from_animatediff_evolved.md: each node of another pack stands in it once, beside one that exists."""

import json
import re

import pytest

from ..places import ROOT

PAGE = ROOT / "docs" / "from_animatediff_evolved.md"
OURS = re.compile(r"\[([^\]]+)\]\(\.\./web/docs/(\w+)/en\.md\)")
NAMES = {
    node: texts["display_name"]
    for node, texts in json.loads((ROOT / "locales" / "en" / "nodeDefs.json").read_text("utf8")).items()
}


def rows():
    """(names of the other pack, what is here, verdict) of every row of the tables."""
    lines = [line for line in PAGE.read_text(encoding="utf8").splitlines() if line.startswith("|")]
    cells = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines]
    return [row for row in cells if row[0] != "node" and set(row[0]) != {"-"}]


ROWS = rows()
every_row = pytest.mark.parametrize(("theirs", "here", "verdict"), ROWS, ids=[row[0][:40] for row in ROWS])


@every_row
def test_nodes_of_ours_exist_under_the_name_that_the_row_gives(theirs, here, verdict):
    found = OURS.findall(here)
    assert found == [(NAMES[node], node) for _, node in found]
    assert found or here == "not here" or here.startswith("core")


@every_row
def test_a_row_says_how_equal_its_nodes_are(theirs, here, verdict):
    assert verdict or here == "not here"


def test_no_node_stands_in_two_rows():
    names = [name.strip() for theirs, _, _ in ROWS for name in theirs.split(",")]
    assert len(names) > 150
    assert sorted(names) == sorted(set(names))


def test_the_list_of_replacements_and_the_page_agree():
    """Where ComfyUI offers to replace a node by one of ours, the page names that one."""
    source = (ROOT / "workflow_conversion" / "rules" / "plain.py").read_text(encoding="utf8")
    offered = re.findall(r'"(ADE_\w+)",\s*"(Zoetrope\w+)"', source)
    assert offered
    for old, new in offered:
        (here,) = [here for theirs, here, _ in ROWS if old in re.split(r",\s*", theirs)]
        assert new in [node for _, node in OURS.findall(here)]
