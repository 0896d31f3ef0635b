"""The nodes that write video files in a running ComfyUI, over its HTTP API."""

import json
import threading
import time

import av
import pytest
from zoetrope.tests.comfy.server import ComfyError

CHECKPOINT = "zoetrope_tiny_sd.safetensors"
FILE = {"fps": 8.0, "crf": -1.0, "pix_fmt": "auto", "ping_pong": False, "loop_count": 0}


def save_frames(prefix, format="H.264 (mp4)", **changes):
    return {
        "1": {"class_type": "EmptyImage", "inputs": {"width": 64, "height": 64, "batch_size": 5, "color": 0x2060A0}},
        "2": {"class_type": "ZoetropeSaveFrames", "inputs": {
            "images": ["1", 0], "filename_prefix": prefix, "format": format, **FILE, **changes}},
        "3": {"class_type": "GetVideoComponents", "inputs": {"video": ["2", 0]}},
        "4": {"class_type": "PreviewAny", "inputs": {"source": ["3", 2]}},
    }  # fmt: skip


def save_latents(prefix, frames, **changes):
    return {
        "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": CHECKPOINT}},
        "2": {"class_type": "EmptyLatentImage", "inputs": {"width": 128, "height": 64, "batch_size": frames}},
        "3": {"class_type": "ZoetropeSaveLatents", "inputs": {
            "samples": ["2", 0], "vae": ["1", 2], "filename_prefix": prefix, "format": "H.264 (mp4)", **FILE, "chunk_frames": 3,
            "chunk_overlap": 4, "tile_size": 0, **changes}},
    }  # fmt: skip


def file_of(server, result, node):
    (shown,) = result["outputs"][node]["images"]
    assert server.view(shown)  # what the editor asks for is served
    return server.base / "output" / shown["subfolder"] / shown["filename"]


def count_frames(path):
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0)), dict(container.metadata)


def test_frames_become_a_file_that_is_shown_read_on_and_carries_its_graph(comfy_server):
    graph = save_frames("视频/ein Name")
    result = comfy_server.prompt(graph)
    path = file_of(comfy_server, result, "2")
    assert path.relative_to(comfy_server.base / "output").as_posix() == "视频/ein Name_00001_.mp4"
    frames, metadata = count_frames(path)
    assert frames == 5
    assert json.loads(metadata["prompt"]) == graph
    assert result["outputs"]["4"]["text"] == ["8.0"]


def test_what_browsers_cannot_play_is_shown_as_its_first_frame(comfy_server):
    path = file_of(comfy_server, comfy_server.prompt(save_frames("first", "FFV1 (mkv)", ping_pong=True)), "2")
    assert path.suffix == ".png"
    assert count_frames(path.with_suffix(".mkv"))[0] == 8


def test_latents_become_a_file(comfy_server):
    path = file_of(comfy_server, comfy_server.prompt(save_latents("latents", 7, tile_size=64)), "3")
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        assert (len(frames), frames[0].width, frames[0].height) == (7, 128, 64)


@pytest.mark.parametrize(("changes", "message"), [
    ({"prefix": "../out"}, "leads out of the output folder"), ({"prefix": "x", "format": "GIF", "crf": 3.0}, "crf=3 has no meaning in GIF"),
    ({"prefix": "x", "pix_fmt": "rgba"}, "pix_fmt=rgba does not go with H.264"),
])
def test_bad_input_is_explained_in_the_node(comfy_server, changes, message):
    with pytest.raises(ComfyError) as failed:
        comfy_server.prompt(save_frames(**changes))
    assert message in str(failed.value.details) and failed.value.details["node_id"] == "2"


def test_a_cancelled_run_ends_soon_and_leaves_no_file(comfy_server):
    """More frames than can be written while the test waits: it ends only because it is cancelled."""
    folder, failed = comfy_server.base / "output" / "cancelled", []

    def run():
        try:
            comfy_server.prompt(save_latents("cancelled/x", 4000, loop_count=1000))
        except ComfyError as error:
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    end = time.monotonic() + 120
    while not (folder.exists() and any(folder.iterdir())):
        assert time.monotonic() < end and thread.is_alive(), "the run did not begin to write"
        time.sleep(0.05)
    comfy_server.request("/interrupt", {})
    thread.join(120)
    assert not thread.is_alive() and failed
    assert list(folder.iterdir()) == []
