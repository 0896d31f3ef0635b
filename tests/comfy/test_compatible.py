"""Old seeds of AnimateDiff-Evolved come back: a recorded run of each kind, at full width.

`python dev.py bench compatible` runs all of them. The networks take a minute and 7 GB.
"""

import psutil
import pytest
from zoetrope.tests.networks.evolved_cases import CASES, Networks, difference

OF_EACH_KIND = ("v1", "v2_motionlora", "v2_scale_mask", "v2_effect_per_frame", "v2_keyframes",
                "static_gauss_sigma_inverse", "uniform_s2", "freenoise_static")  # fmt: skip
NEEDED = 12 * 2**30


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    if psutil.virtual_memory().available < NEEDED:
        pytest.skip("networks of the published widths need 12 GiB of memory that is free")
    return Networks(tmp_path_factory.mktemp("evolved"))


@pytest.mark.parametrize("name", OF_EACH_KIND)
def test_latents_are_those_that_the_peer_made(networks, name):
    assert difference(name, networks) <= CASES[name].strict
