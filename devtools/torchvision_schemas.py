"""Makes torchvision importable where its compiled part was built for another torch.

The virtual environment gets a copy of this file that is run at every start of its Python
(torchvision_shim.py): it imports as little as it can, and nothing of this folder.
"""

import importlib.abc
import sys


class TorchvisionSchemas(importlib.abc.MetaPathFinder):
    """Declares the two operators whose absence stops `import torchvision` without its compiled part.

    ComfyUI needs torchvision only for transforms written in Python. Declared when torchvision is asked for,
    so that other programs do not import torch; used in development and tests only.
    """

    def find_spec(self, name, path=None, target=None):
        if name == "torchvision":
            sys.meta_path.remove(self)
            self.declare()

    def declare(self):
        import torch

        self.load_compiled_part()
        if not hasattr(torch.ops.torchvision, "nms"):
            type(self).kept_alive = library = torch.library.Library("torchvision", "FRAGMENT")
            for operator in ("nms", "qnms"):
                library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

    def load_compiled_part(self):
        """Loads the one that fits: it declares everything itself, and twice would end the process."""
        import contextlib
        import glob
        import importlib.util
        import os

        import torch

        found = importlib.util.find_spec("torchvision")
        for folder in found.submodule_search_locations if found else ():
            for compiled in glob.glob(os.path.join(folder, "_C.*")):
                with contextlib.suppress(OSError):
                    torch.ops.load_library(compiled)
