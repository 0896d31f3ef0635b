"""The part of a prompt that makes one value: taken out here, run by core's executor in a worker."""

from __future__ import annotations

import asyncio
import hashlib
import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import comfy.model_management
import execution
import folder_paths
import server

import nodes

from ...cluster.code import host_name
from ...cluster.worker import Refused
from ...foreign_text import printable

Link = tuple[str, int]
INPUT = "input"
"""In place of a folder of models: a file of ComfyUI's input folder, or one named by its path."""
CHUNK = 2**20  # bytes of a file that are read at a time


@dataclass(frozen=True)
class File:
    """A file that a part names. content: tells its content from others'; see `content_of`."""

    folder: str
    name: str
    content: str


@dataclass(frozen=True)
class Part:
    """nodes: in the API format of a prompt, by their ids. link: the node and the output that is wanted."""

    nodes: dict
    link: Link
    files: tuple[File, ...]


def is_link(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str)


def part_of(prompt, node_id: str, name: str, by_content: bool) -> Part:
    """What feeds input `name` of a node. prompt: core's DynamicPrompt. by_content: whether files are compared
    by their content (other hosts) or by size and time (this machine).

    Raises ValueError where nothing is wired there.
    """
    link = prompt.get_node(node_id)["inputs"].get(name)
    if not is_link(link):
        raise ValueError(f"{name} has no wire; workers need the nodes in front of it.")
    found, todo = {}, [link[0]]
    while todo:
        key = todo.pop()
        if key not in found:
            node = prompt.get_node(key)
            found[key] = {"class_type": node["class_type"], "inputs": dict(node["inputs"])}
            todo += [value[0] for value in node["inputs"].values() if is_link(value)]
    return Part(found, (link[0], link[1]), tuple(files_of(found, by_content)))


def files_of(part: Mapping, by_content: bool) -> Iterator[File]:
    """Every file that widgets of a part name, of model folders and of the input folder."""
    seen = set()
    for node in part.values():
        for name, value in node["inputs"].items():
            if not isinstance(value, str) or not 0 < len(value) < 1000 or "\n" in value:
                continue
            for folder in _folders_of(node["class_type"], name, value):
                if (folder, value) not in seen:
                    seen.add((folder, value))
                    yield File(folder, value, content_of(find_file(folder, value), by_content))


def _folders_of(class_type: str, name: str, value: str) -> list[str]:
    """The model folders whose file a widget names; INPUT; none."""
    options = _options_of(class_type, name)
    if options is not None and value not in options:
        options = None  # the node makes its list when it is asked
    found = []
    for folder in folder_paths.folder_names_and_paths:
        if folder in ("custom_nodes", "configs"):
            continue
        names = folder_paths.get_filename_list(folder)
        if value in names and (options is None or set(names) <= set(options)):
            found.append(folder)
    if not found and find_file(INPUT, value) is not None:
        return [INPUT]
    return found


def _options_of(class_type: str, name: str) -> list | None:
    inputs = nodes.NODE_CLASS_MAPPINGS[class_type].INPUT_TYPES()
    entry = inputs.get("required", {}).get(name) or inputs.get("optional", {}).get(name)
    if not entry:
        return None
    if isinstance(entry[0], list):
        return entry[0]
    settings = entry[1] if len(entry) > 1 and isinstance(entry[1], dict) else {}
    return settings.get("options") if entry[0] == "COMBO" else None


def find_file(folder: str, name: str) -> Path | None:
    """Where a named file lies on this host."""
    if folder != INPUT:
        found = folder_paths.get_full_path(folder, name)
        return Path(found) if found else None
    try:
        path = Path(folder_paths.get_annotated_filepath(name))
        return path if path.is_file() else None
    except (OSError, ValueError):
        return None


_known: dict[tuple, str] = {}


def content_of(path: Path | None, by_content: bool) -> str:
    """A text that differs where the files differ; empty where there is none."""
    if path is None:
        return ""
    status = path.stat()
    stat = f"{status.st_size}-{status.st_mtime_ns}"
    if not by_content:
        return stat
    key = (os.fspath(path), stat)
    if key not in _known:
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
        _known[key] = digest.hexdigest()
    return _known[key]


class PartRunner:
    """Runs parts in a worker; what did not change since the last one is kept, as core keeps it."""

    def __init__(self) -> None:
        self.executor: execution.PromptExecutor | None = None
        self.files: dict[tuple[str, str], str] = {}

    def outputs(self, parts: Sequence[Part], by_content: bool) -> list[object]:
        """The values of parts of one prompt. Raises Refused for nodes and files that this host lacks or has
        otherwise, and RuntimeError where a node fails.
        """
        for part in parts:
            self._check(part, by_content)
        if self.executor is None:
            self.executor = execution.PromptExecutor(
                server.PromptServer.instance,
                execution.CacheType.CLASSIC,
                {"lru": 0, "ram": 0, "ram_inactive": 0},
            )
        # All at once: core forgets what is not part of the prompt at hand.
        together = {key: node for part in parts for key, node in part.nodes.items()}
        self.executor.success = True
        self.executor.execute(together, str(uuid.uuid4()), {}, [part.link[0] for part in parts])
        for event, data in self.executor.status_messages:
            if event == "execution_interrupted":
                raise comfy.model_management.InterruptProcessingException
            if event == "execution_error":
                what = printable(data.get("exception_message", "").strip())
                raise RuntimeError(f"{printable(data.get('node_type'))} on {host_name()}: {what}")
        return [self._value(part) for part in parts]

    def _value(self, part: Part) -> object:
        node, slot = part.link
        values = asyncio.run(self.executor.caches.outputs.get(node)).outputs[slot]
        if len(values) != 1:
            raise Refused(f"the nodes in front give {len(values)} values, and workers need one.")
        return values[0]

    def _check(self, part: Part, by_content: bool) -> None:
        host = host_name()
        for node in part.nodes.values():
            if node["class_type"] not in nodes.NODE_CLASS_MAPPINGS:
                raise Refused(
                    f"{host} has no node '{printable(node['class_type'])}'; install its pack there too."
                )
        for file in part.files:
            there = content_of(find_file(file.folder, file.name), by_content)
            if there != file.content:
                is_other = "another" if there else "no"
                where = "ComfyUI's input folder" if file.folder == INPUT else f"models/{file.folder}"
                raise Refused(
                    f"{host} has {is_other} file '{printable(file.name)}' in {where}; copy the head's there."
                )
            known = self.files.setdefault((file.folder, file.name), there)
            if known != there and self.executor is not None:  # core does not look at the files of its loaders
                self.executor.reset()
            self.files[file.folder, file.name] = there
