"""Load Frames in a running ComfyUI:
what it lists, what it reads, and that nothing outside of ComfyUI's folders is read.
"""

import numpy as np
import pytest
from PIL import Image
from zoetrope.devtools.server import ComfyError
from zoetrope.tests.comfy.nodes.video.test_video_nodes import DEFAULTS
from zoetrope.tests.odd_videos import cells, images, paint, read_cells


def image(picture):
    return Image.fromarray((picture * 255).round().astype(np.uint8))


@pytest.fixture(scope="module")
def server(comfy_server, tmp_path_factory):
    root = comfy_server.base / "input"
    folder = root / "Größe und $HOME" / "deep"
    folder.mkdir(parents=True)
    for number in (2, 10, 9):
        image(paint(cells(number))).save(folder / f"f{number}.png")
    first, *others = [image(picture) for picture in images()]
    for name in ("moving.webp", "moving.png"):
        first.save(
            root / name, save_all=True, append_images=others, duration=[100, 200, 300, 100, 100, 100, 100]
        )
    first.save(root / "still.png")
    outside = tmp_path_factory.mktemp("outside")
    first.save(outside / "secret.png")
    (root / "linked").symlink_to(outside)
    (root / "with a link").mkdir()
    (root / "with a link" / "secret.png").symlink_to(outside / "secret.png")
    return comfy_server


def graph(source, **changes):
    return {
        "1": {
            "class_type": "ZoetropeLoadFrames",
            "inputs": {"source": source, "folder_fps": 8.0, **DEFAULTS, **changes},
        },
        "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
        "3": {"class_type": "PreviewAny", "inputs": {"source": ["1", 2]}},
        "4": {"class_type": "PreviewAny", "inputs": {"source": ["1", 4]}},
    }


def run(server, source, **changes):
    """The numbers drawn into the frames, their speed, and what the node says of them."""
    outputs = server.prompt(graph(source, **changes))["outputs"]
    grids = [
        read_cells(np.asarray(Image.open(server.base / "temp" / file["filename"])) / 255)
        for file in outputs["2"]["images"]
    ]
    numbers = [sum(1 << bit for bit in range(6) if grid[1, bit].mean() > 0.5) for grid in grids]
    return numbers, float(outputs["3"]["text"][0]), outputs["4"]["text"][0]


def test_folders_and_animated_pictures_are_listed(server):
    offered = server.object_info()["ZoetropeLoadFrames"]["input"]["required"]["source"]
    offered = offered[1]["options"] if isinstance(offered[0], str) else offered[0]
    assert {"Größe und $HOME/deep/", "moving.webp", "moving.png"} <= set(offered)
    assert not {"still.png", "Größe und $HOME/", "linked/"} & set(offered)


def test_a_folder_and_an_animation(server):
    numbers, fps, told = run(server, "Größe und $HOME/deep/")
    assert (numbers, fps) == ([2, 9, 10], 8) and told.startswith("3 frames of 96x64 at 8 fps")
    assert run(server, "moving.webp", force_rate=10.0, frame_cap=4)[:2] == ([0, 1, 1, 2], 10)
    # Shown from 0, 0.1, 0.3, 0.6, 0.7, 0.8 and 0.9 s on;
    # at 0.25 s frame 2 is the nearest, at 0.875 s frame 6.
    assert run(server, "moving.png", preset="AnimateDiff", multiple_of=1)[:2] == ([0, 1, 2, 2, 2, 3, 4, 6], 8)


def test_new_pictures_are_noticed(server):
    folder = server.base / "input" / "growing"
    folder.mkdir()
    image(paint(cells(1))).save(folder / "1.png")
    assert run(server, "growing/")[0] == [1]
    image(paint(cells(2))).save(folder / "2.png")
    assert run(server, "growing/")[0] == [1, 2]


@pytest.mark.parametrize("source", ["linked/", "linked/secret.png", "nowhere/", "../", "x [output]"])
def test_what_is_not_there_or_not_allowed_is_refused_before_the_run(server, source):
    with pytest.raises(ComfyError) as refused:
        server.prompt(graph(source))
    assert "was not found in the input folder" in str(refused.value.details["node_errors"])


def test_a_link_in_a_folder_is_refused(server):
    with pytest.raises(ComfyError) as failed:
        server.prompt(graph("with a link/"))
    assert "'secret.png' in 'with a link/' leads out of that folder; put the picture itself there" in str(
        failed.value.details
    )
