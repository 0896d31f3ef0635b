"""README.md, AGENTS.md and docs/: links lead somewhere, pictures are small, commands exist."""

import re
import subprocess
import sys

import pytest
from PIL import Image

from ..places import ROOT

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "AGENTS.md", *sorted(DOCS.glob("*.md"))]
NEW_PAGES = [page for page in PAGES if page.name != "AGENTS.md"]
PICTURES = sorted((DOCS / "pictures").iterdir())
LINK = re.compile(r"\]\(([^)\s]+)\)")
README_LINES, COLUMNS = 90, 110
LARGEST_PICTURE, ALL_PICTURES = 500_000, 1_500_000  # bytes
WIDEST = 1600  # pixels: twice the width at which pages show them


def text_of(page):
    return page.read_text(encoding="utf8")


def name_of(page):
    return page.relative_to(ROOT).as_posix()


def local_links(page):
    """(path, anchor) of every link that stays in this repository; the path is empty for the page itself."""
    targets = [link for link in LINK.findall(text_of(page)) if "://" not in link]
    return [(target, anchor) for target, _, anchor in (link.partition("#") for link in targets)]


def anchors(page):
    """The names that the headings of a page have in links, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", text_of(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands(page):
    """Every `python dev.py ...` of a page as a list of words, without a reader's own <values>."""
    text = re.sub(r"<[^>]*>", "", text_of(page))
    in_prose = re.findall(r"`(python\s+dev\.py[^`]*)`", text)
    in_blocks = re.findall(r"^ {4}(python dev\.py[^#\n]*)", text, re.MULTILINE)
    return [span.split()[2:] for span in in_prose + in_blocks]


ALL_COMMANDS = [pytest.param(words, id=" ".join(words)) for page in NEW_PAGES for words in commands(page)]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_to_files_and_headings(page):
    wrong = []
    for target, anchor in local_links(page):
        file = (page.parent / target).resolve() if target else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            wrong.append(f"{target}#{anchor}")
    assert wrong == []


def test_the_rule_finds_what_it_forbids(tmp_path):
    page = tmp_path / "page.md"
    links = "![x](no.png) [y](page.md#a-page-one-two) [z](https://a.b/c#d)"
    page.write_text(f"# A page: `one`, two\n{links}\n", encoding="utf8")
    assert local_links(page) == [("no.png", ""), ("page.md", "a-page-one-two")]
    assert anchors(page) == {"a-page-one-two"}


def test_the_readme_leads_to_every_page_of_the_docs():
    linked = {target for target, _ in local_links(ROOT / "README.md")}
    assert {name_of(page) for page in DOCS.glob("*.md")} <= linked


def test_every_node_has_its_help_page_in_the_list_of_nodes():
    linked = {target for target, _ in local_links(DOCS / "nodes.md")}
    assert {f"../{name_of(page)}" for page in (ROOT / "web" / "docs").glob("*/en.md")} <= linked


def test_every_picture_is_shown():
    shown = {(page.parent / target).resolve() for page in NEW_PAGES for target, _ in local_links(page)}
    assert [path.name for path in PICTURES if path not in shown] == []


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.name)
def test_pictures_are_small(path):
    with Image.open(path) as picture:
        assert 400 <= picture.width <= WIDEST
        assert getattr(picture, "n_frames", 1) > 1 or path.suffix == ".png"
    assert path.stat().st_size < LARGEST_PICTURE


def test_pictures_are_small_together():
    assert sum(path.stat().st_size for path in PICTURES) < ALL_PICTURES


def test_every_picture_can_be_made_again():
    source = text_of(ROOT / "demo" / "docs_pictures.py")
    assert [path.name for path in PICTURES if f'"{path.name}"' not in source] == []


def test_the_readme_is_short():
    assert len(text_of(ROOT / "README.md").splitlines()) <= README_LINES


@pytest.mark.parametrize("page", NEW_PAGES, ids=name_of)
def test_lines_are_short(page):
    """Rows of tables cannot be broken, nor can long links."""
    long = [line for line in text_of(page).splitlines() if len(line) > COLUMNS]
    assert [line for line in long if not line.lstrip().startswith("|") and "](http" not in line] == []


def test_the_readme_has_the_commands_that_a_newcomer_and_the_ci_need():
    found = commands(ROOT / "README.md")
    assert [name for name in ("demo", "test", "serve") if [name] not in found] == []
    assert "dev.py test" in text_of(ROOT / ".ci" / "run")


@pytest.fixture(scope="module")
def known():
    """The commands that `python dev.py --help` lists."""
    asked = [sys.executable, ROOT / "dev.py", "--help"]
    done = subprocess.run(asked, capture_output=True, text=True, check=True)
    return set(re.findall(r"^python dev\.py (\w+)", done.stdout, re.MULTILINE))


@pytest.mark.parametrize("words", ALL_COMMANDS)
def test_commands_of_the_pages_are_there(words, known):
    """The command itself, its module, tier or file, and every option of a benchmark or module."""
    command, rest = words[0], words[1:]
    assert command in known | {"--help"}
    if command == "test":
        tiers = rest[: rest.index("-k")] if "-k" in rest else rest
        named = [name for name in tiers if not any((ROOT / at / name).exists() for at in ("tests", "."))]
        assert named == []
    elif command in ("bench", "run"):
        module = f"benchmarks/{rest[0]}.py" if command == "bench" else f"{rest[0].replace('.', '/')}.py"
        source = text_of(ROOT / module)
        assert [word for word in rest[1:] if word.startswith("--") and f'"{word}"' not in source] == []


@pytest.mark.parametrize("words", [words for words in ALL_COMMANDS if "-k" in words.values[0]])
def test_commands_that_choose_tests_find_some(words):
    """The word behind -k is part of the name of a test, or of its file, in that tier."""
    tier, _, word = words[1:]
    tests = list((ROOT / "tests" / tier).rglob("test_*.py"))
    assert [path for path in tests if word in path.stem or re.search(rf"def test_\w*{word}", text_of(path))]
