"""The pack's own code on its way to other hosts, and what both sides compare.

Ray cannot import a custom node by reference: its name in ComfyUI is a path. So a copy of the code alone (no
weights, no videos, no tests) is laid into a folder called PACKAGE, which Ray ships as a module of that name.
"""

from __future__ import annotations

import hashlib
import platform
import shutil
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

PACKAGE = "zoetrope"
"""The name of the pack on every worker: `import zoetrope.curation.job`. dev.py calls it so here too."""
ROOT = Path(__file__).resolve().parents[1]
SHIPPED = {".py", ".json", ".toml", ".txt"}
LEFT_HERE = {"tests", "docs", "web", "example_workflows", "subgraphs", "benchmarks", "locales"}


def code_files(root: Path = ROOT) -> Iterator[Path]:
    """The files of the pack that a worker needs, relative to its folder, in a fixed order."""
    for folder in (root, *sorted(path for path in root.iterdir() if path.is_dir())):
        if folder.name.startswith((".", "__")) or folder.name in LEFT_HERE:
            continue
        found = folder.glob("*") if folder == root else folder.rglob("*")
        for file in sorted(found):
            if file.suffix in SHIPPED and file.is_file() and "__pycache__" not in file.parts:
                yield file.relative_to(root)


def copy_code(folder: Path, root: Path = ROOT) -> Path:
    """Copies the code into folder/PACKAGE, and returns that."""
    target = folder / PACKAGE
    for name in code_files(root):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / name, target / name)
    return target


def code_fingerprint(root: Path = ROOT) -> str:
    """Sixteen digits that change with any Python file of the pack."""
    digest = hashlib.sha256()
    for name in code_files(root):
        if name.suffix == ".py":
            digest.update(f"{name.as_posix()}\n".encode() + (root / name).read_bytes())
    return digest.hexdigest()[:16]


def versions(comfyui: Path | None = None, code: Path = ROOT) -> dict[str, str]:
    """What has to be equal on all hosts. comfyui: the folder of ComfyUI, where work of the kind needs it;
    code: that of this pack. `none` stands for what is not there.
    """
    found = {
        "Python": "{}.{}".format(*sys.version_info),
        "torch": _installed("torch"),
        "this pack": code_fingerprint(code),
    }
    if comfyui is not None:
        found["ComfyUI"] = comfyui_version(comfyui)
    return found


def comfyui_version(folder: Path) -> str:
    """The version that a folder of ComfyUI says it has, or `none`."""
    file = Path(folder) / "comfyui_version.py"
    if not file.is_file():
        return "none"
    text = file.read_text(encoding="utf8", errors="replace")
    return text.rpartition("__version__")[2].strip(" =\"'\n") or "none"


def host_name() -> str:
    return platform.node() or "a host without a name"


def _installed(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "none"
