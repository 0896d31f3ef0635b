"""`python dev.py measure` as a function: files, folders, formats, and the status of what goes wrong."""

import csv
import json

import folder_paths
import pytest
import torch
from PIL import Image
from zoetrope.host.files.model_files import METRIC_NETWORKS, register_model_folders
from zoetrope.host.measuring import command
from zoetrope.video_io.encode import encode_h264


@pytest.fixture
def videos(tmp_path, monkeypatch):
    register_model_folders()
    monkeypatch.setitem(
        folder_paths.folder_names_and_paths, METRIC_NETWORKS, ([str(tmp_path / "none")], {".pth"})
    )
    for number in range(2):
        frames = torch.rand(5, 32, 48, 3, generator=torch.Generator().manual_seed(number))
        encode_h264(list(frames), str(tmp_path / f"{number}.mp4"), 8.0)
    return tmp_path


def run(*arguments):
    return command.main([str(argument) for argument in arguments])


def test_two_videos_are_compared_and_written(videos, capsys):
    pair = videos / "0.mp4", videos / "1.mp4"
    for name in ("scores.csv", "scores.json", "scores.png"):
        assert run(*pair, "--metrics", "psnr,ssim", "--num-frames", 3, "--out", videos / name) == 0
    told = capsys.readouterr()
    assert "0.mp4: psnr (a, b) = " in told.out and "3 frames of each clip" in told.out
    assert "1.mp4: 1 file" in told.err
    rows = list(csv.DictReader((videos / "scores.csv").open(encoding="utf8")))
    assert [row["metric"] for row in rows] == ["psnr", "ssim"]
    content = json.loads((videos / "scores.json").read_text(encoding="utf8"))
    assert content["columns"][0]["scores"][1]["value"] == pytest.approx(float(rows[1]["value"]))
    with Image.open(videos / "scores.png") as image:
        assert image.width == 960


def test_a_folder_is_measured_by_itself(videos, capsys):
    assert run(videos, "--num-frames", 0, "--json") == 0
    (column,) = json.loads(capsys.readouterr().out)["columns"]
    assert [(score["metric"], score["protocol"]["n"]) for score in column["scores"]] == [("flicker", [2])]


def test_named_networks_are_used(videos, capsys):
    torch.save({"weight": torch.zeros(1, 768), "bias": torch.zeros(1)}, videos / "head.pth")
    assert run(videos, "--num-frames", 3, "--networks", videos / "head.pth", "--metrics", "aesthetic") == 1
    assert "aesthetic needs a CLIP image encoder; wire clip_vision" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["{0}/no where"], 1, "is not there; give the path of a video or of a folder"),
        (["{0}", "{0}", "--metrics", "fvd"], 1, "metrics: fvd needs the I3D network of FVD"),
        (["{0}", "--num-frames", "9"], 1, "'0.mp4' has 5 frames, fewer than num_frames=9"),
        (["{0}", "--networks", "i3d_pretrained_400.pt"], 1, "github.com/songweige/TATS"),
        (["{0}", "--clip-vision", "nothing.pth"], 1, "neither a file nor one of models/clip_vision"),
        (["{0}", "--out", "x.txt"], 2, "must end with .csv, .json or .png"),
    ],
)
def test_what_goes_wrong_is_one_sentence(videos, capsys, arguments, status, told):
    assert run(*(argument.format(videos) for argument in arguments)) == status
    captured = capsys.readouterr()
    assert told in captured.err and "Traceback" not in captured.err and captured.out == ""


def test_a_damaged_file_in_the_folder_is_told_and_left_out(videos, capsys, monkeypatch):
    (videos / "nets").mkdir()
    (videos / "nets" / "bad.pth").write_bytes(b"")
    folders = ([str(videos / "nets")], {".pth"})
    monkeypatch.setitem(folder_paths.folder_names_and_paths, METRIC_NETWORKS, folders)
    assert run(videos / "0.mp4", "--num-frames", 3, "--metrics", "flicker") == 0
    told = capsys.readouterr()
    assert "Left out: 'bad.pth' is empty" in told.err and "flicker (a) = " in told.out
