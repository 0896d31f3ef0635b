"""VideoCrafter's and DynamiCrafter's files: one network, told apart by its optional parts and `scale_arr`."""

from __future__ import annotations

from collections.abc import Mapping

from ..systems import Sampling, Shapes, VideoSystem
from .names import IMAGE_CHANNELS, settings_from_shapes, to_network
from .network import TOKENS_PER_FRAME, VideoCrafterUNet

PREFIX = "model.diffusion_model."

_MARKS = {
    "fps": ("fps_embedding.", "framestride_embed."),
    "convolution": (".temopral_conv.",),
    "positions": (".relative_position_",),
    "image": (".to_k_ip.", ".to_v_ip."),
    "alpha": (".attn2.alpha",),
}
"""Optional part of the network -> what its keys have in them."""


def _parts(shapes: Shapes) -> frozenset[str]:
    """Which optional parts a file's network has;
    empty for other files, which lack the transformer behind the first convolution.
    """
    keys = [key[len(PREFIX) :] for key in shapes if key.startswith(PREFIX)]
    if not any(key.startswith("init_attn.") for key in keys):
        return frozenset()
    parts = {part for part, texts in _MARKS.items() if any(text in key for key in keys for text in texts)}
    return frozenset(parts | ({"concat"} if _reads_an_image(shapes) else set()) | {"network"})


def _reads_an_image(shapes: Shapes) -> bool:
    """Whether an image's latent comes with the noisy one. Two witnesses, so that a damaged file is not taken
    for another system: the first convolution and the number of image tokens.
    """
    first = shapes.get(f"{PREFIX}input_blocks.0.0.weight")
    if first:
        return first[1:2] == (2 * IMAGE_CHANNELS,)
    return shapes.get("image_proj_model.latents", (1, 0))[1:2] > (TOKENS_PER_FRAME,)


def _claims(*parts: str):
    return lambda shapes: _parts(shapes) == {"network", *parts}


def _sampling(default_scale: float | None = None, **fixed):
    """How a system is sampled;
    the scale is read from the file's `scale_arr`, which files reduced by others may lack.
    """
    return lambda tensors: Sampling(base_scale=_base_scale(tensors, default_scale), **fixed)


def _base_scale(tensors: Mapping, default: float | None) -> float | None:
    return round(float(tensors["scale_arr"][-1]), 4) if "scale_arr" in tensors else default


def _system(name: str, title: str, parts: tuple[str, ...], sampling, **more) -> VideoSystem:
    return VideoSystem(
        name=name,
        title=title,
        prefix=PREFIX,
        claims=_claims(*parts),
        network=VideoCrafterUNet,
        settings=settings_from_shapes,
        to_network=to_network,
        sampling=sampling,
        model="videocrafter",
        # What benchmarks/video_memory.py counts and a quarter more, as core expects for Stable Diffusion 1.5.
        memory_usage_factor=1.3,
        num_frames=16,
        fixed_length="concat" in parts,
        **more,
    )


_DC = ("fps", "convolution", "concat", "image")


def _dynamicrafter(tensors: Mapping) -> VideoSystem:
    """512 and 1024 have the same keys; the scale that they were trained with tells them apart."""
    is_1024 = _base_scale(tensors, 0.7) < 0.5
    v = _sampling(0.3 if is_1024 else 0.7, prediction="v", zero_terminal_snr=True)
    if is_1024:
        return _system("dynamicrafter_1024", "DynamiCrafter 1024", _DC, v, default_fps=10)
    title = "DynamiCrafter 512 or 512 interpolation"
    if "scale_arr" not in tensors:
        title += " (the file has no scale_arr; if it is 1024, use Set Noise Scale with 0.3 and fps 10)"
    return _system("dynamicrafter_512", title, _DC, v, default_fps=24)


SYSTEMS = (
    _system("videocrafter1_t2v_512", "VideoCrafter1 text to video 512", ("positions",), _sampling()),
    _system(
        "videocrafter1_t2v_1024",
        "VideoCrafter1 text to video 1024",
        ("positions", "fps"),
        _sampling(0.3),
        default_fps=28,
    ),
    _system(
        "videocrafter2_t2v_512",
        "VideoCrafter2 text to video 512",
        ("fps", "convolution"),
        _sampling(0.7),
        default_fps=28,
    ),
    _system(
        "videocrafter1_i2v_512",
        "VideoCrafter1 image to video 512",
        ("fps", "convolution", "image"),
        _sampling(0.7),
        default_fps=8,
    ),
    _system("dynamicrafter_256", "DynamiCrafter 256", (*_DC, "alpha"), _sampling(), default_fps=3),
    _system(
        "dynamicrafter_512",
        "DynamiCrafter 512, 512 interpolation or 1024",
        _DC,
        _sampling(0.7, prediction="v", zero_terminal_snr=True),
        default_fps=24,
        refine=_dynamicrafter,
    ),
)
