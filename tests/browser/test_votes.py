"""The page of votes, judged by keys and clicks to its end, in both languages; the menu that opens it."""

import json
from pathlib import Path

import pytest
import torch
from zoetrope.devtools.paths import PACK
from zoetrope.tests.browser.session import ARTEFACTS
from zoetrope.video_io.encode import encode_h264
from zoetrope.votes.plan import plan_pairs

FOLDERS = ["judge keep25", "judge <b>keep50"]
FILES = ["1.mp4", "2 & 雪.mp4", "broken.mp4"]
SEED = next(seed for seed in range(99) if plan_pairs(dict.fromkeys(FOLDERS, FILES), seed)[2].file == FILES[2])
PAGE = f"/extensions/{Path(PACK).name}/votes/index.html"
READY = "document.querySelector('#left')?.disabled === false"
BROKEN = "document.querySelector('.clip p') !== null && document.querySelector('#left').disabled"
END = "document.querySelectorAll('#ratings td').length === 8"
ITEM = "[...document.querySelectorAll('.p-tieredmenu-item')].find(e => e.innerText.includes('Zoetrope'))"
TEXTS = {
    "en": ("Begin new votes", "Which clip is better?", "All pairs are judged.", "1 of 3 pairs judged"),
    "zh": ("开始新的投票", "哪个片段更好？", "所有片段对都已评判。", "已评判 1 / 3 对"),
}


@pytest.fixture(scope="module")
def base(comfy_server):
    """The server's base folder, with two candidates of two clips and a file that cannot be played."""
    for number, folder in enumerate(FOLDERS):
        place = comfy_server.base / "input" / folder
        place.mkdir()
        for name in FILES[:2]:
            frames = torch.full((8, 48, 64, 3), 0.3 + 0.4 * number)
            frames[:, :, ::8, name == FILES[0]] = 1.0
            encode_h264(list(frames), str(place / name), 8.0)
        (place / FILES[2]).write_bytes(b"no video")
    (comfy_server.base / "input" / FOLDERS[0] / "1.txt").write_text("a red ball at dusk", encoding="utf8")
    return comfy_server.base


def votes(base, name):
    lines = (base / "output" / "votes" / f"{name}.jsonl").read_text(encoding="utf8").splitlines()
    return [json.loads(line).get("winner", "undone") for line in lines[1:]]


def done(page, count):
    assert page.becomes(code=f"document.querySelector('progress')?.value === {count}", seconds=60)


@pytest.mark.parametrize("locale", ["en", "zh"])
def test_pairs_are_judged_to_the_end(chromium, base, locale):
    page, name = chromium, f"judged {locale}"
    begin, question, end, progress = TEXTS[locale]

    def shot(what):
        page.screenshot(file=str(ARTEFACTS / "votes" / f"{locale}_{what}.png"))

    page.visit(path=f"{PAGE}?locale={locale}")
    assert page.sees(text=begin, seconds=60)
    for folder in FOLDERS:
        page.click(selector=f'input[value="{folder}"]')
    values = (
        f"document.querySelector('#name').value = '{name}'; document.querySelector('#seed').value = {SEED}"
    )
    page.evaluate(code=values)
    shot("start")
    page.click(selector="form button")
    assert page.sees(text=question, seconds=60) and page.becomes(code=READY, seconds=60)
    shot("pair")
    assert page.evaluate(code="[...document.querySelectorAll('video')].every(video => !video.paused)")
    shown = page.evaluate(code="document.body.innerText")
    assert "keep25" not in shown and "keep50" not in shown, "who judges must not know which is which"
    page.press(key="ArrowLeft")
    done(page, 1)
    assert page.sees(text=progress, seconds=60) and page.becomes(code=READY, seconds=60)
    page.press(key="Backspace")
    done(page, 0)
    assert page.becomes(code=READY, seconds=60)
    page.click(selector="#right")
    done(page, 1)
    assert page.becomes(code=READY, seconds=60)
    page.press(key="ArrowDown")
    done(page, 2)
    assert page.becomes(code=BROKEN, seconds=60)
    shot("broken")
    page.press(key="ArrowLeft")  # nobody can judge what is not seen
    page.press(key="s")
    assert page.sees(text=end, seconds=60) and page.becomes(code=END, seconds=60)
    shot("end")
    assert votes(base, name) == ["left", "undone", "right", "tie", "skip"]
    assert page.evaluate(code="document.querySelectorAll('b').length") == 0
    assert page.troubles() == []


def test_what_the_server_refuses_is_told_and_the_page_goes_on(chromium, comfy_server, base):
    page, name = chromium, "two pages"
    page.visit(path=f"{PAGE}?locale=en#nothing")
    assert page.sees(text="'nothing' was not found in output/votes", seconds=60)
    path = f"/zoetrope/votes/{name}".replace(" ", "%20")
    state = comfy_server.request(f"{path}/begin", {"candidates": FOLDERS, "seed": SEED})
    page.visit(path=f"{PAGE}?locale=en#{name}")
    assert page.becomes(code=READY, seconds=60)
    # Another page judges the pair that this one shows.
    pair = {key: state["pair"][key] for key in ("file", "left", "right")}
    comfy_server.request(f"{path}/vote", {**pair, "winner": "tie"})
    page.press(key="ArrowRight")
    assert page.sees(text="this pair is judged already", seconds=60)
    done(page, 1)
    assert votes(base, name) == ["tie"]
    assert page.becomes(code=READY, seconds=60)
    page.evaluate(code="window.fetch = () => Promise.reject(new TypeError('no server'))")
    page.press(key="ArrowRight")
    assert page.sees(text="ComfyUI does not answer; the vote is not kept.", seconds=60)
    done(page, 1)


def test_the_menu_opens_the_page(chromium):
    page, locale, label = chromium, "zh", "成对评判片段"
    page.open(settings={"Comfy.Locale": locale})
    page.evaluate(code="window.open = address => { window.zoetropeOpened = address; }")
    page.evaluate(code="app.extensionManager.command.execute('Zoetrope.JudgeClips')")
    assert page.evaluate(code="window.zoetropeOpened").endswith(f"{PAGE}?locale={locale}")
    page.click(selector=".comfy-menu-button-wrapper, [data-testid='comfy-menu-button']", seconds=30)
    assert page.becomes(code=f"{ITEM} !== undefined", seconds=30)
    page.hover(
        **page.evaluate(code=f"(({{x, y}}) => ({{x: x + 30, y: y + 15}}))({ITEM}.getBoundingClientRect())")
    )
    assert page.sees(text=label, seconds=30)
    page.screenshot(file=str(ARTEFACTS / "votes" / "menu.png"))
