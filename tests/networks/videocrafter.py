"""VideoCrafter and DynamiCrafter in small: the networks of the golden files, under their published key names.

With the golden text width they give the reference's numbers; with the published one they fit real encoders.
"""

from __future__ import annotations

import functools
import shutil
import tempfile
from functools import partial
from pathlib import Path

import comfy.sample
import torch
from safetensors.torch import save_file

from ...host.video_models.loader import video_model_from_file
from ...host.video_models.videocrafter import CONCAT_LATENT, FPS, HIDDEN_STATE
from ...video_unets.file_shapes import FileShapes
from ...video_unets.videocrafter.image_projector import ImageProjector
from ...video_unets.videocrafter.names import settings_from_shapes, to_network
from ...video_unets.videocrafter.network import TOKENS_PER_FRAME, VideoCrafterUNet
from ...video_unets.videocrafter.system import PREFIX
from ..gold_weights import gold_input, gold_state_dict
from .encoders import CLIP_WIDTH, openclip_text, openclip_vision, small_vae
from .golden_cases import build, golden_shapes, load_case
from .video_network import VideoNetwork, gentle_weights

CONTEXT_WIDTH, TEXT_TOKENS = 48, 77
PUBLISHED_CONTEXT_WIDTH, PUBLISHED_CLIP_WIDTH = 1024, 1280
LATENT_SCALE = 0.18215
CASES = {
    # case: the system whose file it would be
    "videocrafter/t2v_512_v1_w64": "videocrafter1_t2v_512",
    "videocrafter/t2v_1024_v1_w64": "videocrafter1_t2v_1024",
    "videocrafter/t2v_512_v2_w64": "videocrafter2_t2v_512",
    "videocrafter/i2v_512_v1_w64": "videocrafter1_i2v_512",
    "dynamicrafter/dc_256_w64": "dynamicrafter_256",
    "dynamicrafter/dc_1024_w64": "dynamicrafter_512",
}
LOOPS = ("videocrafter/t2v_1024_v1_w64", "videocrafter/t2v_512_v2_w64", "dynamicrafter/dc_1024_w64")
IMAGE_MODELS = {
    "videocrafter/i2v_512_v1_w64": 5,
    "dynamicrafter/dc_256_w64": 4 * TOKENS_PER_FRAME,
    "dynamicrafter/dc_1024_w64": 4 * TOKENS_PER_FRAME,
}
"""Golden cases that begin with an image, and how many image tokens they have (DynamiCrafter: 4 frames)."""


def golden_network(case: str) -> tuple[VideoCrafterUNet, dict[str, torch.Tensor], dict]:
    """The network of a case with the reference's weights, its inputs and outputs, its description."""
    description, io, state_dict = load_case(case)
    settings = settings_from_shapes(FileShapes(description["shapes"], case))
    return build(VideoCrafterUNet, settings, to_network(state_dict)), io, description


def golden_conditions(
    network: VideoCrafterUNet, io: dict[str, torch.Tensor]
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """(text (B, T, D), {fps, image_tokens}) of the reference's single context."""
    context, extra = io["context"], {}
    if network.image_tokens:
        context, extra["image_tokens"] = context[:, :TEXT_TOKENS], context[:, TEXT_TOKENS:]
    if network.fps_embedding is not None:
        extra["fps"] = io["fps"] if "fps" in io else io["fs"]
    return context, extra


class TokensAsGiven(torch.nn.Module):
    """Stands for the image projector where a golden file has the tokens,
    not the view of CLIP that they were made of.
    """

    def __init__(self):
        super().__init__()
        self.proj_in = torch.nn.Linear(CONTEXT_WIDTH, 1)

    def forward(self, tokens):
        return tokens


def _projector(num_queries: int, clip_width: int, out_width: int) -> dict[str, torch.Tensor]:
    """A small `image_proj_model.*` with one attention head of the published width."""
    sizes = {"width": 32, "depth": 1, "inner": 64, "ff_width": 64}
    network = ImageProjector(
        **sizes, num_queries=num_queries, clip_width=clip_width, out_width=out_width, device="meta"
    )
    shapes = {key: value.shape for key, value in network.state_dict().items()}
    weights = gold_state_dict(shapes, {"latents": 6.0})
    return {"image_proj_model." + key: value for key, value in weights.items()}


@functools.cache
def _case(case: str) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Inputs and outputs of a golden case and its network's weights;
    making the weights takes longer than using them.
    """
    _, io, network = load_case(case)
    return io, network


def tensors_of_file(case: str, image_tokens: int = 0) -> dict[str, torch.Tensor]:
    """What a published file of a golden case would hold:
    network, scale_arr, and an image projector where asked for.
    """
    io, network = _case(case)
    tensors = {PREFIX + key: value for key, value in network.items()} | {"alphas_cumprod": torch.ones(1000)}
    if "scale_arr" in io:
        tensors["scale_arr"] = io["scale_arr"]
    return tensors | (_projector(image_tokens, CLIP_WIDTH, CONTEXT_WIDTH) if image_tokens else {})


def tiny_videocrafter(case: str) -> dict[str, torch.Tensor]:
    """`tensors_of_file` with the image projector that the case has."""
    return tensors_of_file(case, IMAGE_MODELS.get(case, 0))


def whole_file(case: str, num_frames: int, base_scale: float) -> dict[str, torch.Tensor]:
    """A whole published file for real encoders: network, text encoder, VAE, and where it begins with an image
    the projector and the image encoder; num_frames: that DynamiCrafter's projector has tokens for.
    """
    shapes = golden_shapes(case, {CONTEXT_WIDTH: PUBLISHED_CONTEXT_WIDTH})
    tensors = {PREFIX + key: value for key, value in gentle_weights(shapes).items()}
    tensors |= openclip_text("cond_stage_model.model.")
    tensors |= {f"first_stage_model.{key}": value for key, value in small_vae().items()}
    tensors["scale_arr"] = torch.cat((torch.linspace(1, base_scale, 400), torch.full((1000,), base_scale)))
    if case in IMAGE_MODELS:
        queries = TOKENS_PER_FRAME * (num_frames if case.startswith("dynamicrafter") else 1)
        tensors |= _projector(queries, PUBLISHED_CLIP_WIDTH, PUBLISHED_CONTEXT_WIDTH)
        tensors |= openclip_vision("embedder.model.visual.")
    return tensors


def load(tensors: dict[str, torch.Tensor]):
    """The LoadedVideoModel of a file with these tensors."""
    folder = Path(tempfile.mkdtemp(prefix="zoetrope-videocrafter-"))
    try:
        save_file({key: value.contiguous() for key, value in tensors.items()}, folder / "model.safetensors")
        return video_model_from_file(str(folder / "model.safetensors"))
    finally:
        shutil.rmtree(folder)


def text(name: str, tokens: int = 7) -> torch.Tensor:
    return gold_input(name, (1, tokens, CONTEXT_WIDTH))


def image_conditions(num_frames: int, size=(8, 8), name: str = "image", fps: float = 24.0) -> dict:
    """What an image-to-video node adds to a conditioning: a view of CLIP and one latent for every frame."""
    latents = gold_input(f"{name} latents", (1, 4, *size)).expand(num_frames, -1, -1, -1)
    return {HIDDEN_STATE: gold_input(f"{name} seen", (1, 9, CLIP_WIDTH)), CONCAT_LATENT: latents, FPS: fps}


def conds_for(case, num_frames=4, size=(8, 8)):
    """A positive and a negative conditioning as the nodes make them."""
    if case not in IMAGE_MODELS:
        return (text("positive"), {FPS: 28.0}), (text("negative"), {FPS: 28.0})
    shown = image_conditions(num_frames, size)
    unseen = shown | {HIDDEN_STATE: gold_input("grey seen", (1, 9, CLIP_WIDTH))}
    return (text("positive"), shown), (text("negative"), unseen)


def sample(
    model, sampler, sigmas, positive, negative, noise, latent=None, cfg=3.0, seed=1, callback=None
) -> torch.Tensor:
    """Core's custom sampling on the CPU: noise (F, 4, H, W) -> samples of that shape;
    positive and negative are (text, extras).
    """
    conds = [[[given[0], dict(given[1])]] for given in (positive, negative)]
    latent = torch.zeros_like(noise) if latent is None else latent
    return comfy.sample.sample_custom(
        model, noise, cfg, sampler, sigmas, *conds, latent, callback=callback, disable_pbar=True, seed=seed
    )


def _network(case: str, system: str) -> VideoNetwork:
    more = {"num_frames": 4, "lengths": (4,), "frame_wise": False} if case.startswith("dynamicrafter") else {}
    return VideoNetwork(
        system,
        partial(tiny_videocrafter, case),
        CONTEXT_WIDTH,
        conditions=lambda frames, latent: conds_for(case, frames, latent[1:])[0][1],
        controlnets=True,
        golden=case,
        **more,
    )


NETWORKS = tuple(_network(case, system) for case, system in CASES.items())
