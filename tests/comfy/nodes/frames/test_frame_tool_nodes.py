"""The frame tools in a running ComfyUI, over its HTTP API, and RAFT from ComfyUI's own loader."""

import io
import json

import numpy as np
import pytest
import torch
from PIL import Image
from zoetrope.devtools.server import ComfyError

WIDTH, HEIGHT = 40, 24


@pytest.fixture(scope="module")
def frames(comfy_server):
    """The links to the frames of a clip of 5, each of one grey:
    0, 50, 100, 150, 200, in a graph of its own.
    """
    graph = {}
    for i in range(5):
        graph[f"e{i}"] = {
            "class_type": "EmptyImage",
            "inputs": {"width": WIDTH, "height": HEIGHT, "batch_size": 1, "color": 0x323232 * i},
        }
    graph["clip"] = node("BatchImagesNode", **{f"images.image{i}": [f"e{i}", 0] for i in range(5)})
    return graph


def node(kind, **inputs):
    return {"class_type": kind, "inputs": inputs}


def shown(server, result, name):
    """The pictures of a PreviewImage node as (F, H, W, 3), 0..255."""
    files = result["outputs"][name]["images"]
    return np.stack([np.asarray(Image.open(io.BytesIO(server.view(file))).convert("RGB")) for file in files])


def greys(server, result, name):
    return [int(value) for value in shown(server, result, name)[:, 5, 5, 0]]


def test_frames_are_picked_joined_and_looped(comfy_server, frames):
    """One prompt through all of them; every result is looked at frame by frame."""
    clip = ["clip", 0]
    graph = frames | {
        "select": node("ZoetropeSelectFrames", frames=clip, selection="0:9:2,-1"),
        "split": node("ZoetropeSplitFrames", frames=clip, position=-2),
        "merge": node("ZoetropeMergeFrames", first=["split", 1], second=["split", 0], crossfade=1),
        "reverse": node("ZoetropeReverseFrames", frames=clip),
        "pingpong": node("ZoetropePingPongFrames", frames=["select", 0], repeat_ends=False),
        "repeat": node("ZoetropeRepeatFrames", frames=["split", 1], times=2, each_frame=True),
        "interleave": node("ZoetropeInterleaveFrames", first=["split", 0], second=["split", 1]),
        "count": node("ZoetropeCountFrames", frames=["merge", 0]),
        "number": node("PreviewAny", source=["pingpong", 1]),
    }
    expected = {
        "select": [0, 100, 200, 200],
        "merge": [150, 100, 50, 100],
        "reverse": [200, 150, 100, 50, 0],
        "pingpong": [0, 100, 200, 200, 200, 100],
        "repeat": [150, 150, 200, 200],
        "interleave": [0, 150, 50, 200, 100],
    }
    graph |= {f"show {name}": node("PreviewImage", images=[name, 0]) for name in expected}
    result = comfy_server.prompt(graph)
    assert {name: greys(comfy_server, result, f"show {name}") for name in expected} == expected
    assert result["outputs"]["count"]["text"] == [f"IMAGE: 4 frames of {WIDTH}x{HEIGHT}"]
    assert result["outputs"]["number"]["text"] == ["6"]


def test_latents_and_masks_go_through_the_same_nodes(comfy_server):
    graph = {
        "latent": node("EmptyLatentImage", width=64, height=32, batch_size=7),
        "video": node("EmptyHunyuanLatentVideo", width=64, height=32, length=17, batch_size=1),
        "mask": node("SolidMask", value=0.5, width=20, height=12),
        "masks": node("ZoetropeRepeatFrames", frames=["mask", 0], times=3, each_frame=False),
        "picked": node("ZoetropeSelectFrames", frames=["latent", 0], selection="::3"),
        "joined": node("ZoetropeMergeFrames", first=["picked", 0], second=["latent", 0], crossfade=2),
        "ends": node("ZoetropeSelectFrames", frames=["video", 0], selection="0,-1"),
    }
    expected = {
        "masks": "MASK: 3 frames of 20x12",
        "joined": "LATENT: 8 frames of 8x4",
        "ends": "LATENT: 2 frames of 8x4",
    }
    graph |= {f"count {name}": node("ZoetropeCountFrames", frames=[name, 0]) for name in expected}
    outputs = comfy_server.prompt(graph)["outputs"]
    assert {name: outputs[f"count {name}"]["text"][0] for name in expected} == expected


def test_clips_are_compared_shown_on_a_sheet_and_measured(comfy_server, frames):
    clip = ["clip", 0]
    graph = frames | {
        "even": node(
            "ZoetropeRemoveFlicker",
            images=clip,
            match="reference frame",
            radius=4.0,
            strength=1.0,
            reference_frame=2,
        ),
        "compare": node(
            "ZoetropeCompareClips",
            **{"clips.clip0": clip, "clips.clip1": ["even", 0]},
            labels="as it was\neven",
            columns=0,
            length="longest",
            label_height=12,
        ),
        "sheet": node(
            "ZoetropeMakeContactSheet", frames=clip, count=3, columns=3, cell_width=40, fps=0.0, numbers=False
        ),
        "flow": node("ZoetropeDrawOpticalFlow", images=clip, full_colour=0.0),
        "plot": node(
            "ZoetropePlotFrameDifferences",
            **{"clips.clip0": clip, "clips.clip1": ["even", 0]},
            labels="",
            width=300,
            height=200,
        ),
        "moved": node("PreviewAny", source=["flow", 1]),
        "numbers": node("PreviewAny", source=["plot", 1]),
    }
    graph |= {
        f"show {name}": node("PreviewImage", images=[name, 0])
        for name in ("even", "compare", "sheet", "flow", "plot")
    }
    result = comfy_server.prompt(graph)
    outputs = result["outputs"]
    assert greys(comfy_server, result, "show even") == [100] * 5
    compared = shown(comfy_server, result, "show compare")
    assert compared.shape == (5, HEIGHT + 12, 2 * WIDTH + 4, 3)
    assert (
        compared[:, 30, 20, 0].tolist() == [0, 50, 100, 150, 200]
        and compared[:, 30, 64, 0].tolist() == [100] * 5
    )
    assert compared[0, :12].max() > 200
    sheet = shown(comfy_server, result, "show sheet")[0]
    assert sheet.shape == (HEIGHT, 3 * WIDTH + 8, 3) and sheet[12, [5, 50, 100], 0].tolist() == [0, 100, 200]
    assert shown(comfy_server, result, "show flow").shape == (4, HEIGHT, WIDTH, 3)
    assert shown(comfy_server, result, "show plot").shape == (1, 200, 300, 3)
    assert outputs["moved"]["text"][0].startswith("4 steps, mean movement")
    assert outputs["numbers"]["text"][0] == (
        "clip 1: mean 50.00, largest 50.00 at frame 1\nclip 2: mean 0.00, largest 0.00 at frame 1"
    )  # fmt: skip


def test_a_picture_becomes_a_coarse_video_and_loses_its_details(comfy_server, frames):
    """A camera goes half a picture to the right, past whose edge it is black; then every second is held."""
    graph = frames | {
        "join": node("ImageStitch", image1=["e1", 0], image2=["e4", 0], direction="right",
                     match_image_size=True, spacing_width=0, spacing_color="white"),
        "coarse": node("ZoetropeMakeCoarseVideo", image=["join", 0], num_frames=3, zoom=1.0, pan_x=0.5,
                       pan_y=0.0, roll=0.0, turn=0.0, tilt=0.0, field_of_view=50.0, path="linear",
                       outside="black"),
        "outside": node("MaskToImage", mask=["coarse", 1]),
        "degraded": node("ZoetropeDegradeFrames", images=["coarse", 0], downscale=2.0, keep_every=2,
                         noise=0.0, seed=0),
    }  # fmt: skip
    graph |= {
        f"show {name}": node("PreviewImage", images=[name, 0]) for name in ("coarse", "outside", "degraded")
    }
    result = comfy_server.prompt(graph)
    columns = [5, 30, 50, 75]  # of two pictures of 40 pixels, 50 and 200
    seen = {name: shown(comfy_server, result, f"show {name}")[:, 12, columns, 0].tolist()
            for name in ("coarse", "outside", "degraded")}  # fmt: skip
    assert seen["coarse"] == [[50, 50, 200, 200], [50, 200, 200, 0], [200, 200, 0, 0]]
    assert seen["outside"] == [[0, 0, 0, 0], [0, 0, 0, 255], [0, 0, 255, 255]]
    assert seen["degraded"] == [seen["coarse"][0], seen["coarse"][0], seen["coarse"][2]]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            node("ZoetropeSelectFrames", frames=["clip", 0], selection="7"),
            "there is no frame 7; these are 5 frames",
        ),
        (
            node("ZoetropeMergeFrames", first=["clip", 0], second=["other", 0], crossfade=0),
            "must be of one kind; the first is IMAGE",
        ),
        (
            node("ZoetropeSplitFrames", frames=["clip", 0], position=5),
            "leaves one part of the 5 frames empty",
        ),
        (
            node("ZoetropeSelectFrames", frames=["text", 0], selection=":"),
            "must be an IMAGE, a MASK or a LATENT; this is a str",
        ),
        (
            node("ZoetropeDrawOpticalFlow", images=["e0", 0], full_colour=0.0),
            "movement needs at least 2 frames, got 1",
        ),
    ],
)
def test_what_cannot_be_done_is_said_in_the_node(comfy_server, frames, change, told):
    graph = frames | {
        "other": node("EmptyLatentImage", width=64, height=32, batch_size=7),
        "text": node("PrimitiveString", value="x"),
        "bad": change,
        "any": node("PreviewAny", source=["bad", 0]),
    }
    with pytest.raises(ComfyError) as failed:
        comfy_server.prompt(graph)
    assert told in json.loads(json.dumps(failed.value.details))["exception_message"]


def test_a_network_for_optical_flow_comes_from_core_s_loader(comfy_base):
    """RAFT with seeded weights, saved and loaded by ComfyUI's own node:
    the flow has the frames' size and is the network's own.
    """
    import folder_paths
    from comfy_extras.nodes_void import OpticalFlowLoader
    from torchvision.models.optical_flow import raft_large
    from zoetrope.host.media.frame_tools import optical_flow_image

    folder = comfy_base / "models" / "optical_flow"
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(raft_large(weights=None, progress=False).state_dict(), folder / "raft_test.pth")
    if str(folder) not in folder_paths.get_folder_paths("optical_flow"):
        folder_paths.add_model_folder_path("optical_flow", str(folder))
    try:
        raft = OpticalFlowLoader.execute("raft_test.pth").args[0]
        images = torch.rand(2, 20, 30, 3)
        pictures, text = optical_flow_image(images, 5.0, raft)
    finally:
        (folder / "raft_test.pth").unlink()
    assert pictures.shape == (1, 20, 30, 3) and pictures.isfinite().all()
    assert text.startswith("1 steps, mean movement") and text.endswith("full colour = 5.00 pixels")
    assert not torch.equal(pictures, optical_flow_image(images, 5.0)[0])
