"""Workers as processes: real ones, which are killed, cancelled and left alone."""

import contextlib
import os
import signal
import subprocess
import sys
import textwrap

import psutil
import pytest
from zoetrope.cluster.processes import ProcessWorkers
from zoetrope.cluster.scheduler import Run
from zoetrope.cluster.worker import Refused, WorkerLost, WorkFailed

from ...places import ROOT

PLACE = "tests.bare.cluster.object_of_tests:Calculator"
PATIENCE = 120


@pytest.fixture
def pool(tmp_path):
    """Two processes."""
    pool = ProcessWorkers(PLACE, {"factor": 3}, [{}, {"NUMBER": "2"}], tmp_path / "logs")
    yield pool
    pool.end()


def is_gone(pid):
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_calls_errors_kills_and_the_end(pool):
    one, two = pool.ready()
    assert one.submit("times", 5).result(PATIENCE) == 15
    with pytest.raises(WorkFailed, match="worker 1 of this machine: TypeError: .*times"):
        one.submit("times").result(PATIENCE)
    with pytest.raises(Refused, match=r"no file there \(on worker 2 of this machine\)"):
        two.submit("refuse").result(PATIENCE)
    waiting = two.submit("wait")
    assert not waiting.done()
    queued = two.submit("wait")
    two.cancel()
    with contextlib.suppress(WorkFailed):  # it may not have begun
        assert waiting.result(PATIENCE) is True
    with pytest.raises(WorkFailed, match="cancelled"):
        queued.result(PATIENCE)
    assert two.submit("times", 2).result(PATIENCE) == 6

    pids = [worker.submit("pid").result(PATIENCE) for worker in (one, two)]
    pending = one.submit("wait")
    os.kill(pids[0], signal.SIGKILL)
    with pytest.raises(WorkerLost, match="worker 1 of this machine has ended"):
        pending.result(PATIENCE)
    with pytest.raises(WorkerLost):
        one.submit("pid").result(PATIENCE)
    again, same = pool.ready()
    assert same is two and again is not one
    assert again.submit("pid").result(PATIENCE) not in pids
    last = again.submit("pid").result(PATIENCE)
    pool.end()
    assert is_gone(last) and is_gone(pids[1])


def test_a_run_goes_on_when_a_worker_dies_in_the_middle(pool):
    one, two = pool.ready()

    def submit(worker, unit):
        return worker.submit("die") if worker is one and unit > 1 else worker.submit("times", unit)

    assert list(Run([one, two], range(20), submit).results()) == [3 * n for n in range(20)]
    assert not one.is_alive and two.is_alive


def test_an_object_that_cannot_be_made_is_told(tmp_path):
    pool = ProcessWorkers(PLACE, {"nonsense": 1}, [{}], tmp_path)
    try:
        with pytest.raises(WorkFailed, match="unexpected keyword argument 'nonsense'"):
            pool.ready()[0].submit("pid").result(PATIENCE)
    finally:
        pool.end()


def test_no_process_outlives_its_parent(tmp_path):
    """Also not one that is killed, in the middle of a call."""
    code = f"""
        import sys, time
        sys.path.insert(0, {str(ROOT)!r})
        import dev
        dev.import_pack_as()
        from pathlib import Path
        from zoetrope.cluster.processes import ProcessWorkers
        pool = ProcessWorkers({PLACE!r}, {{}}, [{{}}], Path({str(tmp_path)!r}))
        (worker,) = pool.ready()
        print(worker.submit("pid").result(), flush=True)
        worker.submit("wait")
        time.sleep(600)
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True
    )
    child = int(parent.stdout.readline())
    assert not is_gone(child)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    psutil.wait_procs([psutil.Process(child)] if psutil.pid_exists(child) else [], timeout=PATIENCE)
    assert is_gone(child)
