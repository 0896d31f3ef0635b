"""The nodes that write video files in a running ComfyUI, over its HTTP API."""

import json
import threading
import time

import av
import numpy as np
import pytest
from zoetrope.devtools.server import ComfyError

CHECKPOINT = "zoetrope_tiny_sd.safetensors"
PATIENCE = 270  # seconds, for a machine that has other things to do
FILE = {"fps": 8.0, "crf": -1.0, "pix_fmt": "auto", "ping_pong": False, "loop_count": 0}


def save_frames(prefix, format="H.264 (mp4)", **changes):
    return {
        "1": {
            "class_type": "EmptyImage",
            "inputs": {"width": 64, "height": 64, "batch_size": 5, "color": 0x2060A0},
        },
        "2": {
            "class_type": "ZoetropeSaveFrames",
            "inputs": {"images": ["1", 0], "filename_prefix": prefix, "format": format, **FILE, **changes},
        },
        "3": {"class_type": "GetVideoComponents", "inputs": {"video": ["2", 0]}},
        "4": {"class_type": "PreviewAny", "inputs": {"source": ["3", 2]}},
    }


def save_latents(prefix, frames, **changes):
    return {
        "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": CHECKPOINT}},
        "2": {"class_type": "EmptyLatentImage", "inputs": {"width": 128, "height": 64, "batch_size": frames}},
        "3": {
            "class_type": "ZoetropeSaveLatents",
            "inputs": {
                "samples": ["2", 0],
                "vae": ["1", 2],
                "filename_prefix": prefix,
                "format": "H.264 (mp4)",
                **FILE,
                "chunk_frames": 3,
                "chunk_overlap": 4,
                "tile_size": 0,
                **changes,
            },
        },
    }


def encode_video(video, **changes):
    """A video through Video to Latents and Latents to Video File without a sampler between them."""
    request = {
        "start_seconds": 0.0,
        "duration_seconds": 0.0,
        "force_rate": 0.0,
        "skip_first_frames": 0,
        "select_every_nth": 1,
        "frame_cap": 0,
        "length": "any",
        "width": 64,
        "height": 64,
        "resize": "stretch",
        "multiple_of": 8,
    }
    return {
        "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": CHECKPOINT}},
        "2": {"class_type": "LoadVideo", "inputs": {"file": video}},
        "4": {
            "class_type": "ZoetropeEncodeVideo",
            "inputs": {
                "video": ["2", 0],
                "vae": ["1", 2],
                **request,
                "chunk_frames": 3,
                "tile_size": 0,
                **changes,
            },
        },
        "3": {
            "class_type": "ZoetropeSaveLatents",
            "inputs": {
                "samples": ["4", 0],
                "vae": ["1", 2],
                "filename_prefix": "encoded",
                "format": "FFV1 (mkv)",
                **FILE,
                "fps": ["4", 2],
                "chunk_frames": 4,
                "chunk_overlap": 0,
                "tile_size": 0,
            },
        },
        "5": {"class_type": "PreviewAny", "inputs": {"source": ["4", 4]}},
    }


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


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prefix": "../out"}, "leads out of the output folder"),
        ({"prefix": "x", "format": "GIF", "crf": 3.0}, "crf=3 has no meaning in GIF"),
        ({"prefix": "x", "pix_fmt": "rgba"}, "pix_fmt=rgba does not go with H.264"),
    ],
)
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
    end = time.monotonic() + PATIENCE
    while not (folder.exists() and any(folder.iterdir())):
        assert time.monotonic() < end and thread.is_alive(), "the run did not begin to write"
        time.sleep(0.05)
    comfy_server.request("/interrupt", {})
    thread.join(PATIENCE)
    assert not thread.is_alive() and failed
    assert list(folder.iterdir()) == []


def test_a_video_goes_through_latents_into_a_file(comfy_server):
    """Colours that differ from frame to frame come out as they went in, at the speed they had."""
    colours = [
        (200, 30, 40),
        (30, 180, 60),
        (40, 60, 210),
        (230, 220, 50),
        (20, 20, 25),
        (240, 240, 240),
        (140, 60, 180),
    ]
    with av.open(str(comfy_server.base / "input" / "colours.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=12)
        stream.width, stream.height, stream.pix_fmt = 80, 48, "bgr0"
        for colour in colours:
            image = np.full((48, 80, 3), colour, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    for changes in ({}, {"tile_size": 64}):
        result = comfy_server.prompt(encode_video("colours.mkv", **changes))
        assert "7 latents of 8x8 at 12 fps" in result["outputs"]["5"]["text"][0]
        with av.open(str(file_of(comfy_server, result, "3").with_suffix(".mkv"))) as container:
            assert float(container.streams.video[0].average_rate) == 12
            seen = [frame.to_ndarray(format="rgb24").mean((0, 1)) for frame in container.decode(video=0)]
        np.testing.assert_allclose(
            np.stack(seen), np.array(colours), atol=25
        )  # what the small autoencoder keeps


def test_a_chunk_of_no_frames_is_refused_before_the_run(comfy_server):
    graph = encode_video("colours.mkv", chunk_frames=0)
    with pytest.raises(ComfyError) as failed:
        comfy_server.prompt(graph)
    assert "chunk_frames" in str(failed.value.details)
