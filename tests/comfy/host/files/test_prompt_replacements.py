"""Prompts written by hand with nodes of packs that are not installed run or are refused with a sentence."""

import copy
import json
import urllib.error

import pytest
from zoetrope.host.files.node_replacements import REPLACEMENTS
from zoetrope.host.files.prompt_replacements import exchange_nodes

OURS = {replacement.new for replacement in REPLACEMENTS}
SOURCE = {"class_type": "EmptyLatentImage", "inputs": {"width": 56, "height": 40, "batch_size": 5}}


def node(kind, **inputs):
    """Without `_meta`, as scripts write it."""
    return {"class_type": kind, "inputs": inputs}


def shown(link):
    return node("PreviewAny", source=link)


def answer(server, prompt):
    """Returns the status and the decoded body of POST /prompt; what was accepted is run to its end."""
    try:
        server.request("/prompt", {"prompt": prompt})
    except urllib.error.HTTPError as error:
        said = error.read().decode()
        return error.code, json.loads(said) if error.code == 400 else said
    return 200, server.prompt(prompt)["outputs"]


@pytest.fixture(scope="module")
def object_info(comfy_server):
    return comfy_server.object_info()


def test_a_prompt_without_meta_runs(comfy_server):
    repeat = node("VHS_DuplicateLatents", latents=["1", 0], multiply_by=3)
    prompt = {"1": SOURCE, "2": repeat, "3": shown(["2", 1])}
    status, outputs = answer(comfy_server, prompt)
    assert status == 200 and outputs["3"]["text"] == ["15"]


def test_split_frames_whose_outputs_have_other_numbers_lead_to_nodes_that_are_exchanged_too(comfy_server):
    """Seven frames cut at the second: three times the second part are 15."""
    prompt = {
        "1": node("EmptyLatentImage", width=56, height=40, batch_size=7),
        "2": node("VHS_SplitLatents", latents=["1", 0], split_index=2),
        "3": node("VHS_DuplicateLatents", latents=["2", 2], multiply_by=3),
        "4": node("VHS_MergeLatents", latents_A=["2", 0], latents_B=["3", 0]),
        "a": shown(["2", 1]), "b": shown(["2", 3]), "c": shown(["3", 1]), "d": shown(["4", 1]),
    }  # fmt: skip
    status, outputs = answer(comfy_server, prompt)
    assert status == 200
    assert {name: outputs[name]["text"][0] for name in "abcd"} == {"a": "2", "b": "5", "c": "15", "d": "17"}


@pytest.mark.parametrize("meta", [None, "text", {}, {"title": "mine"}], ids=str)
@pytest.mark.parametrize("replacement", REPLACEMENTS, ids=lambda replacement: replacement.old)
def test_a_node_without_inputs_is_refused_by_their_names(replacement, meta, comfy_server, object_info):
    prompt = {"1": {**node(replacement.old), "_meta": meta}, "2": shown(["1", 0])}
    status, said = answer(comfy_server, prompt)
    assert status == 400
    errors = said["node_errors"]["1"]["errors"]
    assert {error["type"] for error in errors} == {"required_input_missing"}
    lacking = set(object_info[replacement.new]["input"]["required"]) - set(replacement.values)
    assert {error["extra_info"]["input_name"] for error in errors} == lacking


def test_our_own_nodes_without_inputs_are_refused_by_their_names(comfy_server, object_info):
    """Also those that look for their file before a prompt is accepted."""
    asking = [kind for kind, told in object_info.items() if told["input"].get("required")]
    ours = [kind for kind in asking if kind.startswith("Zoetrope")]
    assert len(ours) > 40
    for kind in ours:
        status, said = answer(comfy_server, {"1": node(kind), "2": shown(["1", 0])})
        assert status == 400
        types = {error["type"] for error in said["node_errors"]["1"]["errors"]}
        assert types == {"required_input_missing"}, f"{kind}: {said}"


BROKEN = {
    "no inputs": {"class_type": "VHS_GetLatentCount"},
    "inputs are null": {"class_type": "VHS_GetLatentCount", "inputs": None, "_meta": None},
    "inputs are a list": {"class_type": "VHS_GetLatentCount", "inputs": [["1", 0]]},
    "a link to nothing": node("VHS_GetLatentCount", latents=["9", 0]),
    "a link by a number": node("VHS_GetLatentCount", latents=[1, 0]),
    "a link without an output": node("VHS_GetLatentCount", latents=["1"]),
    "a link to an output that there is not": node("VHS_GetLatentCount", latents=["1", 17]),
    "a link of lists": node("VHS_GetLatentCount", latents=[["1"], [0]]),
    "a value for a link": node("VHS_DuplicateLatents", latents=["1", 0], multiply_by=["1", 0]),
    "text for a number": node("VHS_DuplicateLatents", latents=["1", 0], multiply_by="three"),
    "a type that is a list": {"class_type": ["VHS_GetLatentCount"], "inputs": {}},
}


def test_a_broken_node_of_the_list_gets_a_clean_answer(comfy_server):
    """The last one stops ComfyUI itself, with or without our list."""
    statuses = {}
    for name, broken in BROKEN.items():
        prompt = {"1": SOURCE, "2": broken, "3": shown(["2", 0])}
        statuses[name], said = answer(comfy_server, prompt)
        if statuses[name] == 400:
            assert said["error"]["message"]
    assert statuses.pop("a type that is a list") == 500
    assert statuses == dict.fromkeys(statuses, 400)


def test_a_node_without_a_type_beside_one_of_the_list_is_named(comfy_server):
    count = node("VHS_GetLatentCount", latents=["1", 0])
    prompt = {"1": SOURCE, "2": count, "3": shown(["2", 0]), "4": {"inputs": {}}}
    status, said = answer(comfy_server, prompt)
    assert status == 400 and "#4" in said["error"]["message"]


STRANGERS = {
    "core's nodes": {"1": SOURCE, "2": node("LatentFromBatch", samples=["1", 0], batch_index=0, length=1)},
    "a node that nobody knows": {"1": node("SomebodyElses", latents=["1", 0])},
    "no graph": {"1": 3, "2": "VHS_Split", "3": None, "4": ["VHS_Split"], "5": {}, "6": {"class_type": 6}},
    "an installed one of the list": {"1": node("VHS_GetLatentCount", latents=["2", 0])},
}


@pytest.mark.parametrize("name", STRANGERS)
def test_what_is_none_of_ours_stays_as_it_is(name):
    installed = OURS | ({"VHS_GetLatentCount"} if "installed" in name else set())
    prompt = copy.deepcopy(STRANGERS[name])
    parts = {number: id(part) for number, part in prompt.items()}
    exchange_nodes(prompt, installed)
    assert prompt == STRANGERS[name]
    assert {number: id(part) for number, part in prompt.items()} == parts


def test_a_node_stays_where_its_replacement_is_not_installed():
    prompt = {"1": node("VHS_GetLatentCount", latents=["2", 0])}
    exchange_nodes(prompt, set())
    assert prompt == {"1": node("VHS_GetLatentCount", latents=["2", 0])}


def test_only_links_to_exchanged_outputs_change():
    strange = {"links": [["1", 1], ["1", 1, 1], [1, 1], [["1"], 1], ["1", [1]], ["2", 1], {"1": 1}]}
    other = node("Other", **strange, a=["1", 1], b=["1", 2], c=["2", 1])
    prompt = {"1": node("VHS_SplitMasks", mask=["2", 0], split_index=3), "2": other}
    exchange_nodes(prompt, OURS)
    assert prompt == {
        "1": node("ZoetropeSplitFrames", frames=["2", 0], position=3),
        "2": node("Other", **strange, a=["1", 2], b=["1", 1], c=["2", 1]),
    }


@pytest.mark.parametrize("body", [[], "text", None, 5, {}, {"prompt": None}, {"prompt": []}], ids=json.dumps)
def test_the_handler_gives_back_whatever_it_was_given(body):
    from zoetrope.host.files.prompt_replacements import _on_prompt

    before = copy.deepcopy(body)
    assert _on_prompt(body) is body and body == before
