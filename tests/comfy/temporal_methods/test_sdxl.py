"""Every temporal method keeps half of the rules on checkpoints like SDXL; see conftest.py."""

KIND = "SDXL"


def test_rule(case, rule):
    rule(case)
