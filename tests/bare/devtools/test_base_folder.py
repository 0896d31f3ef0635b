"""The folder of our servers: links, weights and inputs where ComfyUI looks for them."""

import json
import os

from zoetrope.devtools import paths
from zoetrope.devtools.base_folder import link_folder, put_demo_weights, put_example_inputs, remove_link
from zoetrope.tests.places import ROOT

LOADERS = ("LoadImage", "LoadVideo", "ZoetropeSplitIntoShots")


def test_link_is_renewed_when_the_folder_moved(tmp_path):
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    link = tmp_path / "custom_nodes" / "pack"
    link_folder(link, tmp_path / "old")
    link_folder(link, tmp_path / "new")
    link_folder(link, tmp_path / "new")
    assert os.path.samefile(link, tmp_path / "new")
    remove_link(link)
    assert not link.exists()
    assert (tmp_path / "new").is_dir()


KEYS = {
    "checkpoints/pictures": "model.diffusion_model.out.2.weight",
    "animatediff_models/moves": "down_blocks.0.motion_modules.0.norm.weight",
    "animatediff_motion_lora/camera": "down_blocks.0.motion_modules.0.processor.to_q_lora.down.weight",
    "loras/look": "lora_unet_a.lora_down.weight",
    "controlnet/control": "zero_convs.0.0.bias",
}


def test_weights_go_where_their_loader_looks(home, tmp_path):
    weights = paths.ROOT / "demo" / "weights"
    weights.mkdir(parents=True)
    for name, key in KEYS.items():
        header = json.dumps({key: {"dtype": "F16", "shape": [1], "data_offsets": [0, 2]}}).encode()
        file = weights / f"{name.split('/')[1]}.safetensors"
        file.write_bytes(len(header).to_bytes(8, "little") + header + b"\0\0")
    models = tmp_path / "models"
    put_demo_weights(models)
    found = {path.relative_to(models).with_suffix("").as_posix() for path in models.rglob("*.safetensors")}
    assert found == set(KEYS)


def test_weights_are_copied_again_only_where_they_changed(home, tmp_path):
    source = paths.ROOT / "demo" / "weights" / "pictures.safetensors"
    source.parent.mkdir(parents=True)
    source.write_bytes(bytes(8))
    put_demo_weights(tmp_path / "models")
    target = tmp_path / "models" / "checkpoints" / source.name
    for change, is_copied in ((lambda: None, False), (lambda: source.write_bytes(bytes(9)), True)):
        change()
        os.utime(target, (4e9, 4e9))  # newer than any source
        put_demo_weights(tmp_path / "models")
        assert (target.stat().st_mtime < 4e9) == is_copied
    os.utime(target, (0, 0))
    put_demo_weights(tmp_path / "models")
    assert target.stat().st_mtime > 0


def test_the_inputs_of_the_example_workflows_are_put_there_once(tmp_path):
    """Under the names that the workflows load; a file of the same name that is somebody's own stays."""
    (tmp_path / "example.png").write_bytes(b"mine")
    put_example_inputs(tmp_path)
    put = {path.name for path in tmp_path.iterdir()}
    files = (ROOT / "example_workflows").glob("*.json")
    nodes = [node for path in files for node in json.loads(path.read_text(encoding="utf8"))["nodes"]]
    loaders = [node for node in nodes if node["type"] in LOADERS]
    assert {node["widgets_values"][0] for node in loaders} == put
    assert (tmp_path / "example.png").read_bytes() == b"mine"
    assert sum(path.stat().st_size for path in (ROOT / "demo" / "inputs").rglob("*.*")) < 150_000
