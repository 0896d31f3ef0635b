"""VideoCrafter and DynamiCrafter as MODEL: what reaches the network of prompts, images and frame rates,
whole, split and in windows.
"""

import comfy.clip_model
import comfy.clip_vision
import comfy.ops
import comfy.samplers
import pytest
import torch
from zoetrope.host.sampling.scaled_sampling import ScaledEps, ScaledV, ddim_sigmas, reference_ddim
from zoetrope.host.video_models.videocrafter import (
    CONCAT_LATENT,
    FPS,
    HIDDEN_STATE,
    CONDPerVideo,
    with_noise_scale,
)
from zoetrope.host.windows import ContextSettings, apply_context_windows
from zoetrope.samplers.context_schedules import create_context_windows
from zoetrope.tests.comfy.golden_unet import golden_model
from zoetrope.tests.gold_weights import gold_input, gold_state_dict
from zoetrope.tests.networks.encoders import CLIP_WIDTH, TINY_VISION
from zoetrope.tests.networks.golden_cases import hollow, manifest
from zoetrope.tests.networks.videocrafter import (
    IMAGE_MODELS,
    LATENT_SCALE,
    conds_for,
    load,
    sample,
    tensors_of_file,
    tiny_videocrafter,
)
from zoetrope.tests.rounding import OTHER_BATCH, assert_same

TEXT_MODELS = ("videocrafter/t2v_512_v1_w64", "videocrafter/t2v_512_v2_w64")
ALL = [*TEXT_MODELS, *IMAGE_MODELS]
FRAMES = 4


def loaded(case):
    return load(tiny_videocrafter(case))


def run(case, model=None, num_frames=FRAMES, conds=None, size=(8, 8), steps=2, **kwargs):
    model = loaded(case).model if model is None else model
    noise = gold_input("noise", (num_frames, 4, *size))
    sigmas = ddim_sigmas(model, "uniform", steps)
    return sample(
        model, reference_ddim(0.0), sigmas, *(conds or conds_for(case, num_frames, size)), noise, **kwargs
    )


def record_calls(model):
    """Wraps the network of a MODEL so that its arguments are kept: [{x, fps, image_tokens, frames}, ...]."""
    calls = []
    network = model.model.diffusion_model

    def wrapper(executor, x, timesteps, context, y, control, options, **kwargs):
        calls.append(
            {"x": x.clone(), "chunks": list(options["cond_or_uncond"]), "context": context, **kwargs}
        )
        return executor(x, timesteps, context, y, control, options, **kwargs)

    model.add_wrapper_with_key("diffusion_model", "test", wrapper)
    assert network is model.model.diffusion_model
    return calls


@pytest.mark.parametrize("case", ALL)
def test_split_conditionings_give_what_batched_ones_give(case, monkeypatch):
    model = loaded(case).model
    calls = record_calls(model)
    batched = run(case, model)
    assert {len(call["chunks"]) for call in calls} == {2}
    calls.clear()
    monkeypatch.setattr(type(model.model), "memory_required", lambda *args, **kwargs: 1e30)
    split = run(case, model)
    assert {len(call["chunks"]) for call in calls} == {1}
    assert_same(split, batched, OTHER_BATCH)


@pytest.mark.parametrize("case", IMAGE_MODELS)
def test_positive_and_negative_see_images_of_their_own(case):
    model = loaded(case).model
    calls = record_calls(model)
    conds = conds_for(case)
    run(case, model, conds=conds)
    call = calls[0]
    projector = model.model.image_proj_model
    with torch.no_grad():
        wanted = {kind: projector(conds[kind][1][HIDDEN_STATE]) for kind in (0, 1)}
    assert call["image_tokens"].shape == (2, IMAGE_MODELS[case], 48)
    for row, kind in enumerate(call["chunks"]):
        torch.testing.assert_close(call["image_tokens"][row : row + 1], wanted[kind])
    assert call["fps"].tolist() == [24.0] * 2 * FRAMES


@pytest.mark.parametrize(
    ("case", "fps"), [("videocrafter/t2v_512_v2_w64", 28.0), ("videocrafter/i2v_512_v1_w64", 8.0)]
)
def test_frame_rate_of_the_training_where_the_graph_gives_none(case, fps):
    model = loaded(case).model
    calls = record_calls(model)
    conds = [
        (words, {key: value for key, value in extra.items() if key != FPS})
        for words, extra in conds_for(case)
    ]
    run(case, model, conds=conds)
    assert calls[0]["fps"].tolist() == [fps] * 2 * FRAMES


def test_image_latents_are_scaled_and_the_same_in_both_conditionings():
    case = "dynamicrafter/dc_1024_w64"
    model = loaded(case).model
    calls = record_calls(model)
    conds = conds_for(case)
    run(case, model, conds=conds)
    x = calls[0]["x"]
    assert x.shape == (2 * FRAMES, 8, 8, 8)
    wanted = conds[0][1][CONCAT_LATENT] * LATENT_SCALE
    for chunk in x.chunk(2):
        torch.testing.assert_close(chunk[:, 4:], wanted)


@pytest.mark.parametrize("case", [*TEXT_MODELS, "videocrafter/i2v_512_v1_w64"])
@pytest.mark.parametrize("frames", [1, 3, 7])
def test_networks_without_numbered_frames_take_any_number(case, frames):
    out = run(case, num_frames=frames, size=(8, 5))
    assert out.shape == (frames, 4, 8, 5)
    assert torch.isfinite(out).all()


@pytest.mark.parametrize("case", ["dynamicrafter/dc_1024_w64", "videocrafter/i2v_512_v1_w64"])
def test_every_window_gets_the_image_latents_of_its_frames_and_all_image_tokens(case):
    model = loaded(case).model
    model = apply_context_windows(
        model, ContextSettings(context_length=4, context_overlap=2, context_schedule="standard_static")
    )
    calls = record_calls(model)
    frames = 7
    positive, negative = conds_for(case, frames)
    latents = gold_input("image of every frame", (frames, 4, 8, 8))
    conds = [(words, extra | {CONCAT_LATENT: latents}) for words, extra in (positive, negative)]
    out = run(case, model, num_frames=frames, conds=conds, steps=1)
    assert out.shape == (frames, 4, 8, 8)
    windows = []
    for call in calls:
        assert call["image_tokens"].shape[0] == len(call["chunks"])
        for chunk in call["x"].chunk(len(call["chunks"])):
            assert len(chunk) == 4
            if case.startswith("dynamicrafter"):
                found = [
                    [bool(torch.allclose(frame, other * LATENT_SCALE)) for other in latents].index(True)
                    for frame in chunk[:, 4:]
                ]
                windows.append(tuple(found))
    if windows:
        wanted = create_context_windows("standard_static", frames, 4, 2)
        assert len(wanted) > 2
        assert sorted(windows) == sorted(2 * [tuple(window) for window in wanted])


def test_one_window_is_no_window():
    case = "dynamicrafter/dc_1024_w64"
    model = loaded(case).model
    windowed = apply_context_windows(
        model, ContextSettings(context_length=4, context_overlap=1, context_schedule="standard_static")
    )
    assert torch.equal(run(case, windowed), run(case, model))


def test_core_s_context_windows_work_where_they_ask_for_the_window_alone():
    """Core's causal_window_fix, on by default, asks for one frame more: DynamiCrafter says what to do."""
    from comfy import context_windows

    case = "dynamicrafter/dc_1024_w64"
    schedule = context_windows.get_matching_context_schedule(context_windows.ContextSchedules.STATIC_STANDARD)
    fuse = context_windows.get_matching_fuse_method(context_windows.ContextFuseMethods.PYRAMID)

    def windowed(fix):
        model = loaded(case).model
        model.model_options["context_handler"] = context_windows.IndexListContextHandler(
            schedule, fuse, context_length=4, context_overlap=1, dim=0, causal_window_fix=fix
        )
        return model

    assert run(case, windowed(False), num_frames=7).shape == (7, 4, 8, 8)
    with pytest.raises(ValueError, match="exactly 4 frames at a time and got 5.*Context Windows"):
        run(case, windowed(True), num_frames=7)


def test_tokens_of_a_video_are_not_repeated_for_its_frames():
    tokens = CONDPerVideo(torch.ones(1, 3, 2))
    assert tokens.process_cond(batch_size=7).cond.shape == (1, 3, 2)
    assert tokens.concat([tokens]).shape == (2, 3, 2)


def test_kind_of_sampling():
    kinds = {case: type(loaded(case).model.model.model_sampling).__mro__ for case in ALL}
    assert [case for case, mro in kinds.items() if ScaledEps in mro] == [
        "videocrafter/t2v_512_v2_w64",
        "videocrafter/i2v_512_v1_w64",
    ]
    assert [case for case, mro in kinds.items() if ScaledV in mro] == ["dynamicrafter/dc_1024_w64"]


def test_a_file_with_scale_0_3_is_dynamicrafter_1024():
    assert loaded("dynamicrafter/dc_1024_w64").system.name == "dynamicrafter_1024"
    tensors = tensors_of_file("dynamicrafter/dc_1024_w64", 64) | {"scale_arr": torch.full((1400,), 0.7)}
    assert load(tensors).system.name == "dynamicrafter_512"


def test_a_file_that_lost_its_scale_says_so_and_can_be_given_one():
    tensors = tensors_of_file("dynamicrafter/dc_1024_w64", 64)
    complete = load(tensors).model
    del tensors["scale_arr"]
    found = load(tensors)
    assert "no scale_arr" in found.description
    assert (
        run("dynamicrafter/dc_1024_w64", found.model) - run("dynamicrafter/dc_1024_w64", complete)
    ).abs().max() > 0.1
    given = with_noise_scale(found.model, 0.3)
    torch.testing.assert_close(
        run("dynamicrafter/dc_1024_w64", given), run("dynamicrafter/dc_1024_w64", complete)
    )
    assert float(found.model.get_model_object("model_sampling").schedule.s[-1]) == pytest.approx(0.7)


def test_other_models_have_no_noise_scale():
    with pytest.raises(ValueError, match="only VideoCrafter and DynamiCrafter have a noise scale"):
        with_noise_scale(golden_model(), 0.3)
    with pytest.raises(ValueError, match="base_scale=1.5 must be above 0"):
        with_noise_scale(loaded("videocrafter/t2v_512_v2_w64").model, 1.5)


def without(case, key, which=(0, 1)):
    return [
        (words, {name: value for name, value in extra.items() if name != key or kind not in which})
        for kind, (words, extra) in enumerate(conds_for(case))
    ]  # fmt: skip


@pytest.mark.parametrize("case", IMAGE_MODELS)
@pytest.mark.parametrize(("which", "prompt"), [((0, 1), ""), ((0,), "positive"), ((1,), "negative")])
def test_a_missing_image_says_which_prompt_lacks_it(case, which, prompt):
    with pytest.raises(
        ValueError, match=f"the {prompt}.*conditioning has none.*image-to-video conditioning node"
    ):
        run(case, conds=without(case, HIDDEN_STATE, which))


def test_missing_image_latents_are_named():
    case = "dynamicrafter/dc_1024_w64"
    with pytest.raises(ValueError, match="starts from an image and got none"):
        run(case, conds=without(case, CONCAT_LATENT))


@pytest.mark.parametrize(("frames", "size"), [(4, (8, 16)), (3, (8, 8))])
def test_image_latents_of_another_size_or_length_are_named(frames, size):
    case = "dynamicrafter/dc_1024_w64"
    message = (
        rf"made for {frames} frames of {size[1] * 8} x {size[0] * 8}, the latent has 4 of 64 x 64; wire the"
        r" LATENT output"
    )
    with pytest.raises(ValueError, match=message):
        run(case, conds=conds_for(case, frames, size))


@pytest.mark.parametrize("frames", [3, 8])
def test_other_numbers_of_frames_are_refused_by_dynamicrafter(frames):
    with pytest.raises(ValueError, match=f"exactly 4 frames at a time and got {frames}"):
        run("dynamicrafter/dc_256_w64", num_frames=frames)


def test_a_view_of_another_clip_is_refused():
    case = "videocrafter/i2v_512_v1_w64"
    conds = [(words, extra | {HIDDEN_STATE: torch.ones(1, 9, 24)}) for words, extra in conds_for(case)]
    with pytest.raises(ValueError, match="CLIP ViT-H .width 40., this CLIP_VISION has width 24"):
        run(case, conds=conds)


@pytest.mark.parametrize("damage", ["missing", "unknown", "reshaped"])
def test_a_damaged_image_projector_is_named(damage):
    tensors = tensors_of_file("videocrafter/i2v_512_v1_w64", 5)
    key = "image_proj_model.layers.0.0.norm2.bias"
    if damage == "missing":
        del tensors[key]
    elif damage == "reshaped":
        tensors[key] = torch.zeros(3)
    else:
        key = "image_proj_model.layers.0.0.norm3.bias"
        tensors[key] = torch.zeros(32)
    with pytest.raises(ValueError, match=f"model.safetensors'.*'{key}'"):
        load(tensors)


def test_a_file_without_its_image_projector_is_refused():
    with pytest.raises(
        ValueError, match="'model.safetensors' lacks 'image_proj_model.latents'.*use the whole published file"
    ):
        load(tensors_of_file("dynamicrafter/dc_256_w64"))


def test_previews_and_lora_keys_are_those_of_core():
    import comfy.lora

    model = loaded("dynamicrafter/dc_1024_w64").model
    keys = comfy.lora.model_lora_keys_unet(model.model, {})
    for name in (
        "input_blocks_1_1_transformer_blocks_0_attn2_to_k_ip",
        "init_attn_0_proj_in",
        "fps_embedding_0",
    ):
        assert keys[f"lora_unet_{name}"].startswith("diffusion_model.")
    seen = []
    run(
        "dynamicrafter/dc_1024_w64",
        model,
        callback=lambda step, x0, x, total: seen.append((step, tuple(x0.shape))),
    )
    assert seen == [(0, (4, 4, 8, 8)), (1, (4, 4, 8, 8))]


VISION = "embedder.model.visual."


def test_the_published_image_encoder_has_exactly_core_s_keys():
    tensors = hollow(
        {key: shape for key, shape in manifest("dynamicrafter_512").items() if key.startswith(VISION)}
    )
    converted = comfy.clip_vision.convert_to_transformers(tensors, VISION)
    sizes = TINY_VISION | {
        "hidden_size": 1280,
        "num_hidden_layers": 32,
        "num_attention_heads": 16,
        "intermediate_size": 5120,
        "projection_dim": 1024,
        "image_size": 224,
    }
    core = comfy.clip_model.CLIPVisionModelProjection(
        sizes, torch.float32, "meta", comfy.ops.disable_weight_init
    )
    assert {key: value.shape for key, value in converted.items()} == {
        key: value.shape for key, value in core.state_dict().items()
    }


def open_clip_view(weights, pixels):
    """OpenCLIP's image transformer without its last norm,
    which is what the networks were trained on; pixels are normalised.
    """

    def w(name):
        return weights[VISION + name]

    width, heads = CLIP_WIDTH, 4
    patches = torch.nn.functional.conv2d(pixels, w("conv1.weight"), stride=14).flatten(2).transpose(1, 2)
    x = torch.cat([w("class_embedding").expand(len(pixels), 1, -1), patches], dim=1) + w(
        "positional_embedding"
    )
    x = torch.nn.functional.layer_norm(x, (width,), w("ln_pre.weight"), w("ln_pre.bias"))
    for layer in ("transformer.resblocks.0.", "transformer.resblocks.1."):
        y = torch.nn.functional.layer_norm(x, (width,), w(layer + "ln_1.weight"), w(layer + "ln_1.bias"))
        q, k, v = (
            part.unflatten(-1, (heads, -1)).transpose(1, 2)
            for part in torch.nn.functional.linear(
                y, w(layer + "attn.in_proj_weight"), w(layer + "attn.in_proj_bias")
            ).chunk(3, dim=-1)
        )
        y = torch.nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        x = x + torch.nn.functional.linear(
            y, w(layer + "attn.out_proj.weight"), w(layer + "attn.out_proj.bias")
        )
        y = torch.nn.functional.layer_norm(x, (width,), w(layer + "ln_2.weight"), w(layer + "ln_2.bias"))
        y = torch.nn.functional.gelu(
            torch.nn.functional.linear(y, w(layer + "mlp.c_fc.weight"), w(layer + "mlp.c_fc.bias"))
        )
        x = x + torch.nn.functional.linear(y, w(layer + "mlp.c_proj.weight"), w(layer + "mlp.c_proj.bias"))
    return x


def test_core_s_view_of_an_image_is_that_of_the_reference_s_encoder():
    shapes = {
        "class_embedding": (40,),
        "positional_embedding": (5, 40),
        "conv1.weight": (40, 3, 14, 14),
        "proj": (40, 24),
    }
    for norm in ("ln_pre", "ln_post"):
        shapes |= {f"{norm}.weight": (40,), f"{norm}.bias": (40,)}
    for layer in ("transformer.resblocks.0.", "transformer.resblocks.1."):
        shapes |= {f"{layer}ln_{i}.{kind}": (40,) for i in (1, 2) for kind in ("weight", "bias")}
        shapes |= {f"{layer}attn.in_proj_weight": (120, 40), f"{layer}attn.in_proj_bias": (120,)}
        for name, size in (("attn.out_proj", (40, 40)), ("mlp.c_fc", (56, 40)), ("mlp.c_proj", (40, 56))):
            shapes |= {f"{layer}{name}.weight": size, f"{layer}{name}.bias": size[:1]}
    weights = gold_state_dict({VISION + key: shape for key, shape in shapes.items()})
    clip_vision = comfy.clip_vision.ClipVisionModel(TINY_VISION)
    clip_vision.model.float()
    missing, unexpected = clip_vision.load_sd(
        comfy.clip_vision.convert_to_transformers(dict(weights), VISION)
    )
    assert (list(missing), list(unexpected)) == ([], [])
    image = (torch.rand(1, 28, 28, 3) * 255).round() / 255
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (
        (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)))  # fmt: skip
    wanted = open_clip_view(weights, (image.movedim(-1, 1) - mean) / std)
    seen = clip_vision.encode_image(image, crop=False)["last_hidden_state"]
    assert_same(seen, wanted)
