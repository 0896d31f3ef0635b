"""Words that people type into the search for nodes, in both languages, lead to a node of ours that does it.

The front end puts nodes first that have the word in their name, and ComfyUI has many: some words only have to
find one of ours. Which node does what a word asks for was decided by hand, from the help pages.
"""

import json

import pytest
from zoetrope.tests.browser.session import ARTEFACTS

BLUEPRINT = "Image to Video (SVD)"
# word: (node that has to be among the hits, how many hits may stand before the first of ours)
ENGLISH = {
    "vhs": ("SaveFrames", 0),
    "video combine": ("SaveFrames", 0),
    "load video": ("TakeFrames", 4),
    "load images": ("LoadFrames", 8),
    "select every nth": ("SelectFrames", 0),
    "batch manager": ("EncodeVideo", 0),
    "video info": ("CountFrames", 2),
    "animatediff": ("LoadMotionModule", 5),
    "evolved sampling": ("ApplyMotionModule", 0),
    "gen2": ("ApplyMotionModule", 5),
    "context options": ("ApplyContextWindows", 0),
    "context": ("ApplyContextWindows", 3),
    "sliding window": ("ApplyContextWindows", 0),
    "freenoise": ("ApplyContextWindows", 0),
    "closed loop": ("ApplyContextWindows", 0),
    "long video": ("SampleInTurns", 3),
    "motion lora": ("LoadMotionLora", 1),
    "prompt travel": ("SchedulePrompts", 0),
    "prompt schedule": ("SchedulePrompts", 0),
    "BatchPromptSchedule": ("SchedulePrompts", 0),
    "PromptSchedule": ("SchedulePrompts", 1),
    "ValueSchedule": ("ScheduleValues", 0),
    "camera": ("LoadMotionLora", 6),
    "image to video": (BLUEPRINT, 0),
    "img2vid": ("AnimateImageSVD", 3),
    "i2v": ("AnimateImage", 2),
    "text to video": ("LoadVideoModel", 5),
    "t2v": ("AnimateTextSVD", 1),
    "svd": ("AnimateImageSVD", 2),
    "frame interpolation": ("InterpolateImages", 5),
    "save video": ("SaveFrames", 2),
    "gif": ("SaveFrames", 1),
    "webp": ("LoadFrames", 3),
    "prores": ("SaveFrames", 2),
    "fps": ("SetFrameRate", 1),
    "flicker": ("RemoveFlicker", 0),
    "optical flow": ("DrawOpticalFlow", 1),
    "contact sheet": ("MakeContactSheet", 0),
    "loop": ("PingPongFrames", 1),
    "pingpong": ("PingPongFrames", 0),
    "crossfade": ("MergeFrames", 0),
    "combine": ("SaveFrames", 40),
    "upscale": ("ConditionLowResolution", 40),
    "preview": ("PreviewClip", 20),
    "vae decode": ("SaveLatents", 20),
}
CHINESE = {
    "动画": ("LoadMotionModule", 5),
    "循环": ("PingPongFrames", 1),
    "提示词": ("SchedulePrompts", 1),
    "提示词调度": ("SchedulePrompts", 0),
    "逐帧提示词": ("SchedulePrompts", 0),
    "图生视频": ("AnimateImageSVD", 1),
    "文生视频": ("LoadVideoModel", 1),
    "长视频": ("ApplyContextWindows", 1),
    "视频": ("TakeFrames", 3),
    "上下文": ("ApplyContextWindows", 2),
    "滑动窗口": ("ApplyContextWindows", 0),
    "运动": ("ApplyMotionModule", 1),
    "镜头": ("LoadMotionLora", 1),
    "合并": ("MergeFrames", 2),
    "加载视频": ("TakeFrames", 2),
    "保存视频": ("SaveFrames", 2),
    "插帧": ("InterpolateImages", 1),
    "抽帧": ("SelectFrames", 1),
    "放大": ("ConditionLowResolution", 20),
    "预览": ("PreviewClip", 20),
    "去闪烁": ("RemoveFlicker", 0),
    "光流": ("DrawOpticalFlow", 1),
    "倒放": ("ReverseFrames", 0),
    "帧率": ("SetFrameRate", 1),
    "潜空间": ("SaveLatents", 4),
    "首尾帧": ("InterpolateImagesSVD", 2),
    "动图": ("LoadFrames", 1),
    "关键帧": ("ConditionKeyFrames", 3),
}
HITS = """(async () => {
  const field = document.activeElement;
  Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set.call(field, WORD);
  field.dispatchEvent(new Event('input', {bubbles: true}));
  for (let frame = 0; frame < 3; frame += 1) await new Promise(requestAnimationFrame);
  // A blueprint has its name alone.
  const id = item => item.querySelector('[data-testid="node-id-badge"]')?.innerText;
  const items = [...document.querySelectorAll('[data-testid="result-item"]')];
  return items.map(item => id(item) || item.innerText.split('\\n')[0]);
})()"""


@pytest.mark.parametrize("locale", ["en", "zh"])
def test_words_lead_to_our_nodes(locale, chromium):
    """Both languages in both: many work with the English front end."""
    chromium.open(settings={"Comfy.Locale": locale, "Comfy.NodeSearchBoxImpl.ShowIdName": True})
    try:
        chromium.evaluate(code="app.graph.clear()")
        chromium.doubleClickAndType(x=800, y=500, text="vhs")
        assert chromium.becomes(code="document.querySelector('[data-testid=\"node-id-badge\"]') !== null")
        wrong = {}
        for word, (wanted, before) in (ENGLISH | CHINESE).items():
            hits = chromium.evaluate(code=HITS.replace("WORD", json.dumps(word)))
            if word == "context":
                chromium.screenshot(file=str(ARTEFACTS / "search" / f"{locale}.png"))
            places = [i for i, hit in enumerate(hits) if hit.startswith("Zoetrope") or hit == BLUEPRINT]
            if not {wanted, f"Zoetrope{wanted}"} & set(hits) or places[0] > before:
                wrong[word] = (places[:1], hits[:8])
        assert wrong == {}, wrong
    finally:
        chromium.open(settings={"Comfy.NodeSearchBoxImpl.ShowIdName": False})


def test_a_word_for_what_nothing_here_does_finds_nothing_of_ours(chromium):
    chromium.open(settings={"Comfy.NodeSearchBoxImpl.ShowIdName": True})
    try:
        chromium.evaluate(code="app.graph.clear()")
        chromium.doubleClickAndType(x=800, y=500, text="vhs")
        assert chromium.becomes(code="document.querySelector('[data-testid=\"node-id-badge\"]') !== null")
        for word in ("face swap", "lip sync"):
            hits = chromium.evaluate(code=HITS.replace("WORD", json.dumps(word)))
            assert [hit for hit in hits if hit.startswith("Zoetrope")] == []
    finally:
        chromium.open(settings={"Comfy.NodeSearchBoxImpl.ShowIdName": False})
