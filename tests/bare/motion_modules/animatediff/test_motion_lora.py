"""MotionLoRA files as trainers write them: every pair is found with its scale, or the file is refused."""

import pytest
import torch
from zoetrope.motion_modules.animatediff.files import read_motion_module
from zoetrope.motion_modules.animatediff.motion_lora import keys_outside_motion_modules, read_motion_lora

C, RANK = 32, 3
SITE = "up_blocks.3.motion_modules.2.temporal_transformer."
BLOCK = SITE + "transformer_blocks.0."
# Each layer of a motion module: (weight of a MotionModel, part of it), rows, columns.
LAYERS = {
    "proj_in": ((SITE + "proj_in.weight", None), C, C),
    "proj_out": ((SITE + "proj_out.weight", None), C, C),
    "transformer_blocks.0.attention_blocks.0.to_q": ((BLOCK + "attention_blocks.0.to_qkv.weight", 0), C, C),
    "transformer_blocks.0.attention_blocks.0.to_k": ((BLOCK + "attention_blocks.0.to_qkv.weight", 1), C, C),
    "transformer_blocks.0.attention_blocks.1.to_v": ((BLOCK + "attention_blocks.1.to_qkv.weight", 2), C, C),
    "transformer_blocks.0.attention_blocks.1.to_out.0": (
        (BLOCK + "attention_blocks.1.to_out.0.weight", None),
        C,
        C,
    ),
    "transformer_blocks.0.ff.net.0.proj": ((BLOCK + "ff.net.0.proj.weight", None), 8 * C, C),
    "transformer_blocks.0.ff.net.2": ((BLOCK + "ff.net.2.weight", None), C, 4 * C),
}
ORIGINAL, DIFFUSERS = SITE, SITE.removesuffix("temporal_transformer.")


def in_diffusers_words(layer):
    return layer.replace("attention_blocks.0", "attn1").replace("attention_blocks.1", "attn2")


def as_animatediff(layer, side):
    """`processor` before the last word; AnimateDiff itself leaves out the 0 of to_out."""
    head, _, last = layer.removesuffix(".0").rpartition(".")
    return f"{ORIGINAL}{head}{'.' if head else ''}processor.{last}_lora.{side}.weight"


def as_motion_director(layer, side):
    head, _, last = layer.rpartition(".")
    return f"{ORIGINAL}{head}{'.' if head else ''}processor.{last}_lora.{side}.weight"


def as_kohya(layer, side):
    return f"lora_unet_{(ORIGINAL + layer).replace('.', '_')}.lora_{side}.weight"


def as_kohya_of_diffusers(layer, side):
    return f"lora_unet_{(DIFFUSERS + in_diffusers_words(layer)).replace('.', '_')}.lora_{side}.weight"


LETTER = {"up": "B", "down": "A"}
TRAINERS = {
    "AnimateDiff": as_animatediff,
    "AnimateDiff, distributed": lambda layer, side: "module." + as_animatediff(layer, side),
    "AnimateDiff converted for diffusers": lambda layer, side: (
        "unet." + in_diffusers_words(as_animatediff(layer, side).replace("temporal_transformer.", ""))
    ),
    "MotionDirector": as_motion_director,
    "MotionDirector, plain": lambda layer, side: f"{ORIGINAL}{layer}.lora_{side}.weight",
    "diffusers": lambda layer, side: f"unet.{DIFFUSERS}{in_diffusers_words(layer)}.lora.{side}.weight",
    "diffusers, layers": lambda layer, side: (
        f"{DIFFUSERS}{in_diffusers_words(layer)}.lora_linear_layer.{side}.weight"
    ),
    "diffusers, with PEFT": lambda layer, side: (
        f"unet.{DIFFUSERS}{in_diffusers_words(layer)}.lora_{LETTER[side]}.weight"
    ),
    "PEFT": lambda layer, side: (
        f"base_model.model.{DIFFUSERS}{in_diffusers_words(layer)}.lora_{LETTER[side]}.weight"
    ),
    "PEFT, named": lambda layer, side: (
        f"base_model.model.{ORIGINAL}{layer}.lora_{LETTER[side]}.default.weight"
    ),
    "loralib": lambda layer, side: f"{ORIGINAL}{layer}.lora_{LETTER[side]}",
    "kohya": as_kohya,
    "kohya, diffusers' words": as_kohya_of_diffusers,
}


def pairs(trainer):
    """A file with a pair for every layer, and what each pair is."""
    torch.manual_seed(3)
    tensors, wanted = {}, {}
    for layer, (target, rows, columns) in LAYERS.items():
        up, down = torch.randn(rows, RANK), torch.randn(RANK, columns)
        tensors[TRAINERS[trainer](layer, "up")], tensors[TRAINERS[trainer](layer, "down")] = up, down
        wanted[target] = up, down
    return tensors, wanted


@pytest.mark.parametrize("trainer", TRAINERS)
def test_every_pair_of_every_layer_is_read(trainer):
    tensors, wanted = pairs(trainer)
    assert len(tensors) == 2 * len(LAYERS)
    changes = {(c.key, c.part): c for c in read_motion_lora(tensors)}
    assert set(changes) == set(wanted)
    for target, (up, down) in wanted.items():
        assert changes[target].up is up and changes[target].down is down
        assert changes[target].scale == 1.0
    assert keys_outside_motion_modules(tensors) == []


@pytest.mark.parametrize(
    "alpha_name",
    [
        as_motion_director("transformer_blocks.0.ff.net.2", "up").replace(".up.weight", ".alpha"),
        as_kohya("transformer_blocks.0.ff.net.2", "up").replace(".lora_up.weight", ".alpha"),
        f"unet.{DIFFUSERS}transformer_blocks.0.ff.net.2.lora.alpha",
        f"base_model.model.{DIFFUSERS}transformer_blocks.0.ff.net.2.alpha",
    ],
)
def test_alpha_is_divided_by_the_rank(alpha_name):
    tensors, wanted = pairs("MotionDirector")
    changes = {(c.key, c.part): c.scale for c in read_motion_lora(tensors | {alpha_name: torch.tensor(1.5)})}
    assert changes == {target: 0.5 if target[0].endswith("ff.net.2.weight") else 1.0 for target in wanted}
    changes = {
        (c.key, c.part): c.scale
        for c in read_motion_lora(tensors | {alpha_name: torch.tensor(1.5)}, file_alpha=6.0)
    }
    assert changes == {target: 0.5 if target[0].endswith("ff.net.2.weight") else 2.0 for target in wanted}


def test_pairs_of_1x1_convolutions_are_the_same_matrices():
    tensors, wanted = pairs("kohya")
    (up, down) = wanted[SITE + "proj_in.weight", None]
    for side, value in (("up", up), ("down", down)):
        tensors[as_kohya("proj_in", side)] = value[:, :, None, None]
    (change,) = [c for c in read_motion_lora(tensors) if c.key.endswith("proj_in.weight")]
    assert torch.equal(change.up, up) and torch.equal(change.down, down)


def test_the_middle_block_and_every_index_are_kept():
    block = "mid_block.motion_modules.0.temporal_transformer.transformer_blocks.1.attention_blocks.3."
    halves = {"up": torch.zeros(C, RANK), "down": torch.zeros(RANK, C)}
    (change,) = read_motion_lora({f"{block}to_k.lora_{side}.weight": half for side, half in halves.items()})
    assert (change.key, change.part) == (block + "to_qkv.weight", 1)


Q = f"{ORIGINAL}transformer_blocks.0.attention_blocks.0.to_q"
KINDS = {
    "DoRA": {f"{Q}.dora_scale": torch.ones(C, 1)},
    "DoRA.*PEFT's": {f"base_model.model.{Q}.lora_magnitude_vector.default.weight": torch.ones(C)},
    "LoHa": {f"{Q}.hada_w1_a": torch.ones(C, 2), f"{Q}.hada_w1_b": torch.ones(2, C)},
    "LoKr": {f"{as_kohya('proj_in', 'up').removesuffix('.lora_up.weight')}.lokr_w1": torch.ones(2, 2)},
    "OFT": {f"{Q}.oft_blocks": torch.ones(2, 2)},
    "whole differences": {f"{Q}.diff": torch.ones(C, C)},
    "LoRA with biases": {f"{Q}.lora_B.bias": torch.ones(C)},
    "layers or names that are not known": {f"{SITE}conv_extra.lora_up.weight": torch.ones(C, 2)},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("with_pairs", [True, False])
def test_what_cannot_be_applied_is_refused_with_its_keys(kind, with_pairs):
    tensors = (pairs("AnimateDiff")[0] if with_pairs else {}) | KINDS[kind]
    with pytest.raises(
        ValueError, match=f"x.safetensors.*{kind.split('.*')[0]}.*'{next(iter(KINDS[kind]))}'"
    ):
        read_motion_lora(tensors, "x.safetensors")


def test_a_layer_changed_twice_is_refused():
    tensors = pairs("AnimateDiff")[0] | pairs("diffusers")[0]
    with pytest.raises(ValueError, match="two changes of the same weights"):
        read_motion_lora(tensors)


def test_ranks_that_do_not_match_are_refused_by_name():
    tensors, _ = pairs("AnimateDiff")
    tensors[as_animatediff("transformer_blocks.0.ff.net.2", "down")] = torch.zeros(RANK + 1, 4 * C)
    with pytest.raises(
        ValueError, match=r"ranks of the two halves of '.*ff.net.2.weight'.*\(32, 3\) and \(4, 128\)"
    ):
        read_motion_lora(tensors)


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float8_e5m2])
def test_numbers_that_are_not_finite_are_refused_by_name(broken, dtype):
    tensors, _ = pairs("AnimateDiff")
    key = as_animatediff("transformer_blocks.0.ff.net.2", "up")
    tensors[key] = tensors[key].clone()
    tensors[key][5, 1] = broken
    tensors = {k: v.to(dtype) for k, v in tensors.items()}
    with pytest.raises(ValueError, match="ff.net.2.weight, up' holds numbers that are not finite"):
        read_motion_lora(tensors)
    alpha = {key.replace(".up.weight", ".alpha"): torch.tensor(broken)}
    with pytest.raises(ValueError, match="alpha' holds numbers that are not finite"):
        read_motion_lora(pairs("AnimateDiff")[0] | alpha)


def test_what_belongs_to_the_checkpoint_is_told_apart():
    spatial = {"unet.down_blocks.0.attentions.0.proj_in.lora.up.weight": torch.zeros(C, RANK)}
    tensors, wanted = pairs("diffusers")
    assert len(read_motion_lora(tensors | spatial)) == len(wanted)
    assert keys_outside_motion_modules(tensors | spatial) == [
        "down_blocks.0.attentions.0.proj_in.lora.up.weight"
    ]
    with pytest.raises(ValueError, match="is not a MotionLoRA.*keys of a LoRA"):
        read_motion_lora(spatial)


@pytest.mark.parametrize("trainer", TRAINERS)
def test_load_motion_module_says_that_it_is_a_motion_lora(trainer):
    with pytest.raises(ValueError, match="keys of a MotionLoRA .use Load MotionLoRA"):
        read_motion_module(pairs(trainer)[0])
