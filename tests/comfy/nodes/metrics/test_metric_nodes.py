"""The metric nodes in a running ComfyUI, over its HTTP API: a pair, two folders, a table, curves,
refusals.
"""

import csv
import io
import json

import numpy as np
import pytest
import torch
from PIL import Image
from zoetrope.devtools.server import ComfyError
from zoetrope.metrics.networks.aesthetic_heads import LinearHead
from zoetrope.metrics.networks.i3d import I3D
from zoetrope.tests.networks.metric_networks import weights
from zoetrope.video_io.encode import encode_h264

I3D_FILE, HEAD_FILE = "i3d_pretrained_400.pt", "sa_0_4_vit_l_14_linear.pth"
HEIGHT, WIDTH = 48, 64


def node(kind, **inputs):
    return {"class_type": kind, "inputs": inputs}


@pytest.fixture(scope="module")
def server(comfy_server):
    """A server with networks, and two folders of two videos of 9 frames each."""
    models = comfy_server.base / "models" / "metrics"
    models.mkdir(parents=True, exist_ok=True)
    torch.save(weights(I3D), models / I3D_FILE)
    torch.save(weights(LinearHead), models / HEAD_FILE)
    for name in ("set a", "set b"):
        folder = comfy_server.base / "input" / name
        folder.mkdir(exist_ok=True)
        for number in range(2):
            generator = torch.Generator().manual_seed(number + 10 * (name == "set b"))
            frames = torch.rand(9, HEIGHT, WIDTH, 3, generator=generator)
            encode_h264(list(frames), str(folder / f"{number}.mp4"), 8.0)
    yield comfy_server
    for file in (models / I3D_FILE, models / HEAD_FILE):
        file.unlink()


def clip(graph, name, colours):
    """Adds a clip of frames of one grey each; returns its link."""
    for i, colour in enumerate(colours):
        graph[f"{name}{i}"] = node(
            "EmptyImage", width=WIDTH, height=HEIGHT, batch_size=1, color=0x010101 * colour
        )
    frames = {f"images.image{i}": [f"{name}{i}", 0] for i in range(len(colours))}
    graph[name] = node("BatchImagesNode", **frames)
    return [name, 0]


def measure(images, metrics="", **inputs):
    return node("ZoetropeMeasureVideo", images=images, metrics=metrics, fps=8.0, **inputs)


def shown(server, result, name):
    (file,) = result["outputs"][name]["images"]
    return np.asarray(Image.open(io.BytesIO(server.view(file))).convert("RGB"))


def test_clips_are_measured_against_a_reference_and_tabulated(server):
    graph = {}
    reference = clip(graph, "reference", (100, 100, 100))
    graph["one"] = measure(clip(graph, "near", (100, 102, 100)), "psnr, flicker", reference=reference)
    graph["two"] = measure(clip(graph, "far", (100, 151, 100)), "psnr flicker", reference=reference)
    scores = {"scores.scores0": ["one", 0], "scores.scores1": ["two", 0], "labels": "near\n远"}
    table = {"filename_prefix": "metrics/test", "width": 500}
    graph["csv"] = node("ZoetropeTabulateScores", **scores, file_format="csv", **table)
    graph["json"] = node("ZoetropeTabulateScores", **scores, file_format="json", **table)
    graph["curve"] = node("ZoetropePlotScores", **scores, metric="psnr", width=300, height=200)
    graph["show curve"] = node("PreviewImage", images=["curve", 0])
    graph |= {f"show {i}": node("PreviewImage", images=["csv", i]) for i in (0, 1)}
    result = server.prompt(graph)
    name, *lines = result["outputs"]["csv"]["text"][0].split("\n")
    rows = list(csv.DictReader((server.base / "output" / name).open(encoding="utf8")))
    assert [(row["label"], row["metric"]) for row in rows] == [
        ("near", "psnr"), ("near", "flicker"), ("远", "psnr"), ("远", "flicker"),
    ]  # fmt: skip
    wanted = [-10 * np.log10((d / 255) ** 2 / 3) for d in (2, 51)]
    assert [float(row["value"]) for row in rows[::2]] == pytest.approx(wanted, abs=1e-4)
    assert "3 frames; values 0..1" in rows[0]["protocol"] and lines[0].startswith("near: psnr = 46.88 [")
    saved = result["outputs"]["json"]["text"][0].split("\n")[0]
    content = json.loads((server.base / "output" / saved).read_text(encoding="utf8"))
    curve = content["columns"][1]["scores"][0]["per_frame"]
    assert curve[0] == curve[2] == "inf" and curve[1] == pytest.approx(wanted[1] - 10 * np.log10(3), abs=1e-4)
    assert shown(server, result, "show curve").shape == (200, 300, 3)
    pictures = [shown(server, result, f"show {i}") for i in (0, 1)]
    assert all(picture.shape[1] == 500 and picture.std() > 10 for picture in pictures)


def test_two_folders_are_compared(server):
    graph = {
        name: node("ZoetropeLoadVideoSet", folder=f"set {name}", num_frames=9, frame_rate=0.0)
        for name in "ab"
    }
    graph["i3d"] = node("ZoetropeLoadMetricNetwork", network=I3D_FILE)
    graph["measure"] = node("ZoetropeMeasureSet", a=["a", 0], b=["b", 0], metrics="fvd, ssim", i3d=["i3d", 0])
    graph["text"] = node("PreviewAny", source=["measure", 1])
    graph["what"] = node("PreviewAny", source=["i3d", 1])
    graph["count"] = node("PreviewAny", source=["a", 1])
    outputs = server.prompt(graph)["outputs"]
    fvd, few, ssim = outputs["text"]["text"][0].split("\n")
    assert fvd.startswith("sets: fvd (a, b) = ") and "9 frames of each; 8 fps" in fvd and "n 2 and 2" in fvd
    assert float(fvd.split(" = ")[1].split()[0]) > 0 and few.startswith(
        "  ! 2 videos are few for 400 features"
    )
    assert ssim.startswith("sets: ssim (a, b) = ") and "n 2" in ssim
    assert outputs["what"]["text"] == ["I3D (Kinetics-400), 400 logits"]
    assert outputs["count"]["text"] == ["2 videos"]


def test_lists_and_batches_are_sets(server):
    graph = {}
    graph["set"] = node(
        "ZoetropeMakeVideoSet", images=clip(graph, "c", (10, 20, 90, 90)), num_frames=0, fps=8.0,
        frames_per_video=2,
    )  # fmt: skip
    graph["measure"] = node("ZoetropeMeasureSet", a=["set", 0], metrics="flicker")
    graph["text"] = node("PreviewAny", source=["measure", 1])
    told = server.prompt(graph)["outputs"]["text"]["text"][0]
    assert told.startswith("sets: flicker (a) = 0.9804 ± 0.02 [") and "2 frames of each clip" in told


@pytest.mark.parametrize(
    ("network", "socket", "metrics", "told"),
    [
        (HEAD_FILE, "i3d", "fvd", "i3d takes I3D (Kinetics-400), 400 logits; 'sa_0_4_vit_l_14_linear.pth'"),
        (I3D_FILE, "i3d", "fvd", "fvd needs at least 2 videos in each set, set b has 1; add more."),
        (I3D_FILE, "i3d", "fdv", "metrics: 'fdv' is not known; it may be one of psnr, ssim,"),
        (I3D_FILE, "i3d", "fid", "metrics: fid needs the Inception network of FID; wire inception,"),
    ],
)
def test_what_cannot_be_measured_is_told(server, network, socket, metrics, told):
    graph = {"net": node("ZoetropeLoadMetricNetwork", network=network)}
    for name, count in (("a", 18), ("b", 9)):
        images = clip(graph, name + "c", [10] * count)
        graph[name] = node("ZoetropeMakeVideoSet", images=images, num_frames=9, fps=8.0, frames_per_video=9)
    inputs = {"a": ["a", 0], "b": ["b", 0], "metrics": metrics, socket: ["net", 0]}
    graph["measure"] = node("ZoetropeMeasureSet", **inputs)
    graph["text"] = node("PreviewAny", source=["measure", 1])
    with pytest.raises(ComfyError) as refused:
        server.prompt(graph)
    assert told in refused.value.details["exception_message"]


def test_a_missing_file_is_refused_before_the_run(server):
    graph = {"net": node("ZoetropeLoadMetricNetwork", network="weights-inception-2015-12-05-6726825d.pth")}
    graph["text"] = node("PreviewAny", source=["net", 1])
    with pytest.raises(ComfyError) as refused:
        server.prompt(graph)
    told = str(refused.value.details["node_errors"])
    assert "was not found; put it into" in told and "github.com/toshas/torch-fidelity" in told


def test_a_curve_that_was_not_measured_is_told(server):
    graph = {}
    graph["one"] = measure(clip(graph, "c", (1, 2)), "flicker")
    inputs = {"scores.scores0": ["one", 0], "labels": "", "metric": "ssim", "width": 300, "height": 200}
    graph["curve"] = node("ZoetropePlotScores", **inputs)
    graph["show"] = node("PreviewImage", images=["curve", 0])
    with pytest.raises(ComfyError) as refused:
        server.prompt(graph)
    assert "'scores 1' has no curve of ssim; it has flicker." in refused.value.details["exception_message"]
