"""Conditioning nodes at sizes that no memory holds are refused
before an encoder sees anything: bytes counted by hand.
"""

import pytest
import torch
from zoetrope.host.video_models import start_images
from zoetrope.nodes.video_models import (
    AnimateImage,
    AnimateImageSVD,
    AnimateTextSVD,
    InterpolateImages,
    InterpolateImagesSVD,
    SetOrbit,
)
from zoetrope.tests.comfy.nodes.test_texts import SCHEMAS

IMAGE = torch.zeros(1, 8, 8, 3)


class Untouched:
    """An encoder that must not be asked for anything but its looks."""

    first_stage_model = encode_image = None

    def __getattr__(self, name):
        raise AssertionError(f"{name} was used")


NODES = {node.define_schema().node_id: node for node in (
    AnimateImageSVD, AnimateTextSVD, InterpolateImagesSVD, SetOrbit, AnimateImage, InterpolateImages,
)}  # fmt: skip


@pytest.mark.parametrize("node_id", NODES)
def test_the_frames_are_counted_first(node_id, monkeypatch):
    """4096 frames of 4096x4096:
    4096 * 4 * 512 * 512 numbers three times, and two images of 4096 * 4096 * 3, of 4 bytes each.
    """
    needed = 3 * 4096 * 4 * 512 * 512 * 4 + 2 * 4096 * 4096 * 3 * 4
    given = {"width": 4096, "height": 4096, "num_frames": 4096}
    for entry in SCHEMAS[node_id].inputs:
        kind = entry.get_io_type()
        if kind in ("CLIP_VISION", "VAE"):
            given[entry.id] = Untouched()
        elif kind == "IMAGE":
            given[entry.id] = IMAGE
        elif kind == "CONDITIONING":
            given[entry.id] = [[torch.zeros(1, 7, 8), {}]]
        elif entry.id not in given:
            given[entry.id] = entry.default if entry.default is not None else entry.options[0]
    monkeypatch.setattr(start_images, "check_memory", lambda *asked: (_ for _ in ()).throw(ValueError(asked)))
    with pytest.raises(ValueError) as error:
        NODES[node_id].execute(**given)
    bytes_asked, what, remedy = error.value.args[0]
    assert (bytes_asked, what) == (needed, "4096 frames of 4096x4096") and remedy
