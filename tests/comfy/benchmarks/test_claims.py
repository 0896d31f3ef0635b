"""bench claims: methods with weights of their own are measured by one rule; claims of how to train have a
verdict; a sheet shows what came of each.
"""

import base64
import io
import json
import re

import pytest
from PIL import Image
from zoetrope.benchmarks import claims


def test_methods_and_claims_are_measured_and_shown_on_a_sheet(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(claims, "CLIPS", 2)
    sheet = tmp_path / "claims.html"
    found = claims.main(
        ["--json", "--only", "SimDA", "joint", "mixed", "--steps", "2", "--count", "1", "--sheet", str(sheet)]
    )
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == found
    numbers = found["SimDA"]
    assert numbers["steps"] == 2 and 0 < numbers["parameters"] < 5
    assert {"coherent", "motion", "jerk", "jerk_before", "coherent_before"} <= numbers.keys()
    joint, mixed = found["joint"], found["mixed"]
    assert (joint["verdict"] == "shown") == (joint["right_with"] > joint["right_without"])
    assert (mixed["verdict"] == "shown") == (mixed["error_mixed"] < mixed["error_video"])
    text = sheet.read_text(encoding="utf8")
    rows = text.split("<tr>")[2:]
    assert [row[4 : row.index("<td>")] for row in rows] == ["SimDA", "joint", "mixed"]
    pictures = [re.findall(r"base64,([A-Za-z0-9+/=]+)", row) for row in rows]
    assert [len(of_row) for of_row in pictures] == [2, 2, 3]
    with Image.open(io.BytesIO(base64.b64decode(pictures[0][1]))) as image:
        assert image.format == "WEBP" and image.n_frames == claims.FRAMES
    for row, values in zip(rows, found.values(), strict=True):
        assert all(f"{key}: {value}" in row for key, value in values.items())


def test_what_is_no_method_and_no_claim_is_refused():
    with pytest.raises(ValueError, match="--only nothing must be one of AnimateDiff, .*joint, mixed"):
        claims.main(["--only", "nothing"])
