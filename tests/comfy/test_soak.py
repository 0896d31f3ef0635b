"""Forty random prompts leave nothing behind in a real server; python dev.py bench soak sends more."""

import sys

import pytest
from zoetrope.benchmarks import soak

# In so short a run the pools of torch and of the system still grow, in jumps: by up to 35 MiB, and on a busy
# machine by 0.7 MiB in half of the steps. What leaks grows at every step.
STEEPEST, STEEPEST_STEP = 3.0, 1.0  # MiB a prompt


@pytest.mark.skipif(sys.platform != "linux", reason="memory is counted in another way elsewhere")
@pytest.mark.timeout(1800)
def test_a_short_soak_leaves_nothing_behind(tmp_path):
    result = soak.run(tmp_path, prompts=40, seed=7)
    assert {key: result[key] for key in soak.KEYS if not key.startswith("rss")} == {
        "leaked_bits": 0,
        "descriptors_left": 0,
        "threads_left": 0,
        "files_left": [],
        "surprises": [],
    }
    assert set(result["kinds"]) == set(soak.KINDS)
    assert result["rss_median_step_mib_per_prompt"] < STEEPEST_STEP, result["mib"]
    assert result["rss_slope_mib_per_prompt"] < STEEPEST, result["mib"]


def test_too_few_prompts_are_refused(tmp_path):
    with pytest.raises(ValueError, match="prompts=7 must be at least 8"):
        soak.run(tmp_path, prompts=7, seed=0)
