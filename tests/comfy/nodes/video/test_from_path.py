"""Files by their paths, over HTTP: videos, sound, folders of pictures; what is not allowed never runs."""

import numpy as np
import pytest
import torch
from PIL import Image
from zoetrope.devtools.server import ComfyError
from zoetrope.tests.comfy.nodes.video.test_video_nodes import DEFAULTS, NODE
from zoetrope.video_io.encode import EncodeSettings, VideoEncoder

RATE = 8000


@pytest.fixture(scope="module")
def places(comfy_server, tmp_path_factory):
    """(server, an allowed folder with a video of 5 frames and 0.5 s of sound)."""
    folder = tmp_path_factory.mktemp("allowed")
    sound = {"waveform": torch.linspace(-1, 1, RATE // 2)[None, None], "sample_rate": RATE}
    encoder = VideoEncoder(str(folder / "clip.mkv"), EncodeSettings("FFV1 (mkv)", 10), audio=sound)
    for number in range(5):
        encoder.write(torch.full((18, 34, 3), number / 5))
    encoder.finish()
    (folder / "frames").mkdir()
    for number in (2, 10):
        Image.fromarray(np.full((18, 34, 3), number, np.uint8)).save(folder / "frames" / f"{number}.png")
    settings = comfy_server.base / "user" / "__zoetrope" / "allowed_folders.txt"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(f"{folder}\n", encoding="utf8")
    yield comfy_server, folder
    settings.unlink()


def shown(output):
    return {"class_type": "PreviewAny", "inputs": {"source": output}}


def texts(server, graph):
    outputs = server.prompt(graph)["outputs"]
    return [outputs[key]["text"][0] for key in sorted(outputs)]


def test_a_video_by_its_path(places):
    server, folder = places
    video = {"class_type": "ZoetropeLoadVideoFromPath", "inputs": {"path": f'"{folder}/clip.mkv"'}}
    frames = {"class_type": NODE, "inputs": {"video": ["1", 0], **DEFAULTS}}
    told = texts(server, {"1": video, "2": frames, "3": shown(["2", 4]), "4": shown(["2", 3])})
    assert told == ["5", "10.0"]


def test_sound_by_its_path_says_how_long_it_is(places):
    server, folder = places

    def seconds(**span):
        inputs = {"path": f"{folder}/clip.mkv", "start_seconds": 0.0, "duration_seconds": 0.0} | span
        load = {"class_type": "ZoetropeLoadAudioFromPath", "inputs": inputs}
        return float(texts(server, {"1": load, "2": shown(["1", 1])})[0])

    assert seconds() == pytest.approx(0.5)
    assert seconds(start_seconds=0.2) == pytest.approx(0.3)
    assert seconds(duration_seconds=0.125) == pytest.approx(0.125)
    assert seconds(start_seconds=0.4, duration_seconds=5.0) == pytest.approx(0.1)
    with pytest.raises(ComfyError, match=r"the sound is 0\.50 seconds long; start earlier"):
        seconds(start_seconds=3.0)


def test_a_folder_of_pictures_by_its_path(places):
    server, folder = places
    inputs = {"source": "", "folder_fps": 8.0, **DEFAULTS, "path": f"{folder}/frames"}
    load = {"class_type": "ZoetropeLoadFrames", "inputs": inputs}
    assert texts(server, {"1": load, "2": shown(["1", 3])}) == ["2"]


@pytest.mark.parametrize("node_id", ["ZoetropeLoadVideoFromPath", "ZoetropeLoadAudioFromPath"])
def test_a_path_over_a_link_is_checked_in_the_run(places, node_id):
    server, _ = places
    text = {"class_type": "PrimitiveString", "inputs": {"value": "/etc/passwd"}}
    load = {
        "class_type": node_id,
        "inputs": {"path": ["1", 0], "start_seconds": 0.0, "duration_seconds": 0.0},
    }
    if "Video" in node_id:
        load["inputs"] = {"path": ["1", 0]}
    with pytest.raises(ComfyError, match="is not below a folder that may be read"):
        server.prompt({"1": text, "2": load, "3": shown(["2", 0])})


def test_what_is_no_video_is_refused(places):
    server, folder = places
    (folder / "list.m3u8").write_text("#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n")
    load = {"class_type": "ZoetropeLoadVideoFromPath", "inputs": {"path": f"{folder}/list.m3u8"}}
    with pytest.raises(ComfyError, match="is a list of other files, which is not followed"):
        server.prompt({"1": load, "2": shown(["1", 0])})
