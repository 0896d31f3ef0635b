"""Every temporal method keeps the rules on checkpoints like SDXL."""

KIND = "SDXL"


def test_rule(case, rule):
    rule(case)
