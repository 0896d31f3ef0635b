"""A stand-in for AnimateDiff-Evolved, which the tests have not: a loader with its name that holds 300 MiB."""

from __future__ import annotations

from pathlib import Path

from zoetrope.devtools.paths import ROOT

# Only this pack knows the tiny family.
PEER = """
import runpy

runpy.run_path({dev!r})["import_pack_as"]("zoetrope_family")
from zoetrope_family.host.files import demo_family

demo_family.register()


class Loader:
    RETURN_TYPES, FUNCTION, CATEGORY = ("MODEL",), "load", ""

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"model": ("MODEL",), "model_name": ("STRING",), "beta_schedule": ("STRING",)}}

    def load(self, model, model_name, beta_schedule):
        self.held = b"1" * (300 * 2**20)
        model = model.clone()
        model.set_model_unet_function_wrapper(self.run)
        return (model,)

    def run(self, apply, given):
        return 0.9 * apply(given["input"], given["timestep"], **given["c"])


NODE_CLASS_MAPPINGS = {"ADE_AnimateDiffLoaderGen1": Loader}
"""


def write_peer(folder: Path) -> None:
    """Writes it as a custom node into `folder`."""
    folder.mkdir()
    (folder / "__init__.py").write_text(PEER.replace("{dev!r}", repr(str(ROOT / "dev.py"))))
