"""Every temporal method keeps half of the rules on checkpoints like SD2.x; see conftest.py."""

KIND = "SD2.x"


def test_rule(case, rule):
    rule(case)
