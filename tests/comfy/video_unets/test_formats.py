"""Published video files are recognised, complete ones only, and anything else is named for what it is."""

import re

import comfy.ops
import pytest
import torch
from zoetrope.tests.networks.golden_cases import hollow, manifest
from zoetrope.video_unets.file_shapes import FileShapes, agreed_size, published_name
from zoetrope.video_unets.formats import (
    VIDEO_UNETS,
    check_weights,
    detect,
    network_weights,
    shapes_of,
    unwrap,
)

# published file: the system it is, None for one that belongs to another loader
PUBLISHED = {
    "modelscope_text2video_pytorch_model": "modelscope",
    "diffusers_text-to-video-ms-1.7b_unet": "modelscope_diffusers",
    "videocrafter1_t2v_512": "videocrafter1_t2v_512",
    "videocrafter1_t2v_1024": "videocrafter1_t2v_1024",
    "videocrafter2_t2v_512": "videocrafter2_t2v_512",
    "videocrafter1_i2v_512": "videocrafter1_i2v_512",
    "dynamicrafter_256": "dynamicrafter_256",
    "dynamicrafter_512": "dynamicrafter_512",
    "dynamicrafter_1024": "dynamicrafter_512",  # the same keys: the file's scale_arr tells them apart
    "lavie_base": "lavie_base",
    "lavie_interpolation": "lavie_interpolation",
    "lavie_vsr": "lavie_vsr",
    "show1_base_unet": "show1_base",
    "show1_interpolation_unet_assumed": "show1_interpolation",
    "show1_sr1_unet": "show1_sr1",
    "modelscope_VQGAN_autoencoder_needed": None,
    "diffusers_text-to-video-ms-1.7b_vae": None,
    "diffusers_svd_xt_unet": "svd_diffusers",
    "diffusers_svd_xt_vae": None,
    "svd": "svd",
    "svd_xt": "svd",
    "svd_image_decoder": "svd",
    "sv3d_u": "sv3d_u",
    "sv3d_p": "sv3d_p",
}
NETWORKS = {name: system for name, system in PUBLISHED.items() if system is not None}
# One file of every layout: those of a finetune have the same keys.
LAYOUTS = list({system: name for name, system in reversed(NETWORKS.items())}.values())
OTHERS = [name for name, system in PUBLISHED.items() if system is None]

SV4D = {
    "model.diffusion_model.input_blocks.1.0.time_stack.in_layers.0.weight": (320,),
    "model.diffusion_model.label_emb.0.0.weight": (1280, 512),
}


def published_tensors(name):
    """A published file's tensors, a number each."""
    return hollow(manifest(name))


def load(tensors, file_name):
    """What a loader does before it copies a weight: detect, build, compare."""
    shapes = shapes_of(tensors, file_name)
    system = detect(shapes)
    settings = system.settings(shapes.without_prefix(system.prefix))
    expected = system.network(
        **settings, device="meta", operations=comfy.ops.disable_weight_init
    ).state_dict()
    weights, published = network_weights(system, tensors)
    check_weights(system, weights, expected, file_name, published)
    return system, weights, expected


@pytest.mark.parametrize("name", NETWORKS)
def test_the_network_has_exactly_the_keys_and_shapes_of_the_published_file(name):
    system, weights, expected = load(published_tensors(name), name)
    assert system.name == NETWORKS[name]
    assert {key: tuple(value.shape) for key, value in weights.items()} == {
        key: tuple(value.shape) for key, value in expected.items()
    }


def test_every_system_has_a_published_file():
    assert set(NETWORKS.values()) == set(VIDEO_UNETS)


@pytest.mark.parametrize("name", NETWORKS)
def test_exactly_one_system_claims_a_published_file(name):
    shapes = FileShapes(manifest(name), name)
    assert [system.name for system in VIDEO_UNETS.values() if system.claims(shapes)] == [NETWORKS[name]]


@pytest.mark.parametrize("name", OTHERS)
def test_no_system_claims_a_file_of_another_loader(name):
    shapes = FileShapes(manifest(name), name)
    assert [system.name for system in VIDEO_UNETS.values() if system.claims(shapes)] == []


def own_keys(name):
    """The keys of the network in a published file."""
    prefix = VIDEO_UNETS[NETWORKS[name]].prefix
    return [key for key in manifest(name) if key.startswith(prefix)]


@pytest.mark.parametrize("name", LAYOUTS)
def test_no_missing_key_makes_a_file_another_system(name):
    """Whichever key is gone: the file is still claimed by its own system alone, or what it lacks is said."""
    shapes = manifest(name)
    keys = own_keys(name)
    wrong = []
    for key in keys[:20] + keys[20::37]:
        damaged = FileShapes({k: v for k, v in shapes.items() if k != key}, name)
        try:
            claimed = [system.name for system in VIDEO_UNETS.values() if system.claims(damaged)]
        except ValueError as error:
            claimed = [NETWORKS[name]] if f"lacks the key '{key}'" in str(error) else [str(error)]
        if claimed != [NETWORKS[name]]:
            wrong.append((key, claimed))
    assert wrong == []


@pytest.mark.parametrize("place", [0.0, 0.31, 0.62, 1.0])
@pytest.mark.parametrize("name", LAYOUTS)
def test_a_missing_key_is_named(name, place):
    keys = own_keys(name)
    key = keys[int(place * (len(keys) - 1))]
    tensors = published_tensors(name)
    del tensors[key]
    with pytest.raises(ValueError, match=f"lacks .*'{re.escape(key)}'"):
        load(tensors, name)


@pytest.mark.parametrize("place", [0.0, 0.31, 0.62, 1.0])
@pytest.mark.parametrize("name", LAYOUTS)
def test_a_reshaped_key_is_named(name, place):
    keys = own_keys(name)
    key = keys[int(place * (len(keys) - 1))]
    tensors = published_tensors(name)
    tensors[key] = torch.empty(1).expand(tensors[key].shape[0] * 2, *tensors[key].shape[1:])
    with pytest.raises(ValueError, match=f"'{re.escape(key)}'"):
        load(tensors, name)


def test_an_unknown_key_is_named():
    tensors = published_tensors("modelscope_text2video_pytorch_model") | {
        "input_blocks.1.0.camera.weight": torch.empty(3)
    }
    with pytest.raises(ValueError, match=r"does not have, the first is 'input_blocks\.1\.0\.camera\.weight'"):
        load(tensors, "camera.pth")


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        (
            {
                "model.diffusion_model.input_blocks.0.0.weight": (320, 4, 3, 3),
                "cond_stage_model.transformer.x": (1,),
            },
            "Load Checkpoint",
        ),
        ({"lora_unet_down_blocks_0.lora_up.weight": (320, 4)}, "a LoRA .use Load LoRA"),
        ({"encoder.down.0.block.0.conv1.weight": (128, 128, 3, 3)}, "a VAE .use Load VAE"),
        ({"first_stage_model.encoder.conv_in.weight": (128, 3, 3, 3)}, "a VAE .use Load VAE"),
        (
            {"down_blocks.0.motion_modules.0.temporal_transformer.proj_in.weight": (320, 320)},
            "Load Motion Module",
        ),
        (SV4D, "another relative of Stable Video Diffusion"),
        (
            {"decoder.mid_block.resnets.0.temporal_res_block.norm1.weight": (512,)},
            "VAE in diffusers' layout .use Load Video VAE",
        ),
        ({"text_model.embeddings.token_embedding.weight": (49408, 768)}, "a text encoder .use Load CLIP"),
        ({}, "no tensors at all"),
    ],
)
def test_another_kind_of_file_is_named(keys, found):
    with pytest.raises(ValueError, match=f"'some.safetensors' is not a video network.*{found}"):
        detect(FileShapes(keys, "some.safetensors"))


@pytest.mark.parametrize("wrapping", [(), ("state_dict",), ("ema",), ("model",), ("state_dict", "model")])
def test_files_are_unwrapped(wrapping):
    content = {"a.weight": torch.ones(1), "step": 5}
    for name in reversed(wrapping):
        content = {name: content, "epoch": 3, "optimizer": {"x": torch.zeros(1)}}
    assert list(unwrap(content)) == ["a.weight"]


def test_prefix_of_deepspeed_is_removed():
    assert list(unwrap({"module": {"_forward_module.model.x": torch.ones(1)}, "dp_world_size": 8})) == [
        "model.x"
    ]


def test_sizes_that_contradict_each_other_name_their_keys():
    shapes = FileShapes({"first": (3, 5), "second": (7, 3)}, "file")
    assert agreed_size(shapes, {"first": 0, "second": 1}) == 3
    with pytest.raises(ValueError, match=r"'first' \(3, 5\), 'second' \(7, 3\) contradict"):
        agreed_size(shapes, {"first": 1, "second": 1})


def test_published_name_of_a_key_that_is_not_there():
    published = {"in.0.bias": "conv_in.bias", "in.1.to_k.weight": "down.0.attn.to_k.weight"}
    assert published_name("in.0.weight", published) == "conv_in.weight"
    assert published_name("in.1.to_q.weight", published) == "down.0.attn.to_q.weight"
    assert published_name("in.0.bias", published) == "conv_in.bias"
