"""A cancelled run ends inside a chunk:
what the VAE would still compute is left out, and the VAE works as ever afterwards.
"""

import comfy.model_management
import pytest
import torch
from zoetrope.host.media.latent_stream import ChunkRequest, LatentStream
from zoetrope.host.media.vae_cancelling import cancelled_between_layers
from zoetrope.tests.comfy.host.media.small_vaes import image_vae, svd_vae, wan_vae
from zoetrope.tests.gold_weights import gold_input

VAES = {
    "image": (image_vae, (3, 4, 5, 3)),
    "svd": (svd_vae, (3, 4, 5, 3)),
    "wan": (wan_vae, (1, 16, 2, 5, 3)),
}


@pytest.fixture(autouse=True)
def as_comfyui_runs_nodes():
    with torch.inference_mode():
        yield
    comfy.model_management.interrupt_current_processing(False)


@pytest.mark.parametrize("kind", VAES)
@pytest.mark.parametrize("tile_size", [0, 64])
def test_a_cancel_in_the_middle_of_a_chunk(kind, tile_size):
    make, shape = VAES[kind]
    vae, ran = make(), []
    layers = [module for module in vae.first_stage_model.modules() if not list(module.children())]

    def after(module, inputs, output):
        ran.append(module)
        if len(ran) == 4:
            comfy.model_management.interrupt_current_processing(True)

    watching = [layer.register_forward_hook(after) for layer in layers]
    stream = LatentStream(vae, gold_input("samples", shape), ChunkRequest(tile_size=tile_size))
    try:
        with pytest.raises(comfy.model_management.InterruptProcessingException):
            next(stream.frames())
    finally:
        for hook in watching:
            hook.remove()
    assert len(ran) == 4
    assert not any(module._forward_pre_hooks for module in vae.first_stage_model.modules())
    assert next(stream.frames())[0].isfinite().all()  # and goes on as before


def test_encoding_ends_too():
    vae = image_vae()
    comfy.model_management.interrupt_current_processing(True)
    with pytest.raises(comfy.model_management.InterruptProcessingException), cancelled_between_layers(vae):
        vae.encode(torch.rand(2, 24, 40, 3))
