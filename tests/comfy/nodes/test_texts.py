"""The texts of the nodes: schemas,
help pages and translations say the same things about the same inputs, in English and Chinese.
"""

import asyncio
import json
import re

import pytest
from comfy_api.latest import io
from zoetrope.devtools.paths import PACK
from zoetrope.host.files.model_files import register_model_folders
from zoetrope.nodes import ZoetropeExtension
from zoetrope.samplers.context_fusion import fuse_weights
from zoetrope.samplers.context_schedules import create_context_windows
from zoetrope.tests.places import ROOT

LANGUAGES = ("en", "zh")
CHINESE = re.compile(r"[\u4e00-\u9fff]")
NEUTRAL_VALUE = re.compile(r" ?[(（]-?\d = [^)）]+[)）]$")
PLAIN_ZERO = (
    "none",
    "off",
    "at the beginning",
    "from the first step",
    "level with",
    "not at all",
    "a cut",
    "the first",
)
VUE_I18N_SYNTAX = (
    "@{}|%"  # what vue-i18n would interpret in names and descriptions; tooltips are shown as they are
)


def schemas():
    async def all_nodes():
        register_model_folders()  # what a server does in on_load, which needs one
        return await ZoetropeExtension().get_node_list()

    return {schema.node_id: schema for schema in (node.GET_SCHEMA() for node in asyncio.run(all_nodes()))}


SCHEMAS = schemas()
every_node = pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
every_language = pytest.mark.parametrize("language", LANGUAGES)


def read_json(language, name):
    return json.loads((ROOT / "locales" / language / f"{name}.json").read_text(encoding="utf8"))


def page(node_id, language):
    return (ROOT / "web" / "docs" / node_id / f"{language}.md").read_text(encoding="utf8")


def escaped(text):
    return "".join(f"{{'{character}'}}" if character in VUE_I18N_SYNTAX else character for character in text)


def texts_of(schema):
    """What locales/en/nodeDefs.json has to say about a node."""
    return {
        "display_name": escaped(schema.display_name),
        "description": escaped(schema.description),
        "inputs": {
            i.id.replace(".", "_"): {"name": escaped(i.display_name or i.id), "tooltip": i.tooltip}
            for i in schema.inputs
        },
        "outputs": {
            str(place): {"name": escaped(output.display_name or output.io_type), "tooltip": output.tooltip}
            for place, output in enumerate(schema.outputs)
        },
    }


def shape_of(texts):
    """The same nesting of keys, without the texts."""
    return {key: shape_of(value) for key, value in texts.items()} if isinstance(texts, dict) else type(texts)


def texts_in(tree):
    for value in tree.values():
        if isinstance(value, dict):
            yield from texts_in(value)
        else:
            yield value


def structure(markdown):
    """The skeleton of a page: levels of headings, items of lists, blocks of code, addresses."""
    outside = re.sub(r"```.*?```", "```", markdown, flags=re.DOTALL)
    kinds = [match[0] for line in outside.splitlines() if (match := re.match(r"#+ |- |```", line))]
    return kinds, re.findall(r"\]\(([^\s)]+)\)", markdown)


def windows_of_picture(markdown):
    """The rows of the picture of the schedules: the frames marked with # of each window."""
    rows = re.findall(r"^([#.]{20})$", markdown, flags=re.MULTILINE)
    return [[frame for frame, mark in enumerate(row) if mark == "#"] for row in rows]


@every_node
def test_a_node_says_what_it_is(schema):
    schema.validate()
    assert schema.node_id.startswith("Zoetrope")
    assert schema.category.startswith("Zoetrope/")
    assert schema.display_name
    assert schema.search_aliases
    assert re.fullmatch(r"[A-Z][^.!?]*\.", re.sub(r"\d\.\d", "", schema.description)), (
        "the description is one sentence"
    )
    for part in (*schema.inputs, *schema.outputs):
        assert part.tooltip, f"{part.id} has no tooltip"
        assert part.tooltip.endswith("."), f"the tooltip of {part.id} is no sentence"


def test_english_texts_are_those_of_the_schemas():
    assert read_json("en", "nodeDefs") == {node_id: texts_of(schema) for node_id, schema in SCHEMAS.items()}


@every_language
def test_every_node_input_and_output_is_translated(language):
    expected = {node_id: texts_of(schema) for node_id, schema in SCHEMAS.items()}
    translated = read_json(language, "nodeDefs")
    assert shape_of(translated) == shape_of(expected)
    assert all(text.strip() for text in texts_in(translated))


@every_node
def test_chinese_texts_are_chinese(schema):
    texts = read_json("zh", "nodeDefs")[schema.node_id]
    assert [text for text in texts_in(texts) if not CHINESE.search(text)] == []
    assert re.fullmatch(r"[^。！？]*。", texts["description"]), "the description is one sentence"
    assert CHINESE.search(page(schema.node_id, "zh"))


@every_language
@every_node
def test_labels_say_what_a_special_number_means(schema, language):
    """0 and -1 stand for "all" or "automatic" in some inputs: one sees that without a tooltip. Where 0 is
    just nothing, one need not.
    """
    names = read_json(language, "nodeDefs")[schema.node_id]["inputs"]
    silent = {}
    for entry in schema.inputs:
        if isinstance(entry, io.Int.Input | io.Float.Input):
            for value, meaning in re.findall(r"(?<![\w.-])(0|-1)(?:\.0)? = ([^.,;:]+)", entry.tooltip):
                label = names[entry.id.replace(".", "_")]["name"]
                if not meaning.startswith(PLAIN_ZERO) and f"{value} = " not in label:
                    silent[entry.id] = label, f"{value} = {meaning}"
    assert silent == {}


@every_language
def test_names_and_descriptions_have_no_vue_i18n_syntax(language):
    compiled = [read_json(language, "main")]
    for texts in read_json(language, "nodeDefs").values():
        names = [part["name"] for part in (*texts["inputs"].values(), *texts["outputs"].values())]
        compiled.append(dict(enumerate([texts["display_name"], texts["description"], *names])))
    for text in (text for tree in compiled for text in texts_in(tree)):
        without_literals = re.sub(r"\{'[@{}|%]'\}", "", text)
        assert not set(without_literals) & set(VUE_I18N_SYNTAX), text


@every_language
def test_categories_types_and_workflows_are_translated(language):
    main = read_json(language, "main")
    assert set(main["nodeCategories"]) == {
        part for schema in SCHEMAS.values() for part in schema.category.split("/")
    }
    ports = [port.io_type for schema in SCHEMAS.values() for port in (*schema.inputs, *schema.outputs)]
    core = {
        "MODEL",
        "COMBO",
        "INT",
        "FLOAT",
        "BOOLEAN",
        "STRING",
        "IMAGE",
        "MASK",
        "LATENT",
        "CONDITIONING",
        "AUDIO",
        "VIDEO",
    }
    core |= {"CLIP", "CLIP_VISION", "VAE", "NOISE", "SAMPLER", "SIGMAS", "GUIDER", "OPTICAL_FLOW"}
    core |= {"CONTROL_NET", "COMFY_MATCHTYPE_V3", "COMFY_AUTOGROW_V3", "COMFY_MULTITYPED_V3"}
    assert set(main["dataTypes"]) == set(ports) - core
    # A folder cloned by hand has the first name, one installed from the registry the second.
    assert set(main["templateWorkflows"]["category"]) == {PACK, PACK.lower()}


def test_both_languages_translate_the_same_names():
    assert shape_of(read_json("en", "main")) == shape_of(read_json("zh", "main"))


@every_node
@every_language
def test_help_pages_name_every_input(schema, language):
    text = page(schema.node_id, language)
    names = read_json(language, "nodeDefs")[schema.node_id]
    assert text.startswith(f"# {names['display_name']}\n")
    items = dict(re.findall(r"^- \*\*`(\w+)`\*\*([^:：]*)[:：]", text, flags=re.MULTILINE))
    assert list(items) == [i.id for i in schema.inputs], "the list of inputs has one item for each, in order"
    if language != "en":
        # Without what a label says about a special value: the sentence behind it says that at length.
        labels = {name: NEUTRAL_VALUE.sub("", texts["name"]) for name, texts in names["inputs"].items()}
        assert items == {name: f"（{label}）" for name, label in labels.items()}


@every_node
@every_language
def test_help_pages_have_no_tables(schema, language):
    """The panel that shows them is narrow: columns would be cut off at its edge."""
    rows = re.findall(r"^ *\|.*|^.*<table.*", page(schema.node_id, language), flags=re.MULTILINE)
    assert rows == []


@every_node
def test_help_pages_have_the_same_structure_in_both_languages(schema):
    assert structure(page(schema.node_id, "en")) == structure(page(schema.node_id, "zh"))


def test_there_are_no_pages_of_unknown_nodes():
    """Beside the pages there are the extensions of the front end, every one of which it loads by itself."""
    web = ROOT / "web"
    files = {path.relative_to(web).as_posix() for path in web.rglob("*.md")}
    assert files == {f"docs/{node_id}/{language}.md" for node_id in SCHEMAS for language in LANGUAGES}


@every_language
def test_the_picture_of_the_schedules_shows_their_windows(language):
    def windows(schedule, step, stride=1, closed_loop=False):
        return [
            sorted(window) for window in create_context_windows(schedule, 20, 8, 2, stride, closed_loop, step)
        ]

    expected = windows("standard_static", 3)
    expected += windows("standard_uniform", 1, stride=2)
    expected += windows("looped_uniform", 1, closed_loop=True)
    expected += windows("batched", 3)
    assert windows_of_picture(page("ZoetropeApplyContextWindows", language)) == expected
    # What the picture says was added by the stride and by the closed loop.
    assert expected[3:7] == windows("standard_uniform", 1)
    assert expected[8:11] == windows("looped_uniform", 1)
    assert windows("standard_uniform", 0) == windows("standard_static", 0)


@every_language
@pytest.mark.parametrize("frames", [24, 32, 64, 128])
def test_the_list_of_costs_is_right(language, frames):
    costs = []
    shown = ("standard_static", "standard_uniform", "looped_uniform", "batched", "standard_static_exact")
    for schedule in shown:
        steps = [create_context_windows(schedule, frames, 16, 4, step=step) for step in range(20)]
        counts = sorted({len(windows) for windows in steps})
        work = sum(len(window) for windows in steps for window in windows) / len(steps) / frames
        costs.append(f"*{schedule}* {'-'.join(map(str, counts))} ({work:.2f})")
    item = (
        f"- **{frames} frames**: {', '.join(costs)}."
        if language == "en"
        else f"- **{frames} 帧**：{'，'.join(costs)}。"
    )
    assert f"\n{item}\n" in page("ZoetropeApplyContextWindows", language)


@every_language
@pytest.mark.parametrize("method", ["pyramid", "relative", "flat", "overlap-linear"])
def test_the_weights_of_the_fuse_methods_are_right(language, method):
    weights = fuse_weights(method, range(6, 14), 20, 2)
    assert re.search(
        rf"^- \*{method}\*[:：] ?{' '.join(f'{weight:.2g}' for weight in weights)}\b",
        page("ZoetropeApplyContextWindows", language),
        flags=re.MULTILINE,
    )
