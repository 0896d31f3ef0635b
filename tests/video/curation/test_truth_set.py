"""The truth set: clips whose cuts, motion and text are known. `dissolves` is encoded smaller than the others.

Cuts must be exact and a gradual one found within its frames, motion within 10 % by DIS, still clips below
.05 pixels a frame, text within .02 of the picture.
"""

import json

import pytest
from zoetrope.curation.cuts.cut import HARD
from zoetrope.curation.measures.codec_motion import CodecMotion
from zoetrope.curation.measures.look import MeasureClips
from zoetrope.curation.measures.motion import FlowMotion
from zoetrope.curation.measures.pictures import Pictures, TextArea
from zoetrope.curation.rows import DROPPED, ERROR
from zoetrope.curation.settings import Clips, Cuts, Motion, Settings
from zoetrope.curation.shots import SHORT, FindClips, Probe
from zoetrope.curation.stage import run_stages
from zoetrope.curation.videos import probed
from zoetrope.tests.places import ROOT

FOLDER = ROOT / "tests" / "data" / "curation"
TRUTH = json.loads((FOLDER / "truth.json").read_text(encoding="utf8"))["clips"]
WHOLE = [name for name, truth in TRUTH.items() if not truth.get("broken")]
MOVING = [name for name, truth in TRUTH.items() if "flow" in truth]
EVERY_LENGTH = Settings(clips=Clips(0.0, 0.0), cuts=Cuts(margin=0.0))


def scan(name, *more, settings=EVERY_LENGTH):
    stages = [Probe(FOLDER), FindClips(FOLDER, settings), *more]
    for stage in stages:
        stage.setup()
    return run_stages(stages, [{"source": name}])


@pytest.mark.parametrize("name", WHOLE)
def test_cuts_are_those_of_the_truth(name):
    truth = TRUTH[name]
    finder = FindClips(FOLDER, EVERY_LENGTH)
    finder.setup()
    cuts = finder.scan(FOLDER / name, probed(FOLDER / name)).cuts
    assert [cut.first for cut in cuts if cut.kind == HARD] == truth.get("cuts", [])
    gradual = [(cut.first, cut.last) for cut in cuts if cut.kind != HARD]
    wanted = truth.get("transitions", [])
    assert len(gradual) == len(wanted)
    for (first, last), (begin, end) in zip(gradual, wanted, strict=True):
        assert begin - 4 <= first <= begin + 4 and end - 4 <= last <= end + 4


def test_every_frame_outside_of_gradual_cuts_is_in_one_clip():
    rows = scan("hard_cuts.mp4")
    assert [(row["first"], row["last"]) for row in rows] == [
        (0, 35), (36, 59), (60, 107), (108, 114), (115, 143), (144, 191),
    ]  # fmt: skip
    assert rows[3]["seconds"] == pytest.approx(7 / 24, abs=1e-5)
    assert len({row["id"] for row in rows}) == 6


def test_short_shots_are_dropped_and_long_ones_divided():
    rows = scan("hard_cuts.mp4", settings=Settings(clips=Clips(0.5, 1.0)))
    assert [row["frames"] for row in rows if row.get(DROPPED) == SHORT] == [7]
    assert max(row["seconds"] for row in rows) <= 1.0
    assert sum(row["frames"] for row in rows) == 192


@pytest.mark.parametrize("name", MOVING)
def test_motion_by_dis_is_that_of_the_truth(name):
    pytest.importorskip("cv2")
    truth = TRUTH[name]["flow"]["mean_magnitude"]
    (row,) = scan(name, MeasureClips(FOLDER, [FlowMotion(Motion())]))
    assert ERROR not in row, row
    assert row["motion"] < 0.05 if truth == 0 else row["motion"] == pytest.approx(truth, rel=0.1)
    assert row["motion_speed"] == pytest.approx(row["motion"] / 192 * 24, rel=0.01)
    assert 0 <= row["moving"] <= 1


@pytest.mark.parametrize("name", ["static.mp4", "static_noise.mp4", "pan_slow.mp4", "pan_fast_12.mp4"])
def test_motion_by_the_codec_tells_still_clips(name):
    (row,) = scan(name, MeasureClips(FOLDER, [CodecMotion()]))
    assert (row["motion"] < 0.05) == TRUTH[name]["static"], row


TEXTS = [name for name, truth in TRUTH.items() if "text" in truth] + ["object_move.mp4", "pan_2_1.mp4"]


@pytest.mark.parametrize("name", TEXTS)
def test_the_area_of_text_is_that_of_the_truth(name):
    pytest.importorskip("rapidocr")
    pytest.importorskip("onnxruntime")
    (row,) = scan(name, MeasureClips(FOLDER, [Pictures([TextArea()])]))
    assert row["text_area"] == pytest.approx(TRUTH[name]["text_fraction"], abs=0.02)


def test_a_broken_file_is_a_row_with_an_error():
    (row,) = scan("truncated.mp4", MeasureClips(FOLDER, [CodecMotion()]))
    assert row["source"] == "truncated.mp4" and row[ERROR].startswith("probe: 'truncated.mp4' cannot be read")


def test_sizes_are_those_that_are_seen_and_rates_may_vary():
    (turned,), (varies,) = scan("rot90_meta.mp4"), scan("vfr.mp4")
    assert (turned["width"], turned["height"]) == (288, 480)
    assert varies["frames"] == 24 and varies["end"] > TRUTH["vfr.mp4"]["pts_s"][-1]
