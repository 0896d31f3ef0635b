"""Video to Frames in a running ComfyUI, over its HTTP API."""

import av
import numpy as np
import pytest
from zoetrope.devtools.server import ComfyError

NODE = "ZoetropeTakeFrames"
DEFAULTS = {
    "start_seconds": 0.0,
    "duration_seconds": 0.0,
    "force_rate": 0.0,
    "skip_first_frames": 0,
    "select_every_nth": 1,
    "frame_cap": 0,
    "length": "any",
    "width": 0,
    "height": 0,
    "resize": "keep ratio",
    "multiple_of": 8,
    "preset": "none",
}


@pytest.fixture(scope="module")
def server(comfy_server):
    path = comfy_server.base / "input" / "Größe und $HOME.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.pix_fmt, stream.height, stream.width = "yuv420p", 48, 64
        for i in range(23):
            container.mux(
                stream.encode(
                    av.VideoFrame.from_ndarray(np.full((48, 64, 3), 10 * i, np.uint8), format="rgb24")
                )
            )
        container.mux(stream.encode())
    return comfy_server


def graph(server, **changes):
    return {
        "1": {"class_type": "LoadVideo", "inputs": {"file": "Größe und $HOME.mp4"}},
        "2": {"class_type": NODE, "inputs": {"video": ["1", 0], **DEFAULTS, **changes}},
        "3": {"class_type": "PreviewImage", "inputs": {"images": ["2", 0]}},
        "4": {"class_type": "PreviewAny", "inputs": {"source": ["2", 5]}},
    }


def test_frames_come_out_at_the_size_and_number_asked_for(server):
    result = server.prompt(graph(server, force_rate=5.0, length="4n+1", width=32))
    assert len(result["outputs"]["3"]["images"]) == 9
    assert result["outputs"]["4"]["text"][0].startswith("9 frames of 32x24 at 5 fps")


def test_what_leaves_nothing_is_explained_in_the_node_and_the_next_run_is_right(server):
    with pytest.raises(ComfyError) as failed:
        server.prompt(graph(server, start_seconds=60.0))
    assert "no frames are left: the video has 23 frames and lasts 2.30 s" in str(failed.value.details)
    assert len(server.prompt(graph(server, frame_cap=2))["outputs"]["3"]["images"]) == 2
