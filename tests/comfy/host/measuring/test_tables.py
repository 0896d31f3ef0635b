"""Scores as tables, curves and files: what is compared with what, and numbers that no file format has."""

import csv
import io
import json
import math

import pytest
from zoetrope.host.measuring import tables
from zoetrope.host.measuring.tables import CurveSettings, score_curve, table_rows
from zoetrope.metrics.metric import Protocol, Score
from zoetrope.metrics.metrics import METRICS

PROTOCOL = Protocol(frames="16 frames", fps=8.0, n=(3, 4), ddof=1)


def score(metric="psnr", value=1.0, protocol=PROTOCOL, **more):
    return Score(metric, value, protocol, **more)


def test_rows_are_in_the_order_of_the_metrics_and_name_the_winner():
    columns = [
        [score("fid", 3.0, of="a, b"), score("psnr", 2.0)],
        [score("psnr", 9.0), score("fid", 2.0, of="a, b")],
    ]
    psnr, fid = table_rows(columns)
    assert (psnr.name, psnr.best, psnr.cells) == ("psnr", 1, ["2", "9"])
    assert (fid.name, fid.best, fid.note) == ("fid (a, b)", 1, "16 frames; 8 fps; n 3 and 4; ddof 1")


@pytest.mark.parametrize(
    ("values", "best"),
    [((1.0, 1.0), None), ((math.inf, 1.0), 0), ((math.nan, 1.0), None), ((2.0, 1.0, 2.0), None)],
)
def test_ties_and_what_is_no_number_win_nothing(values, best):
    (row,) = table_rows([[score(value=value)] for value in values])
    assert row.best == best


def test_a_metric_without_a_direction_has_no_winner():
    (row,) = table_rows([[score("dynamic_degree", 1.0)], [score("dynamic_degree", 0.0)]])
    assert row.best is None


def test_numbers_of_other_protocols_are_not_compared():
    (row,) = table_rows([[score()], [score(value=2.0, protocol=Protocol(frames="8 frames"))]])
    assert row.best is None and row.note == "the protocols differ: numbers cannot be compared"


def test_n_matters_to_distances_and_not_to_means():
    other = Protocol(frames="16 frames", fps=8.0, n=(30, 40), ddof=1)
    for metric, best in (("psnr", 1), ("fid", None), ("inception_score", None)):
        (row,) = table_rows([[score(metric)], [score(metric, value=2.0, protocol=other)]])
        assert row.best == best, metric


def test_what_one_column_lacks_stays_empty():
    psnr, ssim = table_rows([[score("psnr", spread=0.25, warnings=("few.",))], [score("ssim")]])
    assert psnr.cells == ["1 ± 0.25 !", ""] and psnr.values == [1.0, None] and ssim.cells == ["", "1"]


def test_files_hold_everything_and_can_be_read():
    odd = score(value=math.inf, per_frame=(math.inf, 2.0), warnings=('a "quoted", word',))
    content = json.loads(tables.as_json(["名\n前"], [[odd]]), parse_constant=pytest.fail)
    told = content["columns"][0]["scores"][0]
    assert told["value"] == "inf" and told["per_frame"] == ["inf", 2.0] and told["protocol"]["n"] == [3, 4]
    (row,) = csv.DictReader(io.StringIO(tables.as_csv(["名\n前"], [[odd]]), newline=""))
    assert row["label"] == "名\n前" and row["value"] == "inf" and row["warnings"] == 'a "quoted", word'
    assert row["n"] == "3 4"


def test_labels_are_filled_up():
    assert tables.column_labels("a\n\nc", 4) == ["a", "scores 2", "c", "scores 4"]
    with pytest.raises(ValueError, match="3 labels for 2 scores; write one line for each"):
        tables.column_labels("a\nb\nc", 2)


def test_infinite_values_are_drawn_as_high_as_the_highest():
    curves = [[score(per_frame=(10.0, math.inf), first=1)], [score(per_frame=(20.0, 15.0), first=1)]]
    drawn = score_curve(curves, "", CurveSettings("psnr", 300, 200))
    assert drawn.shape == (1, 200, 300, 3)
    endless = [[score(per_frame=(math.inf, math.inf))]]
    assert score_curve(endless, "", CurveSettings("psnr", 300, 200)).std() > 0


def test_metrics_with_a_curve_are_known():
    assert set(tables.CURVES) <= set(METRICS) and "clip_consistency" not in tables.CURVES
