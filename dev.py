#!/usr/bin/env python3
"""Sets up, demonstrates, tests, serves and measures ComfyUI-Zoetrope; all it needs is Python 3.10 to 3.13.

Everything it makes lies in the folder .zoetrope beside it: a virtual environment, a copy of ComfyUI, models,
videos, logs. The work is done in devtools/. Scripts that load this file by its path use import_pack_as,
find_comfyui, enter_comfyui, ROOT and HOME.
"""

import importlib
import importlib.util
import os
import sys

OLDEST_PYTHON, NEWEST_PYTHON = (3, 10), (3, 13)
FOLDER = os.path.dirname(os.path.abspath(__file__))


def python_trouble():
    """Says in one sentence why this Python cannot be used, or returns nothing."""
    version = sys.version_info[:2]
    if OLDEST_PYTHON <= version <= NEWEST_PYTHON:
        return ""
    old = "old" if version < OLDEST_PYTHON else "new"
    remedy = "run dev.py with Python 3.10 to 3.13, for example: python3.12 dev.py demo"
    return f"Python {version[0]}.{version[1]} is too {old}; {remedy}"


def import_pack_as(name="zoetrope"):
    """Makes this folder the package `name` without sys.path, on which ComfyUI's names would hide ours."""
    if name not in sys.modules:
        file = os.path.join(FOLDER, "__init__.py")
        spec = importlib.util.spec_from_file_location(name, file, submodule_search_locations=[FOLDER])
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[name]


def import_devtools(name="zoetrope"):
    """Imports devtools/ as a part of the pack; `name` changes where another copy of the pack has it."""
    while FOLDER not in getattr(import_pack_as(name), "__path__", ()):
        name += "_"
    return importlib.import_module(f"{name}.devtools")


if sys.version_info < OLDEST_PYTHON:
    sys.exit(f"\n{python_trouble()}")  # which may not even be able to read devtools/
if __name__ == "__main__" and not sys.pycache_prefix:
    sys.dont_write_bytecode = True  # only .zoetrope is written to
devtools = import_devtools()
ROOT, HOME = devtools.ROOT, devtools.HOME
find_comfyui, enter_comfyui = devtools.find_comfyui, devtools.enter_comfyui

if __name__ == "__main__":
    devtools.run_as_script(python_trouble())
