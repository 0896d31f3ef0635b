"""The loop on a network of one weight: updates, averages, schedules, states on disk."""

import errno
import math

import pytest
import torch
from torch import nn
from zoetrope.tuning import run_state
from zoetrope.tuning.low_rank import LowRank
from zoetrope.tuning.optimisers import EIGHT_BIT, OPTIMISERS
from zoetrope.tuning.recipe import Recipe
from zoetrope.tuning.run_state import RunFolder
from zoetrope.tuning.trainer import NotFinite, Trainer, draw_sigma, generator_of

WHAT = {"clips": "2 clips", "trained": "all"}


def trainer(folder=None, **recipe):
    weight = nn.Parameter(torch.tensor([1.0, -2.0]))
    recipe = Recipe(**{"steps": 4, "learning_rate": 0.1, "weight_decay": 0.0, "clip_norm": 0.0, **recipe})
    return Trainer({"w": weight}, recipe, folder and RunFolder(folder, recipe, WHAT)), weight


def squared(weight):
    return lambda number: (weight - number % 3).square().mean()


@pytest.mark.parametrize("optimizer", [name for name in OPTIMISERS if name != EIGHT_BIT])
def test_updates_are_those_of_torch(optimizer):
    made, weight = trainer(optimizer=optimizer, clips_per_step=2, rate_schedule="linear", warmup_steps=1)
    made.run(squared(weight))
    plain = nn.Parameter(torch.tensor([1.0, -2.0]))
    optimiser = OPTIMISERS[optimizer]([plain], lr=0.1, weight_decay=0.0)
    for step, factor in enumerate((1, 1, 2 / 3, 1 / 3)):
        optimiser.param_groups[0]["lr"] = 0.1 * factor
        optimiser.zero_grad()
        (squared(plain)(2 * step) / 2 + squared(plain)(2 * step + 1) / 2).backward()
        optimiser.step()
    assert torch.allclose(weight, plain, atol=1e-6) and not torch.equal(weight, torch.tensor([1.0, -2.0]))


def test_an_optimiser_that_is_not_installed_names_its_package():
    pytest.importorskip("torch")
    try:
        import bitsandbytes  # noqa: F401, PLC0415
    except ImportError:
        with pytest.raises(ValueError, match="pip install bitsandbytes"):
            trainer(optimizer=EIGHT_BIT)


def test_gradients_are_clipped_to_the_norm():
    made, weight = trainer(steps=1, optimizer="SGD", clip_norm=0.5, learning_rate=1.0)
    made.run(lambda number: 100 * weight.sum())
    assert float((weight.detach() - torch.tensor([1.0, -2.0])).norm()) == pytest.approx(0.5, rel=1e-4)


def test_the_average_of_the_weights_is_the_result():
    made, weight = trainer(ema=0.9)
    seen = []
    made.run(squared(weight), lambda progress: seen.append(weight.detach().clone()))
    average = torch.tensor([1.0, -2.0])
    for step, value in enumerate(seen):
        average = average.lerp(value, 1 - min(0.9, (1 + step) / (10 + step)))
    made.finish()
    assert torch.allclose(weight, average) and not torch.allclose(weight, seen[-1])


class Stop(Exception):
    pass


def test_a_stopped_run_goes_on_bit_for_bit(tmp_path):
    whole, expected = trainer(ema=0.5)
    whole.run(squared(expected))
    made, weight = trainer(tmp_path, ema=0.5)

    def stop(progress):
        if progress.step == 2:
            raise Stop

    with pytest.raises(Stop):
        made.run(squared(weight), stop)
    made, weight = trainer(tmp_path, ema=0.5)
    assert made.step == 2
    made.run(squared(weight))
    assert torch.equal(weight, expected) and made.losses == whole.losses
    whole.finish()
    made.finish()
    assert torch.equal(weight, expected)


def test_a_run_that_is_over_makes_no_more_updates(tmp_path):
    made, weight = trainer(tmp_path)
    made.run(squared(weight))
    again, same = trainer(tmp_path)
    again.run(lambda number: pytest.fail("it was over"))
    assert torch.equal(weight, same)


def test_another_recipe_is_refused_by_what_differs(tmp_path):
    made, weight = trainer(tmp_path)
    made.run(squared(weight))
    with pytest.raises(ValueError, match="clip_norm was 0.0, is 1.0; ema was 0.0, is 0.5"):
        trainer(tmp_path, ema=0.5, clip_norm=1.0)
    assert trainer(tmp_path, steps=9)[0].step == 4


def test_a_damaged_state_says_where_it_lies(tmp_path):
    (tmp_path / "state.pt").write_bytes(b"half of a")
    with pytest.raises(ValueError, match=f"cannot be read .*remove {tmp_path}"):
        trainer(tmp_path)


def test_a_full_disk_leaves_the_state_before(tmp_path, monkeypatch):
    made, weight = trainer(tmp_path, steps=2)
    made.run(squared(weight))
    before = (tmp_path / "state.pt").read_bytes()

    def full(state, path):
        path.write_bytes(b"as much as went")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(run_state.torch, "save", full)
    made, weight = trainer(tmp_path, steps=3)
    with pytest.raises(OSError, match="No space"):
        made.run(squared(weight))
    assert (tmp_path / "state.pt").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["state.pt"]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_no_number_stops_before_the_update(bad):
    made, weight = trainer()
    after_two = []

    def loss(number):
        if number == 2:
            after_two.append(weight.detach().clone())
        return squared(weight)(number) * (bad if number == 2 else 1)

    with pytest.raises(NotFinite, match="of step 3 is .*, no finite number"):
        made.run(loss)
    assert torch.equal(weight, after_two[0])


def test_a_gradient_that_is_no_number_stops_before_the_update():
    made, weight = trainer()
    with pytest.raises(NotFinite, match="a gradient of step 1"):
        made.run(lambda number: (weight[0] - 1).sqrt())
    assert torch.equal(weight, torch.tensor([1.0, -2.0]))


def test_what_cannot_be_trained_is_said():
    with pytest.raises(ValueError, match="nothing to train"):
        Trainer({}, Recipe())
    made, _ = trainer()
    with pytest.raises(ValueError, match="does not depend on the weights"):
        made.run(lambda number: torch.ones((), requires_grad=True).clone())


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"steps": 0}, "steps=0 must be 1"),
        ({"learning_rate": 0.0}, "learning_rate=0.0 must be"),
        ({"learning_rate": math.nan}, "learning_rate=nan must be"),
        ({"ema": 1.0}, "ema=1.0 must be"),
        ({"text_dropout": 1.5}, "text_dropout=1.5 must be"),
        ({"weight_decay": -1.0}, "weight_decay=-1.0 must be"),
        ({"clips_per_step": 0}, "clips_per_step=0 must be"),
        ({"optimizer": "\x1bLion"}, "must be one of AdamW"),
    ],
)
def test_a_recipe_checks_itself(settings, sentence):
    with pytest.raises(ValueError, match=sentence) as found:
        Recipe(**settings)
    assert "\x1b" not in str(found.value)


def test_chance_belongs_to_the_seed_and_the_number():
    draws = [torch.rand(3, generator=generator_of(*of)) for of in ((1, 2), (1, 2), (1, 3), (2, 2))]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2]) and not torch.equal(draws[0], draws[3])


def test_noise_levels_are_those_of_the_schedule_or_log_normal():
    levels = torch.tensor([0.1, 1.0, 10.0])
    found = {float(draw_sigma(levels, 0.1, 10.0, generator_of(0, n))) for n in range(40)}
    assert found == set(levels.tolist())
    drawn = torch.stack([draw_sigma(None, 0.002, 700.0, generator_of(0, n)) for n in range(2000)]).log()
    assert abs(float(drawn.mean()) - 0.7) < 0.15 and abs(float(drawn.std()) - 1.6) < 0.15


@pytest.mark.parametrize("parts", [1, 3])
def test_a_new_low_rank_change_changes_nothing_and_then_its_part(parts):
    weight = torch.arange(24.0).view(6, 4)
    change = LowRank(weight.shape, 2, parts, torch.Generator().manual_seed(1))
    assert torch.equal(change(weight), weight)
    with torch.no_grad():
        change.up[-1].fill_(1.0)
    rows = 6 // parts
    moved = change(weight) - weight
    assert torch.allclose(moved[-rows:], change.down[-1].sum(0).expand(rows, 4), atol=1e-5)
    assert not moved[:-rows].any() and len(change.pairs()) == parts
