"""demo/workflow_api.py: a saved workflow becomes the graph that the front end would send."""

import pytest
from zoetrope.demo.workflow_api import to_api

INFO = {
    "Loader": {"input": {"required": {"file": [["a.safetensors", "b.safetensors"], {}]}}},
    "Sampler": {
        "input": {
            "required": {
                "model": ["MODEL", {}],
                "steps": ["INT", {"default": 20}],
                "seed": ["INT", {"default": 0, "control_after_generate": True}],
                "cfg": ["FLOAT", {"default": 8.0}],
            },
            "optional": {
                "note": ["STRING", {"default": "none"}],
                "mask": ["MASK", {}],
                "hook": ["FLOAT", {"forceInput": True}],
            },
        },
        "input_order": {"required": ["model", "seed", "steps", "cfg"], "optional": ["note", "mask", "hook"]},
    },
    "Patch": {
        "input": {
            "required": {
                "clip": ["CLIP", {}],
                "model": ["MODEL", {}],
                "strength": ["FLOAT", {"default": 1.0}],
            }
        }
    },
    "Vary": {
        "input": {
            "required": {
                "model": ["MODEL", {}],
                "strength": ["FLOAT,FRAME_VALUES", {"default": 1.0, "widgetType": "FLOAT"}],
                "frames": ["FLOAT,FRAME_VALUES", {}],
                "steps": ["INT", {"default": 20}],
            }
        }
    },
    "LoadPicture": {
        "input": {
            "required": {"image": [["x.png"], {"image_upload": True}]},
            "optional": {"fps": ["INT", {"default": 7}]},
        }
    },
    "Save": {
        "input": {
            "required": {
                "codec": [
                    "COMFY_DYNAMICCOMBO_V3",
                    {
                        "options": [
                            {"key": "auto", "inputs": {"required": {}}},
                            {
                                "key": "h264",
                                "inputs": {"required": {}, "optional": {"crf": ["INT", {"default": 23}]}},
                            },
                        ]
                    },
                ],
                "prefix": ["STRING", {"default": "video"}],
            }
        }
    },
}


def node(number, kind, values=(), inputs=(), outputs=(), **more):
    sockets = [{"name": name, "type": kind_, "link": link} for name, kind_, link in inputs]
    return {"id": number, "type": kind, "widgets_values": list(values), "inputs": sockets,
            "outputs": [{"type": kind_} for kind_ in outputs], **more}  # fmt: skip


def graph_of(nodes, links):
    return to_api({"nodes": nodes, "links": links}, INFO)


LOADER = node(1, "Loader", ["b.safetensors"], outputs=["MODEL"])
SAMPLER_VALUES = [41, "randomize", 5, 2.5, "words"]


def test_widget_values_follow_the_order_of_the_definition_and_skip_the_seed_control():
    graph = graph_of(
        [LOADER, node(2, "Sampler", SAMPLER_VALUES, [("model", "MODEL", 9)])], [[9, 1, 0, 2, 0, "MODEL"]]
    )
    assert graph["1"] == {
        "class_type": "Loader",
        "inputs": {"file": "b.safetensors"},
        "_meta": {"title": "Loader"},
    }
    assert graph["2"]["inputs"] == {"model": ["1", 0], "seed": 41, "steps": 5, "cfg": 2.5, "note": "words"}


def test_links_of_version_1_are_objects():
    link = {"id": 9, "origin_id": 1, "origin_slot": 3, "target_id": 2, "target_slot": 0, "type": "MODEL"}
    graph = graph_of([LOADER, node(2, "Sampler", SAMPLER_VALUES, [("model", "MODEL", 9)])], [link])
    assert graph["2"]["inputs"]["model"] == ["1", 3]


def test_an_input_of_several_types_is_a_widget_where_one_of_them_has_one():
    assert graph_of([node(5, "Vary", [0.5, 7])], [])["5"]["inputs"] == {"strength": 0.5, "steps": 7}


def test_widgets_without_a_saved_value_get_their_default():
    assert graph_of([node(1, "Sampler", [41])], [])["1"]["inputs"] == {
        "seed": 41,
        "steps": 20,
        "cfg": 8.0,
        "note": "none",
    }
    assert graph_of([node(1, "Loader")], [])["1"]["inputs"] == {"file": "a.safetensors"}


def test_a_bypassed_node_hands_on_the_input_of_the_same_type():
    patch = node(2, "Patch", [0.5], [("clip", "CLIP", 7), ("model", "MODEL", 8)], ["MODEL"], mode=4)
    sampler = node(3, "Sampler", SAMPLER_VALUES, [("model", "MODEL", 9)])
    graph = graph_of(
        [LOADER, patch, sampler],
        [[7, 1, 1, 2, 0, "CLIP"], [8, 1, 0, 2, 1, "MODEL"], [9, 2, 0, 3, 0, "MODEL"]],
    )
    assert set(graph) == {"1", "3"}
    assert graph["3"]["inputs"]["model"] == ["1", 0]


def test_a_muted_node_and_its_links_are_gone():
    sampler = node(3, "Sampler", SAMPLER_VALUES, [("model", "MODEL", 9)])
    graph = graph_of([{**LOADER, "mode": 2}, sampler], [[9, 1, 0, 3, 0, "MODEL"]])
    assert set(graph) == {"3"}
    assert "model" not in graph["3"]["inputs"]


def test_reroutes_primitives_and_notes_are_resolved_away():
    reroute = node(2, "Reroute", inputs=[("", "*", 8)], outputs=["MODEL"])
    primitive = node(4, "PrimitiveNode", [11, "fixed"], outputs=["INT"])
    sampler = node(3, "Sampler", SAMPLER_VALUES, [("model", "MODEL", 9), ("steps", "INT", 10)])
    links = [[8, 1, 0, 2, 0, "MODEL"], [9, 2, 0, 3, 0, "MODEL"], [10, 4, 0, 3, 1, "INT"]]
    graph = graph_of([LOADER, reroute, primitive, sampler, node(5, "MarkdownNote", ["text"])], links)
    assert set(graph) == {"1", "3"}
    assert graph["3"]["inputs"]["model"] == ["1", 0]
    assert graph["3"]["inputs"]["steps"] == 11


def test_upload_buttons_save_a_value_that_is_no_input():
    assert graph_of([node(1, "LoadPicture", ["y.png", "image", 5])], [])["1"]["inputs"] == {
        "image": "y.png",
        "fps": 5,
    }


def test_dynamic_combo_takes_the_values_of_its_choice():
    assert graph_of([node(1, "Save", ["auto", "v"])], [])["1"]["inputs"] == {"codec": "auto", "prefix": "v"}
    chosen = graph_of([node(1, "Save", ["h264", 19, "v"])], [])["1"]["inputs"]
    assert chosen == {"codec": "h264", "codec.crf": 19, "prefix": "v"}


def test_unknown_node_type():
    with pytest.raises(ValueError, match="node 6 has the type 'Foreign'"):
        graph_of([node(6, "Foreign")], [])


def test_values_that_fit_no_widget():
    with pytest.raises(ValueError, match=r"node 6 \(Loader\) has 1 widget values too many"):
        graph_of([node(6, "Loader", ["a.safetensors", 3])], [])


def in_a_subgraph(host_values=(), model_link=1, mode=0):
    """A loader, a node that is a subgraph of one sampler with two inputs (the model,
    the widget `cfg`), and a patch behind it.
    """
    sampler = node(7, "Sampler", SAMPLER_VALUES, [("model", "MODEL", 3), ("cfg", "FLOAT", 4)], ["MODEL"])
    links = [
        {"id": 3, "origin_id": -10, "origin_slot": 0, "target_id": 7, "target_slot": 0, "type": "MODEL"},
        {"id": 4, "origin_id": -10, "origin_slot": 1, "target_id": 7, "target_slot": 1, "type": "FLOAT"},
        {"id": 5, "origin_id": 7, "origin_slot": 0, "target_id": -20, "target_slot": 0, "type": "MODEL"},
    ]
    inputs = [
        {"name": "network", "type": "MODEL", "linkIds": [3]},
        {"name": "guidance", "type": "FLOAT", "linkIds": [4]},
    ]
    outputs = [{"name": "MODEL", "type": "MODEL", "linkIds": [5]}]
    stage = {"id": "stage", "nodes": [sampler], "links": links, "inputs": inputs, "outputs": outputs}
    host = node(
        2,
        "stage",
        host_values,
        [("network", "MODEL", model_link), ("guidance", "FLOAT", None)],
        ["MODEL"],
        mode=mode,
    )
    sampler["inputs"][1]["widget"] = {"name": "cfg"}
    patch = node(9, "Patch", [0.5], [("model", "MODEL", 2)], ["MODEL"])
    return {
        "nodes": [LOADER, host, patch], "links": [[1, 1, 0, 2, 0, "MODEL"], [2, 2, 0, 9, 0, "MODEL"]],
        "definitions": {"subgraphs": [stage]},
    }  # fmt: skip


def test_a_subgraph_is_opened():
    graph = to_api(in_a_subgraph(), INFO)
    assert set(graph) == {"1", "2:7", "9"}
    assert graph["2:7"]["inputs"] == {"model": ["1", 0], "seed": 41, "steps": 5, "cfg": 2.5, "note": "words"}
    assert graph["9"]["inputs"]["model"] == ["2:7", 0]


def test_a_value_on_the_node_of_a_subgraph_goes_before_the_one_inside():
    assert to_api(in_a_subgraph(host_values=[7.5]), INFO)["2:7"]["inputs"]["cfg"] == 7.5


def test_the_file_need_not_name_an_input_of_a_subgraph_that_shows_a_widget():
    workflow = in_a_subgraph(host_values=[7.5])
    workflow["nodes"][1]["inputs"].pop()
    assert to_api(workflow, INFO)["2:7"]["inputs"]["cfg"] == 7.5


def test_an_input_of_a_subgraph_that_nothing_is_wired_to_is_no_input_inside():
    assert "model" not in to_api(in_a_subgraph(model_link=None), INFO)["2:7"]["inputs"]


def test_a_subgraph_that_is_switched_off():
    muted = to_api(in_a_subgraph(mode=2), INFO)
    assert set(muted) == {"1", "9"} and "model" not in muted["9"]["inputs"]
    bypassed = to_api(in_a_subgraph(mode=4), INFO)
    assert set(bypassed) == {"1", "9"} and bypassed["9"]["inputs"]["model"] == ["1", 0]


def test_subgraphs_in_subgraphs():
    inner = in_a_subgraph()
    outer = {
        "id": "both",
        "nodes": inner["nodes"][1:],
        "inputs": [{"name": "model", "type": "MODEL", "linkIds": [1]}],
        "links": [
            {"id": 1, "origin_id": -10, "origin_slot": 0, "target_id": 2, "target_slot": 0, "type": "MODEL"},
            {"id": 2, "origin_id": 2, "origin_slot": 0, "target_id": 9, "target_slot": 0, "type": "MODEL"},
        ],
        "outputs": [],
    }
    host = node(5, "both", [], [("model", "MODEL", 1)])
    workflow = {"nodes": [LOADER, host], "links": [[1, 1, 0, 5, 0, "MODEL"]]}
    workflow["definitions"] = {"subgraphs": [outer, *inner["definitions"]["subgraphs"]]}
    graph = to_api(workflow, INFO)
    assert set(graph) == {"1", "5:2:7", "5:9"}
    assert graph["5:2:7"]["inputs"]["model"] == ["1", 0] and graph["5:9"]["inputs"]["model"] == ["5:2:7", 0]
