"""Graphs made with AnimateDiff-Evolved and VideoHelperSuite,
which are not installed here, run with our nodes and core's.
"""

import pytest
from zoetrope.host.files.node_replacements import REPLACEMENTS

CHECKPOINT, MOTION = "zoetrope_tiny_sd.safetensors", "zoetrope_tiny_mm.safetensors"
every_replacement = pytest.mark.parametrize(
    "replacement", REPLACEMENTS, ids=lambda replacement: replacement.old
)


@pytest.fixture(scope="module")
def object_info(comfy_server):
    return comfy_server.object_info()


def node(kind, **inputs):
    return {"class_type": kind, "inputs": inputs, "_meta": {"title": kind}}


def inputs_of(definition):
    return {
        name: spec
        for group in ("required", "optional")
        for name, spec in definition["input"].get(group, {}).items()
    }


def test_there_are_many_and_each_node_has_one():
    assert len(REPLACEMENTS) >= 15
    assert len({replacement.old for replacement in REPLACEMENTS}) == len(REPLACEMENTS)
    assert all(
        replacement.old.startswith(("ADE_", "VHS_", "CheckpointLoaderSimpleWith"))
        for replacement in REPLACEMENTS
    )


@every_replacement
def test_the_new_node_gets_every_input_it_needs(replacement, object_info):
    definition = object_info[replacement.new]
    given = [*replacement.inputs.values(), *replacement.values]
    assert len(set(given)) == len(given)
    assert set(definition["input"]["required"]) <= set(given) <= set(inputs_of(definition))
    assert not any("." in name for name in given), "the front end does not fill inputs with a dot"


@every_replacement
def test_the_front_end_is_told(replacement, comfy_server):
    (told,) = comfy_server.request("/node_replacements")[replacement.old]
    assert told["new_node_id"] == replacement.new
    assert told["old_widget_ids"] == list(replacement.widgets)
    assert {entry["new_id"]: entry["old_id"] for entry in told["input_mapping"] if "old_id" in entry} == {
        new: old for old, new in replacement.inputs.items()
    }


@every_replacement
def test_every_output_is_moved_to_one_of_the_same_type(replacement, comfy_server, object_info):
    """The front end moves links of named outputs only.
    Types of the other packs' outputs: their node definitions.
    """
    (told,) = comfy_server.request("/node_replacements")[replacement.old]
    moved = {entry["old_idx"]: entry["new_idx"] for entry in told["output_mapping"]}
    new = object_info[replacement.new]["output"]
    if replacement.old.startswith("VHS_Split"):
        assert [new[moved[old]] for old in range(4)] == [new[0], "INT", new[0], "INT"]
        names = object_info[replacement.new]["output_name"]
        assert [names[moved[old]] for old in range(4)] == ["first", "num_first", "second", "num_second"]
    else:
        assert all(moved[place] == place for place in range(len(new)))
    assert len(set(moved.values())) == len(moved)


def test_an_old_animatediff_graph_makes_the_same_pictures(comfy_server):
    """Loader, motion module, empty latents, joined prompts and decoding of the other packs;
    the rest is core's and ours.
    """

    def graph(old):
        names = {
            True: (
                "CheckpointLoaderSimpleWithNoiseSelect",
                "ADE_LoadAnimateDiffModel",
                "ADE_EmptyLatentImageLarge",
                "VHS_VAEDecodeBatched",
            ),
            False: ("CheckpointLoaderSimple", "ZoetropeLoadMotionModule", "EmptyLatentImage", "VAEDecode"),
        }[old]
        combine = node("ADE_ConditioningCombine", cond_A=["4", 0], cond_B=["5", 0])
        return {
            "1": node(names[0], ckpt_name=CHECKPOINT, **({"beta_schedule": "use existing"} if old else {})),
            "2": node(names[1], **{"model_name" if old else "motion_module": MOTION}),
            "3": node(
                "ZoetropeApplyMotionModule",
                model=["1", 0],
                motion_module=["2", 0],
                strength=1.0,
                start_percent=0.0,
                end_percent=1.0,
                beta_schedule="auto",
                group_norm="auto",
                frames_per_video=0,
            ),
            "4": node("CLIPTextEncode", clip=["1", 1], text="a red circle"),
            "5": node("CLIPTextEncode", clip=["1", 1], text="a blue square"),
            "6": combine
            if old
            else node("ConditioningCombine", conditioning_1=["4", 0], conditioning_2=["5", 0]),
            "7": node(names[2], width=64, height=72, batch_size=3),
            "8": node(
                "KSampler",
                model=["3", 0],
                positive=["6", 0],
                negative=["5", 0],
                latent_image=["7", 0],
                seed=7,
                steps=2,
                cfg=3.0,
                sampler_name="euler",
                scheduler="normal",
                denoise=1.0,
            ),
            "9": node(names[3], samples=["8", 0], vae=["1", 2], **({"per_batch": 16} if old else {})),
            "10": node("PreviewImage", images=["9", 0]),
        }

    def images(old):
        comfy_server.free()
        return [
            comfy_server.view(file) for file in comfy_server.prompt(graph(old))["outputs"]["10"]["images"]
        ]

    old, new = images(True), images(False)
    assert len(old) == 3
    assert without_metadata(old) == without_metadata(new)


def without_metadata(pngs):
    """What the PNG files show: the chunks of pixels."""
    return [png[png.index(b"IDAT") :] for png in pngs]


BATCHES = {
    "Latent": (
        "Latents",
        "latents",
        "latents",
        "latent",
        node("EmptyLatentImage", width=56, height=40, batch_size=5),
    ),
    "Image": (
        "Images",
        "images",
        "images",
        "image",
        node("EmptyImage", width=7, height=5, batch_size=5, color=255),
    ),
    "Mask": ("Masks", "mask", "mask", "mask", node("ImageToMask", image=["0", 0], channel="blue")),
}


@pytest.mark.parametrize("kind", BATCHES)
def test_old_frame_tools_count_what_they_counted(kind, comfy_server):
    """Five frames; every tool of the other pack leads to another one, and all of them are exchanged."""
    plural, batch, batches, picked, source = BATCHES[kind]
    graph = {
        "0": node("EmptyImage", width=7, height=5, batch_size=5, color=255),
        "1": source,
        "2": node(
            f"VHS_Select{plural}", **{picked: ["1", 0]}, indexes="0:2", err_if_missing=True, err_if_empty=True
        ),
        "3": node(
            f"VHS_Merge{plural}",
            **{f"{batches}_A": ["2", 0], f"{batches}_B": ["1", 0]},
            merge_strategy="match A",
            scale_method="nearest-exact",
            crop="disabled",
        ),
        "4": node(f"VHS_Duplicate{plural}", **{batch: ["2", 0], "multiply_by": 3}),
        "5": node(
            f"VHS_Select{plural}",
            **{picked: ["1", 0]},
            indexes="0:4:2,-1",
            err_if_missing=True,
            err_if_empty=True,
        ),
        "6": node(f"VHS_Get{kind}Count", **{batch: ["5", 0]}),
    }
    counts = {"merged": ["3", 1], "repeated": ["4", 1], "picked": ["6", 0]}
    graph |= {name: node("PreviewAny", source=link) for name, link in counts.items()}
    outputs = comfy_server.prompt(graph)["outputs"]
    assert {name: outputs[name]["text"][0] for name in counts} == {
        "merged": "7",
        "repeated": "6",
        "picked": "3",
    }
