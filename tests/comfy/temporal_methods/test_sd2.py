"""Every temporal method keeps the rules on checkpoints like SD2.x."""

KIND = "SD2.x"


def test_rule(case, rule):
    rule(case)
