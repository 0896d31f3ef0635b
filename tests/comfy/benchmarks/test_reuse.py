"""bench reuse measures what it says, on a small checkpoint in place of the full-size one."""

import json

import pytest
import torch
from zoetrope.benchmarks import full_size, reuse
from zoetrope.demo import play
from zoetrope.tests.comfy.golden_unet import golden_model, motion_module

SEEN = {"psnr", "coherent", "motion"}


def test_speed_and_loss_of_every_setting_are_printed(monkeypatch, capsys):
    monkeypatch.setattr(
        full_size, "load_full_size", lambda folder, version: (golden_model(), motion_module(version))
    )
    clip_of = play.clip_of
    monkeypatch.setattr(play, "clip_of", lambda *given, **more: clip_of(*given, steps=3, **more))
    reuse.main(["--json", "--size", "64", "--steps", "3", "--videos", "1", "--settings", "3x1", "1x1"])
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    fast, plain, whole = (found["settings"][name] for name in ("3x1", "1x1", "whole"))
    assert set(fast) >= SEEN | {"speedup", "short_step"} and set(whole) >= SEEN - {"psnr"}
    assert found["reuse_speedup"] == fast["speedup"] and found["reuse_psnr"] == fast["psnr"]
    assert 0 < fast["psnr"] < 30, "one whole step of three"
    assert plain["psnr"] is None and plain["short_step"] is None, "interval 1 is the whole run"
    assert plain["coherent"] == whole["coherent"]


def test_psnr():
    """A tenth off everywhere: -10 log10(0.01)."""
    pictures = torch.zeros(2, 3, 5, 7)
    assert reuse.psnr(pictures + 0.1, pictures) == pytest.approx(20)
    assert reuse.psnr(pictures, pictures) is None


def test_settings_that_are_none_are_refused(capsys):
    with pytest.raises(SystemExit):
        reuse.main(["--settings", "2"])
    assert "invalid setting value: '2'" in capsys.readouterr().err
