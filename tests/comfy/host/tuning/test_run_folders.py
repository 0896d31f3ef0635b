"""The name of a run is a folder of its own below output/, and nothing else."""

from pathlib import Path

import folder_paths
import pytest
from zoetrope.host.tuning.run_folders import run_folder
from zoetrope.tests.comfy.nodes.test_paths import EVIL

ONE_NAME = {"canary [nowhere]"}  # odd, but it leads nowhere


@pytest.mark.parametrize("name", [*EVIL, ".", "..", "a" * 300, "a\nb"])
def test_a_name_that_leads_elsewhere_is_refused(name):
    if name in ONE_NAME:
        assert run_folder(name).parent == Path(folder_paths.get_output_directory()) / "training"
        return
    with pytest.raises(ValueError, match="^run_name="):
        run_folder(name)


def test_an_empty_name_keeps_nothing():
    assert run_folder("") is None and run_folder("  ") is None
