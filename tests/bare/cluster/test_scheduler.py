"""The scheduler, on workers that do what a test says."""

import itertools
from concurrent.futures import Future

import pytest
from zoetrope.cluster.scheduler import AHEAD, Run
from zoetrope.cluster.worker import Refused, WorkerLost, WorkFailed


class Told:
    """A worker. answer(unit): its result, an error, or None where it never comes."""

    def __init__(self, name, answer):
        self.name, self.answer, self.is_alive, self.asked, self.cancelled = name, answer, True, [], 0

    def begin(self, unit):
        self.asked.append(unit)
        future = Future()
        value = self.answer(unit)
        if isinstance(value, WorkerLost):
            self.is_alive = False
        if isinstance(value, Exception):
            future.set_exception(value)
        elif value is not None:
            future.set_result(value)
        return future

    def cancel(self):
        self.cancelled += 1


def run(workers, units, **more):
    return Run(workers, units, lambda worker, unit: worker.begin(unit), **more)


def squares(unit):
    return (unit, unit**2)


def test_results_come_in_order_and_each_unit_is_done_once():
    workers = [Told("a", squares), Told("b", squares)]
    assert list(run(workers, range(7)).results()) == [squares(n) for n in range(7)]
    assert sorted(workers[0].asked + workers[1].asked) == list(range(7))
    assert workers[0].asked and workers[1].asked


def test_no_units_and_no_workers():
    assert list(run([Told("a", squares)], []).results()) == []
    assert list(run([], range(3), local=squares).results()) == [squares(n) for n in range(3)]
    with pytest.raises(WorkerLost, match="no worker is left for unit 1 of 3"):
        list(run([], range(3)).results())


@pytest.mark.parametrize("lost_at", range(5))
def test_the_unit_of_a_lost_worker_is_done_by_another(lost_at):
    bad = Told("bad", lambda unit: WorkerLost("gone") if unit == lost_at else squares(unit))
    good = Told("good", squares)
    assert list(run([bad, good], range(5)).results()) == [squares(n) for n in range(5)]
    assert len(bad.asked) + len(good.asked) == 5 + (lost_at in bad.asked)


def test_all_workers_are_lost():
    dying = [Told(name, lambda unit: WorkerLost("gone") if unit > 1 else squares(unit)) for name in "ab"]
    done_here = []

    def local(unit):
        done_here.append(unit)
        return squares(unit)

    assert list(run(dying, range(6), local=local).results()) == [squares(n) for n in range(6)]
    assert done_here == [2, 3, 4, 5]


def test_a_unit_that_fails_is_tried_by_another_worker_then_here():
    bad = Told("bad", lambda unit: WorkFailed("out of memory") if unit == 2 else squares(unit))
    good = Told("good", squares)
    assert list(run([bad, good], range(5)).results()) == [squares(n) for n in range(5)]

    both = [
        Told(name, lambda unit: WorkFailed("out of memory") if unit == 2 else squares(unit)) for name in "ab"
    ]
    assert list(run(both, range(5), local=squares).results()) == [squares(n) for n in range(5)]
    assert [worker.asked.count(2) for worker in both] == [1, 1]
    with pytest.raises(WorkFailed, match="out of memory; out of memory"):
        list(run([Told(w.name, w.answer) for w in both], range(5)).results())


def test_what_is_refused_ends_the_run_at_once():
    workers = [Told("a", lambda unit: Refused("no such file")), Told("b", lambda unit: None)]
    with pytest.raises(Refused, match="no such file"):
        list(run(workers, range(5), local=squares).results())
    assert workers[1].cancelled == 1


def test_cancel_reaches_every_busy_worker():
    class Cancelled(Exception):
        pass

    looks = itertools.count()

    def check():
        if next(looks) == 3:
            raise Cancelled

    workers = [Told(name, lambda unit: None) for name in "ab"]
    with pytest.raises(Cancelled):
        list(run(workers, range(5), check=check, local=squares).results())
    assert [worker.cancelled for worker in workers] == [1, 1] and [w.asked for w in workers] == [[0], [1]]


def test_what_is_held_does_not_grow_with_the_units():
    """One worker never answers its first unit: the other one does not go on for ever."""
    stuck, quick = Told("stuck", lambda unit: None), Told("quick", squares)
    looks = itertools.count()

    def check():
        if next(looks) > 40:
            raise TimeoutError

    with pytest.raises(TimeoutError):
        list(run([stuck, quick], range(1000), check=check).results())
    assert stuck.asked == [0] and len(quick.asked) == 2 * AHEAD
