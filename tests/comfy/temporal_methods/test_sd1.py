"""Every temporal method keeps the rules on checkpoints like SD1.x."""

KIND = "SD1.x"


def test_rule(case, rule):
    rule(case)
