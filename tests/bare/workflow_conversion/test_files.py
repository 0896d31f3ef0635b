"""Files as they are found: what is kept, what is mended, what is refused with a sentence."""

import copy
import json
import random
import struct
import zlib

import pytest
from zoetrope.tests.conversion_nodes import load_nodes
from zoetrope.tests.ui_workflows import CHECKPOINT, LATENT, MODEL, by_type, node, sampler, source_of, workflow
from zoetrope.workflow_conversion.checks import faults
from zoetrope.workflow_conversion.convert import convert
from zoetrope.workflow_conversion.embedded import read_workflow

NODES = load_nodes()
OPTS = [("CONTEXT_OPTIONS", "CONTEXT_OPTIONS")]
GEN1 = {"model": ("MODEL", 1, 0), "context_options": ("CONTEXT_OPTIONS", 5, 0)}


def shared(**changes):
    nodes = {
        1: CHECKPOINT,
        2: node("ADE_AnimateDiffLoaderGen1", GEN1, MODEL, ["mm.ckpt", "autoselect"]),
        3: LATENT,
        4: sampler((2, 0), (3, 0)),
        5: node("ADE_LoopedUniformContextOptions", {}, OPTS, [16, 1, 4, False]),
    }
    return nodes | {int(name.strip("n")): entry for name, entry in changes.items()}


def whole(data, free=True):
    before = copy.deepcopy(data)
    made, report = convert(data, NODES)
    assert data == before and not report.trouble
    assert faults(made, NODES) == [] and convert(made, NODES)[0] == made and report.is_free == free
    return made


def test_nodes_that_nothing_was_done_to_are_as_they_were():
    old = workflow(shared(n6=node("日本語 é <x>", {}, [], [1e-7, 10**18, None, {"a": [1.0]}], title="→")))
    made = whole(old)
    kept = {raw["id"]: raw for raw in made["nodes"]}
    for raw in old["nodes"]:
        if raw["type"] in ("CheckpointLoaderSimple", "EmptyLatentImage", "日本語 é <x>"):
            stripped = [{k: v for k, v in r.items() if k != "outputs"} for r in (raw, kept[raw["id"]])]
            assert json.dumps(stripped[0]) == json.dumps(stripped[1])


def test_a_file_without_such_nodes_is_the_same_object():
    old = workflow({1: CHECKPOINT, 3: LATENT, 4: sampler((1, 0), (3, 0))})
    made, report = convert(old, NODES)
    assert made is old and not report.remarks


def test_new_numbers_are_behind_all_others_and_the_counters_know_them():
    made = whole(workflow(shared(), last_node_id=77, last_link_id=99))
    new = [raw["id"] for raw in made["nodes"] if raw["type"].startswith("Zoetrope")]
    assert sorted(new) == [2, *sorted(n for n in new if n > 77)] and made["last_node_id"] >= max(new)
    assert max(link[0] for link in made["links"]) == made["last_link_id"] > 99


def test_reroutes_and_set_nodes_are_looked_through_and_go_with_what_they_carry():
    middle = {
        2: node("ADE_AnimateDiffLoaderGen1", GEN1 | {"context_options": ("CONTEXT_OPTIONS", 8, 0)}, MODEL,
                ["mm.ckpt", "autoselect"]),
        6: node("Reroute", {"": ("*", 5, 0)}, [("", "CONTEXT_OPTIONS")]),
        7: node("SetNode", {"CONTEXT_OPTIONS": ("CONTEXT_OPTIONS", 6, 0)}, [("*", "*")], ["windows"]),
        8: node("GetNode", {}, OPTS, ["windows"]),
        9: node("Reroute", {"": ("*", 2, 0)}, [("", "MODEL")]),
        4: sampler((9, 0), (3, 0)),
    }  # fmt: skip
    made = whole(workflow(shared() | middle))
    assert [raw["type"] for raw in made["nodes"] if raw["type"] in ("SetNode", "GetNode")] == []
    assert len(by_type(made, "Reroute")) == 1
    assert source_of(made, by_type(made, "Reroute")[0], "") == ("ZoetropeApplyContextWindows", 0)


def test_bypassed_options_count_for_nothing_and_a_bypassed_loader_stays_bypassed():
    made = whole(
        workflow(shared(n5=node("ADE_LoopedUniformContextOptions", {}, OPTS, [16, 1, 4, False], mode=4)))
    )
    assert not by_type(made, "ZoetropeApplyContextWindows")
    old = workflow(shared())
    old["nodes"][1]["mode"] = 4
    made = whole(old)
    assert {raw["mode"] for raw in made["nodes"] if raw["type"].startswith("Zoetrope")} == {4}


def test_muted_nodes_are_converted_and_stay_muted():
    old = workflow(shared())
    for raw in old["nodes"]:
        raw["mode"] = 2
    made = whole(old)
    assert {raw["mode"] for raw in made["nodes"]} == {2}


def test_links_that_lead_nowhere_are_dropped():
    old = workflow(shared())
    old["links"] += [
        [50, 99, 0, 4, 0, "MODEL"],
        [51, 1, 7, 4, 1, "X"],
        ["x"],
        None,
        [52, 1, 0, 88, 0, "MODEL"],
    ]
    old["nodes"][0]["outputs"][0]["links"] += [50, 77]
    old["nodes"][3]["inputs"][1]["link"] = 12345
    made = whole(old)
    assert {link[0] for link in made["links"]} & {50, 51, 52} == set()


def test_circles_are_refused_or_left_with_a_sentence():
    again = node(
        "ADE_LoopedUniformContextOptions",
        {"prev_context": ("CONTEXT_OPTIONS", 5, 0)},
        OPTS,
        [16, 1, 4, False],
    )
    made, report = convert(workflow(shared(n5=again)), NODES)
    assert not report.trouble and "circle" in report.remarks[0].text
    values = ["mm.ckpt", "autoselect"]
    loop = {2: node("ADE_AnimateDiffLoaderGen1", {"model": ("MODEL", 4, 0)}, MODEL, values),
            4: node("Reroute", {"": ("*", 4, 0)}, [("", "MODEL")])}  # fmt: skip
    made, report = convert(workflow({1: CHECKPOINT} | loop), NODES)
    assert not report.trouble and faults(made, NODES) == []


def test_a_sub_graph_is_converted_inside_and_its_boundary_holds():
    inner = workflow({n: e for n, e in shared().items() if n in (2, 5)})
    links = [{"id": n, "origin_id": o, "origin_slot": os, "target_id": t, "target_slot": ts, "type": k}
             for n, o, os, t, ts, k in inner["links"] if o == 5]  # fmt: skip
    links += [
        {"id": 11, "origin_id": -10, "origin_slot": 0, "target_id": 2, "target_slot": 0, "type": "MODEL"},
        {"id": 12, "origin_id": 2, "origin_slot": 0, "target_id": -20, "target_slot": 0, "type": "MODEL"},
    ]
    inner["nodes"][0]["inputs"][0]["link"], inner["nodes"][0]["outputs"][0]["links"] = 11, [12]
    ends = {"inputNode": {"id": -10}, "outputNode": {"id": -20},
            "inputs": [{"id": "a", "name": "model", "type": "MODEL", "linkIds": [11]}],
            "outputs": [{"id": "b", "name": "MODEL", "type": "MODEL", "linkIds": [12]}]}  # fmt: skip
    subgraph = {
        **inner,
        "id": "s",
        "name": "Mover",
        "links": links,
        "state": {"lastNodeId": 9, "lastLinkId": 12},
    } | ends
    around = {1: CHECKPOINT, 2: node("s", {"model": ("MODEL", 1, 0)}, MODEL), 3: LATENT}
    outer = workflow(around | {4: sampler((2, 0), (3, 0))}, definitions={"subgraphs": [subgraph]})
    made = whole(outer)
    (inside,) = made["definitions"]["subgraphs"]
    (apply,) = [raw for raw in inside["nodes"] if raw["type"] == "ZoetropeApplyMotionModule"]
    by_id = {link["id"]: link for link in inside["links"]}
    assert by_id[apply["inputs"][0]["link"]]["origin_id"] == -10
    assert [by_id[n]["origin_id"] for n in inside["outputs"][0]["linkIds"]] == [2]
    assert inside["state"]["lastNodeId"] == made["last_node_id"]


def test_nodes_inside_of_a_group_node_are_named_as_left():
    group = {"nodes": [{"type": "VHS_VideoCombine", "index": 0}], "links": [], "external": []}
    old = workflow({1: node("workflow>Saver", {}, [])}, extra={"groupNodes": {"Saver": group}})
    made, report = convert(old, NODES)
    assert made is old and report.remarks[0].grade == "left" and "group node" in report.remarks[0].text


@pytest.mark.parametrize(
    "data",
    [5, "text", [], {}, {"nodes": 3}, {"a": 1}, {"1": {"inputs": {}}}, {"nodes": [1]}, {"nodes": [{"id": 1}]},
     {"nodes": [{"id": True, "type": "a"}]}, {"nodes": [], "version": 3}, {"nodes": [], "version": "new"},
     {"nodes": [{"id": 1, "type": "a"}, {"id": 1, "type": "b"}]}],
    ids=json.dumps,
)  # fmt: skip
def test_what_is_no_workflow_gets_a_sentence_and_stays(data):
    made, report = convert(data, NODES)
    assert made is data and report.trouble.endswith(".")


def test_odd_keys_of_nodes_are_read_as_far_as_they_go():
    old = workflow(shared())
    for raw in old["nodes"]:
        raw |= {"pos": {"0": 3, "1": float("nan")}, "size": None, "flags": 7, "title": 5, "properties": None}
    old["nodes"][0]["outputs"][1]["type"] = -1
    old["nodes"].append(
        {"id": 60, "type": "Later", "inputs": None, "outputs": "?", "mode": "on", "future": {}}
    )
    old["nodes"].append({"id": 61, "type": "VHS_VideoCombine", "inputs": [], "widgets_values": "?"})
    made, report = convert(old, NODES)
    assert by_type(made, "ZoetropeApplyMotionModule") and by_type(made, "Later") == [old["nodes"][-2]]
    assert [r.type for r in report.remarks if r.grade == "left"] == ["VHS_VideoCombine"]


def test_ten_thousand_nodes_and_a_long_row_of_reroutes():
    nodes = shared()
    for number in range(10, 5010):
        nodes[number] = node("Reroute", {"": ("*", number - 1 if number > 10 else 1, 0)}, [("", "MODEL")])
    for number in range(5010, 10010):
        nodes[number] = node("ADE_EmptyLatentImageLarge", {}, [("LATENT", "LATENT")], [64, 64, 2])
    nodes[2] = node(
        "ADE_AnimateDiffLoaderGen1", {"model": ("MODEL", 5009, 0)}, MODEL, ["mm.ckpt", "autoselect"]
    )
    made, report = convert(workflow(nodes), NODES)
    assert report.is_free and len(by_type(made, "EmptyLatentImage")) == 5001


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(*chunks):
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", bytes(13)) + b"".join(chunks) + chunk(b"IEND", b"")


TEXT = json.dumps(workflow({1: CHECKPOINT}), ensure_ascii=False)
PACKED = zlib.compress(TEXT.encode())
PROMPT = json.dumps({"1": {"class_type": "X", "inputs": {}}})


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode(),
        b"\xef\xbb\xbf" + TEXT.encode(),
        png(chunk(b"tEXt", b"prompt\0" + PROMPT.encode()), chunk(b"tEXt", b"workflow\0" + TEXT.encode())),
        png(chunk(b"iTXt", b"workflow\0\1\0\0\0" + PACKED)),
        png(chunk(b"zTXt", b"prompt\0\0garbage"), chunk(b"zTXt", b"workflow\0\0" + PACKED)),
        b"RIFF....WEBPVP8 EXIF\0\0prompt:" + PROMPT.encode() + b"\0workflow:" + TEXT.encode() + b"\0more",
        b"....ftypisom\0\0" + json.dumps({"prompt": PROMPT, "workflow": TEXT}).encode() + b"\0\0mdat",
    ],
    ids=["json", "json with a mark", "png", "png, packed", "png, one broken", "webp", "mp4"],
)  # fmt: skip
def test_a_workflow_is_found_in_images_and_videos(content):
    assert read_workflow(content) == json.loads(TEXT)


@pytest.mark.parametrize(
    "content",
    [b"", b"  ", b"{", b"[1,", b"\x00\x01", b"{\xff}", png(), png(chunk(b"tEXt", b"workflow\0{broken")),
     png(chunk(b"tEXt", b"workflow\0" + b"[" * 100000)),
     b"RIFFxxxxWEBP workflow:{\"nodes\": [", b"{" * 100000],
    ids=range(11),
)  # fmt: skip
def test_a_file_without_one_is_refused_with_a_sentence(content):
    with pytest.raises(ValueError, match=r"^a é\.png .*\.$"):
        read_workflow(content, "a é.png")


JUNK = [None, True, -1, 3.5, "", "x", [], {}, [1], {"a": 1}, 10**20, ["1", 0], [1, 2, 3, 4, 5, 6]]


def places_in(data, path=()):
    """The path of every value inside of parsed JSON."""
    pairs = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in list(pairs):
        yield (*path, key)
        yield from places_in(value, (*path, key))


def test_no_single_wrong_value_in_a_file_ends_in_anything_but_a_report():
    combine = node("VHS_VideoCombine", {"images": ("IMAGE", 1, 0)}, [], {"frame_rate": 8, "loop_count": 0})
    old = workflow(shared(n6=combine), extra={"groupNodes": {"a": {"nodes": [{"type": "VHS_VideoCombine"}]}}})
    for number, path in enumerate(places_in(old)):
        data = copy.deepcopy(old)
        inner = data
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = JUNK[number % len(JUNK)]
        made, report = convert(data, NODES)
        assert report.trouble or isinstance(faults(made, NODES), list)


def damaged(data, chance):
    """A copy in which some keys are gone, some values are others, and some entries are there twice."""
    data = copy.deepcopy(data)
    for _ in range(chance.choice((1, 2, 5))):
        holders = [(data, key) for key in data]
        for holder, key in holders:
            inner = holder[key]
            if isinstance(inner, (dict, list)):
                holders += [(inner, k) for k in (inner if isinstance(inner, dict) else range(len(inner)))]
        holder, key = chance.choice(holders)
        way = chance.random()
        if way < 0.4:
            del holder[key]
        elif way < 0.7:
            holder[key] = copy.deepcopy(chance.choice([*JUNK, float("inf"), float("nan")]))
        elif isinstance(holder, list):
            holder.append(copy.deepcopy(holder[key]))
        else:
            other, its_key = chance.choice(holders)
            if isinstance(other, dict) and its_key in other:
                holder[key] = copy.deepcopy(other[its_key])
    return data


def in_prompt_form(data):
    """The same graph as a prompt, values under made-up names."""
    links = {link[0]: [str(link[1]), link[2]] for link in data["links"]}
    return {
        str(raw["id"]): {
            "class_type": raw["type"],
            "inputs": {entry["name"]: links[entry["link"]] for entry in raw["inputs"] if entry["link"]}
            | dict(raw["widgets_values"] if isinstance(raw["widgets_values"], dict) else {}),
        }
        for raw in data["nodes"]
    }


@pytest.mark.parametrize("form", ["editor", "prompt"])
def test_damaged_files_become_whole_graphs_or_a_sentence(form):
    """No crash, no new fault, and twice is once, whatever is broken; a seed of 300 files each."""
    wires = {"images": ("IMAGE", 7, 0), "frame_rate": ("INT", 9, 0, "widget")}
    video = [("IMAGE", "IMAGE"), ("frame_count", "INT"), ("audio", "AUDIO"), ("video_info", "VHS_VIDEOINFO")]
    old = workflow(
        shared(
            n6=node("VHS_VideoCombine", wires, [], {"frame_rate": 8, "format": "video/h264-mp4"}),
            n7=node("VHS_LoadVideo", {}, video, {"video": "a.mp4", "force_rate": 0}),
            n8=node("Reroute", {"": ("*", 7, 0)}, [("", "IMAGE")]),
            n9=node("PrimitiveNode", {}, [("INT", "INT")], [8, "fixed"]),
            n10=node("PreviewImage", {"images": ("IMAGE", 8, 0)}),
        )
    )
    old = in_prompt_form(old) if form == "prompt" else old
    chance, changed = random.Random(19), 0
    for _ in range(300):
        data = damaged(old, chance)
        before = repr(data)
        made, report = convert(data, NODES)
        assert repr(data) == before
        if report.changed:
            changed += 1
            had = faults(data, NODES)
            new = [f for f in faults(made, NODES) if f not in had and not f.endswith("is open")]
            assert not new, before
            assert repr(convert(made, NODES)[0]) == repr(made), before
    assert changed > 100
