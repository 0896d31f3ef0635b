"""Which GPUs workers get, and how many workers one machine may have."""

import os

import pytest
import torch
from zoetrope.host.cluster import pools


@pytest.mark.parametrize(
    ("visible", "found"),
    [(None, ["0", "1"]), ("", ["0", "1"]), ("2, 3", ["2", "3"]), ("GPU-a,GPU-b", ["GPU-a", "GPU-b"])],
)
def test_workers_get_the_gpus_that_this_comfyui_was_given(monkeypatch, visible, found):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert pools._gpus() == found


def test_a_shared_workflow_cannot_start_hundreds_of_processes():
    with pytest.raises(ValueError, match="workers=1000 must be at most .* processes on this machine"):
        pools.workers_of(pools.WorkerSettings(workers=max(1000, os.cpu_count())))
    assert pools._kept is None
