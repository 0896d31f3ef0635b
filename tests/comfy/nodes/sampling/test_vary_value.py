"""Vary Value and Vary Value by Block as ComfyUI calls them, and what they do to a run over HTTP."""

import pytest
import torch
from zoetrope.nodes.sampling.vary_value import VaryValue
from zoetrope.nodes.sampling.vary_value_by_block import VaryValueByBlock
from zoetrope.tests.comfy.nodes.animatediff.test_motion_nodes import graph, latents_of

OTHERS = {"outside": [0.0], "start_percent": [0.0]}


def values_of(node, **inputs):
    return node.execute(**inputs).args[0]


def numbers(values, key=0):
    return values.keys[key].values.flatten().tolist()


@pytest.mark.parametrize("value", [[[0.5, 1.0]], [0.5, 1.0]], ids=["FLOATS", "a list of numbers"])
def test_a_list_of_numbers_comes_whole(value):
    assert numbers(values_of(VaryValue, value=value, **OTHERS)) == [0.5, 1.0]


def test_a_mask_and_values_before_it():
    before = values_of(VaryValue, value=[0.25], **OTHERS)
    mask = torch.tensor([[[0.0, 1.0]]])
    got = values_of(VaryValue, value=[2.0], outside=[0.5], start_percent=[0.4], mask=[mask], values=[before])
    assert [key.start_percent for key in got.keys] == [0.0, 0.4]
    assert numbers(got) == [0.25] and numbers(got, 1) == [0.5, 2.0]


def test_factors_of_groups_and_of_single_blocks():
    groups = {"down": 0.5, "mid": 1.0, "up": 1.0}
    got = values_of(VaryValueByBlock, **groups, blocks="down 0: 1, up 3.1: 0")
    assert dict(got.blocks) == {"down": 0.5, "down 0": 1.0, "up 3.1": 0.0}
    assert numbers(got) == [1.0]


@pytest.mark.parametrize(
    ("node", "inputs", "message"),
    [
        (VaryValue, {"value": [torch.nan], **OTHERS}, "value=nan must be a finite number"),
        (VaryValue, {"value": [[1.0, "x"]], **OTHERS}, "value must be a number, this is a str"),
        (VaryValue, {"value": [[]], **OTHERS}, "at least one number"),
        (VaryValue, {"value": [101.0], **OTHERS}, "value=101.0 must be 0 to 100; lower it"),
        (
            VaryValueByBlock,
            {"down": 1.0, "mid": 1.0, "up": 1.0, "blocks": "left: 1"},
            "'left: 1' must be a block",
        ),
    ],
)
def test_what_is_no_value_is_refused(node, inputs, message):
    with pytest.raises(ValueError, match=message):
        node.execute(**inputs)


def moving(text, **more):
    """A graph whose strength comes from numbers over frames, by way of both nodes."""
    nodes = graph(frames=5)
    (apply,) = [node for node in nodes.values() if node["class_type"] == "ZoetropeApplyMotionModule"]
    schedule = {
        "text": text,
        "num_frames": 5,
        "curve": "linear",
        "loop": False,
        "read_as": "Zoetrope",
        "frame": 0,
    }
    nodes["30"] = {"class_type": "ZoetropeScheduleValues", "inputs": schedule}
    vary = {"value": ["30", 0], "outside": 0.0, "start_percent": 0.0}
    nodes["31"] = {"class_type": "ZoetropeVaryValue", "inputs": vary}
    blocks = {"down": 1.0, "mid": 1.0, "up": 1.0, "blocks": "", "values": ["31", 0], **more}
    nodes["32"] = {"class_type": "ZoetropeVaryValueByBlock", "inputs": blocks}
    apply["inputs"]["strength"] = ["32", 0]
    return nodes, apply


def test_values_are_wired_in_place_of_the_number(comfy_server):
    nodes, _ = moving("0: (0.5)")
    got = latents_of(comfy_server, comfy_server.prompt(nodes))
    nodes, apply = moving("0: (0.5)")
    apply["inputs"]["strength"] = 0.5
    want = latents_of(comfy_server, comfy_server.prompt(nodes))
    assert (got - want).abs().max() < 1e-3
    nodes, _ = moving("0: (0), 4: (1)", up=0.5)
    assert (latents_of(comfy_server, comfy_server.prompt(nodes)) - want).abs().max() > 1e-2
