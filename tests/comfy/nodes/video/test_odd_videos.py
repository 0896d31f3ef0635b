"""The table of odd and broken files through Load Video
and Video to Frames of a running ComfyUI, over its HTTP API.
"""

import numpy as np
import pytest
from PIL import Image
from zoetrope.devtools.server import ComfyError
from zoetrope.tests.comfy.nodes.video.test_video_nodes import DEFAULTS, NODE
from zoetrope.tests.odd_videos import ODD_VIDEOS, check_frames


def run(server, odd):
    """The frames (F, H, W, 3) and opacity (F, H, W) or None that come out of the two nodes."""
    odd.make(server.base / "input" / odd.name)

    result = server.prompt({
        "1": {"class_type": "LoadVideo", "inputs": {"file": odd.name}},
        "2": {"class_type": NODE, "inputs": {"video": ["1", 0], **DEFAULTS, "multiple_of": 1, **odd.request}},
        "3": {"class_type": "PreviewImage", "inputs": {"images": ["2", 0]}},
        "4": {"class_type": "MaskToImage", "inputs": {"mask": ["2", 1]}},
        "5": {"class_type": "PreviewImage", "inputs": {"images": ["4", 0]}},
    })  # fmt: skip
    frames, masks = (
        np.stack(
            [
                np.asarray(Image.open(server.base / "temp" / file["filename"]).convert("RGB")) / 255
                for file in files["images"]
            ]
        )
        for files in (result["outputs"]["3"], result["outputs"]["5"])
    )
    without = masks.shape[:3] == (1, 64, 64) and not masks.any()
    return frames, None if without else 1 - masks[..., 0]


@pytest.mark.parametrize("odd", ODD_VIDEOS.values(), ids=ODD_VIDEOS)
def test_an_odd_file_in_a_graph(comfy_server, odd):
    if not (odd.error or odd.refused):
        check_frames(odd, *run(comfy_server, odd))
        return
    with pytest.raises(ComfyError) as failed:
        run(comfy_server, odd)
    assert failed.value.details.get("node_id") == (None if odd.refused else "2")
    if not odd.refused:
        failed.match(odd.error)
