"""`dev.py convert`: what is written where, and what is said."""

import json

import pytest
from zoetrope.demo import convert_workflow
from zoetrope.devtools.ending import Stop
from zoetrope.tests.conversion_nodes import load_nodes
from zoetrope.tests.ui_workflows import node, workflow

COUNT = node("VHS_GetLatentCount", {"latents": ("LATENT", 1, 0)}, [("count", "INT")], {})
LATENT = node("ADE_EmptyLatentImageLarge", {}, [("LATENT", "LATENT")], [64, 64, 2])
OTHER = node("ADE_NoSuchNode", {}, [])


@pytest.fixture(autouse=True)
def recorded_nodes(monkeypatch):
    """What a ComfyUI said; a test of the comfy tier keeps it true."""
    monkeypatch.setattr(convert_workflow, "object_info", load_nodes)


def written(path, nodes, **dump):
    path.write_text(json.dumps(workflow(nodes), **dump), encoding="utf8")
    return path


def test_the_new_file_lies_beside_the_old_one_which_stays(tmp_path, capsys):
    old = written(tmp_path / "a é.json", {1: LATENT, 2: COUNT}, indent=2)
    before = old.read_bytes()
    for name in ("a é (Zoetrope).json", "a é (Zoetrope 2).json"):
        convert_workflow.convert_file(old)
        made = json.loads((tmp_path / name).read_text(encoding="utf8"))
        assert [raw["type"] for raw in made["nodes"]] == ["EmptyLatentImage", "ZoetropeCountFrames"]
    assert old.read_bytes() == before and len(list(tmp_path.iterdir())) == 3
    assert "Converted 2 of 2 nodes; 0 differ, 0 left." in capsys.readouterr().out


def test_a_report_names_each_node(tmp_path):
    old = written(tmp_path / "a.json", {1: LATENT, 2: OTHER})
    convert_workflow.convert_file(old, tmp_path / "b.json", tmp_path / "r.json")
    report = json.loads((tmp_path / "r.json").read_text(encoding="utf8"))
    assert (report["equal"], report["left"], report["free"]) == (1, 1, False)
    assert [entry["type"] for entry in report["remarks"]] == ["ADE_NoSuchNode", "ADE_EmptyLatentImageLarge"]


def test_a_file_without_such_nodes_is_written_only_where_that_is_asked_for_and_byte_for_byte(tmp_path):
    old = tmp_path / "a.json"
    old.write_bytes(b'{"nodes": [\n\t{"id":1,"type":"KSampler", "x": 1.50e0 }], "links":[ ] }\n')
    convert_workflow.convert_file(old)
    assert list(tmp_path.iterdir()) == [old]
    convert_workflow.convert_file(old, tmp_path / "b.json")
    assert (tmp_path / "b.json").read_bytes() == old.read_bytes()


def test_the_old_file_is_overwritten_where_o_names_it(tmp_path):
    old = written(tmp_path / "a.json", {1: LATENT})
    convert_workflow.convert_file(old, old)
    assert json.loads(old.read_text(encoding="utf8"))["nodes"][0]["type"] == "EmptyLatentImage"


@pytest.mark.parametrize(
    ("content", "told"), [(b"{", "is no JSON"), (b'{"a": 1}', "neither a workflow"), (b"", "empty")]
)
def test_what_is_no_workflow_is_refused_and_nothing_is_written(tmp_path, content, told):
    old = tmp_path / "a.json"
    old.write_bytes(content)
    with pytest.raises(Stop, match=told):
        convert_workflow.convert_file(old, tmp_path / "b.json")
    assert list(tmp_path.iterdir()) == [old]


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(Stop, match="cannot be read"):
        convert_workflow.convert_file(tmp_path / "none.json")
    old = written(tmp_path / "a.json", {1: LATENT})
    with pytest.raises(Stop, match="cannot be written"):
        convert_workflow.convert_file(old, tmp_path / "none" / "b.json")


@pytest.mark.parametrize("spread", [None, 2])
@pytest.mark.parametrize("is_ascii", [True, False])
def test_the_form_of_the_file_stays(tmp_path, spread, is_ascii):
    old = written(tmp_path / "a.json", {1: LATENT | {"title": "é"}}, indent=spread, ensure_ascii=is_ascii)
    convert_workflow.convert_file(old, tmp_path / "b.json")
    made = (tmp_path / "b.json").read_bytes()
    assert (b"\n" in made) == (spread is not None) and made.isascii() == is_ascii
