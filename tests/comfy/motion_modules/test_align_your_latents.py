"""Align Your Latents gives the numbers of core's blocks for Stable Video Diffusion: whole UNets."""

import pytest
import torch
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
from zoetrope.host.injection.apply import attention_with
from zoetrope.host.injection.places import places_of
from zoetrope.motion_modules.align_your_latents import METHOD
from zoetrope.motion_modules.call import Call
from zoetrope.motion_modules.methods import METHODS
from zoetrope.motion_modules.points import inject
from zoetrope.tests.gold_weights import gold_input, gold_state_dict
from zoetrope.tests.networks.image_unets import IMAGE_UNETS
from zoetrope.tests.rounding import assert_same
from zoetrope.video_unets.svd.names import SVDNames

B, F, H, W = 2, 5, 8, 16
TEMPORAL_SETTINGS = {
    "use_temporal_resblock": True,
    "use_temporal_attention": True,
    "disable_temporal_crossattention": True,
    "extra_ff_mix_layer": True,
    "merge_strategy": "learned_with_images",
    "video_kernel_size": [3, 1, 1],
}


def trained(places):
    """The layers with seeded weights, none of them at rest."""
    network = METHOD.build(METHOD.new(places))
    shapes = {key: value.shape for key, value in network.state_dict().items()}
    network.load_state_dict(gold_state_dict(shapes))
    return network.requires_grad_(False)


def core_unet(kind, network):
    """Core's UNet with temporal blocks: the checkpoint's weights, and the network's under core's names."""
    model = IMAGE_UNETS[kind].model().model
    video = UNetModel(**{**model.model_config.unet_config, **TEMPORAL_SETTINGS})
    weights, last_level = METHOD.to_file(network), len(model.diffusion_model.channel_mult) - 1
    samplers = [f"down_blocks.{level}.downsamplers.0.conv.weight" for level in range(last_level)]
    names = SVDNames([*weights, *samplers])
    # Without attention to text core adds what the attention over frames gives twice (0.30).
    temporal = {names.core_name(key): value / (2 if ".attn1.to_out." in key else 1)
                for key, value in weights.items()}  # fmt: skip
    video.load_state_dict({**model.diffusion_model.state_dict(), **temporal})
    return video.requires_grad_(False).eval()


@pytest.mark.parametrize("kind", IMAGE_UNETS)
def test_the_whole_unet_is_core_s_with_temporal_blocks(kind):
    base = IMAGE_UNETS[kind]
    unet = base.model().model.diffusion_model
    places = places_of(unet)
    network = trained(places)
    x, context = gold_input("x", (B * F, 4, H, W)), gold_input("context", (B * F, 7, base.text_width))
    t, y = torch.linspace(100, 900, B * F), None
    if unet.num_classes is not None:
        y = gold_input("y", (B * F, base.model().model.adm_channels))

    def resolve(forward):
        return Call(forward, F, attention=attention_with(forward.options))

    plain = unet(x, t, context=context, y=y)
    with inject(unet, METHOD.acts(network, places), resolve):
        got = unet(x, t, context=context, y=y)
    want = core_unet(kind, network)(x, t, context=context, y=y, num_video_frames=F)
    assert_same(got, want)
    assert (got - plain).abs().max() > 0.1 * plain.std()


def test_a_picture_alone_skips_the_temporal_layers():
    unet = IMAGE_UNETS["SD1.x"].model().model.diffusion_model
    network = trained(places_of(unet))
    x, context = gold_input("x", (B, 4, H, W)), gold_input("context", (B, 7, 48))
    t = torch.full((B,), 500.0)
    plain = unet(x, t, context=context)
    with inject(unet, METHOD.acts(network, places_of(unet)), lambda forward: Call(forward, 1)):
        assert torch.equal(unet(x, t, context=context), plain)


def test_a_whole_network_of_stable_video_diffusion_is_not_claimed():
    places = places_of(IMAGE_UNETS["SD1.x"].model().model.diffusion_model)
    keys = frozenset(METHOD.to_file(METHOD.build(METHOD.new(places))))
    assert [method.name for method in METHODS.values() if method.claims(keys)] == [METHOD.name]
    assert not METHOD.claims(keys | {"down_blocks.0.resnets.0.spatial_res_block.conv1.weight"})


def test_a_base_with_other_noise_levels_is_refused():
    places = places_of(IMAGE_UNETS["SD1.x"].model().model.diffusion_model)
    config = METHOD.new(places)
    network = METHOD.build(type(config)(config.resblocks, config.attentions, 7), device="meta")
    assert METHOD.misfit(network, places) == "it reads noise levels of 7 channels, this checkpoint has 128"
