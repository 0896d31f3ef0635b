"""bench curation: the truth set, the speed of a short video, and the claim with two steps."""

import json

import pytest
from zoetrope.benchmarks import curation

pytest.importorskip("cv2")
pytest.importorskip("rapidocr")


def run(capsys, *arguments):
    found = curation.main(["--json", *arguments])
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == found
    return found


def test_the_truth_set_is_measured():
    names = ("hard_cuts", "fade_black", "static", "pan_2_1", "text_subtitle")
    found = curation.truth(frozenset(f"{name}.mp4" for name in names))
    assert found["cut_f1"] == 1 and found["cut_false_per_minute"] == 0
    assert found["static_auc"] == 1 and found["text_area_error"] <= 0.02


def test_raw_and_curated_clips_are_trained_on_and_judged(capsys, monkeypatch, comfy_base):
    monkeypatch.setattr(curation, "EACH", 1)
    found = run(capsys, "--only", "claim", "--steps", "2", "--count", "1")
    assert found["raw_videos"] == 10 and 0 < found["curated_clips"] < 20
    assert found["lost"]["still"] and found["lost"]["text"] and not found["lost"]["good"]
    assert {"raw_score", "curated_score", "raw_jerk", "curated_jerk"} <= found.keys()
    assert found["curated_clips_trained"] < found["raw_clips_trained"]
