"""Curation in a running ComfyUI over its HTTP API: raw videos to a data set that its own nodes read."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from zoetrope.curation.rows import DROPPED, ERROR
from zoetrope.curation.settings import Motion, Settings
from zoetrope.devtools.server import ComfyError
from zoetrope.host.curation.choosing import data_set_folder
from zoetrope.host.curation.clip_set import ClipSet, captioned
from zoetrope.host.curation.measuring import Scoring, VisionFeatures
from zoetrope.tests.comfy.nodes.temporal_layers.test_temporal_layers_nodes import node
from zoetrope.tests.comfy.nodes.test_paths import EVIL
from zoetrope.tests.places import ROOT
from zoetrope.tests.tiny_captioners import blip2_folder

TRUTH = ROOT / "tests" / "data" / "curation"
RAW = "raw videos"
SPLIT = {"folder": RAW, "detector": "correlation", "shortest": 0.5, "longest": 2.0, "margin": 0.15}
FILTER = {"best_motion": 100.0, "best_aesthetic": 100.0, "least_text": 100.0, "still_below": 0.05,
          "similar": 0.0, "sample": 100.0}  # fmt: skip
EXPORT = {"data_set_name": "my set", "place": "input", "mode": "re-encode", "crf": 23.0, "width": 0,
          "height": 0, "webdataset": True, "caption": "a texture"}  # fmt: skip


@pytest.fixture(scope="module")
def server(comfy_server):
    folder = comfy_server.base / "input" / RAW
    folder.mkdir(parents=True)
    for name in ("hard_cuts", "static", "truncated"):
        shutil.copy(TRUTH / f"{name}.mp4", folder)
    return comfy_server


def graph(filtered=(), **exported):
    return {
        "1": node("ZoetropeSplitIntoShots", **SPLIT),
        "2": node("ZoetropeScoreClips", clips=["1", 0], motion="codec", text_area=False, aesthetic="none"),
        "3": node("ZoetropeFilterClips", clips=["2", 0], **{**FILTER, **dict(filtered)}),
        "4": node("ZoetropeExportDataSet", clips=["3", 0], **{**EXPORT, **exported}),
        "5": node("PreviewAny", source=["4", 1]),
        "6": node("PreviewImage", images=["3", 2]),
    }


def said(history, number="5"):
    return history["outputs"][number]["text"][0]


def test_raw_videos_become_a_data_set_that_comfyui_reads(server):
    told = said(server.prompt(graph()))
    assert "3 videos" in told and "failed in probe: 1" in told and "motion below 0.05: 1" in told
    out = server.base / "input" / "my set"
    clips = sorted((out / "clips").glob("*.mp4"))
    assert len(clips) == 5 and all(path.with_suffix(".txt").read_text() == "a texture" for path in clips)
    assert (out / "report" / "index.html").is_file() and (out / "webdataset" / "00000.tar").is_file()
    assert len(list((out / "previews").rglob("*.jpg"))) == 6
    read = server.prompt({
        "1": node("LoadVideoTextDataSetFromFolder", folder="my set"),
        "2": node("GetVideoComponents", video=["1", 0]),
        "3": node("ZoetropeCountFrames", frames=["2", 0]),
        "4": node("PreviewAny", source=["3", 0]),
        "5": node("PreviewAny", source=["1", 1]),
    })  # fmt: skip
    assert sorted(map(int, read["outputs"]["4"]["text"])) == [24, 29, 36, 48, 48]
    assert read["outputs"]["5"]["text"] == ["a texture"] * 5


def test_clips_get_the_texts_that_a_model_writes(server):
    found = graph(data_set_name="told")
    found["7"] = node("ZoetropeTakeFramesOfClips", clips=["3", 0], count=2, side=64)
    found["8"] = node("ZoetropeCountFrames", frames=["7", 0])
    found["9"] = node("PreviewAny", source=["8", 0])
    found["10"] = node("ZoetropeCaptionClips", clips=["3", 0], text=["9", 0])
    found["4"]["inputs"]["clips"] = ["10", 0]
    history = server.prompt(found)
    assert history["outputs"]["9"]["text"] == ["2"] * 5
    texts = [path.read_text() for path in (server.base / "input" / "told" / "clips").glob("*.txt")]
    assert texts == ["2"] * 5


def test_another_bound_takes_clips_away_again(server):
    server.prompt(graph(data_set_name="few"))
    server.prompt(graph({"best_motion": 40.0}, data_set_name="few"))
    assert len(list((server.base / "input" / "few" / "clips").glob("*.mp4"))) == 3


def test_what_leaves_no_clip_is_an_error_that_says_why(server):
    with pytest.raises(ComfyError) as failed:
        server.prompt(graph({"still_below": 90.0}, data_set_name="none"))
    assert "motion below 90" in failed.value.details["exception_message"]
    assert not (server.base / "input" / "none").exists()
    with pytest.raises(ComfyError) as failed:
        server.prompt(graph({"best_aesthetic": 50.0}))
    assert "no clip has the score 'aesthetic'" in failed.value.details["exception_message"]


def test_a_folder_of_something_else_is_not_written_to(server):
    with pytest.raises(ComfyError) as failed:
        server.prompt(graph(data_set_name=RAW))
    assert "no data set of this node" in failed.value.details["exception_message"]
    assert sorted(path.name for path in (server.base / "input" / RAW).iterdir()) == [
        "hard_cuts.mp4", "static.mp4", "truncated.mp4",
    ]  # fmt: skip


@pytest.mark.parametrize("place", ["input", "output"])
@pytest.mark.parametrize("name", [*EVIL, ".", "..", "", "work"])
def test_no_name_of_a_data_set_leads_elsewhere(comfy_base, name, place):
    if name == "canary [nowhere]":  # odd, but it leads nowhere
        assert data_set_folder(name, place).parent in {
            comfy_base / "input",
            comfy_base / "output" / "curation",
        }
        return
    with pytest.raises(ValueError, match="^data_set_name"):
        data_set_folder(name, place)


class Vision:
    """Image features by the mean colour, as CLIP_VISION gives them."""

    model = torch.nn.Linear(2, 2)

    def encode_image(self, image):
        return {"image_embeds": image.mean((1, 2)).repeat(1, 256)}


def test_looks_and_beauty_come_from_the_wired_networks(comfy_base):
    heads = comfy_base / "models" / "metrics"
    heads.mkdir(parents=True, exist_ok=True)
    torch.save({"weight": torch.full((1, 768), 2.0), "bias": torch.tensor([0.5])}, heads / "head.pth")
    scoring = Scoring(Motion("none"), clip_vision=Vision(), aesthetic="head.pth")
    (pictures,), told = scoring.measures(Path("previews"))
    pictures.setup()
    row = pictures.scores[0]([np.full((8, 8, 3), 255, np.uint8)] * 3)
    assert row["aesthetic"] == pytest.approx(0.5 + 2 * 768**0.5, abs=1e-3) and len(row["features"]) == 3
    assert VisionFeatures(Vision()).images([np.zeros((4, 4, 3), np.uint8)]).shape == (1, 768)
    assert told and told != Scoring(Motion("none"), clip_vision=Vision()).measures(Path("x"))[1]
    with pytest.raises(ValueError, match="wire Load CLIP Vision"):
        Scoring(Motion("none"), aesthetic="head.pth").measures(Path("x"))


def test_texts_fit_the_clips_that_are_in():
    rows = ({"id": "a"}, {"id": "b", DROPPED: "short"}, {"source": "c", ERROR: "x"}, {"id": "d"})
    clips = ClipSet(Path("."), Settings(), rows)
    found = captioned(clips, ["This video shows a cat", "dogs"]).rows
    assert [row.get("caption") for row in found] == ["A cat", None, None, "dogs"]
    assert [row.get("caption") for row in captioned(clips, ["all"]).rows] == ["all", None, None, "all"]
    with pytest.raises(ValueError, match="3 texts for 2 clips"):
        captioned(clips, ["a", "b", "c"])


def test_captioners_describe_clips_and_a_run_that_was_stopped_goes_on(server):
    folder = server.base / "models" / "captioners" / "video-blip"
    blip2_folder(folder)
    described = {"clips": ["3", 0], "image_captioner": folder.name, "video_captioner": folder.name,
                 "frames": 2, "prompt": ""}  # fmt: skip
    found = graph(data_set_name="described")
    found["7"] = node("ZoetropeDescribeClips", **described)
    found["8"] = node("PreviewAny", source=["7", 1])
    found["4"]["inputs"]["clips"] = ["7", 0]
    asked = server.prompt(found)["outputs"]["8"]["text"]
    clips = sorted((server.base / "input" / "described" / "clips").glob("*.txt"))
    texts = [path.read_text(encoding="utf8") for path in clips]
    assert len(texts) == len(asked) == 5 and all(texts)
    assert all(f"Clip: {text}" in "\n".join(asked) for text in texts)
    (kept,) = (server.base / "output" / "curation" / "work" / RAW / "captions").iterdir()
    files = sorted(kept.rglob("*.jsonl"))
    states = [path.stat().st_mtime_ns for path in files[1:]]
    files[0].unlink()
    found["3"]["inputs"]["still_below"] = 0.051  # as another prompt: ComfyUI keeps what it has made
    server.prompt(found)
    assert files[0].exists() and [path.stat().st_mtime_ns for path in files[1:]] == states
    del found["6"]  # ComfyUI runs what it can
    found["7"]["inputs"]["video_captioner"] = "gone"
    with pytest.raises(ComfyError) as failed:
        server.prompt(found)
    assert "'gone' was not found in" in str(failed.value) and "kpyu/video-blip" in str(failed.value)
    found["7"]["inputs"] |= {"video_captioner": "none", "image_captioner": "none"}
    with pytest.raises(ComfyError) as failed:
        server.prompt(found)
    assert "there is no captioner" in failed.value.details["exception_message"]
