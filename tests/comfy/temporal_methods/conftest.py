"""The rules for every temporal method; a file for each kind of checkpoint, so that processes share them."""

import pytest
from zoetrope.motion_modules.methods import METHODS
from zoetrope.tests.comfy.method_rules import RULES, Case
from zoetrope.tests.comfy.method_value_rules import VALUE_RULES


def pytest_generate_tests(metafunc):
    """A test that takes a rule and a case runs every rule on every method, on the checkpoint of its file."""
    if "rule" in metafunc.fixturenames and "case" in metafunc.fixturenames:
        metafunc.parametrize("case", METHODS, indirect=True, scope="module")
        metafunc.parametrize("rule", RULES + VALUE_RULES, ids=lambda rule: rule.__name__)


@pytest.fixture(scope="module")
def case(request, tmp_path_factory):
    """One method on the KIND of checkpoint that the file of tests names."""
    return Case(METHODS[request.param], request.module.KIND, tmp_path_factory.mktemp("method"))
