"""No name that a node takes leads out of ComfyUI's folders; no route of the pack serves files of users."""

import ast
from pathlib import Path

import folder_paths
import numpy as np
import pytest
from PIL import Image
from zoetrope.devtools.server import ComfyError
from zoetrope.host.files.output_names import next_name
from zoetrope.host.media.image_sources import missing_source_message
from zoetrope.tests.comfy.nodes.test_texts import SCHEMAS, schemas
from zoetrope.tests.comfy.nodes.video.test_video_nodes import DEFAULTS, NODE
from zoetrope.tests.places import ROOT
from zoetrope.video_io.frame_size import Size

CANARY = "zoetrope canary"
TEXTS = {"anchor_frames", "app_text", "blocks", "caption", "frames", "idea", "labels", "level_weights",
         "metrics", "periods", "pose_text", "pre_text", "prompt", "prompts", "script", "seeds", "selection",
         "shares", "text"}  # fmt: skip
"""Strings that never become a path."""
PREFIXES = {"filename_prefix"}
PATHS = {"path"}
"""Read by host/files/allowed_paths.py alone."""
NAMES = {"run_name", "data_set_name"}
"""Of one folder; test_run_folders.py and test_curation_nodes.py have the names that are refused."""
ADDRESSES = {"address"}
"""Of a Ray cluster: tests/bare/cluster/test_ray.py has those that are refused."""
EVIL = (
    "../canary.png",
    "../../canary.png",
    "a/../../canary.png",
    "..\\canary.png",
    "/etc/passwd",
    "C:\\Windows\\win.ini",
    "\\\\server\\share\\x.mp4",
    "//server/share/x.mp4",
    "nul\0.png",
    "../canary.png [output]",
    "../../canary.png [temp]",
    "/etc/passwd [input]",
    "file:///etc/passwd",
    "http://127.0.0.1:9/x.mp4",
    "concat:/etc/passwd|/etc/hosts",
    "linked/canary.png",
    "linked/canary.png [input]",
    "canary [nowhere]",
)


@pytest.fixture(scope="module")
def file_inputs(comfy_base):
    """(node, input) of every combo box that lists files:
    those that show a file when one is put into every folder.
    """
    made = [
        Path(paths[0]) / f"{CANARY}.safetensors" for paths, _ in folder_paths.folder_names_and_paths.values()
    ]
    made.append(Path(folder_paths.get_input_directory()) / CANARY / "x.png")
    for file in made:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    listed = {
        (schema.node_id, entry.id)
        for schema in schemas().values() for entry in schema.inputs
        if any(CANARY in str(option) for option in getattr(entry, "options", None) or ())
    }  # fmt: skip
    for file in made:
        file.unlink()
    return listed


def test_the_inputs_that_name_files_are_known(file_inputs):
    nodes = {node_id for node_id, _ in file_inputs}
    assert {
        f"ZoetropeLoad{what}"
        for what in ("Frames", "MotionModule", "MotionLora", "VideoModel", "VideoVAE", "VideoLora")
    } <= nodes
    strings = {
        entry.id for schema in SCHEMAS.values() for entry in schema.inputs if entry.io_type == "STRING"
    }
    assert strings <= TEXTS | PREFIXES | NAMES | PATHS | ADDRESSES, (
        "a new text input: say whether it becomes a path, and test it if it does"
    )


@pytest.mark.parametrize("name", EVIL)
def test_no_file_input_takes_a_name_outside_of_its_folders(comfy_server, file_inputs, name):
    """Each is refused before the run, by ComfyUI's list or by the node's own check."""
    info = comfy_server.object_info()
    for node_id, entry in sorted(file_inputs):
        required = info[node_id]["input"]["required"]
        inputs = {
            key: spec[1]["default"]
            for key, spec in required.items()
            if len(spec) > 1 and "default" in spec[1]
        }
        graph = {
            "1": {"class_type": node_id, "inputs": {**inputs, entry: name}},
            "2": {"class_type": "PreviewAny", "inputs": {"source": ["1", 0]}},
        }
        with pytest.raises(ComfyError) as refused:
            comfy_server.prompt(graph)
        told = refused.value.details["node_errors"]["1"]["errors"]
        kinds = {error["type"] for error in told if entry == error["extra_info"].get("input_name")}
        assert kinds & {"value_not_in_list", "custom_validation_failed"}, f"{node_id}.{entry}: {told}"


@pytest.mark.parametrize("name", [name for name in EVIL if not name.endswith("]")])
def test_no_path_that_is_typed_leads_out_of_the_allowed_folders(comfy_server, name):
    """Each is refused before the run."""
    info = comfy_server.object_info()
    for schema in schemas().values():
        if not PATHS & {entry.id for entry in schema.inputs if entry.io_type == "STRING"}:
            continue
        required = info[schema.node_id]["input"]["required"]
        inputs = {key: spec[1]["default"] for key, spec in required.items() if "default" in spec[1]}
        graph = {
            "1": {"class_type": schema.node_id, "inputs": {"source": "", **inputs, "path": name}},
            "2": {"class_type": "PreviewAny", "inputs": {"source": ["1", 0]}},
        }
        with pytest.raises(ComfyError) as refused:
            comfy_server.prompt(graph)
        told = refused.value.details["node_errors"]["1"]["errors"]
        assert {error["type"] for error in told} == {"custom_validation_failed"}, f"{schema.node_id}: {told}"


def test_links_out_of_the_folders_are_not_followed(comfy_server, tmp_path):
    (tmp_path / "canary.png").write_bytes(b"secret")
    link = comfy_server.base / "input" / "linked_path"
    link.symlink_to(tmp_path)
    try:
        with pytest.raises(ComfyError) as refused:
            comfy_server.prompt({
                "1": {"class_type": "LoadVideo", "inputs": {"file": "linked_path/canary.png"}},
                "2": {"class_type": NODE, "inputs": {"video": ["1", 0], **DEFAULTS}},
                "3": {"class_type": "PreviewImage", "inputs": {"images": ["2", 0]}},
            })  # fmt: skip
        assert "Invalid video file" in str(refused.value.details["node_errors"])
    finally:
        link.unlink()


def test_a_picture_source_may_be_annotated(comfy_base):
    file = Path(folder_paths.get_output_directory()) / "allowed.png"
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(file)
    assert missing_source_message("allowed.png [output]") == ""
    assert missing_source_message("allowed.png") and missing_source_message("allowed.png [input]")
    file.unlink()


NAMES_ON_LINUX = ("..\\", "C:\\", "\\\\", "file:", "http:", "concat:", "linked", "canary")
"""Beginnings that are letters of a name below the output folder there,
or that a test of their own looks at.
"""


@pytest.mark.parametrize("prefix", [name for name in EVIL if not name.startswith(NAMES_ON_LINUX)])
def test_no_prefix_leads_out_of_the_output_folder(comfy_base, prefix):
    with pytest.raises(
        ValueError, match="leads out of the output folder; give a name|no file name can have; leave it out"
    ):
        next_name(prefix, Size(8, 8))


@pytest.mark.parametrize(
    "prefix",
    ["file:///etc/x", "http://127.0.0.1:9/x", "concat:/etc/passwd|x", "..\\x", "C:\\x", "\\\\server\\x"],
)
def test_what_looks_like_an_address_is_a_name_below_the_output_folder(comfy_base, prefix):
    folder, name, _ = next_name(prefix, Size(8, 8))
    output = Path(folder_paths.get_output_directory()).resolve()
    assert (folder / name).resolve().is_relative_to(output)


def test_the_pack_registers_no_route_for_files_of_users():
    """ComfyUI does. The server is touched in five places: one looks at prompts, one names example
    workflows, one converts workflows and reads no file, one takes votes: its routes answer with JSON alone
    (tests/comfy/host/voting), one sees that /free was answered and reads two booleans of what was asked.
    Workers have one that listens to nobody, and core's executor asks for it.
    """
    touching, routing = {}, set()
    for path in [path for part in ("nodes", "host", "video_io") for path in (ROOT / part).rglob("*.py")]:
        source = path.read_text(encoding="utf8")
        names = set()
        for node in ast.walk(ast.parse(source)):
            names |= {getattr(node, "attr", None), getattr(node, "id", None), getattr(node, "module", None)}
            names |= {alias.name for alias in getattr(node, "names", []) if isinstance(alias, ast.alias)}
        if "PromptServer" in names:
            touching[path.name] = source
        if {"aiohttp", "routes", "add_routes", "app", "router"} & names:
            routing.add(path.name)
    of_workers = {"comfy_start.py", "prompt_part.py"}
    assert set(touching) - of_workers == {
        "conversion.py", "freeing.py", "prompt_replacements.py", "template_links.py", "routes.py"
    }  # fmt: skip
    assert routing == {"conversion.py", "freeing.py", "template_links.py", "routes.py"}
    assert ".routes" not in touching["freeing.py"] and "add_" not in touching["freeing.py"]
    assert touching["conversion.py"].count("server.routes.") == 1
    assert "open(" not in touching["conversion.py"] and "Path" not in touching["conversion.py"]
    assert touching["routes.py"].count(".routes.") == 6
    assert "FileResponse" not in touching["routes.py"] and "StreamResponse" not in touching["routes.py"]
    assert touching["prompt_replacements.py"].count("PromptServer.instance") == 1
    assert "PromptServer.instance.add_on_prompt_handler(_on_prompt)" in touching["prompt_replacements.py"]
    assert touching["template_links.py"].count(".router.") == 1
    assert 'place = f"/api/workflow_templates/{PACK.name}/{link}.json"' in touching["template_links.py"]
