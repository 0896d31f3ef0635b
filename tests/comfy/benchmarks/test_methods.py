"""bench methods measures every method that it is asked for, on a small checkpoint."""

import json

import pytest
from zoetrope.benchmarks import full_size, methods
from zoetrope.motion_modules.methods import METHODS
from zoetrope.tests.networks.image_unets import IMAGE_UNETS


def test_every_method_is_measured(monkeypatch, capsys):
    monkeypatch.setattr(full_size, "load_sd15", lambda folder: IMAGE_UNETS["SD1.x"].model())
    methods.main(["--json", "--size", "64", "--repeats", "1"])
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert list(found) == list(METHODS)
    for numbers in found.values():
        assert set(numbers) == set(methods.COLUMNS)
        assert numbers["step_ratio"] > 0 and numbers["parameters"] > 0
        assert numbers["weights_mib"] == pytest.approx(numbers["parameters"] * 4 / 2**20, abs=0.1)


def test_an_unknown_method_is_refused_with_those_that_are_known(capsys):
    with pytest.raises(SystemExit):
        methods.main(["--only", "nothing"])
    assert "Tune-A-Video" in capsys.readouterr().err
