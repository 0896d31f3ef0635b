"""Small VAEs as core's VAE objects: of images one by one, SVD's decoder over a batch, Wan's over time."""

import functools

import comfy.ldm.wan.vae
import comfy.model_patcher
import comfy.sd
import comfy.taesd.taesd
import torch
from comfy.ldm.models.autoencoder import AutoencoderKL, AutoencodingEngine
from zoetrope.tests.gold_weights import fill


@functools.cache
def image_vae():
    """TAESD: 4 channels, 8 pixels a latent, frames one by one."""
    network = fill(comfy.taesd.taesd.TAESD(), skip=("vae_",))
    network.taesd_decoder[-1].bias.data += 0.8  # pictures of drawn weights are black everywhere without
    return comfy.sd.VAE(sd=network.state_dict())


SVD = {
    "double_z": True,
    "z_channels": 4,
    "resolution": 256,
    "in_channels": 3,
    "out_ch": 3,
    "ch": 32,
    "ch_mult": [1, 1, 1, 1],
    "num_res_blocks": 1,
    "attn_resolutions": [],
    "dropout": 0.0,
}
OVER_FRAMES = {"video_kernel_size": [3, 1, 1], "alpha": 0.0}


@functools.cache
def svd_vae():
    """SVD's decoder, whose frames of a batch look at their neighbours, 32 channels wide."""
    return _around(fill(_engine("temporal_ae.VideoDecoder", {**SVD, **OVER_FRAMES})))


@functools.cache
def svd_image_vae():
    """SVD's VAE without the layers over frames: the same weights, an image VAE."""
    network = _engine("diffusionmodules.model.Decoder", SVD)
    network.load_state_dict(svd_vae().first_stage_model.state_dict(), strict=False)
    return _around(network)


@functools.cache
def kl_vae():
    """An SD1.x VAE, 64 and 128 channels wide."""
    return _around(fill(AutoencoderKL(ddconfig={**SVD, "ch": 64, "ch_mult": [1, 1, 1, 2]}, embed_dim=4)))


def _engine(decoder, settings):
    return AutoencodingEngine(
        regularizer_config={"target": "comfy.ldm.models.autoencoder.DiagonalGaussianRegularizer"},
        encoder_config={"target": "comfy.ldm.modules.diffusionmodules.model.Encoder", "params": SVD},
        decoder_config={"target": f"comfy.ldm.modules.{decoder}", "params": settings},
    )


def _around(network):
    """A small network of Stable Diffusion's kind as core's VAE object."""
    vae = image_vae.__wrapped__()
    vae.first_stage_model = network.eval().to(vae.vae_dtype)
    vae.patcher = comfy.model_patcher.CoreModelPatcher(
        vae.first_stage_model, load_device=vae.device, offload_device=torch.device("cpu")
    )
    vae.process_output = lambda image: image.add_(1.0).div_(2.0).clamp_(0.0, 1.0)
    vae.process_input = lambda image: image * 2.0 - 1.0
    return vae


@functools.cache
def wan_vae():
    """Wan 2.1's causal VAE, 8 channels wide: 16 channels, 8 pixels a latent, 4n - 3 frames of n latents."""
    network = comfy.ldm.wan.vae.WanVAE(dim=8, z_dim=16, temperal_downsample=[False, True, True])
    return comfy.sd.VAE(sd=fill(network).state_dict())
