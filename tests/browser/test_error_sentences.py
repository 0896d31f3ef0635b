"""What our nodes say of a run that failed or was refused stands in ComfyUI's own message.

What was said is read from the server's history and its answers, not from the pack.
"""

import json

import pytest
from zoetrope.tests.browser.session import ARTEFACTS

OVERLAY = "document.querySelector('[data-testid=\"error-overlay\"]')"
MESSAGE = f"{OVERLAY}?.querySelector('p')?.textContent ?? ''"
TOAST = "document.querySelector('.p-toast')?.innerText ?? ''"
ADD = """(() => {
  app.graph.clear();
  const add = (type, values = {}) => {
    const node = LiteGraph.createNode(type);
    node.pos = [300 * app.graph.nodes.length, 0];
    app.graph.add(node);
    for (const widget of node.widgets ?? []) widget.value = values[widget.name] ?? widget.value;
    return node;
  };
  const link = (from, slot, to, name) => from.connect(slot, to, to.findInputSlot(name));
  BODY
})()"""
# Three frames are asked for their number 99: Select Frames refuses while it runs.
SELECTED = ADD.replace(
    "BODY",
    """
  const latent = add('EmptyLatentImage', {width: 64, height: 64, batch_size: 3});
  const select = add('ZoetropeSelectFrames', {selection: '0:2,99'});
  select.title = 'My <b>choice</b>';
  link(latent, 0, select, 'frames');
  link(select, 1, add('PreviewAny'), 'source');
""",
)
# A batch of three for videos of two frames: Apply Motion Module refuses inside of KSampler.
SAMPLED = ADD.replace(
    "BODY",
    """
  const base = add('CheckpointLoaderSimple', {ckpt_name: 'zoetrope_tiny_sd.safetensors'});
  const text = add('CLIPTextEncode', {text: 'a circle'});
  const latent = add('EmptyLatentImage', {width: 64, height: 64, batch_size: 3});
  const module = add('ZoetropeLoadMotionModule', {motion_module: 'zoetrope_tiny_mm.safetensors'});
  const apply = add('ZoetropeApplyMotionModule', {frames_per_video: 2});
  const sampler = add('KSampler', {steps: 2});
  link(base, 1, text, 'clip');
  link(base, 0, apply, 'model');
  link(module, 0, apply, 'motion_module');
  link(apply, 0, sampler, 'model');
  link(text, 0, sampler, 'positive');
  link(text, 0, sampler, 'negative');
  link(latent, 0, sampler, 'latent_image');
  link(sampler, 0, add('SaveLatent'), 'samples');
""",
)
LOADED = ADD.replace(
    "BODY",
    """
  for (const motion_module of NAMES) {
    link(add('ZoetropeLoadMotionModule', {motion_module}), 0, add('PreviewAny'), 'source');
  }
""",
)
# One value out of its range: ComfyUI's own check, in its own words.
TOO_MANY = ADD.replace("BODY", """
  const latent = add('EmptyLatentImage');
  const repeat = add('ZoetropeRepeatFrames', {times: 100000000});
  link(latent, 0, repeat, 'frames');
  link(repeat, 1, add('PreviewAny'), 'source');
""")  # fmt: skip
FRONT_ENDS = pytest.mark.parametrize(
    ("locale", "vue"),
    [("en", False), ("zh", True), ("en", True), ("zh", False)],
    ids=["en-classic", "zh-nodes2", "en-nodes2", "zh-classic"],
)
WAITED = "new Promise(done => setTimeout(done, 2000))"  # longer than a place for the sentence is looked for
OURS, CORES = "/x/custom_nodes/ComfyUI-Zoetrope/host/injection.py", "/x/comfy/samplers.py"


def once(browser):
    """How often the page has the message's text, the message included."""
    return browser.evaluate(code=f"document.body.innerText.split({MESSAGE}.split('\\n')[0]).length - 1")


def seen(browser, text, name):
    found = browser.becomes(code=f"({MESSAGE}) === {json.dumps(text)}")
    browser.screenshot(file=str(ARTEFACTS / "error_sentences" / f"{name}.png"))
    assert found, browser.evaluate(code=f"[{MESSAGE}, {TOAST}]")
    assert once(browser) == 1
    assert browser.evaluate(code=TOAST) == ""


@FRONT_ENDS
def test_the_sentence_stands_in_the_message(locale, vue, chromium):
    chromium.open(settings={"Comfy.Locale": locale, "Comfy.VueNodes.Enabled": vue})
    name = f"{locale}_{'nodes2' if vue else 'classic'}"
    chromium.evaluate(code=SELECTED)
    ended = chromium.run()
    assert ended["end"] == "execution_error" and "frame 99" in ended["message"]
    seen(chromium, ended["message"].strip(), f"{name}_ours")
    assert "My <b>choice</b>" in chromium.evaluate(code=f"{OVERLAY}.innerText")
    chromium.evaluate(code=SAMPLED)
    ended = chromium.run()
    assert ended["end"] == "execution_error" and "frames_per_video=2" in ended["message"]
    seen(chromium, ended["message"].strip(), f"{name}_sampler")
    title = chromium.evaluate(code="LiteGraph.registered_node_types.KSampler.title")
    assert title in chromium.evaluate(code=f"{OVERLAY}.innerText")
    chromium.evaluate(code=LOADED.replace("NAMES", "['nowhere.safetensors']"))
    (refused,) = chromium.run()["refusals"].values()
    loader = chromium.evaluate(code="LiteGraph.registered_node_types.ZoetropeLoadMotionModule.title")
    (error,) = refused["errors"]
    assert "nowhere.safetensors" in error["details"]
    seen(chromium, f"{loader}: {error['details']}", f"{name}_refused")
    assert chromium.troubles() == []


def test_several_refusals_are_listed(browser):
    browser.evaluate(code=LOADED.replace("NAMES", "['nowhere.ckpt', 'nowhere.pth']"))
    refusals = browser.run()["refusals"]
    assert len(refusals) == 2
    details = [error["details"] for refused in refusals.values() for error in refused["errors"]]
    lines = [f"Load Motion Module: {text}" for text in details]
    seen(browser, "\n".join(lines), "several")


def test_what_comfyui_says_by_itself_is_left_alone(browser):
    browser.evaluate(code=TOO_MANY)
    (refused,) = browser.run()["refusals"].values()
    assert [error["type"] for error in refused["errors"]] == ["value_bigger_than_max"]
    assert browser.becomes(code=f"({MESSAGE}).includes('100000000')")
    browser.evaluate(code=WAITED)
    assert "is above the maximum" in browser.evaluate(code=MESSAGE)
    assert browser.evaluate(code=TOAST) == ""


FAIL = """(() => {
  const detail = DETAIL;
  app.graph.clear();
  const node = DRAWN ? LiteGraph.createNode(detail.node_type) : null;
  if (node) app.graph.add(node);
  detail.node_id = String(node?.id ?? 77);
  document.querySelector('[data-testid="error-overlay-dismiss"]')?.click();
  app.api.dispatchCustomEvent('execution_error', detail);
})()"""


def fail(browser, message, node="KSampler", place=OURS, drawn=True):
    """Tells the front end what the server sends when a run fails; the graph has this node alone."""
    traceback = [f'  File "{path}", line 3, in call\n    raise Error(text)\n' for path in (CORES, place)]
    detail = {
        "prompt_id": "6d5a1c9e-53bd-4f6c-9b1a-2f4de3b0a7c1", "node_type": node, "traceback": traceback,
        "exception_message": message, "exception_type": "ValueError",
        "executed": [], "current_inputs": {}, "current_outputs": [],
    }  # fmt: skip
    browser.evaluate(code=FAIL.replace("DETAIL", json.dumps(detail)).replace("DRAWN", json.dumps(drawn)))


@pytest.fixture
def page(browser):
    """The browser, without the refusals of a test before: ComfyUI's message would count them."""
    if browser.evaluate(code="app.lastNodeErrors"):
        browser.open()
    return browser


@pytest.mark.parametrize(
    ("node", "place", "ours"),
    [
        ("KSampler", OURS, True),
        ("KSampler", CORES, False),
        ("KSampler", r"D:\ComfyUI\custom_nodes\ComfyUI-Zoetrope\nodes\motion.py", True),
        ("KSampler", "/x/custom_nodes/ComfyUI-Zoetrope-more/host/a.py", False),
        ("ZoetropeSelectFrames", CORES, True),
        ("SomebodyElses", "/x/custom_nodes/other/a.py", False),
    ],
)
def test_whose_error_it_is(node, place, ours, page):
    fail(page, "the sum is 5; lower it", node, place)
    assert page.becomes(code=f"({MESSAGE}) !== ''")
    if ours:
        seen(page, "the sum is 5; lower it", "whose")
    else:
        page.evaluate(code=WAITED)
        assert "the sum is 5" not in page.evaluate(code=f"{MESSAGE} + {TOAST}")


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("one line\ntwo lines\n", "one line\ntwo lines"),
        ("a <img src=x onerror=alert(1)> tag", "a <img src=x onerror=alert(1)> tag"),
        ("动画 and 🎞 stay", "动画 and 🎞 stay"),
        ("half \ud83d, bell \x07, reversed \u202e", "half \ufffd, bell \ufffd, reversed \ufffd"),
        ("🎞" * 3000, "🎞" * 799 + "…"),
        ("line\n" * 900, ("line\n" * 160)[:799] + "…"),
    ],
    ids=["lines", "tags", "scripts", "unprintable", "long", "many lines"],
)
def test_every_text_is_shown_safely_and_fits(said, shown, page):
    fail(page, said)
    seen(page, shown, "text")
    box = page.evaluate(code=f"{OVERLAY}.getBoundingClientRect().toJSON()")
    assert box["top"] >= 0 and box["right"] <= 1600 and box["bottom"] <= 1000


def test_an_error_of_others_after_ours_has_comfyuis_words(page):
    fail(page, "ours", place=CORES)
    assert page.becomes(code=f"({MESSAGE}) !== ''")
    words = page.evaluate(code=MESSAGE)
    fail(page, "ours")
    seen(page, "ours", "first")
    fail(page, "theirs", place=CORES)
    assert page.becomes(code=f"({MESSAGE}) === {json.dumps(words)}")


def test_a_node_of_another_workflow_than_the_open_one_is_named(page):
    fail(page, "the sum is 5; lower it", drawn=False)
    seen(page, "the sum is 5; lower it", "not_drawn")
    assert "KSampler" in page.evaluate(code=f"{OVERLAY}.innerText")


def test_a_node_in_a_subgraph_has_its_title(page):
    page.evaluate(code=SELECTED)
    page.evaluate(code="app.canvas.selectItems([app.graph.nodes[1]])")
    page.evaluate(code="app.extensionManager.command.execute('Comfy.Graph.ConvertToSubgraph')")
    assert page.becomes(code="app.graph.nodes.some(node => node.subgraph)")
    ended = page.run()
    assert ended["end"] == "execution_error"
    seen(page, ended["message"].strip(), "subgraph")
    assert "My <b>choice</b>" in page.evaluate(code=f"{OVERLAY}.innerText")


WITHOUT_MESSAGE = """(() => {
  const find = Document.prototype.querySelector;
  document.querySelector = which => which.includes('error-overlay') ? null : find.call(document, which);
})()"""


def toast_has(page, text, not_this="nothing like that"):
    """Waits until ComfyUI's other message has one text and lacks another."""
    texts = f"({TOAST}).includes({json.dumps(text)}) && !({TOAST}).includes({json.dumps(not_this)})"
    assert page.becomes(code=texts), page.evaluate(code=TOAST)


def test_a_front_end_without_that_message_gets_one_of_ours(page):
    page.evaluate(code=WITHOUT_MESSAGE)
    try:
        fail(page, "first line\nsecond line")
        toast_has(page, "KSampler")
        toast_has(page, "first line\nsecond line")
        fail(page, "another")
        toast_has(page, "another", not_this="first line")
        page.screenshot(file=str(ARTEFACTS / "error_sentences" / "other_front_end.png"))
        page.evaluate(code="app.api.dispatchCustomEvent('promptQueueing', {requestId: 1, batchCount: 1})")
        assert page.becomes(code=f"({TOAST}) === ''")
    finally:
        page.evaluate(code="delete document.querySelector")


def test_a_message_that_counts_errors_names_our_node(page):
    """A value that was refused before is still there."""
    page.evaluate(code=TOO_MANY)
    assert page.run()["refusals"]
    fail(page, "the sum is 5; lower it")
    seen(page, "KSampler: the sum is 5; lower it", "counted")


def test_a_window_that_has_the_sentence_is_enough(chromium):
    chromium.open(settings={"Comfy.RightSidePanel.ShowErrorsTab": False})
    try:
        fail(chromium, "the sum is 5; lower it")
        assert chromium.sees(text="the sum is 5; lower it")
        chromium.evaluate(code=WAITED)
        assert chromium.evaluate(code=f"[{MESSAGE}, {TOAST}]") == ["", ""]
    finally:
        chromium.open(settings={"Comfy.RightSidePanel.ShowErrorsTab": True})
