"""AGENTS.md leads where it says: every function of its walk is in a file that is named before it."""

import ast
import re

from zoetrope.tests.places import ROOT

PAGE = (ROOT / "AGENTS.md").read_text(encoding="utf8")
WALK = PAGE.split("## Follow one frame", 1)[1].split("\n## ", 1)[0]
FILE = re.compile(r"^[\w/]+\.py$")


def names_in(path):
    """Functions, classes and methods (Class.method) of a file."""
    names = set()
    for node in ast.parse(path.read_text(encoding="utf8")).body:
        names.add(getattr(node, "name", ""))
        names |= {f"{node.name}.{part.name}" for part in getattr(node, "body", []) if hasattr(part, "name")}
    return names


def steps(text):
    """(files, name) of what stands in backquotes: a name belongs to one of the files before it."""
    files = []
    for quoted in re.findall(r"`([^`]+)`", text):
        if FILE.match(quoted):
            files.append(quoted)
        elif re.fullmatch(r"[A-Z]\w+(\.\w+)?|[a-z_]+", quoted):
            yield list(files), quoted


def gone_names(text):
    return [name for files, name in steps(text) if not any(name in names_in(ROOT / file) for file in files)]


def test_the_walk_leads_to_functions_that_are_there():
    assert len(list(steps(WALK))) >= 15 and gone_names(WALK) == []


def test_a_name_that_is_gone_is_found():
    text = "`samplers/context_fusion.py` `WindowFusion.add`, `WindowFusion.gone` and `fuse_weights`"
    assert gone_names(text) == ["WindowFusion.gone"]
