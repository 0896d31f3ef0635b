"""Where a node is found, and how much of it is in nodes/: a folder for each category of the menu,
in it a file for each node, which only unpacks inputs, calls the library and packs outputs.
"""

import ast
import asyncio
import inspect
import re
import textwrap

import pytest
from comfy_api.latest import io
from zoetrope import nodes
from zoetrope.host.files.model_files import register_model_folders
from zoetrope.nodes import ZoetropeExtension

register_model_folders()  # what a server does in on_load, which needs one
NODES = asyncio.run(ZoetropeExtension().get_node_list())
BEFORE_A_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


LONGEST_BODY = 10  # lines
MOST_WIDGETS = 3  # that a node names; more are **settings of a dataclass that checks itself


def snake_case(name):
    """AnimateImageSVD -> animate_image_svd."""
    return BEFORE_A_WORD.sub("_", name).lower()


every_node = pytest.mark.parametrize("node", NODES, ids=lambda node: node.__name__)


@every_node
def test_a_node_lies_in_the_folder_of_its_category(node):
    schema = node.define_schema()
    folder = schema.category.removeprefix("Zoetrope/").lower().replace(" ", "_").replace("-", "_")
    assert node.__module__ == f"{nodes.__name__}.{folder}.{snake_case(node.__name__)}"
    assert schema.node_id == f"Zoetrope{node.__name__}"


def test_categories_are_not_mixed():
    """The menu has categories and nodes in the order of the list."""
    categories = [node.define_schema().category for node in NODES]
    assert sorted(categories, key=categories.index) == categories
    assert len(set(categories)) == 13


@every_node
def test_a_node_is_a_shell(node):
    function = inspect.unwrap(node.execute.__func__)
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    assert tree.end_lineno - tree.body[0].lineno + 1 <= LONGEST_BODY
    widgets = {entry.id for entry in node.define_schema().inputs if isinstance(entry, io.WidgetInput)}
    assert len(widgets & set(inspect.signature(function).parameters)) <= MOST_WIDGETS
