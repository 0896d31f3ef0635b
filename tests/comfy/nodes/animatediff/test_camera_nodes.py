"""Load Camera Control, Camera Poses and Move Camera in a running ComfyUI, over its HTTP API."""

from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from zoetrope.devtools.server import ComfyError
from zoetrope.motion_modules.animatediff.files import read_motion_module
from zoetrope.motion_modules.camera import camera_ctrl, motion_ctrl
from zoetrope.tests.comfy.nodes.animatediff.test_motion_nodes import MODULE, graph, latents_of
from zoetrope.tests.gold_weights import gold_tensor

FILES = ("tiny_cameractrl.safetensors", "tiny_motionctrl.safetensors")
FRAMES = 3
POSES = "\n".join(f"{i} 0.5 0.9 0.5 0.5 0 0 1 0 0 {i}.5 0 1 0 0 0 0 1 0" for i in range(5))


@pytest.fixture(scope="module", autouse=True)
def control_files(comfy_models):
    """Camera controls of seeded numbers for the demo's motion module."""
    folder = comfy_models / "animatediff_models"
    config, _ = read_motion_module(load_file(folder / MODULE))
    encoder = camera_ctrl.CameraCtrl(camera_ctrl.with_poses(config, {}))
    replaced = ("cc_projection", ".attention_blocks.1.", ".norms.1.")
    wholes = (camera_ctrl.to_file(encoder), motion_ctrl.METHOD.to_file(motion_ctrl.MotionCtrl(config)))
    own = (camera_ctrl.is_own, lambda key: any(part in key for part in replaced))
    for name, whole, is_own in zip(FILES, wholes, own, strict=True):
        tensors = {
            key: value if key.endswith(".pe") else gold_tensor(key, value.shape)
            for key, value in whole.items()
            if is_own(key)
        }
        save_file(tensors, folder / name)


def moving(control=FILES[0], strength=1.0, before=None, module=None, **poses):
    """Text to video whose camera moves; before: settings of poses that these continue."""
    nodes = graph()
    made = {"move": "zoom in", "num_frames": FRAMES, "speed": 4.0}
    nodes["20"] = {"class_type": "ZoetropeMakeCameraPoses", "inputs": made | poses}
    if before:
        nodes["23"] = {"class_type": "ZoetropeMakeCameraPoses", "inputs": made | before}
        nodes["20"]["inputs"]["camera_poses"] = ["23", 0]
    load = {"motion_module": ["2", 0], "camera_control": control}
    nodes["21"] = {"class_type": "ZoetropeLoadCameraControl", "inputs": load}
    move = {"motion_module": module or ["21", 0], "camera_poses": ["20", 0], "strength": strength}
    nodes["22"] = {"class_type": "ZoetropeMoveCamera", "inputs": move}
    nodes["4"]["inputs"]["motion_module"] = ["22", 0]
    return nodes


@pytest.mark.parametrize("control", FILES)
def test_poses_and_settings_act(comfy_server, control):
    settings = (
        {},
        {"move": "orbit left"},
        {"speed": -4.0},
        {"strength": 0.5},
        {"move": "from pose_text", "speed": 2.0, "pose_text": POSES},
        {"num_frames": 2, "before": {"move": "roll clockwise", "num_frames": 2}},
    )
    made = [latents_of(comfy_server, comfy_server.prompt(moving(control, **each))) for each in settings]
    assert all(torch.isfinite(latents).all() for latents in made)
    assert all(not torch.allclose(made[0], other, atol=1e-2) for other in made[1:])


@pytest.mark.parametrize(("settings", "words"), [
    ({"num_frames": 2}, "camera_poses holds 2 poses and the video has 3 frames"),
    ({"pose_text": POSES}, "pose_text is given and move is 'zoom in'"),
    ({"move": "from pose_text"}, "pose_text holds no poses"),
    ({"move": "from pose_text", "speed": 3.0, "pose_text": POSES}, "3 of them at speed=3 end at pose 6"),
    ({"move": "from pose_text", "speed": -1.0, "pose_text": POSES}, "speed=-1.0 must be .* not below 0"),
    ({"before": {"pose_width": 720}}, "must have the proportions of the poses that these continue"),
    ({"control": MODULE}, "is no camera control"),
    ({"module": ["2", 0]}, "is a module of AnimateDiff without camera control"),
])  # fmt: skip
def test_bad_input_is_named(comfy_server, settings, words):
    with pytest.raises(ComfyError, match=words):
        comfy_server.prompt(moving(**settings))


def test_the_way_is_drawn(comfy_server):
    """The first camera's blue and the last one's orange are on the picture."""
    nodes = {
        "1": {
            "class_type": "ZoetropeMakeCameraPoses",
            "inputs": {"move": "orbit left", "num_frames": 16, "speed": 1.0},
        },
        "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 1]}},
    }
    result = comfy_server.prompt(nodes)
    shown = comfy_server.view(result["outputs"]["2"]["images"][0])
    pixels = np.asarray(Image.open(BytesIO(shown)).convert("RGB")).astype(int)
    assert pixels.shape == (512, 512, 3)
    for colour in ((86, 180, 233), (230, 159, 0)):
        assert (np.abs(pixels - colour).max(-1) < 8).sum() > 100
