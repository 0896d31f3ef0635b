"""The nodes of stories in a running ComfyUI, over its HTTP API: one run of three scenes, and bad scripts."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from zoetrope.devtools.server import ComfyError
from zoetrope.tests.comfy.nodes.animatediff.test_motion_nodes import frames_of, graph, latents_of
from zoetrope.tests.comfy.nodes.sampling.test_context_nodes import windows

SCRIPT = """\
scenes:
- prompt: a red ball
  duration: 3 frames
  camera: zoom in 0.5
  transition: morph 2 frames
- prompt: a blue ball
  duration: 4 frames
  start picture: 1
  transition: fade 2 frames
- prompt: a green ball
  duration: 3 frames
"""


def node(kind, **inputs):
    return {"class_type": kind, "inputs": inputs}


def told(script=SCRIPT):
    """The storyboard with a picture, alone."""
    return {
        "picture": node("EmptyImage", width=40, height=24, batch_size=1, color=0x2080C0),
        "story": node("ZoetropeMakeStoryboard", script=script, fps=4.0, pictures=["picture", 0]),
        "drawn": node("PreviewImage", images=["story", 6]),
    }


def story(script=SCRIPT):
    """All of it: two modules, windows, prompts, the finished video twice."""
    nodes = graph() | told(script)
    board = ["story", 0]
    for name, camera in (("zoom", "zoom in"), ("hold", "hold")):
        given = {"storyboard": board, "camera": camera, "strength": 1.0}
        nodes[f"values {name}"] = node("ZoetropeStoryboardValues", **given)
    nodes["4"]["inputs"]["strength"] = ["values zoom", 0]
    still = {**nodes["4"]["inputs"], "model": ["4", 0], "strength": ["values hold", 0]}
    nodes |= {
        "still": node("ZoetropeApplyMotionModule", **still),
        "windows": windows(model=["still", 0], context_length=4, context_overlap=1, storyboard=board),
        "prompts": node("ZoetropeSchedulePrompts", clip=["1", 1], text=["story", 1], pre_text="", app_text="",
                        num_frames=["story", 2], curve="linear", loop=False, read_as="Zoetrope"),
        "joined": node("ZoetropeJoinScenes", images=["10", 0], storyboard=board),
        "file": node("ZoetropeSaveLatents", samples=["9", 0], vae=["1", 2], storyboard=board,
                     filename_prefix="story", fps=["story", 3], format="H.264 (mp4)", crf=-1.0,
                     pix_fmt="auto", ping_pong=False, loop_count=0, chunk_frames=3, chunk_overlap=0,
                     tile_size=0),
        "poses": node("ZoetropeStoryboardPoses", storyboard=board, focal_length=0.5, pose_width=1280,
                      pose_height=720),
        "way": node("PreviewImage", images=["poses", 1]),
        "starts": node("PreviewAny", source=["story", 4]),
        "start pictures": node("PreviewImage", images=["story", 5]),
    }  # fmt: skip
    nodes["8"]["inputs"]["batch_size"] = ["story", 2]
    nodes["9"]["inputs"] |= {"model": ["windows", 0], "positive": ["prompts", 0], "negative": ["prompts", 1]}
    nodes["11"]["inputs"]["images"] = ["joined", 0]
    return nodes


@pytest.fixture(scope="module")
def result(comfy_server):
    return comfy_server.prompt(story())


def test_a_story_is_sampled_in_one_run_and_fades(comfy_server, result):
    assert latents_of(comfy_server, result).shape[0] == 10
    joined = frames_of(comfy_server, result).float()
    assert len(joined) == 8
    files = comfy_server.output_files(result)
    (file,) = [path for path in files if path.name.startswith("story")]
    written = torch.from_numpy(read_frames(file)).float()
    assert written.shape == joined.shape
    distances = (written[:, None] - joined).abs().flatten(2).mean(2)  # two encoders, the same frames
    assert distances.argmin(1).tolist() == list(range(8)) and distances.diagonal().max() < 6


def read_frames(path):
    import av

    with av.open(str(path)) as container:
        assert float(container.streams.video[0].average_rate) == 4
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def test_start_pictures_and_cameras_are_handed_on(comfy_server, result):
    outputs = result["outputs"]
    assert outputs["starts"]["text"] == ["3"]
    (shown,) = outputs["start pictures"]["images"]
    assert np.asarray(Image.open(io.BytesIO(comfy_server.view(shown))))[5, 5].tolist() == [0x20, 0x80, 0xC0]
    for name in ("way", "story"):
        (picture,) = outputs[name]["images"]
        assert np.asarray(Image.open(io.BytesIO(comfy_server.view(picture)))).std() > 5


def test_a_cut_parts_what_is_sampled(comfy_server, result):
    """What comes before a cut does not depend on what comes after it; in a morph it does."""
    other = comfy_server.prompt(story(SCRIPT.replace("a green ball", "a big yellow square in the meadow")))
    before, after = (latents_of(comfy_server, run) for run in (result, other))
    assert torch.equal(before[:7], after[:7]) and not torch.equal(before[7:], after[7:])
    morphed = comfy_server.prompt(story(SCRIPT.replace("a blue ball", "a big yellow square in the meadow")))
    assert not torch.equal(before[0], latents_of(comfy_server, morphed)[0])


def test_a_language_model_is_asked(comfy_server):
    ask = node("ZoetropeAskForStoryboard", idea="A ball\nwants  to fly.", num_scenes=2, seconds=1.5)
    text = comfy_server.prompt({"ask": ask, "show": node("PreviewAny", source=["ask", 0])})
    (question,) = text["outputs"]["show"]["text"]
    assert "A ball wants to fly." in question and "2 scenes" in question and "1.5 s" in question


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (SCRIPT.replace("zoom in 0.5", "zom in"), "script, line 4, column 11: camera='zom in'"),
        (
            SCRIPT.replace("picture: 1", "picture: 2"),
            "scene 2 starts with picture 2, and 1 pictures are wired",
        ),
        ("once upon a time", "script, line 1, column 1: found no list of scenes"),
    ],
)
def test_a_script_that_cannot_be_read_fails_in_its_node(comfy_server, script, words):
    with pytest.raises(ComfyError) as failed:
        comfy_server.prompt(told(script))
    assert failed.value.details["node_id"] == "story"
    assert words in failed.value.details["exception_message"]


def test_latents_of_another_length_are_refused(comfy_server):
    nodes = story()
    nodes["8"]["inputs"]["batch_size"] = 9
    nodes["prompts"]["inputs"]["num_frames"] = 9
    nodes["4"]["inputs"]["strength"] = nodes["still"]["inputs"]["strength"] = 1.0
    with pytest.raises(ComfyError) as failed:
        comfy_server.prompt(nodes)
    assert "the storyboard has 10 frames and the video 9" in failed.value.details["exception_message"]
