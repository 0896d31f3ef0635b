"""Scores as text, table, bars, curve and files."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
from pathlib import Path

import torch

from ...foreign_text import printable
from ...frame_tools.plots import plot_values
from ...frame_tools.score_pictures import TableRow, draw_bars, draw_table
from ...metrics.metric import SET, TWO_SETS, Score
from ...metrics.metrics import METRICS
from ..files.output_names import write_to_output
from ..media.frame_tools import label_lines

FILE_FORMATS = ("csv", "json", "none")
CURVES = tuple(name for name in METRICS if name in (
    "psnr", "ssim", "flicker", "warping_error", "dynamic_degree", "clip_adjacent", "subject_consistency",
    "background_consistency", "clip_similarity", "clip_score", "aesthetic"))  # fmt: skip
"""Metrics whose scores of a clip have a curve over frames."""
INFINITE = 100.0
"""Where an infinite value is drawn when no other one is higher."""
HEADER = ("label", "metric", "of", "value", "spread", "n", "protocol", "warnings")


@dataclasses.dataclass(frozen=True)
class TableSettings:
    """What is written: "csv", "json" or "none"; where below output/; and the width of the pictures."""

    file_format: str = "csv"
    filename_prefix: str = "metrics/zoetrope"
    width: int = 960


@dataclasses.dataclass(frozen=True)
class CurveSettings:
    """Which metric is drawn, and the size of the plot in pixels."""

    metric: str
    width: int = 768
    height: int = 384


def column_labels(labels: str, count: int, what: str = "scores") -> list[str]:
    """A label for each of so many columns. Raises ValueError for more labels than columns."""
    lines = label_lines(labels)
    if len(lines) > count:
        raise ValueError(f"{len(lines)} labels for {count} {what}; write one line for each, in their order.")
    return [lines[i] if i < len(lines) and lines[i] else f"{what} {i + 1}" for i in range(count)]


def told(score: Score) -> str:
    """A number with its spread: "0.9731", "2.56 ± 0.09"."""
    value = f"{score.value:.4g}"
    return value if score.spread is None else f"{value} ± {score.spread:.2g}"


def as_text(columns: list[str], all_scores: list[list[Score]]) -> str:
    """A line for each number, with its protocol, and below it its warnings."""
    lines = []
    for label, scores in zip(columns, all_scores, strict=True):
        for score in scores:
            of = f" ({score.of})" if score.of else ""
            lines.append(f"{label}: {score.metric}{of} = {told(score)} [{score.protocol}]")
            lines += [f"  ! {warning}" for warning in score.warnings]
    return "\n".join(lines)


def table_rows(all_scores: list[list[Score]]) -> list[TableRow]:
    """A row for each metric and set, in the order of METRICS, with a cell for each column."""
    keys = {(score.metric, score.of) for scores in all_scores for score in scores}
    rows = []
    for name, of in sorted(keys, key=lambda key: (list(METRICS).index(key[0]), key[1])):
        found = [
            next((score for score in scores if (score.metric, score.of) == (name, of)), None)
            for scores in all_scores
        ]
        values = [None if score is None or math.isnan(score.value) else score.value for score in found]
        cells = ["" if score is None else told(score) + " !" * bool(score.warnings) for score in found]
        protocols = list(dict.fromkeys(_compared_by(score) for score in found if score))
        note = protocols[0] if len(protocols) == 1 else "the protocols differ: numbers cannot be compared"
        same = len(protocols) == 1
        title = f"{name} ({of})" if of else name
        best = _best(METRICS[name].better, values) if same else None
        rows.append(TableRow(title, note, cells, values, best))
    return rows


def _compared_by(score: Score) -> str:
    """What must be equal for numbers to be compared: the protocol; for means whatever the number of clips."""
    biased_by_n = METRICS[score.metric].of in (SET, TWO_SETS)
    return str(score.protocol if biased_by_n else dataclasses.replace(score.protocol, n=()))


def _best(better: str, values: list[float | None]) -> int | None:
    there = [number for number, value in enumerate(values) if value is not None]
    if better not in ("higher", "lower") or len(there) < 2:
        return None
    choose = max if better == "higher" else min
    best = choose(there, key=values.__getitem__)
    return None if sum(values[number] == values[best] for number in there) > 1 else best


def score_table(
    all_scores: list[list[Score]], labels: str, settings: TableSettings
) -> tuple[torch.Tensor, torch.Tensor, str, str]:
    """The table and its bars as pictures (1, H, width, 3), the text, and what is said of the file and them.

    Raises ValueError as `column_labels` and write_to_output do.
    """
    columns = column_labels(labels, len(all_scores))
    rows = table_rows(all_scores)
    notes = dict.fromkeys(f"! {w}" for scores in all_scores for score in scores for w in score.warnings)
    finite = [dataclasses.replace(row, values=[_drawn(v, row.values) for v in row.values]) for row in rows]
    table = draw_table(columns, rows, list(notes), settings.width)
    text = as_text(columns, all_scores)
    path = save_scores(columns, all_scores, settings.filename_prefix, settings.file_format)
    said = f"{path.parent.name}/{path.name}\n{text}" if path else text
    return table, draw_bars(columns, finite, settings.width), text, said


def _drawn(value: float | None, others: list[float | None]) -> float | None:
    """A value as it is drawn: an infinite one as long as the longest of the others."""
    if value is None or math.isfinite(value):
        return value
    return max((v for v in others if v is not None and math.isfinite(v)), default=INFINITE)


def score_curve(all_scores: list[list[Score]], labels: str, settings: CurveSettings) -> torch.Tensor:
    """The curves of one metric over frames (1, height, width, 3), one for each clip.

    Raises ValueError where a clip's scores have no such curve.
    """
    metric = settings.metric
    columns = column_labels(labels, len(all_scores))
    series, first = [], 0
    for label, scores in zip(columns, all_scores, strict=True):
        score = next((score for score in scores if score.metric == metric and score.per_frame), None)
        if score is None:
            there = ", ".join(score.metric for score in scores if score.per_frame) or "none"
            raise ValueError(
                f"'{printable(label)}' has no curve of {metric}; it has {there}. Choose one of these, or list"
                f" {metric} in Measure Video."
            )
        series.append(list(score.per_frame))
        first = score.first
    highest = _drawn(math.inf, [value for values in series for value in values])
    title = METRICS[metric].title
    if not all(math.isfinite(value) for values in series for value in values):
        title += f" (infinite values drawn at {highest:.4g})"
    series = [[_drawn(value, [highest]) for value in values] for values in series]
    return plot_values(series, columns, settings.width, settings.height, title, first=first)


def as_csv(columns: list[str], all_scores: list[list[Score]]) -> str:
    """A line for each number, with a header."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(HEADER)
    for label, scores in zip(columns, all_scores, strict=True):
        for score in scores:
            n, warnings = " ".join(map(str, score.protocol.n)), " ".join(score.warnings)
            spread = "" if score.spread is None else score.spread
            writer.writerow(
                (label, score.metric, score.of, score.value, spread, n, str(score.protocol), warnings)
            )
    return file.getvalue()


def as_json(columns: list[str], all_scores: list[list[Score]]) -> str:
    """Everything of every score; numbers that are not finite are texts, because JSON has none."""
    made = [
        {"label": label, "scores": [_plain(dataclasses.asdict(score)) for score in scores]}
        for label, scores in zip(columns, all_scores, strict=True)
    ]
    return json.dumps({"columns": made}, ensure_ascii=False, indent=1, allow_nan=False)


def _plain(value):
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


WRITERS = {"csv": as_csv, "json": as_json}


def save_scores(
    columns: list[str], all_scores: list[list[Score]], prefix: str, file_format: str
) -> Path | None:
    """Writes the scores below output/; None for the format "none". Raises ValueError as write_to_output."""
    if file_format == "none":
        return None
    content = WRITERS[file_format](columns, all_scores).encode("utf8", "replace")
    return write_to_output(prefix, f".{file_format}", lambda path: Path(path).write_bytes(content))
