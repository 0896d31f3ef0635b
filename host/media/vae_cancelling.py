"""VAEs that see between two layers that a run was cancelled,
instead of after a whole chunk of frames, which on a CPU is minutes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import comfy.model_management


@contextlib.contextmanager
def cancelled_between_layers(vae) -> Iterator[None]:
    """Encoding and decoding inside raise ComfyUI's InterruptProcessingException
    before the next layer once a run is cancelled.
    """
    hooks = [module.register_forward_pre_hook(_look) for module in vae.first_stage_model.modules()]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _look(module, inputs) -> None:
    comfy.model_management.throw_exception_if_processing_interrupted()
