"""The program behind `python dev.py train CONFIG.toml`: what the training nodes do, without a browser.

A configuration names the models, the clips and the numbers of the nodes (docs/training.md). Its clips are a
folder of videos, or the demo's world as a built-in set, so that docs/train_pan.toml runs at once.
"""

from __future__ import annotations

import argparse
import dataclasses
import random
import sys
import time
from pathlib import Path
from typing import Any

import comfy.sd
import comfy.utils
import folder_paths

from ..foreign_text import printable
from ..frame_tools.labels import to_image
from ..host.files import demo_family
from ..host.files.model_files import MOTION_MODULES, register_model_folders
from ..host.files.output_names import write_to_output
from ..host.injection.motion_models import motion_module_from_file, new_for_model, save_to_output
from ..host.tuning.clip_folders import FolderSettings, clips_below
from ..host.tuning.clips import TrainingClips, add_clip
from ..host.tuning.network_loras import PARTS, train_network_lora
from ..host.tuning.progress import loss_curve, told
from ..host.tuning.run import TrainingRun
from ..host.tuning.run_folders import run_folder
from ..host.tuning.temporal_training import (
    LORA_LAYERS,
    save_motion_lora,
    train_motion_lora,
    train_temporal_layers,
)
from ..host.video_models.loader import video_model_from_file
from ..host.video_models.network_file import read_network_file
from ..motion_modules.methods import METHODS
from ..tuning.recipe import Recipe
from . import world

KINDS = ("MotionLoRA", "temporal layers", "video LoRA")
TOLD_SECONDS = 5.0


@dataclasses.dataclass(frozen=True)
class Models:
    """checkpoint: of an image model, or of a video network. motion_module: a file; method: of new layers.
    vae, text_encoder: files, for a video network whose own file has none.
    """

    checkpoint: str
    motion_module: str = ""
    method: str = ""
    vae: str = ""
    text_encoder: str = ""


@dataclasses.dataclass(frozen=True)
class WorldClips:
    """Clips of the demo's world. motion: of its thing. camera: what the camera does."""

    motion: str = "still"
    camera: str = "fixed"
    count: int = 12
    num_frames: int = 16
    seed: int = 0

    def __post_init__(self):
        for name, known in (("motion", world.MOTIONS), ("camera", ("fixed", *world.CAMERAS))):
            if getattr(self, name) not in known:
                raise ValueError(
                    f"{name}='{printable(getattr(self, name))}' must be one of {', '.join(known)}."
                )


@dataclasses.dataclass(frozen=True)
class Config:
    """What a file says. layers, rank: of a LoRA. output: the beginning of the file's name below output/."""

    what: str
    models: Models
    clips: FolderSettings | WorldClips
    recipe: Recipe
    folder: Path | None = None
    output: str = "trained/zoetrope"
    run_name: str = ""
    rank: int = 32
    layers: str = ""
    gradient_checkpointing: bool = True


def read_config(path: Path) -> Config:
    """The configuration of a TOML file. Paths in it count from its folder.

    Raises ValueError for a file that is no TOML, names what there is not, or leaves out what is needed.
    """
    try:
        import tomllib
    except ImportError:
        raise ValueError("dev.py train needs Python 3.11 or newer, which reads TOML; use one.") from None
    try:
        told = tomllib.loads(path.read_text(encoding="utf8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"'{printable(path.name)}' is no TOML file: {printable(error)}.") from error
    models, clips = _section(told, "models"), _section(told, "clips")
    recipe = _section(told, "recipe")
    folder = path.parent / clips.pop("folder") if "folder" in clips else None
    made = {
        "models": _made(Models, models, "models"),
        "clips": _made(WorldClips if folder is None else FolderSettings, clips, "clips"),
        "recipe": _made(Recipe, recipe, "recipe"),
    }
    config = _made(Config, {**told, **made, "folder": folder}, "the file's head")
    if config.what not in KINDS:
        raise ValueError(f"what='{printable(config.what)}' must be one of {', '.join(KINDS)}.")
    if folder is not None and not folder.is_dir():
        raise ValueError(f"folder='{printable(str(folder))}' is no folder; it counts from the file's own.")
    return config


def _section(told: dict, name: str) -> dict:
    section = told.pop(name, {})
    if not isinstance(section, dict):
        raise ValueError(f"'{name}' must be a section: a line [{name}] and its values below it.")
    return section


def _made(kind: type, values: dict, where: str) -> Any:
    fields = {field.name: field for field in dataclasses.fields(kind)}
    if unknown := sorted(values.keys() - fields.keys()):
        raise ValueError(
            f"{where} has '{printable(unknown[0])}', which is not known; it may have {', '.join(fields)}."
        )
    missing = dataclasses.MISSING
    for name, field in fields.items():
        if name not in values and field.default is missing and field.default_factory is missing:
            raise ValueError(f"{where} lacks '{name}'; add it.")
        if name in values and field.type in ("int", "float", "str", "bool"):
            allowed = {"int": (int,), "float": (int, float), "str": (str,), "bool": (bool,)}[field.type]
            if type(values[name]) not in allowed:
                raise ValueError(f"{where}: {name}={printable(values[name])} must be of type {field.type}.")
    return kind(**values)


def find_file(name: str, folder: Path, key: str) -> str:
    """A file by its path from the configuration's folder, or by its name in a folder of ComfyUI's models."""
    if (folder / name).is_file():
        return str(folder / name)
    if (found := folder_paths.get_full_path(key, name)) is not None:
        return found
    raise ValueError(
        f"'{printable(name)}' is neither a file beside the configuration nor one of models/{key}; give"
        " its path."
    )


def run(config: Config, folder: Path) -> Path:
    """Trains as a configuration says and writes the file; returns its path."""
    demo_family.register()
    register_model_folders()
    path = find_file(config.models.checkpoint, folder, "checkpoints")
    as_network = config.what == "video LoRA" and not config.models.motion_module
    model, clip, vae = _video_network(path) if as_network else _checkpoint(path)
    if config.models.vae:
        vae = comfy.sd.VAE(sd=comfy.utils.load_torch_file(find_file(config.models.vae, folder, "vae")))
    if config.models.text_encoder:
        clip = comfy.sd.load_clip([find_file(config.models.text_encoder, folder, "text_encoders")])
    clips = _clips(config, vae, clip)
    empty = clip.encode_from_tokens_scheduled(clip.tokenize(""))
    training = TrainingRun(
        clips, empty, config.recipe, run_folder(config.run_name), config.gradient_checkpointing
    )
    comfy.utils.set_progress_bar_global_hook(Told())
    saved, sampler = _train(config, folder, model, training)
    picture = saved.with_suffix(".loss.png")
    to_image(loss_curve(sampler.losses)[0]).save(picture)
    print(f"{told(sampler)}\n{saved}\n{picture}", flush=True)
    return saved


def _checkpoint(path: str) -> tuple:
    """MODEL, CLIP and VAE of an image checkpoint."""
    return comfy.sd.load_checkpoint_guess_config(path, output_vae=True, output_clip=True)[:3]


def _video_network(path: str) -> tuple:
    """MODEL, CLIP and VAE of a video network's file, or of an image checkpoint.

    Raises ValueError for a damaged video network, and for a file that is neither.
    """
    try:
        read_network_file(path)
    except ValueError as no_network:
        try:
            return _checkpoint(path)
        except RuntimeError as no_checkpoint:
            raise ValueError(
                f"{printable(no_network, 600)} It is no image checkpoint either; give one of both."
            ) from no_checkpoint
    found = video_model_from_file(path)
    return found.model, found.clip, found.vae


def _clips(config: Config, vae, clip) -> TrainingClips:
    if config.folder is not None:
        clips, sentence = clips_below(config.folder, vae, clip, config.clips)
        print(printable(sentence, 1000), flush=True)
        return clips
    rng, clips = random.Random(config.clips.seed), None
    for _ in range(config.clips.count):
        scene = world.random_scene(rng, config.clips.motion, config.clips.camera)
        text = world.caption(scene, rng, name_motion=1.0)
        latents = vae.encode(world.render_clip(scene, config.clips.num_frames).movedim(1, -1))
        clips = add_clip(clips, {"samples": latents}, clip.encode_from_tokens_scheduled(clip.tokenize(text)))
    return clips


def _train(config: Config, folder: Path, model, training: TrainingRun) -> tuple[Path, Any]:
    layers = config.layers
    if config.what == "video LoRA":
        _, lora, sampler = train_network_lora(model, training, config.rank, _one_of(PARTS, layers))
        return write_to_output(config.output, ".safetensors", lambda path: _save(lora, path)), sampler
    module = _module(config, folder, model)
    if config.what == "MotionLoRA":
        layers = _one_of(tuple(LORA_LAYERS), layers)
        _, lora, sampler = train_motion_lora(model, module, training, config.rank, layers)
        return save_motion_lora(lora, config.output), sampler
    trained, sampler = train_temporal_layers(model, module, training)
    return save_to_output(trained, config.output), sampler


def _one_of(known: tuple[str, ...], layers: str) -> str:
    if layers and layers not in known:
        raise ValueError(f"layers='{printable(layers)}' must be one of {', '.join(known)}.")
    return layers or known[0]


def _save(lora: dict, path: str) -> None:
    from safetensors.torch import save_file

    save_file(lora, path)


def _module(config: Config, folder: Path, model):
    if config.models.motion_module:
        return motion_module_from_file(find_file(config.models.motion_module, folder, MOTION_MODULES))
    if config.models.method not in METHODS:
        raise ValueError(
            f"models: method='{printable(config.models.method)}' must be one of {', '.join(METHODS)}, or"
            " motion_module must name a file."
        )
    return new_for_model(model, config.models.method)


class Told:
    """ComfyUI's progress, as a line every few seconds."""

    def __init__(self) -> None:
        self.begun = self.told = time.monotonic()

    def __call__(self, value: int, total: int, preview: Any, **_: Any) -> None:
        """Called by ComfyUI's progress bars."""
        now = time.monotonic()
        if value and now - self.told > TOLD_SECONDS:
            left = (now - self.begun) / value * (total - value)
            self.told = now
            print(f"{value} of {total}, {left:.0f} s left", flush=True)


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="dev.py train", description=__doc__)
    parser.add_argument("config", type=Path, help="a TOML file; docs/train_pan.toml is one")
    path = parser.parse_args(argv).config
    try:
        run(read_config(path), path.parent)
    except FileNotFoundError as error:
        print(f"'{printable(path)}' is missing: {printable(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped. With a run_name, the same command goes on.", file=sys.stderr)
        return 130
    except (ValueError, RuntimeError) as error:
        print(printable(error, 1000), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
