"""LoRAs on a video network:
every way they are published changes exactly the weights that it names, by the right amount.
"""

import comfy.sd
import pytest
import torch
from safetensors.torch import save_file
from zoetrope.host.video_models.loader import video_model_from_file
from zoetrope.host.video_models.loras import add_video_lora
from zoetrope.tests.comfy.golden_unet import golden_model
from zoetrope.tests.gold_weights import gold_input
from zoetrope.tests.networks.golden_cases import manifest
from zoetrope.tests.networks.modelscope import TINY_MODELSCOPE, tiny_modelscope
from zoetrope.tests.networks.svd import LAYOUTS, tiny_svd
from zoetrope.tests.networks.video_networks import VIDEO_NETWORKS
from zoetrope.tests.rounding import WEIGHT
from zoetrope.video_unets.diffusers_names import DiffusersNames, unet3d_modules
from zoetrope.video_unets.loras import LIST_TARGETS

SPATIAL = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
TEMPORAL = "down_blocks.0.temp_attentions.0.transformer_blocks.0.attn2.to_out.0"
PROJECTION = "mid_block.temp_attentions.0.proj_in"
OURS = {
    SPATIAL: "input_blocks.1.1.transformer_blocks.0.attn1.to_q",
    TEMPORAL: "input_blocks.1.2.transformer_blocks.0.attn2.to_out.0",
    PROJECTION: "middle_block.2.proj_in",
}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "model.pth"
    torch.save(tiny_modelscope(), path)
    return video_model_from_file(str(path)).model


def changes(model, patched):
    """{our module or parameter: its change} of a patched MODEL."""
    before = {key: value.clone() for key, value in model.model.diffusion_model.state_dict().items()}
    patched.patch_model(device_to=torch.device("cpu"))
    try:
        after = model.model.diffusion_model.state_dict()
        return {key: after[key] - before[key] for key in before if not torch.equal(after[key], before[key])}
    finally:
        patched.unpatch_model(device_to=torch.device("cpu"))


def pair(name, rows=64, columns=64, rank=3):
    return gold_input(f"{name} up", (rows, rank), 0.1), gold_input(f"{name} down", (rank, columns), 0.1)


def test_layers_are_named_in_diffusers_order():
    keys = manifest("diffusers_text-to-video-ms-1.7b_unet")
    published = [
        key.removesuffix(".weight")
        for key, shape in keys.items()
        if key.endswith(".weight") and len(shape) > 1
    ]
    made = [
        name for name in unet3d_modules([2, 2, 2, 2], [True, True, True, False]) if f"{name}.weight" in keys
    ]
    assert made == published


@pytest.mark.parametrize("strength", [1.0, 0.5])
@pytest.mark.parametrize(
    "file_keys",
    [
        lambda name: (f"{name}.lora_up.weight", f"{name}.lora_down.weight"),
        lambda name: (f"unet.{name}.lora_B.weight", f"unet.{name}.lora_A.weight"),
        lambda name: (f"base_model.model.{name}.lora_B.weight", f"base_model.model.{name}.lora_A.weight"),
        lambda name: (
            f"lora_unet_{name.replace('.', '_')}.lora_up.weight",
            f"lora_unet_{name.replace('.', '_')}.lora_down.weight",
        ),
        lambda name: (f"{name}.lora_B", f"{name}.lora_A"),  # stable_lora, full weights
        lambda name: (f"{OURS[name]}.lora_B", f"{OURS[name]}.lora_A"),  # stable_lora for the webui
    ],
)
def test_pairs_of_matrices_change_the_weights_that_they_name(model, tmp_path, file_keys, strength):
    content, expected = {}, {}
    for name in (SPATIAL, TEMPORAL, PROJECTION):
        up, down = pair(name)
        content |= dict(zip(file_keys(name), (up, down), strict=True))
        expected[f"{OURS[name]}.weight"] = strength * (up @ down)
    save_file(content, tmp_path / "lora.safetensors")
    found = changes(model, add_video_lora(model, str(tmp_path / "lora.safetensors"), strength))
    assert set(found) == set(expected)
    for key, change in expected.items():
        torch.testing.assert_close(found[key].flatten(1), change, atol=WEIGHT, rtol=0)


def test_stable_lora_convolutions(model, tmp_path):
    """Of a 3x3 convolution the pair makes the whole change, of one over three frames the mean of three."""
    plane, frames = "input_blocks.1.0.in_layers.2", "input_blocks.1.0.temopral_conv.conv2.3"
    content, made = {}, {}
    for name in (plane, frames):
        up, down = pair(name, 64 * 3, 64 * 3, rank=6)
        content |= {f"{name}.lora_B": up, f"{name}.lora_A": down}
        made[name] = up @ down
    content["input_blocks.2.op.lora_B"], content["input_blocks.2.op.lora_A"] = pair(
        "op", 64 * 3, 64 * 3, rank=6
    )
    content["input_blocks.1.0.in_layers.2.bias"] = gold_input("bias", (64,))
    save_file(content, tmp_path / "lora.safetensors")
    found = changes(model, add_video_lora(model, str(tmp_path / "lora.safetensors"), 1.0))
    assert set(found) == {
        f"{plane}.weight",
        f"{frames}.weight",
        "input_blocks.2.0.op.weight",
        f"{plane}.bias",
    }
    torch.testing.assert_close(found[f"{plane}.weight"], made[plane].view(64, 64, 3, 3), atol=WEIGHT, rtol=0)
    mean = made[frames].view(64, 64, 3, 3, 1).mean(-2, keepdim=True)
    torch.testing.assert_close(found[f"{frames}.weight"], mean, atol=WEIGHT, rtol=0)
    torch.testing.assert_close(
        found[f"{plane}.bias"] + tiny_modelscope()[f"{plane}.bias"],
        content[f"{plane}.bias"],
        atol=WEIGHT,
        rtol=0,
    )


@pytest.mark.parametrize("target", LIST_TARGETS)
@pytest.mark.parametrize("linear_only", [True, False])
def test_lists_of_matrices_find_their_layers(model, tmp_path, target, linear_only):
    own = model.model.diffusion_model.state_dict()
    modules = unet3d_modules(TINY_MODELSCOPE["num_res_blocks"], [True, False])
    names = DiffusersNames(f"{module}." for module in modules)
    content, expected = [], {}
    for module in modules:
        weight = own.get(f"{names.core_name(module)}.weight")
        if (
            weight is None
            or not any(part in module for part in LIST_TARGETS[target])
            or (linear_only and weight.ndim > 3)
        ):
            continue
        down = gold_input(
            f"{module} down", (2, *(weight.shape[1:] if weight.ndim > 3 else weight.shape[1:2])), 0.1
        )
        up = gold_input(
            f"{module} up", (weight.shape[0], 2, *([1] * (weight.ndim - 2) if weight.ndim > 3 else [])), 0.1
        )
        content += [up, down]
        expected[f"{names.core_name(module)}.weight"] = (up.flatten(1) @ down.flatten(1)).view(weight.shape)
    torch.save(content, tmp_path / "lora.pt")
    found = changes(model, add_video_lora(model, str(tmp_path / "lora.pt"), 1.0))
    assert set(found) == set(expected)
    for key, change in expected.items():
        torch.testing.assert_close(found[key], change, atol=WEIGHT, rtol=0)


def test_core_load_lora_reads_our_names(model):
    """What core's own LoRA loader can map,
    the spatial and the original temporal names, needs no node of ours.
    """
    up, down = pair("x")
    flat = OURS[TEMPORAL].replace(".", "_")
    lora = {f"lora_unet_{flat}.lora_up.weight": up, f"lora_unet_{flat}.lora_down.weight": down}
    patched, _ = comfy.sd.load_lora_for_models(model, None, lora, 1.0, 0.0)
    assert set(changes(model, patched)) == {f"{OURS[TEMPORAL]}.weight"}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            {"lora_unet_double_blocks_0.lora_up.weight": torch.zeros(2, 2)},
            "changes no layer of ModelScopeT2V",
        ),
        ({f"{SPATIAL}.lora_A": torch.zeros(3, 64)}, rf"lacks '{SPATIAL}\.lora_B'"),
        (
            {f"{SPATIAL}.lora_A": torch.zeros(3, 320), f"{SPATIAL}.lora_B": torch.zeros(320, 3)},
            "trained on another network",
        ),
        (
            [torch.zeros(64, 3), torch.zeros(3, 64)],
            "list of 2 matrices, which fit the layers of this MODEL in no order",
        ),
    ],
)
def test_a_lora_that_does_not_fit_is_refused(model, tmp_path, content, told):
    torch.save(content, tmp_path / "lora.pt")
    with pytest.raises(ValueError, match=f"'lora.pt'.*{told}"):
        add_video_lora(model, str(tmp_path / "lora.pt"), 1.0)


def test_an_image_model_is_sent_to_load_lora():
    with pytest.raises(ValueError, match="for image checkpoints use Load LoRA"):
        add_video_lora(golden_model(), "lora.pt", 1.0)


def test_the_model_itself_keeps_its_weights(model, tmp_path):
    torch.save(
        {f"{SPATIAL}.lora_A": torch.ones(3, 64), f"{SPATIAL}.lora_B": torch.ones(64, 3)}, tmp_path / "lora.pt"
    )
    add_video_lora(model, str(tmp_path / "lora.pt"), 1.0)
    assert model.patches == {}


CASCADES = {
    # system: {module as the published file names it: our name}
    "lavie_base": {
        SPATIAL: OURS[SPATIAL],
        "down_blocks.0.attentions.0.transformer_blocks.0.attn_temp.to_v": (
            "input_blocks.1.1.transformer_blocks.0.ff.attn_temp.to_v"
        ),
    },
    "lavie_vsr": {
        "down_blocks.0.attentions.0.resblock_temporal.conv1": "input_blocks.1.1.conv1",
        "mid_temporal_block.shift_conv": "middle_block.5.shift_conv",
    },
    "show1_base": {
        name: name
        for name in (
            "down_blocks.1.attentions.0.to_q",
            "mid_block.temp_attentions.0.transformer_blocks.0.attn1.to_k",
        )
    },
}


@pytest.mark.parametrize("prefix", ["", "unet.", "lora_unet_"])
@pytest.mark.parametrize("name", CASCADES)
def test_lavie_and_show1_have_the_names_of_their_published_files(tmp_path, name, prefix):
    VIDEO_NETWORKS[name].write(tmp_path / "model.pth")
    cascade = video_model_from_file(str(tmp_path / "model.pth")).model
    content, expected = {}, {}
    for published, ours in CASCADES[name].items():
        shape = cascade.model.diffusion_model.state_dict()[f"{ours}.weight"].shape
        up, down = pair(published, shape[0], shape[1:].numel())
        key = prefix + (published.replace(".", "_") if prefix.endswith("_") else published)
        content |= {f"{key}.lora_up.weight": up, f"{key}.lora_down.weight": down}
        expected[f"{ours}.weight"] = (up @ down).view(shape)
    save_file(content, tmp_path / "lora.safetensors")
    found = changes(cascade, add_video_lora(cascade, str(tmp_path / "lora.safetensors"), 1.0))
    assert set(found) == set(expected)
    for key, change in expected.items():
        torch.testing.assert_close(found[key], change, atol=WEIGHT, rtol=0)


CAMERA = {
    f"{place}.temporal_transformer_blocks.0.{layer}": f"{ours}.time_stack.0.{layer}"
    for place, ours in (
        ("down_blocks.0.attentions.0", "input_blocks.1.1"),
        ("mid_block.attentions.0", "middle_block.1"),
        ("up_blocks.1.attentions.1", "output_blocks.3.1"),
    )
    for layer in ("attn1.to_q", "attn1.to_out.0")
}
"""Layers that a camera-motion LoRA for Stable Video Diffusion changes: attention over frames alone."""


@pytest.fixture(scope="module", params=LAYOUTS)
def svd_model(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("svd") / "svd.safetensors"
    save_file(tiny_svd(request.param), path)
    return video_model_from_file(str(path)).model


@pytest.mark.parametrize(
    "file_keys",
    [
        lambda name: (f"unet.{name}.lora_B.weight", f"unet.{name}.lora_A.weight"),
        lambda name: (f"base_model.model.{name}.lora_B.weight", f"base_model.model.{name}.lora_A.weight"),
        lambda name: (
            f"lora_unet_{name.replace('.', '_')}.lora_up.weight",
            f"lora_unet_{name.replace('.', '_')}.lora_down.weight",
        ),
        lambda name: (
            f"diffusion_model.{CAMERA[name]}.lora_B.weight",
            f"diffusion_model.{CAMERA[name]}.lora_A.weight",
        ),
    ],
)
def test_camera_motion_loras_change_attention_over_frames_alone(svd_model, tmp_path, file_keys):
    content, expected = {}, {}
    for name, ours in CAMERA.items():
        up, down = pair(name)
        content |= dict(zip(file_keys(name), (up, down), strict=True))
        expected[f"{ours}.weight"] = 0.5 * (up @ down)
    save_file(content, tmp_path / "pan_left.safetensors")
    found = changes(svd_model, add_video_lora(svd_model, str(tmp_path / "pan_left.safetensors"), 0.5))
    assert set(found) == set(expected)
    for key, change in expected.items():
        torch.testing.assert_close(found[key], change, atol=WEIGHT, rtol=0)


def test_convolutions_over_frames_and_positions_of_frames_can_be_changed(svd_model, tmp_path):
    conv, position = (
        "down_blocks.0.resnets.0.temporal_res_block.conv1",
        "down_blocks.0.attentions.0.time_pos_embed.linear_1",
    )
    up, down = gold_input("up", (64, 3, 1, 1, 1), 0.1), gold_input("down", (3, 64, 3, 1, 1), 0.1)
    content = {f"unet.{conv}.lora_B.weight": up, f"unet.{conv}.lora_A.weight": down}
    content[f"unet.{position}.lora_B.weight"], content[f"unet.{position}.lora_A.weight"] = pair(
        "position", 256, 64
    )
    save_file(content, tmp_path / "lora.safetensors")
    found = changes(svd_model, add_video_lora(svd_model, str(tmp_path / "lora.safetensors"), 1.0))
    conv_key = "input_blocks.1.0.time_stack.in_layers.2.weight"
    assert set(found) == {conv_key, "input_blocks.1.1.time_pos_embed.0.weight"}
    torch.testing.assert_close(
        found[conv_key], (up.flatten(1) @ down.flatten(1)).view(64, 64, 3, 1, 1), atol=WEIGHT, rtol=0
    )
