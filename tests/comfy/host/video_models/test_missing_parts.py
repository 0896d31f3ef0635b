"""A VAE, CLIP or CLIP_VISION that a video model's file does not carry:
whatever is done with it, it says what to load instead.
"""

import copy

import comfy.clip_vision
import comfy.sd
import comfy_extras.nodes_lt as core_video
import pytest
import torch
from zoetrope.host.video_models.parts import MissingPart
from zoetrope.nodes.video import EncodeVideo, SaveLatents
from zoetrope.tests.comfy.host.media.small_vaes import image_vae

import nodes as core

TOLD = "this file carries no VAE; wire Load VAE."


@pytest.fixture
def part():
    return MissingPart(TOLD)


def names_of(thing):
    return [name for name in dir(thing) if not name.startswith("__")]


def test_every_use_of_every_part_says_it(part):
    used = {*names_of(image_vae()), *names_of(comfy.sd.CLIP), *names_of(comfy.clip_vision.ClipVisionModel)}
    assert {"latent_dim", "decode", "tokenize", "encode_image", "patcher"} <= used
    for name in used:
        with pytest.raises(ValueError, match=TOLD):
            getattr(part, name)


def test_who_only_asks_gets_an_answer(part):
    assert not hasattr(part, "get_ram_usage") and getattr(part, "latent_dim", 7) == 7
    assert copy.copy(part).message == copy.deepcopy(part).message == TOLD


SETTINGS = {
    "filename_prefix": "x",
    "fps": 8.0,
    "format": "MP4 (H.264)",
    "crf": -1.0,
    "pix_fmt": "auto",
    "ping_pong": False,
    "loop_count": 0,
    "chunk_frames": 8,
    "chunk_overlap": 4,
    "tile_size": 0,
}
LATENT = {"samples": torch.zeros(2, 4, 8, 8)}


@pytest.mark.parametrize(
    "use",
    [
        lambda part: core.VAEDecode().decode(part, LATENT),
        lambda part: core.VAEDecodeTiled().decode(part, LATENT, 512),
        lambda part: core.VAEEncode().encode(part, torch.zeros(1, 8, 8, 3)),
        lambda part: core.VAEEncodeForInpaint().encode(
            part, torch.zeros(1, 64, 64, 3), torch.zeros(1, 64, 64)
        ),
        lambda part: core.CLIPTextEncode().encode(part, "a cat"),
        lambda part: core.CLIPSetLastLayer().set_last_layer(part, -2),
        lambda part: core.CLIPVisionEncode().encode(part, torch.zeros(1, 8, 8, 3), "center"),
        lambda part: core_video.LTXVImgToVideo.execute(
            [], [], torch.zeros(1, 64, 64, 3), part, 64, 64, 9, 1, 1.0
        ),
    ],
)
def test_cores_nodes_say_it(part, use):
    with pytest.raises(ValueError, match=TOLD):
        use(part)


def test_our_nodes_say_it(part, tmp_path):
    from comfy_api.latest import InputImpl
    from zoetrope.tests.comfy.nodes.test_texts import SCHEMAS

    formats = next(entry.options for entry in SCHEMAS["ZoetropeSaveLatents"].inputs if entry.id == "format")
    with pytest.raises(ValueError, match=TOLD):
        SaveLatents.execute(LATENT, part, **SETTINGS | {"format": formats[0]})
    defaults = {
        entry.id: entry.default
        for entry in SCHEMAS["ZoetropeEncodeVideo"].inputs
        if hasattr(entry, "default")
    }
    with pytest.raises(ValueError, match=TOLD):
        EncodeVideo.execute(InputImpl.VideoFromFile(str(tmp_path / "none.mp4")), part, **defaults)
