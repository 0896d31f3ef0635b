"""What a configuration may say, section by section, with what is taken where it says nothing."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..foreign_text import printable
from ..video_io.clip_files import ClipEncoding

DETECTORS = ("correlation", "content", "transnetv2")
MOTION_TIERS = ("dis", "codec", "raft", "none")
FORMATS = ("pairs", "webdataset", "parquet")
COPY_MODES = ("re-encode", "copy")


@dataclass(frozen=True)
class Cuts:
    """detector: one of DETECTORS. margin: seconds beside a gradual cut that are left out. threshold: of
    content and transnetv2, 0 = as published. rates: frames a second at which content looks, 0 = all."""

    detector: str = "correlation"
    margin: float = 0.15
    threshold: float = 0.0
    rates: list = field(default_factory=lambda: [0.0, 8.0, 2.0])

    def __post_init__(self) -> None:
        _one_of("detector", self.detector, DETECTORS)
        _between("margin", self.margin, 0, 10)
        _between("threshold", self.threshold, 0, 255)


@dataclass(frozen=True)
class Clips:
    """shortest, longest: seconds of a clip; longer shots become several of even length, 0 = any length."""

    shortest: float = 1.0
    longest: float = 10.0

    def __post_init__(self) -> None:
        _between("shortest", self.shortest, 0, 3600)
        _between("longest", self.longest, 0, 36000)
        if self.longest and self.longest < 2 * self.shortest:
            raise ValueError(
                f"longest={self.longest:g} must be at least twice shortest={self.shortest:g}, because longer"
                " shots are halved; raise it, or 0 for any length."
            )


@dataclass(frozen=True)
class Motion:
    """tier: one of MOTION_TIERS. pairs_per_second: how often motion is measured. side: pixels of the shorter
    side at which it is. weights: RAFT's file, torchvision's raft_large."""

    tier: str = "dis"
    pairs_per_second: float = 6.0
    side: int = 192
    weights: str = ""

    def __post_init__(self) -> None:
        _one_of("tier", self.tier, MOTION_TIERS)
        _between("pairs_per_second", self.pairs_per_second, 0.1, 240)
        _between("side", self.side, 64, 1080)


@dataclass(frozen=True)
class Text:
    """area: whether the area of text in the picture is measured. side: pixels of the longer side at which."""

    area: bool = False
    side: int = 480

    def __post_init__(self) -> None:
        _between("side", self.side, 64, 2048)


@dataclass(frozen=True)
class Scores:
    """clip: a folder with a CLIP in the layout of transformers. aesthetic: a file of LAION's heads, which
    needs the CLIP ViT-L/14."""

    clip: str = ""
    aesthetic: str = ""

    def __post_init__(self) -> None:
        if self.aesthetic and not self.clip:
            raise ValueError("aesthetic needs image features; set clip to the folder of a CLIP ViT-L/14.")


@dataclass(frozen=True)
class Captioners:
    """Models that write captions. image: a CoCa or BLIP-2, of the middle frame. video: a BLIP-2 or VideoBLIP,
    of so many frames. prompt: what BLIP-2's text goes on from. summary: a language model that makes one text
    of both."""

    image: str = ""
    video: str = ""
    frames: int = 8
    prompt: str = ""
    summary: str = ""

    def __post_init__(self) -> None:
        _between("frames", self.frames, 1, 64)
        if self.summary and not (self.image and self.video):
            raise ValueError("summary needs two captions to make one of; set image and video as well.")

    def __bool__(self) -> bool:
        return bool(self.image or self.video)


@dataclass(frozen=True)
class Captions:
    """file: a JSONL with id and caption. beside: take the text file beside the source video. default: for
    clips without one. What captioners say stands between both."""

    file: str = ""
    beside: bool = True
    default: str = ""


@dataclass(frozen=True)
class Keep:
    """Which clips are kept. best: score -> the best so many percent; those that all scores keep stay. least,
    most: score -> bound. similar: clips whose looks are more alike than this are kept once, 0 = all.
    sample: percent of what is left, chosen by the clips' ids."""

    best: dict = field(default_factory=dict)
    least: dict = field(default_factory=lambda: {"motion": 0.05})
    most: dict = field(default_factory=dict)
    similar: float = 0.0
    sample: float = 100.0

    def __post_init__(self) -> None:
        for name in ("best", "least", "most"):
            for score, value in getattr(self, name).items():
                if isinstance(value, bool) or not isinstance(value, int | float):
                    raise ValueError(f"{name}: {printable(score)}={printable(value)} must be a number.")
        for score, percent in self.best.items():
            _between(f"best: {printable(score)}", percent, 0, 100)
        _between("similar", self.similar, 0, 1)
        _between("sample", self.sample, 0, 100)


@dataclass(frozen=True)
class Export:
    """formats: of FORMATS, beside the tables. mode: one of COPY_MODES. The rest is as ClipEncoding."""

    formats: list = field(default_factory=lambda: ["pairs"])
    mode: str = "re-encode"
    crf: float = 18.0
    preset: str = "veryfast"
    width: int = 0
    height: int = 0
    clips_per_tar: int = 1000
    sound: bool = True

    def __post_init__(self) -> None:
        for name in self.formats:
            _one_of("formats", name, FORMATS)
        _one_of("mode", self.mode, COPY_MODES)
        _between("clips_per_tar", self.clips_per_tar, 1, 1_000_000)
        self.encoding  # noqa: B018, checks the rest

    @property
    def encoding(self) -> ClipEncoding:
        """How clips are encoded."""
        return ClipEncoding(self.crf, self.preset, self.width, self.height, sound=self.sound)


@dataclass(frozen=True)
class Settings:
    """All sections. workers: processes that work at the same time; 0 = as many as there are cores."""

    cuts: Cuts = field(default_factory=Cuts)
    clips: Clips = field(default_factory=Clips)
    motion: Motion = field(default_factory=Motion)
    text: Text = field(default_factory=Text)
    scores: Scores = field(default_factory=Scores)
    captioners: Captioners = field(default_factory=Captioners)
    captions: Captions = field(default_factory=Captions)
    keep: Keep = field(default_factory=Keep)
    export: Export = field(default_factory=Export)

    def fingerprint(self, *sections: str) -> str:
        """12 hex digits of what some sections say."""
        told = {name: dataclasses.asdict(getattr(self, name)) for name in sections}
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:12]


def shot_settings(detector: str, margin: float, shortest: float, longest: float) -> Settings:
    """Settings of how clips are cut; see Cuts and Clips. Raises ValueError."""
    return Settings(cuts=Cuts(detector, margin), clips=Clips(shortest, longest))


def read_settings(path: Path | None) -> Settings:
    """The settings of a TOML or JSON file; paths in it count from its folder. None = what is usual.

    Raises ValueError for a file that cannot be read, and for what it says and there is not.
    """
    if path is None:
        return Settings()
    told = _parsed(Path(path))
    sections = {entry.name: entry for entry in dataclasses.fields(Settings)}
    _known(told, sections, f"'{printable(Path(path).name)}'")
    made = {}
    for name, values in told.items():
        if not isinstance(values, dict):
            raise ValueError(f"'{printable(name)}' must be a section: a line [{printable(name)}].")
        made[name] = make_section(sections[name].default_factory, values, f"[{printable(name)}]")
    return _with_paths(Settings(**made), Path(path).parent)


def _parsed(path: Path) -> dict:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ValueError(f"'{printable(str(path))}' is not there; give the path of a TOML file.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"'{printable(path.name)}' cannot be read: {printable(error)}.") from error
    try:
        if path.suffix.lower() == ".json":
            return json.loads(text)
        import tomllib
    except ImportError:
        raise ValueError("TOML needs Python 3.11 or newer; write the same sections as JSON.") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"'{printable(path.name)}' is no JSON: {printable(error)}.") from error
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"'{printable(path.name)}' is no TOML: {printable(error)}.") from error


def make_section(kind: type, values: dict[str, Any], where: str) -> Any:
    """A section from its values. Raises ValueError for names and types that it does not have."""
    fields = {entry.name: entry for entry in dataclasses.fields(kind)}
    _known(values, fields, where)
    allowed = {"float": (int, float), "int": (int,), "str": (str,), "bool": (bool,), "list": (list,),
               "dict": (dict,)}  # fmt: skip
    for name, value in values.items():
        wanted = fields[name].type
        if not isinstance(value, allowed[wanted]) or (isinstance(value, bool) and wanted != "bool"):
            raise ValueError(f"{where}: {name}={printable(value)} must be of type {wanted}.")
    try:
        return kind(**values)
    except ValueError as error:
        raise ValueError(f"{where}: {printable(error, 1000)}") from error  # noqa: B904


def _known(values: dict, names: dict, where: str) -> None:
    if not isinstance(values, dict):
        raise ValueError(f"{where} must hold sections.")
    if unknown := sorted(values.keys() - names.keys()):
        raise ValueError(f"{where} has '{printable(unknown[0])}', which is not known; it may have"
                         f" {', '.join(names)}.")  # fmt: skip


def _with_paths(settings: Settings, folder: Path) -> Settings:
    """The same with paths that count from a folder made whole."""

    def whole(section, *names):
        paths = {name: str(folder / getattr(section, name)) for name in names if getattr(section, name)}
        return dataclasses.replace(section, **paths)

    return dataclasses.replace(
        settings,
        motion=whole(settings.motion, "weights"),
        scores=whole(settings.scores, "clip", "aesthetic"),
        captioners=whole(settings.captioners, "image", "video", "summary"),
        captions=whole(settings.captions, "file"),
    )


def _one_of(name: str, value: object, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"{name}='{printable(value)}' must be one of {', '.join(known)}.")


def _between(name: str, value: float, least: float, most: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise ValueError(f"{name}={printable(value)} must be {least:g} to {most:g}.")
