"""Shards of a plan: which videos are together, and what a shard's file saves and must not hide."""

import pytest
from zoetrope.curation import shards
from zoetrope.curation.job import Job
from zoetrope.curation.rows import ERROR, write_rows
from zoetrope.curation.settings import Clips, Settings
from zoetrope.curation.shards import Shards, shard_name, shards_of


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(shards, "VIDEOS", 7)


def plan_of(count):
    return [{"source": f"{n:04}.mp4", "bytes": n, "changed": 5} for n in range(count)]


def finish(job, sources):
    for source in sources:
        write_rows(job.result_file(source), [{"source": source["source"], "id": "a"}, source | {"id": "b"}])


@pytest.fixture
def job(tmp_path):
    return Job(tmp_path, tmp_path / "out", Settings())


def files(job):
    return sorted((job.result_folder() / "shards").glob("*"))


def test_shards_hold_all_videos_in_their_order_and_none_is_large():
    plan = plan_of(700)
    parts = list(shards_of(plan))
    assert [row for part in parts for row in part] == plan
    assert max(map(len, parts)) <= 28 and 70 <= len(parts) <= 140


def test_a_new_or_changed_video_changes_its_own_shard_only():
    plan = plan_of(700)
    before = {shard_name(shard) for shard in shards_of(plan)}
    new = [*plan[:333], {"source": "0332a.mp4", "bytes": 1, "changed": 1}, *plan[333:]]
    changed = [row | {"changed": 6} if n == 333 else row for n, row in enumerate(plan)]
    for after in (new, changed):
        assert len(before - {shard_name(shard) for shard in shards_of(after)}) <= 3


def test_a_shard_has_its_file_when_its_last_video_is_done(job):
    plan = plan_of(40)
    found = Shards(job, plan)
    left = list(found.left())
    assert left == plan and not files(job)
    finish(job, plan)
    for source in reversed(left):
        found.done(source)
    assert len(files(job)) == len(list(found)) > 1 and not found.under_way
    assert [row["source"] for row in found.rows()] == [row["source"] for row in plan for _ in "ab"]


def test_what_was_done_before_is_not_asked_for_again(job):
    plan = plan_of(40)
    finish(job, plan)
    assert list(Shards(job, plan).left()) == []
    for source in plan:
        job.result_file(source).unlink()
    again = Shards(job, plan)
    assert list(again.left()) == [] and sum(1 for _ in again.rows()) == 80
    other = Job(job.folder, job.out, Settings(clips=Clips(0.5, 2.0)))
    assert len(list(Shards(other, plan).left())) == 40


def test_videos_that_the_plan_could_not_read_are_rows_of_their_shard(job):
    plan = [{"source": "a.mp4", ERROR: "plan: gone"}, *plan_of(2)]
    finish(job, plan[1:])
    found = Shards(job, plan)
    assert list(found.left()) == [] and next(found.rows()) == plan[0]


def test_failed_videos_are_tried_again_and_the_others_of_their_shard_are_not(job):
    plan = plan_of(40)
    finish(job, plan)
    bad = plan[20]
    write_rows(job.result_file(bad), [bad | {ERROR: "probe: no"}])
    found = Shards(job, plan)
    assert not list(found.left())
    before = len(files(job))
    found.forget_failed()
    assert len(files(job)) == before - 1 and list(found.left()) == [bad]


def test_files_of_other_plans_go(job):
    plan = plan_of(40)
    finish(job, plan)
    list(Shards(job, plan[:11]).left())
    found = Shards(job, plan)
    list(found.left())
    found.finish()
    assert {path.name for path in files(job)} == {shard_name(shard) for shard in found}


def test_results_that_a_share_shows_late_are_waited_for(job, monkeypatch):
    """A host may remember for half a minute that a file is not there, which another has written since."""
    plan = plan_of(40)
    found = Shards(job, plan)
    for source in found.left():
        found.done(source)
    assert len(found.late) == len(list(found)) and not files(job)
    monkeypatch.setattr(shards.time, "sleep", lambda seconds: finish(job, plan))
    found.finish()
    assert len(files(job)) == len(list(found)) and not found.late


def test_results_that_never_come_are_told(job, monkeypatch):
    monkeypatch.setattr(shards, "PATIENCE", 0.0)
    plan = plan_of(3)
    found = Shards(job, plan)
    for source in found.left():
        found.done(source)
    finish(job, plan[:1])
    with pytest.raises(ValueError, match="'0001.mp4' and 1 other videos were written and are not in"):
        found.finish()
