"""Candidates are folders below ComfyUI's own, files of votes lie below output/votes, and nothing else is
named or read.
"""

import contextlib
import multiprocessing
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import folder_paths
import pytest
from zoetrope.host.voting import sessions
from zoetrope.host.voting.clips import clips_of, list_candidates, place_of, text_of
from zoetrope.tests.comfy.nodes.test_paths import EVIL

CANDIDATES = ["votes a", "deep/votes b [output]"]


@pytest.fixture
def folders(comfy_base):
    """Two candidates with three clips, of which the first one has one more."""
    made = [place(name) for name in CANDIDATES]
    for folder in made:
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("1.mp4", "雪 & #2.webm", "3.GIF", "notes.json", ".hidden.mp4"):
            (folder / name).write_bytes(b"x")
    (made[0] / "alone.mp4").write_bytes(b"x")
    yield made
    for folder in made:
        for file in folder.iterdir():
            file.rmdir() if file.is_dir() and not file.is_symlink() else file.unlink()
        folder.rmdir()
    for file in sessions.votes_folder().glob("*.jsonl"):
        file.unlink()


def place(name):
    output = name.endswith(" [output]")
    root = folder_paths.get_output_directory() if output else folder_paths.get_input_directory()
    return Path(root) / name.removesuffix(" [output]")


def judge(name, winner="left"):
    pair = sessions.state(name)["pair"]
    sessions.vote(name, pair["file"], pair["left"], pair["right"], winner)


def test_folders_of_clips_are_listed(folders):
    assert set(CANDIDATES) <= set(list_candidates())
    assert clips_of(CANDIDATES[0]) == (["1.mp4", "3.GIF", "alone.mp4", "雪 & #2.webm"], 0)
    assert place_of(CANDIDATES[1]) == (folders[1], "deep/votes b", "output")


@pytest.mark.parametrize(
    "name", [*EVIL, "", ".", " [output]", "..", "votes a/..", "votes a [temp]", "votes a/1.mp4"]
)
def test_what_is_no_folder_of_comfyui_is_no_candidate(folders, name):
    with pytest.raises(ValueError, match="is no folder below ComfyUI's input folder"):
        place_of(name)
    with pytest.raises(ValueError, match="is no folder below ComfyUI's input folder"):
        sessions.begin("x", [CANDIDATES[0], name], 0)
    assert sessions.list_books() == []


def test_links_out_of_the_folders_are_not_followed(folders, tmp_path):
    (tmp_path / "secret.mp4").write_bytes(b"secret")
    (tmp_path / "secret.txt").write_text("secret", encoding="utf8")
    (folders[0] / "secret.mp4").symlink_to(tmp_path / "secret.mp4")
    (folders[0] / "1.txt").symlink_to(tmp_path / "secret.txt")
    (folders[0] / "nowhere.mp4").symlink_to(tmp_path / "nothing.mp4")
    os.mkfifo(folders[0] / "pipe.mp4")
    linked = Path(folder_paths.get_input_directory()) / "linked votes"
    linked.symlink_to(tmp_path)
    try:
        names, left_out = clips_of(CANDIDATES[0])
        assert "secret.mp4" not in names and "pipe.mp4" not in names and left_out == 3
        assert text_of(CANDIDATES[0], "1.mp4") == ""
        with pytest.raises(ValueError, match="is no folder below"):
            place_of("linked votes")
        assert "linked votes" not in list_candidates()
    finally:
        linked.unlink()


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_names_that_are_no_text_are_left_out(folders):
    for folder in folders:
        (folder / os.fsdecode(b"caf\xe9.mp4")).write_bytes(b"x")
    assert clips_of(CANDIDATES[1]) == (["1.mp4", "3.GIF", "雪 & #2.webm"], 1)


@pytest.mark.parametrize("name", [*EVIL, "", ".", "..", ".hidden", "a" * 250, "a\nb", "x/y"])
def test_a_name_that_leads_elsewhere_is_no_file_of_votes(folders, name):
    if name == "canary [nowhere]":  # odd, but it leads nowhere
        return
    with pytest.raises(ValueError, match="^name="):
        sessions.begin(name, CANDIDATES, 0)
    with pytest.raises(ValueError, match="^name="):
        sessions.open_book(name)


def test_a_link_out_is_no_file_of_votes(folders, tmp_path):
    sessions.begin("real", CANDIDATES, 0)
    other = tmp_path / "other.jsonl"
    other.write_bytes(sessions.book_path("real").read_bytes())
    link = sessions.votes_folder() / "linked.jsonl"
    link.symlink_to(other)
    os.mkfifo(sessions.votes_folder() / "pipe.jsonl")
    assert sessions.list_books() == ["real"]
    for name, told in (("linked", "leads out of output/votes"), ("pipe", "is a pipe")):
        with pytest.raises(ValueError, match=told):
            sessions.state(name)
        with pytest.raises(ValueError, match=told):
            sessions.back(name)
        assert told in sessions.missing_book_message(name)


def test_pairs_are_judged_to_the_end_and_back(folders):
    (folders[0] / "1.txt").write_text("a red ball\n\n at dusk", encoding="utf8")
    sessions.begin("mine", CANDIDATES, 5)
    first = sessions.state("mine")
    assert (first["total"], first["done"], first["left_out"], first["votes"]) == (3, 0, 1, 0)
    seen = []
    for winner in ("left", "tie", "skip"):
        seen.append(sessions.state("mine")["pair"])
        judge("mine", winner)
    assert {pair["file"] for pair in seen} == {"1.mp4", "3.GIF", "雪 & #2.webm"}
    assert [pair["text"] for pair in seen if pair["file"] == "1.mp4"] == ["a red ball at dusk"]
    ends = [{"filename": seen[0]["file"], "subfolder": folder, "type": kind}
            for folder, kind in (("votes a", "input"), ("deep/votes b", "output"))]  # fmt: skip
    assert seen[0]["clips"] in (ends, ends[::-1])
    assert sessions.state("mine")["pair"] is None and sessions.state("mine")["done"] == 3
    sessions.back("mine")
    assert sessions.state("mine")["pair"] == seen[2]
    judge("mine")
    assert [vote.winner for vote in sessions.open_book("mine").votes] == ["left", "tie", "left"]


def test_a_pair_is_not_judged_twice_and_an_unknown_one_never(folders):
    sessions.begin("mine", CANDIDATES, 5)
    pair = sessions.state("mine")["pair"]
    given = (pair["file"], pair["left"], pair["right"])
    judge("mine")
    for args in (
        given,
        (given[0], given[2], given[1]),
        ("../x.mp4", *given[1:]),
        (given[0], given[1], given[1]),
    ):
        with pytest.raises(sessions.Conflict):
            sessions.vote("mine", *args, "right")
    with pytest.raises(ValueError, match="winner='up' must be one of left, right, tie, skip"):
        sessions.vote("mine", *given, "up")
    assert len(sessions.open_book("mine").votes) == 1


def test_of_votes_at_one_moment_on_a_pair_one_is_kept(folders):
    sessions.begin("mine", CANDIDATES, 5)
    pair = sessions.state("mine")["pair"]

    def vote(winner):
        try:
            sessions.vote("mine", pair["file"], pair["left"], pair["right"], winner)
        except sessions.Conflict:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(vote, ["left", "right", "tie", "skip"] * 4)) == 1
    assert len(sessions.open_book("mine").votes) == 1


def judge_all(number):
    """What another ComfyUI does: votes for whatever is shown, until nothing is left."""
    while pair := sessions.state("mine")["pair"]:
        with contextlib.suppress(sessions.Conflict):
            sessions.vote("mine", pair["file"], pair["left"], pair["right"], ("left", "right")[number % 2])
    os._exit(0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows cannot fork")
def test_several_programs_on_one_folder_keep_one_vote_for_each_pair(folders):
    for folder in folders:
        for number in range(20):
            (folder / f"more {number}.mp4").write_bytes(b"x")
    sessions.begin("mine", CANDIDATES, 5)
    fork = multiprocessing.get_context("fork")
    others = [fork.Process(target=judge_all, args=(number,)) for number in range(4)]
    for process in others:
        process.start()
    for process in others:
        process.join(300)
    book = sessions.open_book("mine")
    assert book.damaged == 0 and [process.exitcode for process in others] == [0] * 4
    assert len({vote.pair.key for vote in book.votes}) == len(book.votes) == 23


def test_clips_that_come_later_are_judged_too(folders):
    sessions.begin("mine", CANDIDATES, 5)
    for _ in range(3):
        judge("mine")
    for folder in folders:
        (folder / "4.mp4").write_bytes(b"x")
        os.utime(folder, ns=(1, 1))  # the clock of the disk may be coarser than this test
    assert sessions.state("mine")["pair"]["file"] == "4.mp4"


@pytest.mark.parametrize(
    ("candidates", "seed", "told"),
    [
        (CANDIDATES[:1], 0, "1 folders give no pair"),
        ([CANDIDATES[0], "./votes a/"], 0, "a folder is chosen twice"),
        (CANDIDATES, -1, "seed=-1 must be 0 to"),
        (CANDIDATES, 2**60, "must be 0 to"),
    ],
)
def test_candidates_that_give_no_pair_are_refused(folders, candidates, seed, told):
    with pytest.raises(ValueError, match=told):
        sessions.begin("mine", candidates, seed)
    assert sessions.list_books() == []


def test_a_name_is_not_taken_twice_and_an_empty_plan_is_refused(folders):
    sessions.begin("mine", CANDIDATES, 0)
    with pytest.raises(ValueError, match="'mine' is there already; go on with it"):
        sessions.begin("mine", CANDIDATES, 0)
    for file in folders[1].glob("*"):
        file.unlink()
    with pytest.raises(ValueError, match="no file name is in all folders"):
        sessions.begin("other", CANDIDATES, 0)
    with pytest.raises(ValueError, match="there is no vote to take back"):
        sessions.back("mine")
