"""A video saved by our nodes and dropped on the canvas brings its workflow back: every format, or its PNG
where no front end reads it.
"""

import json
from pathlib import Path

import pytest
from zoetrope.video_io.formats import available_formats

FORMATS = available_formats()
LATENTS = "latents.mp4"
# An unbalanced brace in a text would cut the workflow
# of a webm file off if it were stored as ComfyUI's own webm saver stores it.
NOTE = 'prompt { with "quotes", 动画 \\ and one brace'
BUILD = """
(() => {
  const add = (type, values, place) => {
    const node = LiteGraph.createNode(type);
    node.pos = place;
    app.graph.add(node);
    for (const [name, value] of Object.entries(values)) {
      node.widgets.find(widget => widget.name === name).value = value;
    }
    return node;
  };
  app.graph.clear();
  const image = add('EmptyImage', {width: 80, height: 64, batch_size: 3, color: 8421504}, [0, 0]);
  const text = add('PrimitiveStringMultiline', {value: NOTE}, [0, 300]);
  add('PreviewAny', {}, [0, 600]);
  text.connect(0, app.graph.nodes.at(-1), 0);
  FORMATS.forEach((format, i) => {
    const place = [400 * (i % 4) + 400, 400 * Math.floor(i / 4)];
    const node = add('ZoetropeSaveFrames', {filename_prefix: `sharing/format${i}`, format, fps: 8}, place);
    image.connect(0, node, node.findInputSlot('images'));
  });
  const model = add('CheckpointLoaderSimple', {ckpt_name: 'zoetrope_tiny_sd.safetensors'}, [0, 900]);
  const latent = add('EmptyLatentImage', {width: 80, height: 64, batch_size: 3}, [0, 1100]);
  const saver = add('ZoetropeSaveLatents', {filename_prefix: 'sharing/latents'}, [800, 1300]);
  latent.connect(0, saver, saver.findInputSlot('samples'));
  model.connect(2, saver, saver.findInputSlot('vae'));
})()
"""


@pytest.fixture(scope="module")
def saved(browser, comfy_server):
    """Builds and runs a graph with a saver for every format in the page;
    returns its prompt, and {format: file to drop}.
    """
    browser.evaluate(
        code=BUILD.replace("NOTE", json.dumps(NOTE)).replace("FORMATS", json.dumps(list(FORMATS)))
    )
    prompt = browser.prompt()
    ended = browser.run(seconds=300)
    assert ended["end"] == "execution_success", ended
    folder = Path(comfy_server.base) / "output" / "sharing"
    files = {}
    for number, (name, entry) in enumerate(FORMATS.items()):
        ending = "png" if entry.sidecar else entry.extension
        (files[name],) = folder.glob(f"format{number}_*.{ending}")
    (files[LATENTS],) = folder.glob("latents_*.mp4")
    return prompt, files


@pytest.mark.parametrize("name", [*FORMATS, LATENTS])
def test_a_saved_file_brings_its_workflow_back(name, saved, browser):
    prompt, files = saved
    found = browser.drop(file=str(files[name]), nodes=len(prompt))
    assert found["missing"] == []
    assert browser.prompt() == prompt
    assert browser.troubles() == []
