"""bench fifo measures what it says, on a short queue and few frames."""

import sys

import pytest
from zoetrope.benchmarks import fifo


def test_iterations_are_counted_without_the_first_window():
    found = fifo.step_ratios(3, queue=16, window=8)
    assert set(found) == {"fifo_step_ratio", "fifo_lookahead_step_ratio"} and min(found.values()) > 0.1


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_of_a_run_is_counted():
    """Noise and result of every frame are there at once, so a frame takes more than its latents."""
    found = fifo.per_frame(32, 96, (4, 64, 64))
    assert found["latent_kib_per_frame"] == 64 and found["fifo_kib_per_frame"] > 64
