"""bench claims: every method with weights of its own is measured, and by the same rule."""

import json

from zoetrope.benchmarks import claims


def test_a_method_is_trained_and_judged_beside_itself_untrained(capsys, monkeypatch):
    monkeypatch.setattr(claims, "CLIPS", 2)
    found = claims.main(["--json", "--only", "SimDA", "--steps", "2", "--count", "1"])
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == found
    (numbers,) = found.values()
    assert numbers["steps"] == 2 and 0 < numbers["parameters"] < 5
    assert {"coherent", "motion", "jerk", "jerk_before", "coherent_before"} <= numbers.keys()
