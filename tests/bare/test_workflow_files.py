"""The example workflows as files: names, pictures, ids, links, layout, and what the editor needs to name
packs and missing models.
"""

import json
import re

import pytest
from PIL import Image
from zoetrope.demo.workflow_api import every_node
from zoetrope.devtools.paths import DEMO_LINK, DEMO_WORKFLOW
from zoetrope.host.files.published_files import (
    CAMERA_FILES,
    MOTION_FILES,
    MOTION_LORA_FILES,
    SPARSECTRL_FILES,
    VIDEO_MODEL_FILES,
    published,
)
from zoetrope.host.files.template_links import LINKS

from ..places import ROOT

FOLDER = ROOT / "example_workflows"
FILES = sorted(FOLDER.glob("*.json"))
EDITOR_ONLY = {"MarkdownNote", "Note"}
SAMPLERS = {"KSampler", "KSamplerAdvanced", "SamplerCustom", "SamplerCustomAdvanced"}
GUIDED = {"SamplerCustomAdvanced"}  # which get their MODEL through a guider
TITLE_HEIGHT = 30  # drawn above a node's position
MODEL_FILE = re.compile(r".*\.(safetensors|ckpt|pth|pt|bin)$")
DEMO_FILE = re.compile(r"zoetrope_tiny_\w+\.safetensors")
KNOWN_FILES = (*MOTION_FILES, *CAMERA_FILES, *MOTION_LORA_FILES, *SPARSECTRL_FILES, *VIDEO_MODEL_FILES)
MODEL_FOLDERS = {
    "CheckpointLoaderSimple": "checkpoints",
    "CLIPLoader": "text_encoders",
    "ControlNetLoader": "controlnet",
    "LoraLoaderModelOnly": "loras",
    "ZoetropeLoadMotionModule": "animatediff_models",
    "ZoetropeLoadCameraControl": "animatediff_models",
    "ZoetropeLoadMotionLora": "animatediff_motion_lora",
    "ZoetropeLoadSparseCtrl": "controlnet",
    "ZoetropeLoadVideoModel": "diffusion_models",
    "VAELoader": "vae",
}
# Published values of the video systems: node type -> {widget number:
# value} of each node of that type, in the order of the file.
PUBLISHED = {
    "09 Text to video (ModelScope)": {
        "EmptyLatentImage": [{0: 256, 1: 256, 2: 16}],
        "KSampler": [{2: 50, 3: 9, 4: "ddim", 5: "ddim_uniform"}],
        "ZoetropeCreateVideo": [{0: 8}],
    },
    "10 Text to video (ZeroScope XL)": {
        "EmptyLatentImage": [{0: 576, 1: 320, 2: 24}],
        "ImageScale": [{1: 1024, 2: 576}],
        "KSampler": [{6: 1}, {6: 0.7}],
    },
    "11 Text to video (VideoCrafter2)": {
        "EmptyLatentImage": [{0: 512, 1: 320, 2: 16}],
        "ZoetropeSetFrameRate": [{0: 28}],
        "SamplerCustom": [{3: 12}],
        "ZoetropeCreateDDIMSampler": [{0: 1}],
        "ZoetropeCreateDDIMSigmas": [{0: "uniform", 1: 50}],
        "ZoetropeCreateVideo": [{0: 10}],
    },
    "13 Image to video (DynamiCrafter)": {
        "ZoetropeAnimateImage": [{0: 512, 1: 320, 2: 16, 3: 24}],
        "ZoetropeRescaleGuidance": [{0: 0.7}],
        "SamplerCustom": [{3: 7.5}],
        "ZoetropeCreateDDIMSampler": [{0: 1}],
        "ZoetropeCreateDDIMSigmas": [{0: "uniform_trailing", 1: 50}],
    },
    "14 Between images (DynamiCrafter)": {
        "ZoetropeInterpolateImages": [{0: 512, 1: 320, 2: 16, 3: 5}],
        "ZoetropeRescaleGuidance": [{0: 0.7}],
        "SamplerCustom": [{3: 7.5}],
        "ZoetropeCreateDDIMSampler": [{0: 1}],
        "ZoetropeCreateDDIMSigmas": [{0: "uniform_trailing", 1: 50}],
    },
    "12 Image to video (VideoCrafter1)": {
        "ZoetropeAnimateImage": [{0: 512, 1: 320, 2: 16, 3: 8}],
        "SamplerCustom": [{3: 12}],
        "ZoetropeCreateDDIMSampler": [{0: 1}],
        "ZoetropeCreateDDIMSigmas": [{0: "uniform", 1: 50}],
        "ZoetropeCreateVideo": [{0: 10}],
    },
    "17 Text to large video (LaVie)": {
        "EmptyLatentImage": [{0: 512, 1: 320, 2: 16}],
        "KSampler": [{2: 50, 3: 7.5, 4: "ddpm"}, {2: 50, 3: 4, 4: "ddim"}, {2: 50, 3: 5, 4: "ddim"}],
        "SD_4XUpscale_Conditioning": [{0: 4, 1: 0.143}],
        "ZoetropeApplyContextWindows": [{0: 8}],
        "ZoetropeCreateVideo": [{0: 8}, {0: 24}],
    },
    "18 Text to video (Show-1)": {
        "EmptyLatentImage": [{0: 64, 1: 40, 2: 8}],
        "KSampler": [{2: 75, 3: 9}, {2: 75, 3: 4}, {2: 50, 6: 0.8}],
        "SamplerCustom": [{3: 7}],
        "BasicScheduler": [{1: 125}],
        "ZoetropeConditionLowResolution": [{0: 250}],
        "ZoetropeSampleInTurns": [{0: 8, 1: 1}],
        "ZoetropeApplyContextWindows": [{0: 5, 1: 1}],
        "ImageScale": [{1: 576, 2: 320}],
        "ZoetropeCreateVideo": [{0: 8}],
    },
    "15 Image to video (SVD)": {
        "ZoetropeAnimateImageSVD": [{0: 1024, 1: 576, 2: 14, 3: 127, 4: 6, 5: 0.02}],
        "ZoetropeSetFrameGuidance": [{0: "linear", 1: 1}],
        "KSampler": [{2: 25, 3: 2.5, 4: "euler", 5: "karras"}],
        "ZoetropeCreateVideo": [{0: 6}],
    },
    "16 Orbit of an image (SV3D)": {
        "ZoetropeSetOrbit": [{0: 576, 1: 576, 2: 21, 3: "static", 4: 10}],
        "ZoetropeSetFrameGuidance": [{0: "triangle", 1: 1}],
        "KSampler": [{2: 50, 3: 2.5, 4: "euler", 5: "karras"}],
    },
    "47 Train a LoRA (ModelScope)": {
        "ZoetropeTakeFrames": [{5: 16, 7: 256, 8: 256}],
        "EmptyLatentImage": [{0: 256, 1: 256, 2: 16}],
        "ZoetropeTrainVideoLora": [{1: 0.0005, 4: 32, 5: "temporal"}],
        "KSampler": [{2: 50, 3: 9, 4: "ddim", 5: "ddim_uniform"}],
    },
    "48 Train a camera move (SVD)": {
        "ZoetropeTakeFrames": [{5: 14, 7: 1024, 8: 576}],
        "ZoetropeAnimateImageSVD": [{0: 1024, 1: 576, 2: 14, 3: 127, 4: 6, 5: 0.02}] * 2,
        "ZoetropeTrainVideoLora": [{5: "temporal"}],
        "KSampler": [{2: 25, 3: 2.5, 4: "euler", 5: "karras"}],
    },
    "49 Train frames between (SVD)": {
        "ZoetropeInterpolateImagesSVD": [{0: 1024, 1: 576, 2: 5, 3: 127, 4: 6}] * 2,
        "ZoetropeTrainVideoLora": [{5: "temporal"}],
        "KSampler": [{2: 25, 3: 2.5, 4: "euler", 5: "karras"}],
    },
}


def is_of_video_system(workflow):
    """Whether whole video networks make the video, without a motion module."""
    return any(node["type"] == "ZoetropeLoadVideoModel" for node in every_node(workflow))


def has_a_motion_module(workflow):
    return any(node["type"] == "ZoetropeLoadMotionModule" for node in every_node(workflow))


def samples(workflow):
    """Whether a network makes the video; the others work on videos that are there."""
    return any(node["type"] in SAMPLERS for node in every_node(workflow))


def read(path):
    return json.loads(path.read_text(encoding="utf8"))


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture
def workflow(path):
    return read(path)


def parts(workflow):
    """The graphs of a workflow: itself and its subgraphs."""
    return [workflow, *workflow.get("definitions", {}).get("subgraphs", [])]


def node_box(node):
    (x, y), (width, height) = node["pos"], node["size"]
    return x, y - TITLE_HEIGHT, x + width, y + height


def group_box(group):
    x, y, width, height = group["bounding"]
    return x, y, x + width, y + height


def overlap(a, b):
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def inside(box, outer):
    return outer[0] <= box[0] and outer[1] <= box[1] and box[2] <= outer[2] and box[3] <= outer[3]


def test_the_first_steps_come_first():
    """The template browser sorts titles, which are the files' names."""
    assert [path.stem[:3] for path in FILES] == [f"{number:02} " for number in range(1, len(FILES) + 1)]
    order = [path.stem for path in FILES]
    steps = ("Demo", "Text to video (AnimateDiff)", "Image to video (AnimateDiff)", "Long video", "cascade")
    places = [next((i for i, name in enumerate(order) if step in name), len(order)) for step in steps]
    assert places == sorted(places) and places[0] == 0


def test_titles_are_readable(path):
    """Short enough for one line of the template browser, or two."""
    assert re.fullmatch(r"\d\d [A-Z][\w .,()-]{3,40}", path.stem) and "_" not in path.stem


def test_every_workflow_has_a_name_for_links():
    """ComfyUI's address ?template=<name> takes nothing else."""
    assert list(LINKS.values()) == [path.stem for path in FILES]
    assert [link for link in LINKS if not re.fullmatch(r"[A-Za-z0-9_.-]+", link)] == []
    assert LINKS[DEMO_LINK] == DEMO_WORKFLOW.stem  # what `dev.py serve` prints


@pytest.mark.parametrize("link", LINKS)
def test_a_list_of_workflows_has_a_link_that_opens_it(link):
    lists = [(ROOT / "docs" / f"{page}.md").read_text(encoding="utf8") for page in ("nodes", "video_models")]
    opens = f"](http://127.0.0.1:8188/?template={link}&source=ComfyUI-Zoetrope)"
    assert [opens in text for text in lists].count(True) == 1


def test_thumbnail(path):
    """An animated WebP under the name that ComfyUI looks for:
    square, small, and every other frame another one.
    """
    file = path.with_suffix(".jpg")
    with Image.open(file) as image:
        assert image.format == "WEBP" and image.width == image.height >= 256
        assert image.n_frames >= 14
        image.seek(0)
        first = image.convert("RGB").tobytes()
        image.seek(image.n_frames // 3)
        assert image.convert("RGB").tobytes() != first
    assert file.stat().st_size <= 250_000


def test_thumbnails_are_small_together():
    assert sum(path.with_suffix(".jpg").stat().st_size for path in FILES) <= 3_000_000


def test_every_thumbnail_can_be_made_again():
    source = (ROOT / "demo" / "thumbnails.py").read_text("utf8") + (
        ROOT / "demo" / "drawn_thumbnails.py"
    ).read_text("utf8")
    assert [path.stem for path in FILES if source.count(f'"{path.stem}":') != 1] == []


def test_pictures_belong_to_workflows():
    assert {p.name for p in FOLDER.iterdir()} == {
        p.with_suffix(s).name for p in FILES for s in (".json", ".jpg")
    }


def test_ids(workflow):
    """Numbers of nodes are one row for the workflow and its subgraphs;
    a graph's links are numbered for themselves.
    """
    assert workflow["version"] == 0.4
    graphs = parts(workflow)
    nodes = [node["id"] for graph in graphs for node in graph["nodes"]]
    assert len(set(nodes)) == len(nodes) and workflow["last_node_id"] == max(nodes)
    links = [link[0] for link in workflow["links"]]
    assert len(set(links)) == len(links) and workflow["last_link_id"] >= max(links)
    for graph in graphs:
        assert sorted(node["order"] for node in graph["nodes"]) == list(range(len(graph["nodes"])))


def test_graphs_are_different():
    assert len({read(path)["id"] for path in FILES}) == len(FILES)


def test_links_are_known_at_both_ends(workflow):
    nodes = {node["id"]: node for node in workflow["nodes"]}
    for link, source, slot, target, place, kind in workflow["links"]:
        output, socket = nodes[source]["outputs"][slot], nodes[target]["inputs"][place]
        assert link in output["links"]
        assert socket["link"] == link
        assert output["type"] == kind
        assert socket["type"] == "*" or kind in socket["type"].split(",")
        assert nodes[source]["order"] < nodes[target]["order"]
    ends = [s["link"] for node in nodes.values() for s in node["inputs"] if s["link"] is not None]
    starts = [link for node in nodes.values() for output in node["outputs"] for link in output["links"]]
    assert sorted(ends) == sorted(starts) == sorted(link[0] for link in workflow["links"])


def test_every_node_leads_to_an_output(workflow):
    used = {link[1] for link in workflow["links"]}
    loose = [
        n["type"]
        for n in workflow["nodes"]
        if n["outputs"] and n["id"] not in used and n["type"] not in EDITOR_ONLY
    ]
    assert set(loose) <= {"SaveVideo", "PreviewImage", "PreviewAny", "ZoetropeSaveLatents"}


def test_nothing_overlaps(workflow):
    for graph in parts(workflow):
        nodes = [(node["type"], node_box(node)) for node in graph["nodes"]]
        groups = [(group["title"], group_box(group)) for group in graph["groups"]]
        for boxes in (nodes, groups):
            assert [
                (a, b) for i, (a, x) in enumerate(boxes) for b, y in boxes[i + 1 :] if overlap(x, y)
            ] == []


def test_every_node_is_in_a_group(workflow):
    for graph in parts(workflow):
        groups = [group_box(group) for group in graph["groups"]]
        homes = {
            node["type"]: sum(inside(node_box(node), group) for group in groups) for node in graph["nodes"]
        }
        assert [kind for kind, number in homes.items() if number != 1] == []
    titles = {"Model", "Prompt", "Sampling", "Video"} | (
        set() if is_of_video_system(workflow) else {"Motion"}
    )
    titles = titles if samples(workflow) else {"Video"}
    assert titles <= {group["title"] for group in workflow["groups"]}


def test_a_workflow_is_seen_without_walking(workflow):
    """The whole of it fits into the editor's window at a scale at which titles can be read."""
    boxes = [group_box(group) for group in workflow["groups"]]
    scale = workflow["extra"]["ds"]["scale"]
    assert scale >= 0.4
    assert max(box[2] for box in boxes) * scale <= 1600 and max(box[3] for box in boxes) * scale <= 900


def test_the_stages_of_a_cascade_are_subgraphs(workflow):
    """One with networks in a row has each in a node of its own; a stage is told apart by its number."""
    networks = [node for node in every_node(workflow) if node["type"] == "ZoetropeLoadVideoModel"]
    stages = workflow.get("definitions", {}).get("subgraphs", [])
    assert len(stages) == (len(networks) if len(networks) > 2 else 0)
    assert [stage["name"][:3] for stage in stages] == [f"{number}. " for number in range(1, len(stages) + 1)]
    titles = {
        node["type"]: node["title"]
        for node in workflow["nodes"]
        if node["type"] in {stage["id"] for stage in stages}
    }
    assert titles == {stage["id"]: stage["name"] for stage in stages}


def sampled_without_a_preview(graph):
    """The samplers of a graph whose MODEL does not come from Preview Whole Clip."""
    nodes = {node["id"]: node for node in graph["nodes"]}
    links = dict(
        (link["id"], link["origin_id"]) if isinstance(link, dict) else (link[0], link[1])
        for link in graph["links"]
    )
    samplers = [node for node in nodes.values() if node["type"] in SAMPLERS]

    def source(node, name):
        (link,) = (socket["link"] for socket in node["inputs"] if socket["name"] == name)
        return nodes[links[link]]

    models = [source(source(n, "guider") if n["type"] in GUIDED else n, "model") for n in samplers]
    without = zip(samplers, models, strict=True)
    return [n["type"] for n, model in without if model["type"] != "ZoetropePreviewClip"], len(samplers)


def test_every_sampler_shows_the_whole_clip(workflow):
    found = [sampled_without_a_preview(graph) for graph in parts(workflow)]
    assert [without for without, _ in found if without] == []
    assert sum(number for _, number in found) >= samples(workflow)


def test_nodes_name_their_pack(workflow):
    """From these the front end and ComfyUI-Manager say which pack a missing node comes from."""
    version = re.search(
        r'^name = "(.+)"\nversion = "(.+)"$', (ROOT / "pyproject.toml").read_text(encoding="utf8"), re.M
    )
    for node in every_node(workflow):
        if node["type"] not in EDITOR_ONLY:
            ours = node["type"].startswith("Zoetrope")
            pack = version.groups() if ours else ("comfy-core", "0.30.0")
            assert (node["properties"]["cnr_id"], node["properties"]["ver"]) == pack
            assert node["properties"]["Node name for S&R"] == node["type"]


def test_model_files_can_be_found(workflow):
    """Every loader says where its file is published;
    the note has the same link. The demo's own files come with the pack.
    """
    (note,) = (node["widgets_values"][0] for node in workflow["nodes"] if node["type"] == "MarkdownNote")
    named = [
        (node, v)
        for node in every_node(workflow)
        for v in node["widgets_values"]
        if isinstance(v, str) and MODEL_FILE.fullmatch(v)
    ]
    assert len(named) >= (2 if has_a_motion_module(workflow) else samples(workflow))
    for node, value in named:
        assert value in note
        folder = MODEL_FOLDERS[node["type"]]
        assert f"`models/{folder}`" in note
        if DEMO_FILE.fullmatch(value):
            assert "models" not in node["properties"]
        else:
            (model,) = node["properties"]["models"]
            assert (model["name"], model["directory"]) == (value, folder)
            address = re.fullmatch(
                r"https://huggingface\.co/[\w-]+/[\w.-]+/resolve/main/(?:[\w.-]+/)*([\w.-]+)", model["url"]
            )
            assert f"[{value}]({model['url']})" in note
            if address[1] != value:
                assert f"(published as `{address[1]}`: save it under this name" in note
            if node["type"].startswith("Zoetrope"):
                assert model == published(value, KNOWN_FILES).as_link()


def test_note_says_what_to_change(workflow):
    (note,) = (node["widgets_values"][0] for node in workflow["nodes"] if node["type"] == "MarkdownNote")
    assert note.startswith("### ") and "**Files**" in note and "**Change first**" in note


@pytest.mark.parametrize(
    "path", [path for path in FILES if not is_of_video_system(read(path))], ids=lambda path: path.stem
)
def test_values_are_as_published(workflow):
    """What an SD1.x motion module was trained with (frames of a window, frame rate),
    and a size that VAE and UNet can divide.
    """
    for node in every_node(workflow):
        values = node["widgets_values"]
        if node["type"] == "EmptyLatentImage":
            assert values[0] % 64 == values[1] % 64 == 0
        if node["type"] == "ZoetropeApplyContextWindows":
            assert values[0] == 16 and 0 < values[1] < 16
        if node["type"] == "ZoetropeCreateVideo" and all(
            s["link"] is None for s in node["inputs"] if s["name"] == "fps"
        ):
            assert values[0] == 8


def test_every_video_system_has_its_published_values():
    assert set(PUBLISHED) == {path.stem for path in FILES if is_of_video_system(read(path))}


@pytest.mark.parametrize("name", PUBLISHED)
def test_values_of_a_video_system_are_as_published(name):
    nodes = every_node(read(FOLDER / f"{name}.json"))
    for kind, expected in PUBLISHED[name].items():
        found = [node["widgets_values"] for node in nodes if node["type"] == kind]
        assert len(found) == len(expected)
        assert [
            {place: values[place] for place in wanted} for values, wanted in zip(found, expected, strict=True)
        ] == expected


BLUEPRINTS = sorted((ROOT / "subgraphs").glob("*.json"))
OF_WORKFLOW = {
    "AnimateDiff Text to Video": "03 Text to video (AnimateDiff)",
    "AnimateDiff Long Video with Context Windows": "06 Long video (AnimateDiff)",
    "AnimateDiff Video to Video with ControlNet": "05 Video to video (AnimateDiff, ControlNet)",
    "Image to Video (SVD)": "15 Image to video (SVD)",
    "Curate a Folder": "38 Curate a folder",
}


def test_every_blueprint_belongs_to_a_workflow():
    assert {path.stem for path in BLUEPRINTS} == set(OF_WORKFLOW)


@pytest.mark.parametrize("blueprint", BLUEPRINTS, ids=lambda path: path.stem)
def test_a_blueprint_is_its_workflow_in_one_node(blueprint):
    """The same nodes with the same values and the same files to download,
    under a name and words to search for.
    """
    content = read(blueprint)
    (outer,), (subgraph,) = content["nodes"], content["definitions"]["subgraphs"]
    workflow = read(FOLDER / f"{OF_WORKFLOW[blueprint.stem]}.json")
    assert outer["type"] == subgraph["id"]
    assert outer["title"] == subgraph["name"] == blueprint.stem
    assert subgraph["category"].startswith("Zoetrope/")
    assert subgraph["description"] == content["extra"]["BlueprintDescription"] and subgraph[
        "description"
    ].endswith(".")
    assert content["extra"]["BlueprintSearchAliases"]
    outside = EDITOR_ONLY | {"LoadImage", "LoadVideo", "SaveVideo", "PreviewImage"}
    essence = [
        (n["id"], n["type"], n["widgets_values"], n["properties"])
        for n in workflow["nodes"]
        if n["type"] not in outside
    ]
    assert [(n["id"], n["type"], n["widgets_values"], n["properties"]) for n in subgraph["nodes"]] == essence


SUBGRAPHS = [
    pytest.param(subgraph, id=subgraph["name"])
    for path in (*BLUEPRINTS, *FILES)
    for subgraph in parts(read(path))[1:]
]


@pytest.mark.parametrize("subgraph", SUBGRAPHS)
def test_links_of_a_subgraph_are_known_at_both_ends(subgraph):
    nodes = {node["id"]: node for node in subgraph["nodes"]}
    links = {link["id"]: link for link in subgraph["links"]}
    assert len(links) == len(subgraph["links"])
    for link in links.values():
        source, target = link["origin_id"], link["target_id"]
        out = subgraph["inputs"] if source == -10 else nodes[source]["outputs"]
        into = subgraph["outputs"] if target == -20 else nodes[target]["inputs"]
        assert link["id"] in (out[link["origin_slot"]]["linkIds" if source == -10 else "links"])
        socket = into[link["target_slot"]]
        assert link["id"] in (socket["linkIds"] if target == -20 else [socket["link"]])
        assert out[link["origin_slot"]]["type"] == link["type"] and socket["type"] in ("*", link["type"])
    assert {s["link"] for node in nodes.values() for s in node["inputs"]} - {None} <= set(links)


@pytest.mark.parametrize("subgraph", SUBGRAPHS)
def test_every_sampler_of_a_subgraph_shows_the_whole_clip(subgraph):
    without, samplers = sampled_without_a_preview(subgraph)
    assert without == [] and samplers == samples(subgraph)


def test_a_subgraph_has_what_its_node_shows():
    """Inputs and outputs of the node are those of the definition, in its order."""
    for path in (*BLUEPRINTS, *FILES):
        workflow = read(path)
        definitions = {subgraph["id"]: subgraph for subgraph in parts(workflow)[1:]}
        for node in [node for node in workflow["nodes"] if node["type"] in definitions]:
            for side in ("inputs", "outputs"):
                expected = [(slot["name"], slot["type"]) for slot in definitions[node["type"]][side]]
                assert [(slot["name"], slot["type"]) for slot in node[side]] == expected
