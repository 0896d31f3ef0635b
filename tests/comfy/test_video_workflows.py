"""The example workflows of the video systems in a real ComfyUI server,
on small files with the published names.
"""

from dataclasses import dataclass

import numpy as np
import pytest
from zoetrope.demo.workflow_api import to_api
from zoetrope.tests.comfy import standins
from zoetrope.tests.comfy import video_workflow_standins as video_standins
from zoetrope.tests.comfy.test_workflows import FILES, is_of_video_system, read, read_video

FRAMES, WIDTH, HEIGHT = video_standins.FRAMES, video_standins.WIDTH, video_standins.HEIGHT


@dataclass(frozen=True)
class Expected:
    """A video of a shrunk workflow."""

    frames: int = FRAMES
    fps: float = 8
    width: int = WIDTH
    height: int = HEIGHT


# Workflow -> {beginning of the video's file name: what it is like}.
EXPECTED = {
    "09 Text to video (ModelScope)": {"ModelScope_text_to_video": Expected()},
    "10 Text to video (ZeroScope XL)": {"ZeroScope_576w": Expected(), "ZeroScope_XL": Expected()},
    "11 Text to video (VideoCrafter2)": {"VideoCrafter2_text_to_video": Expected(fps=10)},
    "13 Image to video (DynamiCrafter)": {"DynamiCrafter_image_to_video": Expected()},
    "17 Text to large video (LaVie)": {
        "LaVie_base": Expected(frames=video_standins.CASCADE_FRAMES),
        # A latent of the upscaler is a pixel of the small video;
        # the stand-in of its VAE makes eight pixels of one, not four.
        "LaVie_large": Expected(frames=9, fps=24, width=2 * WIDTH, height=2 * HEIGHT),
    },
    "18 Text to video (Show-1)": {"Show-1": Expected(frames=9)},
    "12 Image to video (VideoCrafter1)": {"VideoCrafter1_image_to_video": Expected(fps=10)},
    "15 Image to video (SVD)": {"SVD_image_to_video": Expected(fps=6)},
    "16 Orbit of an image (SV3D)": {"SV3D_orbit": Expected(fps=7)},
    "14 Between images (DynamiCrafter)": {"DynamiCrafter_interpolation": Expected()},
    "47 Train a LoRA (ModelScope)": {"ModelScope_trained_motion": Expected()},
    "48 Train a camera move (SVD)": {"SVD_trained_camera": Expected(fps=6)},
    "49 Train frames between (SVD)": {"SVD_trained_between": Expected(fps=6)},
}


@pytest.fixture(scope="module")
def server(comfy_server, comfy_models):
    standins.put_inputs(comfy_server.base / "input")
    video_standins.put_standins(comfy_models)
    # Other modules' files may have the same names, and the server keeps what it loaded.
    comfy_server.free()
    yield comfy_server
    comfy_server.free()


@pytest.fixture(scope="module")
def run(server):
    """Runs a workflow and returns {file name: Video}; `changes` are {(node type, input): value}."""
    object_info = server.object_info()

    def run_workflow(workflow, changes=None):
        graph = video_standins.with_small_parts(to_api(workflow, object_info))
        for (kind, name), value in (changes or {}).items():
            nodes = [node for node in graph.values() if node["class_type"] == kind]
            assert nodes
            for node in nodes:
                node["inputs"][name] = value
        return {
            path.name: read_video(path)
            for path in server.output_files(server.prompt(graph))
            if path.suffix == ".mp4"
        }

    return run_workflow


def test_every_workflow_of_a_video_system_has_its_expectation():
    assert set(EXPECTED) == {name for name in FILES if is_of_video_system(read(name))}


def of_prefix(videos, prefix):
    (video,) = [video for name, video in videos.items() if name.startswith(prefix)]
    return video


@pytest.mark.parametrize("name", EXPECTED)
def test_workflow_runs(name, run):
    videos = run(video_standins.shrink(read(name)))
    assert len(videos) == len(EXPECTED[name])
    for prefix, expected in EXPECTED[name].items():
        video = of_prefix(videos, prefix)
        assert video.frames.shape == (expected.frames, expected.height, expected.width, 3)
        assert video.fps == pytest.approx(expected.fps)
        assert np.isfinite(video.frames).all()
        assert video.frames.std(axis=(1, 2)).mean() > 4  # pictures, not one colour
        assert (
            np.abs(np.diff(video.frames, axis=0)).mean(axis=(1, 2, 3)) > 0.5
        ).all()  # and every frame another one


def test_the_prompt_reaches_the_video(run):
    """Through OpenCLIP's text encoder as a file of its own."""
    workflow = video_standins.shrink(read("09 Text to video (ModelScope)"))
    first, other = (
        of_prefix(
            run(
                workflow,
                {("CLIPTextEncode", "text"): words, ("KSampler", "seed"): 1, ("KSampler", "cfg"): 1.0},
            ),
            "ModelScope",
        )
        for words in ("a panda eats bamboo", "a red car drives along a river")
    )
    assert np.abs(first.frames - other.frames).mean() > 0.2
