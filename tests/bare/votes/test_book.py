"""Votes outlive a crash: what was written before it holds, and what comes after is not lost with it."""

import json
import os

import pytest
from zoetrope.votes.book import LEFT, SKIP, TIE, Vote, add_vote, begin_book, read_book, take_back
from zoetrope.votes.plan import Pair

NAMES = ["keep25", "保留50 [output]"]
ONE = Vote(Pair("1.mp4", *NAMES), LEFT)
OTHER = Vote(Pair("雪.mp4", *reversed(NAMES)), TIE)


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "votes" / "x.jsonl"
    begin_book(file, NAMES, 3)
    return file


def test_votes_come_back_as_they_were(path):
    for vote in (ONE, OTHER):
        add_vote(path, vote)
    book = read_book(path)
    assert (book.candidates, book.seed, book.votes, book.damaged) == (tuple(NAMES), 3, (ONE, OTHER), 0)
    line = json.loads(path.read_text(encoding="utf8").split("\n")[1])
    assert list(line) == ["file", "left", "right", "winner", "time"] and line["time"].endswith("Z")


def test_a_vote_is_taken_back_by_another_line(path):
    for vote in (ONE, OTHER):
        add_vote(path, vote)
    take_back(path)
    assert read_book(path).votes == (ONE,)
    add_vote(path, Vote(OTHER.pair, SKIP))
    assert [vote.winner for vote in read_book(path).votes] == [LEFT, SKIP]
    for _ in range(4):
        take_back(path)
    assert read_book(path).votes == ()


def test_the_file_cut_anywhere_keeps_all_whole_votes_and_takes_new_ones(path):
    head = path.read_bytes()
    add_vote(path, ONE)
    add_vote(path, OTHER)
    whole = path.read_bytes()
    first = whole.index(b"\n", len(head)) + 1
    for cut in range(len(head), len(whole) + 1):
        path.write_bytes(whole[:cut])
        # A line that lacks its end alone is whole.
        kept = (cut >= first - 1) + (cut >= len(whole) - 1)
        book = read_book(path)
        assert book.votes == (ONE, OTHER)[:kept]
        add_vote(path, Vote(OTHER.pair, SKIP))
        assert read_book(path).votes == (*(ONE, OTHER)[:kept], Vote(OTHER.pair, SKIP))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such limit")
def test_a_full_disk_loses_no_vote_and_the_next_one_is_kept(path):
    """A limit on the size of files stands for the disk: 10 bytes of the vote are written, then none."""
    import resource

    add_vote(path, ONE)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 10, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            add_vote(path, OTHER)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert read_book(path).votes == (ONE,)
    add_vote(path, OTHER)
    assert (read_book(path).votes, read_book(path).damaged) == ((ONE, OTHER), 1)


def test_damaged_lines_are_counted(path):
    add_vote(path, ONE)
    odd = ["{}", "[1]", "nonsense", "[" * 100_000, json.dumps({"file": "1", "left": "a", "right": "b"})]
    odd.append(json.dumps({"file": "1.mp4", "left": NAMES[0], "right": NAMES[0], "winner": "left"}))
    with path.open("ab") as file:
        file.write("\n".join(odd).encode() + b"\n\xff\xfe\n\n")
    assert read_book(path).votes == (ONE,) and read_book(path).damaged == len(odd) + 1


def test_lines_of_windows_and_a_mark_of_utf8_are_read(path):
    add_vote(path, ONE)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert read_book(path).votes == (ONE,)


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"{}\n", b'{"zoetrope_votes": 2, "candidates": ["a", "b"], "seed": 0}\n',
     b'{"zoetrope_votes": 1, "candidates": ["a", "a"], "seed": 0}\n',
     b'{"zoetrope_votes": 1, "candidates": "ab", "seed": 0}\n'],
)  # fmt: skip
def test_another_file_is_refused(tmp_path, content):
    (tmp_path / "y\n.jsonl").write_bytes(content)
    with pytest.raises(ValueError, match=r"'y\\n.jsonl' is no file of votes"):
        read_book(tmp_path / "y\n.jsonl")


def test_a_file_is_not_begun_twice_unless_its_first_line_is_torn(path):
    with pytest.raises(FileExistsError):
        begin_book(path, NAMES, 0)
    path.write_bytes(path.read_bytes()[:20])
    begin_book(path, NAMES, 4)
    assert read_book(path).seed == 4
