"""What comes into a node is of the type, in the range and of the shape that the node's schema says.

Letters: F frames, H height, W width, C channels, B videos.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Mapping
from typing import Any

import torch
from comfy_api.latest import io

from ..foreign_text import printable
from ..frame_values import FrameValues
from ..host.video_models.parts import MissingPart
from ..metrics.metric import Score

CHANNELS = (1, 3, 4)
WITH_ARTICLE = {"IMAGE": "an IMAGE", "MASK": "a MASK", "LATENT": "a LATENT"}


def check_inputs(
    schema: io.Schema, given: Mapping[str, Any], unlisted: set[str] = frozenset()
) -> dict[str, Any]:
    """The inputs, numbers in the schema's types.
    Raises ValueError with the input's name, rule, value and remedy.

    unlisted: choices that the node checks itself, because its
    list (of files) has changed since the schema was made.
    """
    entries = {
        entry.id: entry
        for entry in schema.inputs
        if not (entry.id in unlisted and isinstance(entry, io.Combo.Input))
    }
    return {
        name: _check_entry(name, entries[name], value, schema.is_input_list) if name in entries else value
        for name, value in given.items()
    }


def _check_entry(name: str, entry: io.Input, value: Any, is_list: bool = False) -> Any:
    if is_list and isinstance(value, list):
        return [_check_entry(name, entry, one, is_list) for one in value]
    if isinstance(entry, io.Autogrow.Input):
        return {key: _check_entry(key, entry.template.input, one) for key, one in value.items()}
    if value is None:
        if entry.optional:
            return None
        raise ValueError(
            f"{name} got nothing: what is wired to it has no such output now; wire something else or enable "
            "that node."
        )
    return _checker(entry)(name, value, entry)


def _checker(entry: io.Input) -> Callable[[str, Any, io.Input], Any]:
    if isinstance(entry, io.MatchType.Input):
        return lambda name, value, _: _check_any(
            name, value, [kind.io_type for kind in entry.template.allowed_types]
        )
    if isinstance(entry, io.MultiType.Input) and entry.input_override is not None:
        return _check_widget_or_link
    if isinstance(entry, io.MultiType.Input):
        kinds = [kind.io_type for kind in entry.io_types]
        if not WITH_ARTICLE.keys() & set(kinds):  # kinds of layers, which travel as one kind of object
            return CHECKS[kinds[0]]
        return lambda name, value, _: _check_any(name, value, kinds)
    return CHECKS.get(entry.get_io_type(), _check_nothing)


def _check_any(name: str, value: Any, kinds: list[str]) -> Any:
    """A value of one of several kinds; its looks say which it is meant to be."""
    kinds = [kind for kind in WITH_ARTICLE if kind in kinds]
    if isinstance(value, Mapping):
        looks = "LATENT"
    else:
        looks = "IMAGE" if getattr(value, "ndim", 0) >= 4 else "MASK"
    if not isinstance(value, Mapping | torch.Tensor) or looks not in kinds:
        wanted = " or ".join([", ".join(WITH_ARTICLE[kind] for kind in kinds[:-1]), WITH_ARTICLE[kinds[-1]]])
        raise ValueError(f"{name} must be {wanted}; this is {_kind(value)}. Wire one of those.")
    return CHECKS[looks](name, value, None)


def _check_widget_or_link(name: str, value: Any, entry: io.MultiType.Input) -> Any:
    """What a widget says, or an object of the pack that may be wired in its place."""
    kinds = [kind.io_type for kind in entry.io_types]
    if isinstance(value, FrameValues) and "FRAME_VALUES" in kinds:
        return value
    if isinstance(value, list | tuple) and "FLOATS" in kinds:
        return [_in_range(name, number, entry.input_override) for number in _check_floats(name, value, entry)]
    return CHECKS[entry.input_override.get_io_type()](name, value, entry.input_override)


def _check_nothing(name: str, value: Any, entry: io.Input) -> Any:
    return value


def _check_int(name: str, value: Any, entry: io.Int.Input) -> int:
    number = _number(name, value)
    if number != math.floor(number):
        raise ValueError(f"{name}={_short(value)} must be a whole number; round it.")
    return _in_range(name, int(value), entry)


def _check_float(name: str, value: Any, entry: io.Float.Input) -> float:
    return _in_range(name, _number(name, value), entry)


def _number(name: str, value: Any) -> float:
    """The value as a finite float; torch's and numpy's numbers are numbers too."""
    if isinstance(value, torch.Tensor) and value.numel() == 1:
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise ValueError(f"{name} must be a number, this is {_kind(value)}; wire a number or type one.")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(
            f"{name}={_short(value)} must be a finite number; correct it or what is wired to it."
        )
    return number


def _in_range(name: str, number: float, entry: io.Int.Input | io.Float.Input) -> float:
    least = -math.inf if entry.min is None else entry.min
    most = math.inf if entry.max is None else entry.max
    if not least <= number <= most:
        bounds = " to ".join(
            str(bound) if isinstance(bound, int) else f"{bound:g}" for bound in (least, most)
        )
        raise ValueError(
            f"{name}={_short(number)} must be {bounds}; {'raise' if number < least else 'lower'} it."
        )
    return number


def _check_boolean(name: str, value: Any, entry: io.Input) -> bool:
    if not isinstance(value, bool | numbers.Real) or value not in (0, 1):
        raise ValueError(f"{name} must be on or off (true or false), this is {_kind(value)}; wire a BOOLEAN.")
    return bool(value)


def _check_string(name: str, value: Any, entry: io.Input) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{name} must be text, this is {_kind(value)}; wire a STRING.")
    try:
        value.encode("utf8")
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{name} holds half a character ({printable(value[error.start])}) at place {error.start}, which "
            "no text can have; "
            f"write it anew: '{printable(value)}'."
        ) from None
    return value


def _check_combo(name: str, value: Any, entry: io.Combo.Input) -> Any:
    options = entry.options or []
    if value not in options:
        listed = ", ".join(map(printable, options[:20])) + (", ..." if len(options) > 20 else "")
        raise ValueError(f"{name}='{printable(value)}' must be one of {listed}; choose one of these.")
    return value


def _check_image(name: str, value: Any, entry: io.Input | None) -> torch.Tensor:
    _check_tensor(name, value, "an IMAGE (F, H, W, C)", (4,))
    if value.shape[-1] not in CHANNELS:
        raise ValueError(
            f"{name} has shape {tuple(value.shape)}; an IMAGE (F, H, W, C) has 1, 3 or 4 channels at the "
            "end, these are "
            f"{value.shape[-1]}. Wire an IMAGE."
        )
    is_grey_image = entry is not None and value.shape[-1] == 1  # of several kinds, frames stay as they are
    return value.expand(*value.shape[:3], 3) if is_grey_image else value


def _check_mask(name: str, value: Any, entry: io.Input | None) -> torch.Tensor:
    _check_tensor(name, value, "a MASK (F, H, W) or (H, W)", (2, 3), may_be_bool=True)
    return value


def _check_latent(name: str, value: Any, entry: io.Input | None) -> Mapping:
    if not isinstance(value, Mapping) or "samples" not in value:
        raise ValueError(f"{name} must be a LATENT, this is {_kind(value)}; wire latents.")
    samples = value["samples"]
    if getattr(samples, "is_nested", False):
        raise ValueError(
            f"{name} holds several tensors, as latents of video with sound do; separate the video from the "
            "sound before."
        )
    _check_tensor(name, samples, "a LATENT (F, C, H, W) or (B, C, F, H, W)", (4, 5))
    if value.get("noise_mask") is not None:
        _check_tensor(
            f"the noise mask of {name}", value["noise_mask"], "a MASK", (2, 3, 4, 5), may_be_bool=True
        )
    return value


def _check_audio(name: str, value: Any, entry: io.Input) -> Mapping:
    if not isinstance(value, Mapping) or "waveform" not in value or "sample_rate" not in value:
        raise ValueError(f"{name} must be AUDIO, this is {_kind(value)}; wire sound.")
    waveform, rate = value["waveform"], value["sample_rate"]
    if not isinstance(waveform, torch.Tensor) or waveform.ndim != 3:
        raise ValueError(
            f"{name} must hold sound of shape (batch, channels, samples), this is {_kind(waveform)}; wire "
            "AUDIO."
        )
    if _number(f"the sample rate of {name}", rate) < 1:
        raise ValueError(
            f"{name} has sample_rate={_short(rate)}; it must be 1 or more, 44100 is usual. Load the sound "
            "again."
        )
    return value


def _check_video(name: str, value: Any, entry: io.Input) -> Any:
    if not hasattr(value, "get_components"):
        raise ValueError(f"{name} must be a VIDEO, this is {_kind(value)}; wire Load Video.")
    return value


def _check_conditioning(name: str, value: Any, entry: io.Input) -> list:
    if not isinstance(value, list) or not value:
        raise ValueError(f"{name} must be CONDITIONING, this is {_kind(value)}; wire CLIP Text Encode.")
    return value


def _check_floats(name: str, value: Any, entry: io.Input) -> list[float]:
    values = value if isinstance(value, list | tuple) else [value]
    if not values:
        raise ValueError(f"{name} holds no numbers; wire one for each frame.")
    return [_number(f"number {place} of {name}", number) for place, number in enumerate(values)]


def _check_scores(name: str, value: Any, entry: io.Input) -> list:
    if not isinstance(value, list) or not all(isinstance(score, Score) for score in value):
        raise ValueError(f"{name} must be SCORES, this is {_kind(value)}; wire Measure Video.")
    return value


def _check_sigmas(name: str, value: Any, entry: io.Input) -> torch.Tensor:
    if not isinstance(value, torch.Tensor) or value.ndim != 1 or not value.is_floating_point():
        raise ValueError(f"{name} must be SIGMAS, this is {_kind(value)}; wire BasicScheduler.")
    if not bool(value.isfinite().all()):
        raise ValueError(f"{name} holds sigmas that are not finite; wire BasicScheduler.")
    return value


def _check_part(needed: str, advice: str) -> Callable[[str, Any, io.Input], Any]:
    """The check of an object by something that it must have."""

    def check(name: str, value: Any, entry: io.Input) -> Any:
        # What stands for a part that a file lacks may come in; it says what to load when the node uses it.
        if not hasattr(value, needed) and not isinstance(value, MissingPart):
            raise ValueError(
                f"{name} must be a {entry.get_io_type()}, this is {_kind(value)}; wire {advice}."
            )
        return value

    return check


def _check_tensor(
    name: str, value: Any, what: str, dimensions: tuple[int, ...], may_be_bool: bool = False
) -> None:
    if not isinstance(value, torch.Tensor):
        raise ValueError(f"{name} must be {what}, this is {_kind(value)}; wire one.")
    if value.ndim not in dimensions:
        raise ValueError(f"{name} has shape {tuple(value.shape)}, which is not {what}; wire one.")
    if 0 in value.shape:
        raise ValueError(
            f"{name} has shape {tuple(value.shape)}, so that nothing is in it; wire {what} with something in "
            "it."
        )
    if not value.is_floating_point() and not (may_be_bool and value.dtype == torch.bool):
        raise ValueError(
            f"{name} holds {str(value.dtype).removeprefix('torch.')} where {what} has floating-point "
            "numbers; convert it."
        )


def _kind(value: Any) -> str:
    """What a value is, for people: its type, and of small ones what it says."""
    if value is None:
        return "nothing"
    if isinstance(value, torch.Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    shown = f" ('{printable(value, 40)}')" if isinstance(value, str | bool | int | float) else ""
    return f"a {type(value).__name__}{shown}"


def _short(number: Any) -> str:
    """A number as it was given, however long it is."""
    try:
        return printable(number, 40)
    except ValueError:  # more digits than Python writes
        return "a number of thousands of digits"


CHECKS: dict[str, Callable[[str, Any, Any], Any]] = {
    "INT": _check_int, "FLOAT": _check_float, "BOOLEAN": _check_boolean, "STRING": _check_string,
    "COMBO": _check_combo, "VIDEO": _check_video, "AUDIO": _check_audio,
    "IMAGE": _check_image, "MASK": _check_mask, "LATENT": _check_latent,
    "CONDITIONING": _check_conditioning, "FLOATS": _check_floats,
    "MODEL": _check_part("model_options", "a model loader"),
    "VAE": _check_part("first_stage_model", "Load VAE"),
    "CLIP": _check_part("tokenize", "Load CLIP"),
    "CLIP_VISION": _check_part("encode_image", "Load CLIP Vision"),
    "OPTICAL_FLOW": _check_part("load_device", "Load Optical Flow Model"),
    "SAMPLER": _check_part("sample", "KSamplerSelect"),
    "GUIDER": _check_part("model_patcher", "CFGGuider"),
    "SIGMAS": _check_sigmas,
    "MOTION_FIELD": _check_part("displacements", "Motion Field"),
    "MOTION_MODULE": _check_part("patcher", "Load Motion Module"),
    "TEMPORAL_DECODER": _check_part("patcher", "Load Temporal Decoder"),
    "NOISE": _check_part("generate_noise", "RandomNoise"),
    "CONTROL_NET": _check_part("copy", "Load ControlNet Model"),
    "FRAME_VALUES": _check_part("keys", "Vary Value"),
    "INVERSION": _check_part("trajectory", "Invert Video"),
    "STORYBOARD": _check_part("scenes", "Storyboard"),
    "CAMERA_POSES": _check_part("to_camera", "Camera Poses"),
    "TRAINING_CLIPS": _check_part("fingerprint", "Training Clip"),
    "TRAINING_OPTIONS": _check_part("rate_schedule", "Training Options"),
    "VIDEO_CLIPS": _check_part("kept", "Split Into Shots"),
    "MOTION_LORA": _check_part("changes", "Train MotionLoRA"),
    "METRIC_NETWORK": _check_part("kind", "Load Metric Network"),
    "VIDEO_SET": _check_part("clips", "Video Set from Folder"),
    "SCORES": _check_scores,
    "RATINGS": _check_part("difference", "Rate Candidates"),
}  # fmt: skip
"""Type of an input -> check(name, value, entry) -> the value, for numbers in the schema's type."""
