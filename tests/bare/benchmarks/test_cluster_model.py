"""The simulation of a cluster keeps the laws that hold whatever the numbers are; the tables and the plan."""

import json
from dataclasses import asdict, replace

import pytest
from PIL import Image
from zoetrope.benchmarks import cluster_model
from zoetrope.benchmarks.cluster_costs import Costs
from zoetrope.benchmarks.cluster_model import WORKERS, plan, speed_ups
from zoetrope.benchmarks.cluster_simulation import GIGABIT, Network, Pool, Work, simulate, speed_up

FREE = Network()
WINDOWS = Work(steps=3, units=7, seconds=0.5)
COSTS = Costs(
    message=2e-4, byte=3e-9, packing=4e-10, window=0.6, cuts=0.06, scores=0.14, files=0.26, choice=2e-4,
    row=500, work=15_000, preview=60_000,
)  # fmt: skip


def test_one_worker_takes_as_long_as_one_process():
    outcome = simulate(replace(WINDOWS, between=0.25), Pool(1), FREE)
    assert outcome.seconds == pytest.approx(3 * (7 * 0.5 + 0.25)) and outcome.lost == 0


@pytest.mark.parametrize("workers, rounds", [(2, 4), (3, 3), (4, 2), (6, 2), (7, 1), (100, 1)])
def test_a_step_takes_as_many_rounds_as_its_units_need(workers, rounds):
    assert simulate(WINDOWS, Pool(workers), FREE).seconds == pytest.approx(3 * rounds * 0.5)


@pytest.mark.parametrize("ahead", [0, 1])
@pytest.mark.parametrize("gigabits", [1, 10, 100])
def test_more_workers_are_never_slower_where_none_fails(gigabits, ahead):
    network = Network(gigabits * GIGABIT, gigabits * GIGABIT, 1e-4)
    for work in (
        Work(2, 23, 0.3, sent=1e6, returned=2e6, head=0.003),
        Work(1, 97, 2.0, sent=1e3, returned=4e6, read=3e7),
    ):
        taken = [simulate(work, Pool(n, ahead=ahead), network).seconds for n in range(1, 40)]
        assert all(after <= before * (1 + 1e-9) for before, after in zip(taken, taken[1:], strict=False))


def test_the_slowest_way_bounds_the_run():
    """A card, a store and the head's own work: no number of workers is faster than each of them."""
    units, size = 50, 1e8
    for work, network in (
        (Work(1, units, 0.1, sent=size), Network(head=GIGABIT)),
        (Work(1, units, 0.1, returned=size), Network(head=GIGABIT)),
        (Work(1, units, 0.1, read=size), Network(store=GIGABIT)),
        (Work(1, units, 0.1, head=size / GIGABIT), FREE),
    ):
        bound = units * size / GIGABIT
        assert (
            0.999999 * bound
            <= simulate(work, Pool(1000), network).seconds
            <= bound + 2 * size / GIGABIT + 0.2
        )


def test_both_ways_of_a_card_work_at_the_same_time():
    work = Work(1, 100, 0.0, sent=1e8, returned=1e8)
    both = simulate(work, Pool(10), Network(head=GIGABIT)).seconds
    assert both == pytest.approx(101 * 1e8 / GIGABIT)


def test_a_worker_that_holds_one_more_does_not_wait_for_the_card():
    work = Work(1, 10, 1.0, sent=GIGABIT / 2)
    network = Network(head=GIGABIT)
    assert simulate(work, Pool(1), network).seconds == pytest.approx(15.0)
    assert simulate(work, Pool(1, ahead=1), network).seconds == pytest.approx(10.5)


def test_what_a_worker_needs_first_goes_to_each_worker_once():
    work = Work(2, 4, 0.0, first=GIGABIT)
    for workers in (1, 2, 4):
        assert simulate(work, Pool(workers), Network(head=GIGABIT)).seconds == pytest.approx(workers)


def test_slow_workers_hold_back_what_waits_for_all_more_than_what_does_not():
    pool = Pool(20, slow=0.05, times=3.0)
    waiting = speed_up(Work(10, 20, 1.0), pool, FREE)
    free = speed_up(Work(1, 2000, 1.0), pool, FREE)
    assert waiting == pytest.approx(20 / 3) and 18.5 < free < 19 + 1 / 3


def test_units_of_failing_workers_are_done_once_more():
    calm = simulate(Work(1, 400, 10.0), Pool(8), FREE)
    failing = simulate(Work(1, 400, 10.0), Pool(8, failures=30.0), FREE)
    assert failing.lost > 5 and calm.lost == 0
    # A failure costs half a unit in the mean, until it is known, and until the new one is there.
    assert calm.seconds < failing.seconds < calm.seconds + failing.lost * (10 + 5 + 60)
    assert failing == simulate(Work(1, 400, 10.0), Pool(8, failures=30.0), FREE)
    assert failing != simulate(Work(1, 400, 10.0), Pool(8, failures=30.0), FREE, seed=1)


def test_one_worker_that_fails_ends_all_the_same():
    outcome = simulate(Work(1, 30, 10.0), Pool(1, failures=60.0, restart=100.0), FREE)
    assert outcome.lost and outcome.seconds > 300 + 100 * outcome.lost


def test_the_table_grows_with_the_network(monkeypatch):
    monkeypatch.setattr(cluster_model, "WORKERS", (2, 16))
    monkeypatch.setattr(cluster_model, "SEEDS", 1)
    monkeypatch.setattr(cluster_model, "ALL_VIDEOS", 40)
    for curves in speed_ups(COSTS, 5.0).values():
        slow, middle, fast, odd = curves.values()
        assert all(0 < a <= b <= c <= n for a, b, c, n in zip(slow, middle, fast, (2, 16), strict=True))
        assert odd[1] < middle[1]


def test_the_plan_follows_from_its_numbers():
    found = plan(COSTS, hosts=10, cores=4, megabits=8.0, video=300.0)
    years = found["clips"] * found["clip_seconds"] / (365.25 * 86400)
    assert years == pytest.approx(212.09, rel=0.01)
    each = 0.06 + 0.14 + 152 / 577 * 0.26
    assert found["core_hours"] == pytest.approx(212.09 * 365.25 * 24 * each, rel=1e-3)
    assert 0.9 < found["efficiency"] < 1
    assert found["hours"] == pytest.approx(found["core_hours"] / 40 / found["efficiency"], rel=1e-2)
    assert found["read_gigabits"] == pytest.approx(40 / each * 8 / 1000, rel=0.01)
    assert found["raw_petabytes"] == pytest.approx(212.09 * 365.25 * 86400 * 1e6 / 1e15, rel=0.01)


def test_costs_of_an_earlier_run_are_taken_and_drawn(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(cluster_model, "WORKERS", (1, 4, 1000))
    monkeypatch.setattr(cluster_model, "SEEDS", 1)
    monkeypatch.setattr(cluster_model, "ALL_VIDEOS", 20)
    earlier = tmp_path / "costs.txt"
    earlier.write_text(f"a line\n{json.dumps({'costs': asdict(COSTS)})}\n")
    options = ["--costs", str(earlier), "--plot", str(tmp_path / "a.png"), "--hosts", "2", "--cores", "2"]
    found = cluster_model.main([*options, "--json"])
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == found
    assert found["costs"] == asdict(COSTS) and "agreement" not in found
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.width <= 1600 and len(picture.getcolors(1 << 20)) > 50
    cluster_model.main(options)
    assert "| 16 windows of 0.5 s | 10 GbE |" in capsys.readouterr().out
    earlier.write_text("{}")
    with pytest.raises(ValueError, match="costs.txt holds no costs"):
        cluster_model.main(options)


def test_the_workers_of_the_table_go_to_a_thousand():
    assert WORKERS[0] == 1 and WORKERS[-1] == 1000
