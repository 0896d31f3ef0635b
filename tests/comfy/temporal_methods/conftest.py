"""The rules for every temporal method; a file for each kind of checkpoint, so that processes share them.

Every method meets every rule on SD1.x, and each on one of the other kinds: every second rule on SD2.x, the
rest on SDXL. What depends on the kind (places, widths, conditionings) differs between methods, not rules.
"""

import pytest
from zoetrope.motion_modules.methods import METHODS
from zoetrope.tests.comfy.method_rules import RULES, Case
from zoetrope.tests.comfy.method_value_rules import VALUE_RULES

SHARE = {"SD1.x": slice(None), "SD2.x": slice(0, None, 2), "SDXL": slice(1, None, 2)}
"""Which rules run on a kind of checkpoint."""


def pytest_generate_tests(metafunc):
    """A test that takes a rule and a case runs every rule on every method, on the checkpoint of its file."""
    if "rule" in metafunc.fixturenames and "case" in metafunc.fixturenames:
        metafunc.parametrize("case", METHODS, indirect=True, scope="module")
        rules = [*RULES, *VALUE_RULES][SHARE[metafunc.module.KIND]]
        metafunc.parametrize("rule", rules, ids=lambda rule: rule.__name__)


@pytest.fixture(scope="module")
def case(request, tmp_path_factory):
    """One method on the KIND of checkpoint that the file of tests names."""
    return Case(METHODS[request.param], request.module.KIND, tmp_path_factory.mktemp("method"))
