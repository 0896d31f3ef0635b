"""The folder that a server of ours reads and writes instead of ComfyUI's own."""

import os
import shutil
import subprocess

from . import paths

# Where a file of the trained family belongs, by what its first keys contain; a checkpoint where nothing fits.
DEMO_FOLDERS = (
    ("animatediff_motion_lora", b"_lora.down.weight"),
    ("animatediff_models", b"motion_modules."),
    ("loras", b".lora_down.weight"),
    ("controlnet", b"zero_convs."),
)


def make_base(base):
    """Makes the folder `base` with models, input, output, user and this pack, and returns it."""
    models = (*(f"models/{folder}" for folder, _ in DEMO_FOLDERS), "models/checkpoints")
    for name in (*models, "input", "output", "temp", "user"):
        (base / name).mkdir(parents=True, exist_ok=True)
    link_folder(base / "custom_nodes" / paths.PACK, paths.ROOT)
    return base


def make_demo_base():
    """Makes .zoetrope/base with the demo's models and inputs, and returns it."""
    base = make_base(paths.HOME / "base")
    put_demo_weights(base / "models")
    put_example_inputs(base / "input")
    return base


def put_demo_weights(models):
    """Copies the trained family of demo/weights to where ComfyUI's loaders look for each kind."""
    for source in sorted((paths.ROOT / "demo" / "weights").glob("*.safetensors")):
        target = models / folder_of(source) / source.name
        if not is_copy(target, source):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)


def folder_of(weights):
    """Returns the name of the models' folder that a file of weights belongs into."""
    with open(weights, "rb") as handle:
        header = handle.read(int.from_bytes(handle.read(8), "little"))
    return next((name for name, mark in DEMO_FOLDERS if mark in header), "checkpoints")


def is_copy(target, source):
    """Whether a file is there, as large as its source and not older."""
    if not target.is_file():
        return False
    there, wanted = target.stat(), source.stat()
    return there.st_mtime >= wanted.st_mtime and there.st_size == wanted.st_size


def put_example_inputs(folder):
    """Copies what the example workflows load into a folder; a file that is there stays."""
    inputs = paths.ROOT / "demo" / "inputs"
    for source in sorted(path for path in inputs.rglob("*") if path.is_file()):
        target = folder / source.relative_to(inputs)
        if not target.exists():
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(source, target)


def link_folder(link, target):
    """Makes `link` lead to the folder `target`: a symbolic link, on Windows a junction."""
    if link.exists() and os.path.samefile(link, target):
        return
    remove_link(link)
    link.parent.mkdir(parents=True, exist_ok=True)
    if os.name == "nt":
        subprocess.run(["cmd", "/c", "mklink", "/J", str(link), str(target)], check=True, capture_output=True)
    else:
        link.symlink_to(target, target_is_directory=True)


def remove_link(link):
    if link.is_symlink():
        link.unlink()
    elif link.exists():
        os.rmdir(link)  # a junction: removes the entry, not what it leads to
