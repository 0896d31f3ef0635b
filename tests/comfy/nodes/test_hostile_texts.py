"""Names, prompts, labels and tags that are no proper text,
in a running ComfyUI whose console takes UTF-8 or ASCII alone.

ComfyUI prints every error with its chain. A character that its console cannot encode would end the thread
that runs prompts:
nothing would run until a restart. So after every case the next prompt must run, on the same server.
"""

import json
import struct
import sys

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from zoetrope.devtools.comfyui import find_comfyui
from zoetrope.devtools.server import ComfyError
from zoetrope.tests.comfy.nodes.video.test_video_nodes import DEFAULTS
from zoetrope.tests.comfy.server import Server, make_server_base

if sys.platform != "linux":
    pytest.skip("other systems have no file names that are not UTF-8", allow_module_level=True)

CHECKPOINT, MODULE = "zoetrope_tiny_sd.safetensors", "zoetrope_tiny_mm.safetensors"
STEMS = {
    "not UTF-8": "bad\udcff",
    "Chinese": "视频\u3000文件",
    "emoji": "\U0001f3ac",
    "lines": "a\nb\r",
    "turned": "x\u202egpj",
}
LIMITS = {"fps": 8.0, "crf": -1.0, "pix_fmt": "auto", "ping_pong": False, "loop_count": 0}


def damaged(path):
    """A .safetensors file whose header says more than there is."""
    header = json.dumps({"w": {"dtype": "F32", "shape": [7], "data_offsets": [0, 28]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + b"\0" * 5)


def page(path):
    path.write_bytes(b"<!DOCTYPE html><html></html>")


def odd_keys(path):
    torch.save({"weight\ud83d\n\u202e": torch.zeros(3), "中文": torch.zeros(2)}, path)


def no_weights(path):
    save_file({"something": torch.zeros(3)}, path)


def code(path):
    path.write_bytes(b"cposix\nsystem\n(S'true'\ntR.")


CONTENTS = {
    "damaged.safetensors": damaged,
    "page.ckpt": page,
    "keys.ckpt": odd_keys,
    "other.safetensors": no_weights,
    "code.pth": code,
}
FOLDERS = ("animatediff_models", "animatediff_motion_lora", "diffusion_models", "vae", "loras")
CASES = [f"bad\udcff_{content}" for content in CONTENTS] + [
    f"{stem}_damaged.safetensors" for stem in STEMS.values()
]


@pytest.fixture(scope="module", params=["utf8", "ascii"])
def server(request, tmp_path_factory):
    """A server of its own, with every file of hostile name and content in every folder."""
    base = make_server_base(tmp_path_factory)
    for folder in FOLDERS:
        (base / "models" / folder).mkdir(exist_ok=True)
        for stem in STEMS.values():
            for content, write in CONTENTS.items():
                write(base / "models" / folder / f"{stem}_{content}")
        (base / "models" / folder / "good\udcff.safetensors").write_bytes(
            (base / "models/animatediff_models" / MODULE).read_bytes()
        )
    for stem in STEMS.values():
        (base / "input" / f"{stem}.mp4").write_bytes(b"\0\0\0\x18ftypisom" + b"\xff" * 99)
        (base / "input" / f"{stem}.gif").write_bytes(b"GIF89a" + b"\xff" * 99)
        (base / "input" / stem).mkdir()
        (base / "input" / stem / f"{stem}.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"\xff" * 99)
    Image.new("RGB", (8, 8)).save(base / "input" / "bad\udcff" / "a.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONIOENCODING", f"{request.param}:strict")
        patch.setenv("LANG", "C")
        server = Server(sys.executable, find_comfyui(), base, log=base.parent / "server.log")
        server.console = request.param
        server.start()
    yield server
    server.stop()


def node(class_type, **inputs):
    return {"class_type": class_type, "inputs": inputs}


def refused(server, graph, *told):
    """What the server says to a graph that fails; the next one must run."""
    with pytest.raises(ComfyError) as error:
        server.prompt(graph, patience=300)
    answer = json.dumps(error.value.details)
    for words in told:
        assert words in answer
    probe = {
        "1": node("EmptyImage", width=8, height=8, batch_size=1, color=7),
        "2": node("PreviewImage", images=["1", 0]),
    }
    image = server.prompt(probe, patience=300)
    assert image["outputs"]["2"]["images"]
    return answer


LOADERS = {
    "animatediff_models": lambda name: {"1": node("ZoetropeLoadMotionModule", motion_module=name)},
    "animatediff_motion_lora": lambda name: {
        "0": node("ZoetropeLoadMotionModule", motion_module=MODULE),
        "1": node("ZoetropeLoadMotionLora", motion_module=["0", 0], lora_name=name, strength=1.0),
    },
    "diffusion_models": lambda name: {"1": node("ZoetropeLoadVideoModel", model_name=name)},
    "vae": lambda name: {"1": node("ZoetropeLoadVideoVAE", vae_name=name)},
    "loras": lambda name: {
        "0": node("CheckpointLoaderSimple", ckpt_name=CHECKPOINT),
        "1": node("ZoetropeLoadVideoLora", model=["0", 0], lora_name=name, strength=1.0),
    },
}  # fmt: skip


@pytest.mark.parametrize("folder", LOADERS)
def test_files_of_every_loader(server, folder):
    names = [f"missing_{CASES[0]}", *dict.fromkeys(CASES)]
    for name in names if server.console == "ascii" else names[:2]:
        refused(server, LOADERS[folder](name) | {"2": node("PreviewAny", source=["1", 0])})


def test_a_good_file_whose_name_is_not_utf8_is_to_be_renamed(server):
    graph = LOADERS["animatediff_models"]("good\udcff.safetensors") | {
        "2": node("PreviewAny", source=["1", 0])
    }
    assert "its name is not UTF-8; rename it" in refused(server, graph)


@pytest.mark.parametrize("stem", STEMS)
def test_pictures_and_videos(server, stem):
    name = STEMS[stem]
    for source in (f"{name}/", f"{name}.gif", f"{name} is missing.gif", f"{name} is missing/"):
        load = node("ZoetropeLoadFrames", source=source, folder_fps=8.0, **DEFAULTS)
        refused(server, {"1": load, "2": node("PreviewImage", images=["1", 0])})
    video = {
        "0": node("LoadVideo", file=f"{name}.mp4"),
        "1": node("ZoetropeTakeFrames", video=["0", 0], **DEFAULTS),
    }
    refused(server, video | {"2": node("PreviewImage", images=["1", 0])})


HALF = "a\ud83d\U0001f3ac\0\n\u202eb"


def test_texts_that_are_typed(server):
    image = {"0": node("EmptyImage", width=64, height=64, batch_size=2, color=7)}
    for prefix in (HALF, "\udcff/x", "中文/\ud800"):
        save = node(
            "ZoetropeSaveFrames", images=["0", 0], filename_prefix=prefix, format="H.264 (mp4)", **LIMITS
        )
        refused(server, image | {"1": save}, "half a character")
    clips = {"clips.clip0": ["0", 0], "columns": 0, "length": "longest", "label_height": 24}
    show = {"2": node("PreviewAny", source=["1", 0])}
    refused(
        server,
        image | show | {"1": node("ZoetropeCompareClips", labels=HALF, **clips)},
        "labels holds half a character",
    )
    refused(
        server,
        image | show | {"1": node("ZoetropeSelectFrames", frames=["0", 0], selection="第一\U0001f3ac")},
        "neither a frame",
    )
    model = {"0": node("CheckpointLoaderSimple", ckpt_name=CHECKPOINT)}
    refused(
        server,
        model | show | {"1": node("ZoetropeEncodeShow1Text", clip=["0", 1], text=HALF)},
        "text holds half a character",
    )
    guided = node(
        "ZoetropeSetFrameGuidance",
        model=["0", 0],
        shape="multi_period",
        min_cfg=1.0,
        edge=0.1,
        periods="一\U0001f3ac",
        period_fusing="mean",
    )
    refused(server, model | show | {"1": guided})


def test_labels_in_any_script_are_drawn(server):
    labels = "视频 \U0001f3ac שלום\u202e\u200b" + "x" * 5000
    graph = {
        "0": node("EmptyImage", width=64, height=64, batch_size=2, color=7),
        "1": node(
            "ZoetropeCompareClips",
            labels=labels,
            columns=0,
            length="longest",
            label_height=24,
            **{"clips.clip0": ["0", 0]},
        ),
        "2": node("PreviewImage", images=["1", 0]),
    }
    assert len(server.prompt(graph)["outputs"]["2"]["images"]) == 2


def test_numbers_over_links_and_in_json(server):
    image = {
        "0": node("EmptyImage", width=8, height=8, batch_size=2, color=7),
        "n": node("PrimitiveInt", value=100001),
    }
    show = {"2": node("PreviewAny", source=["1", 0])}
    repeat = node("ZoetropeRepeatFrames", frames=["0", 0], times=["n", 0], each_frame=False)
    refused(server, image | show | {"1": repeat}, "times=100001 must be 1 to 10000; lower it")
    number = {
        "m": node("ZoetropeLoadMotionModule", motion_module=MODULE),
        "c": node("CheckpointLoaderSimple", ckpt_name=CHECKPOINT),
    }
    apply = {
        "strength": float("nan"),
        "start_percent": 0.0,
        "end_percent": 1.0,
        "beta_schedule": "auto",
        "group_norm": "auto",
        "frames_per_video": 0,
    }
    motion = node("ZoetropeApplyMotionModule", model=["c", 0], motion_module=["m", 0], **apply)
    refused(server, number | show | {"1": motion}, "strength=nan must be a finite number")


def test_a_sampler_says_it_too(server):
    """Errors that are raised while core samples do not pass our nodes:
    a module of a hostile name that knows 24 frames gets 40.
    """
    folder = server.base / "models" / "animatediff_models"
    name = "模块\U0001f3ac\udcff.ckpt"  # safetensors' own reader opens no such names
    torch.save(load_file(folder / MODULE), folder / name)
    apply = {
        "strength": 1.0,
        "start_percent": 0.0,
        "end_percent": 1.0,
        "beta_schedule": "auto",
        "group_norm": "auto",
        "frames_per_video": 0,
    }
    sample = {
        "seed": 3,
        "steps": 1,
        "cfg": 1.0,
        "sampler_name": "euler",
        "scheduler": "normal",
        "denoise": 1.0,
    }
    graph = {
        "1": node("CheckpointLoaderSimple", ckpt_name=CHECKPOINT),
        "2": node("ZoetropeLoadMotionModule", motion_module=name),
        "4": node("ZoetropeApplyMotionModule", model=["1", 0], motion_module=["2", 0], **apply),
        "6": node("CLIPTextEncode", clip=["1", 1], text="a"),
        "8": node("EmptyLatentImage", width=64, height=64, batch_size=40),
        "9": node(
            "KSampler", model=["4", 0], positive=["6", 0], negative=["6", 0], latent_image=["8", 0], **sample
        ),
        "10": node("PreviewAny", source=["9", 0]),
    }
    answer = refused(server, graph, "40 frames are more than the")
    assert "\\udcff" in json.loads(answer)["exception_message"]


def test_the_thread_of_prompts_never_ended(server):
    assert "Exception in thread" not in server.log_text()
