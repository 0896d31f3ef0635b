"""The pictures of README.md and docs/: what is drawn is in its place, layouts fit the demo's workflow."""

import itertools
import json

import pytest
import torch
from zoetrope.demo import screenshots, strip
from zoetrope.devtools.paths import DEMO_WORKFLOW

LAYOUTS = {"workflow": screenshots.WORKFLOW, "sampling": screenshots.SAMPLING}
TITLE_HEIGHT = 30  # units of a node's title, which lies above its place


def test_the_strip_has_a_column_for_each_prompt_and_a_row_for_each_model():
    moving, still = torch.rand(2, 2, 5, 3, 16, 16)
    out = strip.strip(("a red ball drifts right on a blue background", "a ring"), list(moving), list(still))
    height = 2 * (strip.LINE + strip.TITLE + strip.SIDE)
    assert out.shape == (5, height, 2 * strip.SIDE + strip.GAP + 1, 3)  # sides are even
    head = 2 * strip.LINE + strip.TITLE
    assert (out[:, :head] == out[:1, :head]).all() and out[0, :head].max() == 1
    for top, rows in ((head, moving), (head + strip.SIDE + strip.TITLE, still)):
        shown = out[:, top : top + strip.SIDE, : strip.SIDE].movedim(-1, 1)
        means = torch.nn.functional.adaptive_avg_pool2d(shown, 1).flatten(1)
        torch.testing.assert_close(means, rows[0].mean((2, 3)), atol=0.02, rtol=0)


def test_a_prompt_is_broken_between_words():
    bar = strip.prompt_bar("a yellow square grows on a black background")
    assert bar.shape == (2 * strip.LINE, strip.SIDE, 3)
    assert bar[: strip.LINE].max() == 1 and bar[strip.LINE :].max() == 1


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_a_layout_has_nodes_of_the_workflow_that_do_not_cover_each_other(layout):
    workflow = screenshots.laid_out(layout)
    assert {node["id"] for node in workflow["nodes"]} == set(layout)
    assert all({link[1], link[3]} <= set(layout) for link in workflow["links"])
    for (a, b, width, height), (x, y, w, h) in itertools.combinations(layout.values(), 2):
        beside = a + width <= x or x + w <= a
        assert beside or b + height + TITLE_HEIGHT <= y or y + h + TITLE_HEIGHT <= b


def test_the_workflow_is_whole():
    """All but the note."""
    workflow = json.loads(DEMO_WORKFLOW.read_text(encoding="utf8"))
    nodes = {node["id"] for node in workflow["nodes"] if node["type"] != "MarkdownNote"}
    assert nodes == set(screenshots.WORKFLOW)
    assert len(screenshots.laid_out(screenshots.WORKFLOW)["links"]) == len(workflow["links"])
