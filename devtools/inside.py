"""Inside an interpreter that has the packages: ComfyUI becomes importable, modules of the pack are run."""

import importlib
import runpy
import sys
from pathlib import Path

from . import paths
from .base_folder import make_base
from .comfyui import find_comfyui
from .torchvision_schemas import TorchvisionSchemas

PACKAGE = __name__.split(".")[0]  # what dev.py imported this repository as


def enter_comfyui(comfyui, base, cpu=True):
    """Makes `import comfy` work here as in a ComfyUI started with --base-directory and, if asked for, --cpu.

    Call it before anything of ComfyUI is imported: the folders and the device are settled at import.
    """
    # Nothing is written into a ComfyUI that is not ours.
    sys.pycache_prefix = sys.pycache_prefix or str(paths.HOME / "pycache")
    if str(comfyui) not in sys.path:
        sys.path.insert(0, str(comfyui))
    if not any(type(finder).__name__ == "TorchvisionSchemas" for finder in sys.meta_path):
        sys.meta_path.insert(0, TorchvisionSchemas())
    settings = importlib.import_module("comfy.cli_args").args
    settings.base_directory, settings.cpu = str(make_base(Path(base))), cpu
    settings.database_url = "sqlite:///:memory:"


def run_inside(module, arguments):
    """Runs a module of the pack as a program in this process; `benchmarks.x` through its main(arguments)."""
    comfyui = find_comfyui()
    if comfyui:
        import torch

        gpu = torch.cuda.is_available() or torch.backends.mps.is_available()
        enter_comfyui(comfyui, paths.HOME / "base", cpu=not gpu)
    if module.startswith("benchmarks."):
        importlib.import_module(f"{PACKAGE}.{module}").main(arguments)
    else:
        sys.argv = [module, *arguments]
        runpy.run_module(f"{PACKAGE}.{module}", run_name="__main__", alter_sys=False)
    return 0
