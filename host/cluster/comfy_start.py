"""A ComfyUI without a server, started in a worker as it was started here."""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import sys
import tempfile
from pathlib import Path

from ...cluster.messages import pack, unpack
from ...motion_modules import linear_products

is_worker = False
"""Whether this process is one."""
ROOT = Path(__file__).resolve().parents[2]
DIRECTORIES = ("input", "output", "temp", "user")
NOT_OF_WORKERS = {
    "cuda_device": None,  # main.py's business, done before it started us
    "default_device": None,
    "enable_manager": False,
    "enable_assets": False,
    "database_url": "sqlite:///:memory:",
}


def settings_of_head() -> dict:
    """What `start` needs: plain data, for a worker on this machine or on another."""
    import folder_paths
    import torch
    from comfy.cli_args import args

    folders = {name: (list(paths), sorted(exts)) for name, (paths, exts) in _folders(folder_paths)}
    return {
        "comfyui": str(Path(folder_paths.__file__).parent),
        "arguments": pack({**vars(args), **NOT_OF_WORKERS}),  # some are enums of ComfyUI
        "folders": folders,
        "directories": {name: getattr(folder_paths, f"get_{name}_directory")() for name in DIRECTORIES},
        "threads": torch.get_num_threads(),
        "onednn": linear_products.choice(),
    }


def start(
    comfyui: str, arguments: bytes, folders: dict, directories: dict, threads: int, onednn: bool
) -> None:  # fmt: skip
    """Imports ComfyUI with the head's options, folders and nodes. On another host COMFYUI_PATH says where it
    is, and of the head's folders those count that exist there.
    """
    global is_worker
    is_worker = True
    place = os.environ.get("COMFYUI_PATH") or comfyui
    sys.path.insert(0, place)
    from comfy.cli_args import args

    for name, value in unpack(arguments).items():
        if not (name.endswith("_directory") and value and not Path(value).is_dir()):
            setattr(args, name, value)
    args.front_end_root = tempfile.gettempdir()  # a worker serves no pages
    import folder_paths
    import torch

    linear_products.choose(onednn)
    torch.set_num_threads(threads)  # other numbers of threads may round differently
    for name, path in directories.items():
        if Path(path).is_dir():
            getattr(folder_paths, f"set_{name}_directory")(path)
    for name, (paths, extensions) in folders.items():
        own = folder_paths.folder_names_and_paths.get(name, ([], set()))
        there = [path for path in paths if Path(path).is_dir()]
        folder_paths.folder_names_and_paths[name] = (
            there + [path for path in own[0] if path not in there],
            set(extensions) | set(own[1]),
        )
    asyncio.run(_load_nodes())


def _folders(folder_paths):
    return ((name, entry[:2]) for name, entry in folder_paths.folder_names_and_paths.items())


async def _load_nodes() -> None:
    """Core's nodes, those of other packs, and this pack's as it came here."""
    import server

    import nodes

    class Quiet(server.PromptServer):
        """What packs ask for at import; nobody listens to it."""

        def send_sync(self, event, data, sid=None) -> None:
            pass

    Quiet(asyncio.get_running_loop())
    await nodes.init_extra_nodes(init_custom_nodes=False, init_api_nodes=False)
    for folder in _other_packs():
        await nodes.load_custom_node(str(folder), set(nodes.NODE_CLASS_MAPPINGS))
    package = sys.modules[__package__.rpartition(".host")[0]]
    extension = package.comfy_entrypoint()
    extension = await extension if inspect.isawaitable(extension) else extension
    await extension.on_load()
    for node in await extension.get_node_list():
        nodes.NODE_CLASS_MAPPINGS[node.GET_SCHEMA().node_id] = node


def _other_packs() -> list[Path]:
    """The custom nodes that ComfyUI would load, without this pack."""
    import folder_paths
    from comfy.cli_args import args

    found = []
    for folder in map(Path, folder_paths.get_folder_paths("custom_nodes")):
        for path in sorted(folder.iterdir()) if folder.is_dir() else []:
            is_module = path.is_dir() or path.suffix == ".py"
            is_off = args.disable_all_custom_nodes and path.name not in (args.whitelist_custom_nodes or ())
            if is_module and not is_off and not _is_left_out(path):
                found.append(path)
    return found


def _is_left_out(path: Path) -> bool:
    if path.name == "__pycache__" or path.name.endswith(".disabled") or path.name.startswith("."):
        return True
    project = path / "pyproject.toml"
    if not project.is_file():
        return False
    own = (ROOT / "pyproject.toml").read_text(encoding="utf8").split("\n", 2)[1]
    is_ours = own in project.read_text(encoding="utf8", errors="replace")
    if is_ours and path.resolve() != ROOT:
        logging.info(f"{path.name}: the head's code of this pack is used instead.")
    return is_ours
