"""What came out of a curation, for people: counts, histograms as PNG, and HTML pages with every clip.

The pages load nothing from anywhere: pictures lie beside them.
"""

from __future__ import annotations

import html
import os
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from urllib.parse import quote

from .histograms import Histogram, draw_histogram
from .measures.pictures import preview_path
from .rows import DROPPED, ERROR, Row, is_open, part_of, read_rows
from .settings import Settings
from .thresholds import SCORES

ON_A_PAGE = 200
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 72em; padding: 0 1em }
body { background: #fff; color: #222 }
table { border-collapse: collapse }
td { padding: .2em .8em; text-align: left; border-bottom: 1px solid #ddd }
.clips { display: grid; grid-template-columns: repeat(auto-fill, minmax(22em, 1fr)); gap: 1em }
.clip { border: 1px solid #ddd; padding: .5em; overflow-wrap: anywhere; font-size: 13px }
.clip img { max-width: 100%; display: block }
.dropped { opacity: .65 }
.error { color: #a00 }
.plot { max-width: 100% }
@media (prefers-color-scheme: dark) {
  body { background: #181818; color: #ddd }
  td, .clip { border-color: #444 }
  .error { color: #f88 }
  a { color: #8bf }
}
"""


@dataclass
class Counts:
    """How many videos and clips there are, how long, and why which are lost."""

    videos: int = 0
    clips: int = 0  # rows of clips, whatever became of them
    kept: int = 0
    errors: Counter = field(default_factory=Counter)  # stage -> rows
    dropped: Counter = field(default_factory=Counter)  # reason -> clips
    kept_seconds: float = 0.0
    seconds: float = 0.0

    @classmethod
    def of(cls, rows: Iterable[Row]) -> Counts:
        """Of all rows of a curation."""
        counts, source = cls(), None
        for row in rows:
            counts.videos += row["source"] != source
            source = row["source"]
            counts.clips += "id" in row
            counts.seconds += row.get("seconds", 0.0)
            if ERROR in row:
                counts.errors[row[ERROR].split(":", 1)[0]] += 1
            elif DROPPED in row:
                counts.dropped[re.sub(r" \([0-9a-f]{16}\)$", "", row[DROPPED])] += 1
            else:
                counts.kept += 1
                counts.kept_seconds += row.get("seconds", 0.0)
        return counts

    def lines(self) -> list[str]:
        """In words, a line for each stage that lost something."""
        lines = [f"{self.videos} videos, {self.clips} shots of {_clock(self.seconds)}"]
        lines += [f"  failed in {stage}: {number}" for stage, number in sorted(self.errors.items())]
        lines += [f"  {reason}: {number}" for reason, number in self.dropped.most_common()]
        return [*lines, f"kept: {self.kept} clips of {_clock(self.kept_seconds)}"]


def _clock(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


def write_report(
    out: Path, table: Path, counts: Counts, thresholds: dict[str, float], settings: Settings
) -> Path:
    """Writes out/report/ by the table of all rows; its first page."""
    folder = out / "report"
    folder.mkdir(parents=True, exist_ok=True)
    plots = _histograms(folder, table, thresholds, settings)
    number = 0
    clips = read_rows(table)
    rows = list(islice(clips, ON_A_PAGE))
    while rows:
        number += 1
        body = "".join(_clip(out, row) for row in rows)
        rows = list(islice(clips, ON_A_PAGE))
        links = _links(number, bool(rows))
        page = f"{links}<div class=clips>{body}</div>{links}"
        _write(folder / f"clips-{number:04}.html", f"Clips, page {number}", page)
    for old in folder.glob("clips-*.html"):
        if int(old.stem.split("-")[1]) > number:
            old.unlink()
    return _write(folder / "index.html", "Curation", _summary(counts, thresholds, plots, number))


def _histograms(folder: Path, table: Path, thresholds: dict[str, float], settings: Settings) -> list[str]:
    """Draws each score among all clips and the kept ones; the names of the pictures."""
    plots = []
    for score in SCORES:
        histogram = Histogram.of(
            (row[score], is_open(row)) for row in read_rows(table)
            if ERROR not in row and isinstance(row.get(score), int | float)
        )  # fmt: skip
        path = folder / f"{score}.png"
        if histogram is None:
            path.unlink(missing_ok=True)
            continue
        marks = [value for bounds in (thresholds, settings.keep.least, settings.keep.most)
                 for name, value in bounds.items() if name == score]  # fmt: skip
        draw_histogram(histogram, score, marks).save(path)
        plots.append(path.name)
    return plots


def _summary(counts: Counts, thresholds: dict[str, float], plots: list[str], pages: int) -> str:
    rows = [("videos", counts.videos), ("shots", counts.clips)]
    rows += [(f"failed in {stage}", -number) for stage, number in sorted(counts.errors.items())]
    rows += [(reason, -number) for reason, number in counts.dropped.most_common()]
    rows += [("kept clips", counts.kept), ("length of kept clips", _clock(counts.kept_seconds))]
    table = "".join(f"<tr><td>{html.escape(str(name))}<td>{value}" for name, value in rows)
    limits = "".join(f"<li>{name}: {value:g}" for name, value in thresholds.items())
    pictures = "".join(f"<p><img class=plot src={name} alt={name}>" for name in plots)
    links = " ".join(f'<a href="clips-{page:04}.html">{page}</a>' for page in range(1, pages + 1))
    limits = f"<h2>Thresholds</h2><ul>{limits}</ul>" if limits else ""
    return f"<table>{table}</table><p>All clips, page by page: {links}{limits}<h2>Scores</h2>{pictures}"


def _clip(out: Path, row: Row) -> str:
    told = "".join(
        f"{name} {row[name]:g} · " for name in SCORES if isinstance(row.get(name), int | float)
    )  # fmt: skip
    state = row.get(ERROR) or row.get(DROPPED) or "kept"
    kind = "error" if ERROR in row else "dropped" if DROPPED in row else "kept"
    picture = ""
    if "id" in row and (path := preview_path(out / "previews", row["id"])).exists():
        source = quote(path.relative_to(out).as_posix())
        picture = f"<img loading=lazy src=../{source} alt=>"
        if "file" in row:
            picture = f"<a href=../{quote(row['file'], errors='replace')}>{picture}</a>"
    span = f"{row['begin']:.2f} to {row['end']:.2f} s" if "begin" in row else ""
    texts = (row["source"], span, row.get("caption", ""))
    lines = "<br>".join(html.escape(text) for text in texts if text)
    return (
        f'<div class="clip {kind}">{picture}{lines}<br>{html.escape(told)}'
        f"<b class={kind}>{html.escape(state)}</b></div>"
    )


def _links(number: int, more: bool) -> str:
    before = f'<a href="clips-{number - 1:04}.html">before</a> ' if number > 1 else ""
    after = f'<a href="clips-{number + 1:04}.html">after</a>' if more else ""
    return f'<p><a href="index.html">summary</a> {before}{after}'


def _write(path: Path, title: str, body: str) -> Path:
    head = f"<!doctype html><meta charset=utf8><title>{title}</title><style>{STYLE}</style>"
    page = f"{head}<h1>{title}</h1>{body}"
    part = part_of(path)
    part.write_text(page, encoding="utf8", errors="replace")
    os.replace(part, path)
    return path
