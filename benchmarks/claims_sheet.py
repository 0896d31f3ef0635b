"""The sheet of `bench claims`: one HTML file, the moving results of each method and claim beside its numbers.

Letters: F frames of a clip, or pictures shown one after another, H height, W width.
"""

from __future__ import annotations

import base64
import html
import io
from pathlib import Path

MILLISECONDS, SIDE = 150, 160

HEAD = """<!doctype html>
<meta charset="utf8"><title>Claims in miniature</title>
<style>
body { font: 15px sans-serif; margin: 2em; background: #fff; color: #111 }
table { border-collapse: collapse } td, th { border-bottom: 1px solid #ccc; padding: .5em; text-align: left }
figure { display: inline-block; margin: 0 .5em 0 0 } figcaption { font-size: 12px }
</style>
<h1>Claims in miniature</h1>
<p>Trained on the tiny family of the demo, alike, and judged by the same judge: <code>bench claims</code>.</p>
<table><tr><th>method or claim<th>results<th>numbers</tr>
"""


def write_sheet(path: Path, found: dict[str, dict], shown: dict[str, list]) -> None:
    """found: {method or claim: {number's name: number}}. shown: {the same: [(label, (F, 3, H, W) in 0..1)]}.

    The file is put in its place whole. Raises OSError where it cannot be written.
    """
    rows = [HEAD]
    for name, numbers in found.items():
        pictures = "".join(_figure(label, frames) for label, frames in shown.get(name, ()))
        told = "<br>".join(f"{html.escape(key)}: {html.escape(str(value))}" for key, value in numbers.items())
        rows.append(f"<tr><th>{html.escape(name)}<td>{pictures}<td>{told}</tr>\n")
    part = path.with_name(path.name + ".part")
    part.write_text("".join((*rows, "</table>\n")), encoding="utf8")
    part.replace(path)


def _figure(label: str, frames) -> str:
    from ..frame_tools.labels import to_image

    first, *rest = [to_image(frame.movedim(0, -1)).resize((SIDE, SIDE)) for frame in frames]
    out = io.BytesIO()
    first.save(out, "WEBP", save_all=True, append_images=rest, duration=MILLISECONDS, loop=0, quality=70)
    data = base64.b64encode(out.getvalue()).decode("ascii")
    caption = f"<figcaption>{html.escape(label)}</figcaption>"
    return f'<figure><img src="data:image/webp;base64,{data}">{caption}</figure>'
