"""Adjust Position Table, Adjust Weights and Windows inside Layers in a running ComfyUI."""

import pytest
from zoetrope.devtools.server import ComfyError
from zoetrope.tests.comfy.nodes.animatediff.test_motion_nodes import graph, latents_of

ROWS = {"stretch": 0, "offset_before": 0, "cap": 0, "length": 0, "offset_after": 0}
VIEWS = {"view_schedule": "standard_static", "view_stride": 1, "closed_loop": False, "fuse_method": "pyramid"}


def with_changes(frames=5, rows=None, weights=None, views=None):
    """Text to video by the demo family, with these nodes between where settings of them are given."""
    nodes = graph(frames=frames)
    if rows is not None:
        module = {"motion_module": nodes["4"]["inputs"]["motion_module"], **ROWS, **rows}
        nodes["30"] = {"class_type": "ZoetropeAdjustPositionTable", "inputs": module}
        nodes["4"]["inputs"]["motion_module"] = ["30", 0]
        nodes["31"] = {"class_type": "PreviewImage", "inputs": {"images": ["30", 1]}}
    if weights is not None:
        module = {"motion_module": nodes["4"]["inputs"]["motion_module"], **weights}
        nodes["32"] = {"class_type": "ZoetropeAdjustWeights", "inputs": module}
        nodes["4"]["inputs"]["motion_module"] = ["32", 0]
    if views is not None:
        nodes["33"] = {
            "class_type": "ZoetropeApplyLayerViews",
            "inputs": {"model": ["4", 0], **VIEWS, **views},
        }
        (sampler,) = [node for node in nodes.values() if node["class_type"] == "KSampler"]
        sampler["inputs"]["model"] = ["33", 0]
    return nodes


def result(server, **changes):
    return latents_of(server, server.prompt(with_changes(**changes)))


def test_each_node_changes_the_video_and_its_defaults_do_not(comfy_server):
    plain = result(comfy_server)
    same = {"weights": {"group": "all", "multiply": 1.0, "add": 0.0}, "rows": {}}
    assert (
        result(comfy_server, **same, views={"view_length": 5, "view_overlap": 0}) - plain
    ).abs().max() == 0
    for change in (
        {"rows": {"cap": 4, "length": 9}},
        {"weights": {"group": "attention", "multiply": 1.5, "add": 0.0}},
        {"views": {"view_length": 3, "view_overlap": 1}},
    ):
        assert (result(comfy_server, **change) - plain).abs().max() > 1e-2, change


def test_a_video_longer_than_the_table_runs_both_ways(comfy_server):
    with pytest.raises(ComfyError, match="37 frames are more than the 32"):
        result(comfy_server, frames=37)
    assert len(result(comfy_server, frames=37, rows={"stretch": 5})) == 37
    assert len(result(comfy_server, frames=37, views={"view_length": 16, "view_overlap": 4})) == 37


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rows": {"offset_before": 40}}, "offset_before=40 must be smaller than the 32 rows"),
        (
            {"views": {"view_length": 4, "view_overlap": 4}},
            "view_overlap=4 must be smaller than view_length=4",
        ),
    ],
)
def test_bad_settings_fail_in_the_node(comfy_server, changes, words):
    with pytest.raises(ComfyError, match=words):
        result(comfy_server, **changes)
