"""Whatever a file is called and whatever a prompt holds:
a message about it can be printed, and stays short.
"""

import io
import sys

import pytest
from zoetrope.foreign_text import is_printable, printable, printable_lines, visible

HOSTILE = {
    "half an emoji": ("a\ud83db", "a\\ud83db"),
    "a name that is not UTF-8": (b"bad\xff.ckpt".decode("utf8", "surrogateescape"), "bad\\udcff.ckpt"),
    "bytes": (b"bad\xff.ckpt", "bad\\udcff.ckpt"),
    "lines": ("one\r\ntwo\u2028three", "one\\r\\ntwo\\u2028three"),
    "a zero": ("a\0b", "a\\x00b"),
    "a terminal's colours": ("\x1b[31mred", "\\x1b[31mred"),
    "letters turned round": ("evil\u202egpj.exe", "evil\\u202egpj.exe"),
    "nothing wide": ("a\u200bb\ufeffc", "a\\u200bb\\ufeffc"),
    "beyond all planes": ("\U0010ffff", "\\U0010ffff"),
}
KEPT = (
    "plain.safetensors",
    "C:\\videos\\a b.mp4",
    "视频 测试.mp4",
    "日本\u3000語",
    "naïve Größe",
    "\N{CLAPPER BOARD}\N{MAN}\u200d\N{GIRL} \N{HEAVY BLACK HEART}\ufe0f.mp4",
    "می\u200cخواهم",
    "Screenshot 9.41\u202fAM",
)


@pytest.mark.parametrize("case", HOSTILE)
def test_what_cannot_be_seen_is_an_escape(case):
    text, wanted = HOSTILE[case]
    assert printable(text) == wanted
    assert "\n" not in printable(text) and printable(text).encode("utf8")


@pytest.mark.parametrize("text", KEPT)
def test_names_that_people_give_stay_as_they_are(text):
    assert printable(text) == text == visible(text)


def test_a_long_text_keeps_its_beginning_and_its_end():
    told = printable("b" + "x" * 5000 + "end.ckpt")
    assert len(told) == 200 and told.startswith("bxx") and told.endswith("xend.ckpt") and "..." in told
    assert len(printable("\ud800" * 10**6)) == 200
    assert printable("y" * 200) == "y" * 200
    assert len(printable("z" * 300, longest=20)) == 20


def test_an_error_is_its_first_line_or_its_type():
    assert printable(OSError(2, "No such file", "bad\udcff")) == "[Errno 2] No such file: 'bad\\udcff'"
    assert printable(RuntimeError("one\ntwo")) == "one"
    assert printable(MemoryError()) == "MemoryError"


@pytest.mark.parametrize(
    "encoding, wanted",
    [("ascii", "\\u4e2d\\u6587 \\U0001f3ac"), ("gbk", "中文 \\U0001f3ac"), ("utf8", "中文 🎬")],
)
def test_a_console_that_lacks_a_character_gets_an_escape(monkeypatch, encoding, wanted):
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    told = printable("中文 🎬")
    print(told, file=sys.stderr, flush=True)
    assert told == wanted
    assert is_printable("中文 🎬") == (encoding == "utf8")


def test_whole_messages_keep_their_lines():
    assert printable_lines("a\nb\0\tc") == "a\nb\\x00\\tc"
    assert printable_lines("\n".join(map(str, range(100)))).splitlines()[-2:] == ["39", "..."]
    assert is_printable("a\n\tb") and not is_printable("a\rb") and not is_printable("a\ud800b")
