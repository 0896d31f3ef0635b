import functools

import pytest
import torch
from zoetrope.motion_modules.animatediff.files import MOTION_FORMATS, read_motion_module, to_original_names
from zoetrope.motion_modules.animatediff.layers import MotionConfig, MotionModel, animatediff_sites
from zoetrope.motion_modules.animatediff.motion_lora import read_motion_lora

CHANNELS = {4: (32, 64, 96, 96), 3: (32, 64, 96)}


@functools.cache
def weights_of(version: str) -> dict[str, torch.Tensor]:
    torch.manual_seed(7)
    channels = CHANNELS[3 if version == "sdxl" else 4]
    config = MotionConfig(
        version, animatediff_sites(channels, version == "v2"), position_length=24 if version == "v1" else 32
    )
    sd = to_original_names(MotionModel(config))
    return {k: v if k.endswith(".pe") else torch.randn_like(v) for k, v in sd.items()}


def made_file(version: str, with_tables=True) -> dict[str, torch.Tensor]:
    """A small module under its published names, random weights."""
    return {k: v for k, v in weights_of(version).items() if with_tables or not k.endswith(".pe")}


def as_diffusers(sd: dict) -> dict:
    out = {}
    for key, value in sd.items():
        key = key.replace(".temporal_transformer", "")
        for ours, theirs in (
            (".attention_blocks.0.pos_encoder", ".pos_embed"),
            (".attention_blocks.1.pos_encoder", ".pos_embed"),
            (".attention_blocks.0.", ".attn1."),
            (".attention_blocks.1.", ".attn2."),
            (".norms.0.", ".norm1."),
            (".norms.1.", ".norm2."),
            (".ff_norm.", ".norm3."),
        ):
            key = key.replace(ours, theirs)
        out[key] = value
    return out


@pytest.mark.parametrize("version", ["v1", "v2", "v3", "sdxl"])
def test_version_is_read_from_keys_and_shapes(version):
    config, _ = read_motion_module(made_file(version))
    assert config.version == version
    assert config.has_mid == (version == "v2")
    assert config.position_length == (24 if version == "v1" else 32)
    assert config.num_levels == (3 if version == "sdxl" else 4)
    assert (config.num_attention_blocks, config.num_transformer_blocks, config.modules_per_down_level) == (
        2,
        1,
        2,
    )


def _wrap_state_dict(sd):
    return {"epoch": 3, "global_step": 17, "state_dict": sd}


def _wrap_config(sd):
    return {
        "state_dict": {"module." + k: v for k, v in sd.items()},
        "animatediff_config": {"use_motion_module": True},
    }


def _with_the_whole_unet(sd):
    return sd | {
        "conv_in.weight": torch.zeros(32, 4, 3, 3),
        "down_blocks.0.resnets.0.norm1.weight": torch.zeros(32),
    }


def _with_1x1_convolutions(sd):
    return {k: v[:, :, None, None] if "proj_in.weight" in k else v for k, v in sd.items()}


@pytest.mark.parametrize(
    "layout",
    [
        dict,
        as_diffusers,
        _wrap_state_dict,
        _wrap_config,
        _with_the_whole_unet,
        _with_1x1_convolutions,
        lambda sd: {"module." + k: v for k, v in sd.items()},
        lambda sd: {"unet." + k: v for k, v in sd.items()},
    ],
    ids=["plain", "diffusers", "state_dict", "module+config", "whole unet", "1x1 conv", "module.", "unet."],
)
@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
def test_every_published_layout_gives_the_same_model(version, layout):
    original = made_file(version)
    config, sd = read_motion_module(layout(original))
    model = MotionModel(config, device="meta")
    model.load_state_dict(sd, strict=True, assign=True)
    again = to_original_names(model)
    assert set(again) == set(original)
    assert all(torch.equal(again[k], original[k]) for k in original)


def test_each_layout_is_claimed_by_exactly_one_format():
    for sd in (made_file("v2"), as_diffusers(made_file("v2"))):
        assert sum(f.matches(frozenset(sd)) for f in MOTION_FORMATS.values()) == 1


def test_files_without_position_tables_get_animatelcm_s_sinusoids():
    config, sd = read_motion_module(made_file("v3", with_tables=False))
    assert (config.version, config.position_length) == ("animatelcm", 64)
    table = sd[
        "down_blocks.0.motion_modules.0.temporal_transformer.transformer_blocks.0.attention_blocks.0.pos_encoder.pe"
    ]
    assert table.shape == (1, 64, 32)
    assert table[0, 0, 1] == 1.0


BLOCK = "motion_modules.0.temporal_transformer.transformer_blocks.0"
WRONG_FILES = {
    "a LoRA": {"lora_unet_down_blocks_0_attentions_0.lora_up.weight": torch.zeros(2, 2)},
    "a VAE": {"first_stage_model.encoder.conv_in.weight": torch.zeros(2, 3, 3, 3)},
    "a whole checkpoint": {"model.diffusion_model.input_blocks.0.0.weight": torch.zeros(2, 4, 3, 3)},
    "a ControlNet": {"control_model.input_blocks.0.0.weight": torch.zeros(2)},
    "a text encoder": {"text_model.embeddings.token_embedding.weight": torch.zeros(2, 3)},
    "a MotionLoRA": {
        f"down_blocks.0.{BLOCK}.attention_blocks.0.processor.to_q_lora.down.weight": torch.zeros(4, 32)
    },
    "no tensors": {"epoch": 3},
    "other keys": {"something.else": torch.zeros(2)},
}


@pytest.mark.parametrize("kind", WRONG_FILES)
def test_another_kind_of_file_is_refused_by_name(kind):
    with pytest.raises(ValueError, match=f"wrong.safetensors.*{kind}"):
        read_motion_module(WRONG_FILES[kind], "wrong.safetensors")


def test_a_motion_module_given_as_motion_lora_is_refused():
    with pytest.raises(ValueError, match="is not a MotionLoRA"):
        read_motion_lora(made_file("v2"), "mm.ckpt")


def test_damage_is_named_with_the_key():
    whole = made_file("v3")
    key = f"up_blocks.1.{BLOCK.replace('.0.', '.2.', 1)}.attention_blocks.1.to_v.weight"
    with pytest.raises(ValueError, match="lacks the key.*to_v"):
        read_motion_module({k: v for k, v in whole.items() if k != key}, "mm.ckpt")
    with pytest.raises(ValueError, match="to_v.weight' has shape"):
        read_motion_module(whole | {key: torch.zeros(3, 5)}, "mm.ckpt")
    with pytest.raises(ValueError, match="to_w"):
        read_motion_module(whole | {key.replace("to_v", "to_w"): torch.zeros(3, 5)}, "mm.ckpt")
    for steering in ("qkv_merge", "cc_projection"):
        with pytest.raises(ValueError, match="is a camera control; .* the node 'Load Camera Control'"):
            read_motion_module(whole | {key.replace("to_v", steering): torch.zeros(3, 5)}, "mm.ckpt")
    with pytest.raises(ValueError, match="incomplete"):
        read_motion_module({k: v for k, v in whole.items() if k.startswith("up_blocks")}, "mm.ckpt")


def test_modules_that_need_more_than_themselves_are_refused():
    with pytest.raises(ValueError, match="PIA"):
        read_motion_module(made_file("v3") | {"conv_in.weight": torch.zeros(32, 9, 3, 3)}, "pia.ckpt")
    sparse = made_file("v3") | {"controlnet_cond_embedding.weight": torch.zeros(3)}
    for layout in (sparse, {"controlnet": sparse}):
        with pytest.raises(ValueError, match="SparseCtrl"):
            read_motion_module(layout, "sparsectrl.ckpt")


LORA_SITE = "down_blocks.1.motion_modules.0."


@pytest.mark.parametrize(
    "pattern",
    [
        LORA_SITE
        + "temporal_transformer.transformer_blocks.0.attention_blocks.1.processor.{}_lora.{}.weight",
        LORA_SITE + "transformer_blocks.0.attn2.processor.{}_lora.{}.weight",
        "unet." + LORA_SITE + "transformer_blocks.0.attn2.{}.lora.{}.weight",
    ],
)
def test_motion_lora_layouts_name_the_same_weights(pattern):
    tensors = {}
    for target in ("to_q", "to_k", "to_v", "to_out"):
        name = "to_out.0" if target == "to_out" and "processor" not in pattern else target
        tensors[pattern.format(name, "down")] = torch.full((3, 32), 2.0)
        tensors[pattern.format(name, "up")] = torch.full((32, 3), 5.0)
    changes = {(c.key, c.part): c for c in read_motion_lora(tensors)}
    base = LORA_SITE + "temporal_transformer.transformer_blocks.0.attention_blocks.1."
    assert set(changes) == {(base + "to_qkv.weight", i) for i in range(3)} | {
        (base + "to_out.0.weight", None)
    }
    assert changes[base + "to_qkv.weight", 2].up.shape == (32, 3)


def test_motion_lora_with_half_a_pair_is_refused():
    key = (
        LORA_SITE
        + "temporal_transformer.transformer_blocks.0.attention_blocks.1.processor.to_q_lora.up.weight"
    )
    with pytest.raises(ValueError, match="other half"):
        read_motion_lora({key: torch.zeros(32, 3)}, "half.ckpt")
