"""A whole curation: what comes out, odd files in the folder, and runs that are killed at any moment."""

import code
import hashlib
import json
import multiprocessing
import os
import shutil
import sys
import tarfile
import time

import av
import pytest
import torch
from zoetrope.curation.command import main
from zoetrope.curation.export import WORK
from zoetrope.curation.job import Job
from zoetrope.curation.measures.pictures import preview_path
from zoetrope.curation.rows import DROPPED, ERROR, read_rows
from zoetrope.curation.runner import Curation
from zoetrope.curation.settings import Captions, Clips, Export, Keep, Motion, Settings
from zoetrope.curation.sources import list_sources
from zoetrope.curation.workers import KILLED, Workers
from zoetrope.tests.places import ROOT
from zoetrope.video_io.encode import encode_h264

TRUTH = ROOT / "tests" / "data" / "curation"
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows cannot fork")
SETTINGS = Settings(motion=Motion("codec"), clips=Clips(0.2, 1.0))


def curate(folder, out, settings=SETTINGS, workers=0, **run):
    return Curation(Job(folder, out, settings), workers).run(**run)


@pytest.fixture
def videos(tmp_path):
    folder = tmp_path / "raw"
    (folder / "more").mkdir(parents=True)
    for name, target in (("hard_cuts", "hard_cuts"), ("vfr", "more/\u732b \U0001f408"), ("static", "still")):
        shutil.copy(TRUTH / f"{name}.mp4", folder / f"{target}.mp4")
    (folder / "hard_cuts.txt").write_text("cuts &\n<b>more</b>", encoding="utf8")
    return folder


def bytes_of(out):
    """Every file of a data set with its hash, but for what the program keeps for itself."""
    files = {path.relative_to(out): path for path in sorted(out.rglob("*")) if path.is_file()}
    return {
        name.as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in files.items()
        if name.parts[0] != WORK
    }


def rows_of(out, table="all"):
    return list(read_rows(out / f"{table}.jsonl"))


def test_a_folder_becomes_pairs_tables_tars_and_a_report(videos, tmp_path):
    out = tmp_path / "set"
    formats = ["pairs", "webdataset"]
    counts = curate(videos, out, _with(export=Export(formats))).counts
    assert counts.videos == 3 and counts.kept == counts.clips - 2 and not counts.errors
    kept = rows_of(out, "clips")
    for row in kept:
        path = out / row["file"]
        with av.open(str(path)) as container:
            assert sum(1 for _ in container.decode(video=0)) == row["frames"]
        assert path.with_suffix(".txt").read_text(encoding="utf8") == row.get("caption", "")
        assert preview_path(out / "previews", row["id"]).is_file()
        assert hashlib.sha256(path.read_bytes()).hexdigest() == row["sha256"]
    assert {row["caption"] for row in kept if "caption" in row} == {"cuts & <b>more</b>"}
    assert [row[DROPPED] for row in rows_of(out) if DROPPED in row] == ["motion below 0.05"] * 2
    assert not {"look", "features"} & set().union(*kept)
    with tarfile.open(out / "webdataset" / "00000.tar") as tar:
        assert tar.getnames()[:3] == [f"{kept[0]['id']}.{kind}" for kind in ("mp4", "txt", "json")]
        assert json.load(tar.extractfile(f"{kept[0]['id']}.json")) == kept[0]
    page = (out / "report" / "clips-0001.html").read_text(encoding="utf8")
    assert "cuts &amp; &lt;b&gt;more" in page and page.count("<img") == counts.clips and "http" not in page
    assert {path.stem for path in (out / "report").glob("*.png")} >= {"motion", "seconds"}


def _with(**sections):
    return Settings(**{"motion": SETTINGS.motion, "clips": SETTINGS.clips, **sections})


def test_other_bounds_are_quick_and_take_away_what_is_not_kept(videos, tmp_path):
    out = tmp_path / "set"
    curate(videos, out)
    stamps = {path: path.stat().st_mtime_ns for path in (out / "clips").iterdir()}
    (out / "clips" / "of another.mp4").write_bytes(b"mine")
    counts = curate(videos, out, _with(keep=Keep(best={"seconds": 50}))).counts
    left = {path: path.stat().st_mtime_ns for path in (out / "clips").iterdir()}
    assert 0 < counts.kept < len(stamps) // 2 and len(left) == 2 * counts.kept + 1
    assert (out / "clips" / "of another.mp4").read_bytes() == b"mine"
    assert all(stamps[path] == stamp for path, stamp in left.items() if path in stamps)
    curate(videos, out, _with(export=Export(crf=40)))
    sizes = [row["file_bytes"] for row in rows_of(out, "clips")]
    curate(videos, out)
    assert all(a < b["file_bytes"] for a, b in zip(sizes, rows_of(out, "clips"), strict=True))


def test_copied_clips_say_what_they_lost(tmp_path):
    folder = tmp_path / "raw"
    folder.mkdir()
    shutil.copy(TRUTH / "gop24_bframes_audio.mp4", folder)
    settings = Settings(motion=Motion("codec"), clips=Clips(0.2, 0.0), export=Export(mode="copy"))
    for _ in range(2):  # the second time by what was kept
        curate(folder, tmp_path / "set", settings)
        found = [(row["copied_first"], row["copied_last"], row["lost_frames"])
                 for row in rows_of(tmp_path / "set", "clips")]  # fmt: skip
        assert found == [(0, 48, 1), (72, 95, 22)]


def test_odd_files_are_rows_with_errors_and_none_is_lost(tmp_path):
    folder = tmp_path / "raw"
    (folder / "deep" / "er").mkdir(parents=True)
    shutil.copy(TRUTH / "truncated.mp4", folder / "truncated.mp4")
    (folder / "empty.mp4").touch()
    (folder / "text.mkv").write_text("no video")
    (folder / "nowhere.mp4").symlink_to(folder / "gone.mp4")
    os.mkfifo(folder / "pipe.mp4")
    with av.open(str(folder / "sound.mp4"), "w") as out:
        stream = out.add_stream("aac", rate=44100)
        frame = av.AudioFrame(format="fltp", layout="mono", samples=1024)
        frame.sample_rate = 44100
        for plane in frame.planes:
            plane.update(bytes(4096))
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    encode_h264([torch.rand(32, 48, 3)], str(folder / "one frame.mp4"), 24)
    encode_h264(list(torch.zeros(30, 32, 48, 3)), str(folder / "deep" / "er" / "black.mp4"), 24)
    bad = os.fsencode(folder / "deep") + b"/caf\xe9.webm"
    shutil.copy(os.fsencode(TRUTH / "vfr.mp4"), bad)
    counts = curate(folder, tmp_path / "set").counts
    rows = {row["source"]: row for row in rows_of(tmp_path / "set") if row["source"] != "deep/caf\udce9.webm"}
    wanted = {
        "truncated.mp4": "cannot be read as a video", "empty.mp4": "cannot be read as a video",
        "text.mkv": "cannot be read as a video", "nowhere.mp4": "the file cannot be read",
        "pipe.mp4": "is a pipe", "sound.mp4": "has no pictures, only audio",
    }  # fmt: skip
    assert {name for name, row in rows.items() if ERROR in row} == set(wanted)
    assert all(text in rows[name][ERROR] for name, text in wanted.items())
    assert rows["one frame.mp4"][DROPPED] == "too short"
    assert rows["deep/er/black.mp4"][DROPPED] == "no picture"
    assert counts.videos == 9 and counts.kept >= 1
    assert all(row["file"].startswith("clips/caf_-") for row in rows_of(tmp_path / "set", "clips"))


def test_folders_without_videos_are_told(tmp_path):
    with pytest.raises(ValueError, match="holds no video"):
        curate(tmp_path, tmp_path / "set")
    with pytest.raises(ValueError, match="is no folder"):
        curate(tmp_path / "none", tmp_path / "set")
    shutil.copy(TRUTH / "vfr.mp4", tmp_path)
    with pytest.raises(ValueError, match="folder of the raw videos itself"):
        curate(tmp_path, tmp_path)


def test_the_data_set_may_lie_in_the_folder_of_the_videos(videos):
    first = curate(videos, videos / "set").counts
    assert curate(videos, videos / "set").counts == first


def test_a_large_folder_is_listed_once_and_row_by_row(tmp_path):
    for number in range(3000):
        (tmp_path / f"{number}.mp4").touch()
    rows = list_sources(tmp_path)
    assert next(rows)["source"] == "0.mp4"
    assert sum(1 for _ in rows) == 2999
    job = Curation(Job(tmp_path, tmp_path / "set", SETTINGS))
    assert job.plan() == 3000 == job.plan()


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.json"
    sections = {"motion": {"tier": "codec"}, "clips": {"shortest": 0.2, "longest": 1.0},
                "export": {"formats": ["pairs", "webdataset"], "preset": "slow"}}  # fmt: skip
    path.write_text(json.dumps(sections), encoding="utf8")
    return path


def command(told, most_bytes, *arguments):
    """The command in a process of its own. told: the file of its words. most_bytes: of a file, 0 = any."""
    with open(told, "w") as file:
        sys.stdout = sys.stderr = file
        if most_bytes:
            import resource

            resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, resource.RLIM_INFINITY))
        status = main([*map(str, arguments), "--workers", "0"])
    os._exit(status)


def start(*arguments):
    """Forks, so that nothing has to be imported again."""
    process = multiprocessing.get_context("fork").Process(target=command, args=arguments)
    process.start()
    return process


def ended(process):
    process.join(300)
    return process.exitcode


@needs_fork
def test_a_run_that_is_killed_goes_on_and_ends_with_the_same_bytes(videos, tmp_path, config):
    told, arguments = tmp_path / "told", ("--config", config)
    assert ended(start(told, 0, videos, "--out", tmp_path / "whole", *arguments)) == 0
    assert "kept: " in told.read_text()
    out, killed = tmp_path / "killed", 0
    for number in (1, 3, 4, 9, 14, 30, 40, 44):  # files, made or half made, at which it is killed
        process = start(told, 0, videos, "--out", out, *arguments)
        while process.is_alive() and sum(len(names) for _, _, names in os.walk(out)) < number:
            time.sleep(0.002)
        if process.is_alive():
            process.kill()
            killed += 1
        process.join()
    assert killed >= 3
    assert ended(start(told, 0, videos, "--out", out, *arguments)) == 0
    assert bytes_of(out) == bytes_of(tmp_path / "whole")


def test_what_a_killed_run_had_half_written_goes_and_files_of_others_stay(videos, tmp_path):
    out = tmp_path / "set"
    curate(videos, out)
    whole = bytes_of(out)
    (out / "webdataset").mkdir(exist_ok=True)
    halves = ("clips.jsonl.77.part", "all.jsonl.77.part", "report/index.html.77.part",
              "report/pictures/a.jpg.77.part", "webdataset/00000.tar.77.part",
              "previews/a2/a2d1.jpg.77.part", f"{WORK}/written/a.jsonl.77.part")  # fmt: skip
    for name in (*halves, "mine.part", "notes.txt.7.part"):
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text("half")
    curate(videos, out)
    assert bytes_of(out).keys() - whole.keys() == {"mine.part", "notes.txt.7.part"}
    assert not list((out / WORK).rglob("*.part"))


@needs_fork
def test_a_disk_without_room_ends_the_run_and_the_next_one_goes_on(videos, tmp_path, config):
    out, told = tmp_path / "set", tmp_path / "told"
    assert ended(start(told, 12_000, videos, "--out", out, "--config", config)) == 1
    assert "the disk is full" in told.read_text() and "Traceback" not in told.read_text()
    assert not list(out.rglob("*.part")) and not list(out.rglob("*.tar"))
    assert ended(start(told, 0, videos, "--out", out, "--config", config)) == 0


def test_what_ends_its_worker_is_given_up_and_the_rest_is_done():
    """The job is one of the standard library that runs what it is given, as a decoder that crashes."""
    tasks = ["import os; os.kill(os.getpid(), 9)", "b = 2"]
    with Workers(code.InteractiveInterpreter(), 1) as workers:
        found = dict(workers.run("runsource", tasks, lambda task, why: why))
    assert found == {tasks[0]: KILLED, tasks[1]: False}


def test_a_video_that_was_given_up_is_a_row_until_it_is_tried_again(videos, tmp_path):
    job = Job(videos, tmp_path / "set", SETTINGS)
    (still,) = (row for row in list_sources(videos) if row["source"] == "still.mp4")
    job.give_up(still, KILLED)
    assert curate(videos, tmp_path / "set").counts.errors == {"worker": 1}
    assert [row[ERROR] for row in rows_of(tmp_path / "set") if ERROR in row] == [f"worker: {KILLED}"]
    assert not curate(videos, tmp_path / "set", retry=True).counts.errors


def test_processes_make_what_one_makes(videos, tmp_path):
    for workers in (0, 2):
        curate(videos, tmp_path / f"{workers}", workers=workers)
    assert bytes_of(tmp_path / "0") == bytes_of(tmp_path / "2")


def test_what_is_missing_is_told_before_the_first_video(videos, tmp_path):
    settings = _with(motion=Motion("raft", weights=str(tmp_path / "raft.pth")))
    for workers in (0, 1):
        with pytest.raises(ValueError, match="'raft.pth' in the folder"):
            curate(videos, tmp_path / "set", settings, workers)
    texts = _with(captions=Captions(file=str(tmp_path / "none.jsonl")))
    with pytest.raises(ValueError, match="captions 'none.jsonl'"):
        curate(videos, tmp_path / "set", texts)


def test_wrong_options_of_a_cluster_are_told(videos, tmp_path, capsys):
    pytest.importorskip("ray")
    given = [str(videos), "--out", str(tmp_path / "set"), "--ray"]
    for more, told in (
        (["nowhere"], "'nowhere' is no address"),
        (["127.0.0.1:9"], "nobody answers at 127.0.0.1:9"),
        (["local", "--workers", "0"], "workers=0 must be 1 or more on a cluster"),
    ):
        assert main([*given, *more]) == 1
        assert told in capsys.readouterr().err
    assert not (tmp_path / "set").exists()


def test_a_cluster_without_ray_names_the_extra(videos, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main([str(videos), "--out", str(tmp_path / "set"), "--ray", "local"]) == 1
    assert "install the extra [cluster]" in capsys.readouterr().err
