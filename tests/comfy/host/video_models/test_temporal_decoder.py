"""Temporal layers on a VAE's decoder: the numbers of Stable Video Diffusion's own decoder, and what holds for
every VAE that they are put on.
"""

import re

import comfy.model_management
import comfy.sd
import comfy.utils
import pytest
import torch
from comfy.ldm.models.autoencoder import AutoencodingEngine
from comfy_extras.nodes_multigpu import SelectVAEDeviceNode
from safetensors.torch import load_file, save_file
from zoetrope.host.injection import motion_models
from zoetrope.host.injection.motion_models import save_motion_module
from zoetrope.host.media.latent_stream import ChunkRequest, LatentStream
from zoetrope.host.video_models import frame_vae, temporal_decoder
from zoetrope.host.video_models.temporal_decoder import (
    DecoderSettings,
    apply_temporal_decoder,
    decoder_from_tensors,
    load_temporal_decoder,
    new_temporal_decoder,
    places_in,
)
from zoetrope.motion_modules.call import Call
from zoetrope.motion_modules.points import inject
from zoetrope.motion_modules.temporal_decoder import METHOD, FrameDecoder
from zoetrope.tests.comfy.host.media.small_vaes import (
    OVER_FRAMES,
    image_vae,
    kl_vae,
    svd_image_vae,
    svd_vae,
    wan_vae,
)
from zoetrope.tests.gold_weights import gold_input, gold_tensor
from zoetrope.tests.networks.golden_cases import load_case, manifest
from zoetrope.tests.rounding import assert_same

F, H, W = 5, 3, 2


@pytest.fixture(autouse=True)
def as_comfyui_runs_nodes(comfy_base):
    with torch.inference_mode():
        yield


@pytest.fixture
def notes(monkeypatch):
    """What nodes say to the person."""
    said = []
    monkeypatch.setattr(temporal_decoder, "say", lambda text, node_id: said.append(text))
    return said


def latents(frames=F, name="latents"):
    return gold_input(name, (frames, 4, H, W))


def trained(vae, change=0.3):
    """New layers of a VAE, filled with drawn weights."""
    module = new_temporal_decoder(vae)
    network = module.patcher.model
    network.load_state_dict(
        {key: change * gold_tensor(key, value.shape) for key, value in network.state_dict().items()}
    )
    return module


def temporal(vae, module=None, **settings):
    return apply_temporal_decoder(vae, module or trained(vae), DecoderSettings(**settings))


@pytest.fixture
def listed(monkeypatch, tmp_path):
    """Files by name in a folder that Load Temporal Decoder lists."""
    monkeypatch.setattr(temporal_decoder, "find_listed_file", lambda keys, name: str(tmp_path / name))
    return tmp_path


def svd_tensors(**changes):
    """SVD's file; a change of None takes a tensor out."""
    tensors = {key: value.clone() for key, value in svd_vae().first_stage_model.state_dict().items()}
    return {key: value for key, value in (tensors | changes).items() if value is not None}


@pytest.mark.parametrize("prefix", ["", "first_stage_model."])
@pytest.mark.parametrize("frames", [1, F])
def test_layers_out_of_svd_s_file_make_its_image_vae_its_video_vae(listed, prefix, frames):
    save_file({prefix + key: value for key, value in svd_tensors().items()}, listed / "svd.safetensors")
    module = load_temporal_decoder("svd.safetensors")
    expected, plain = (vae.decode(latents(frames)) for vae in (svd_vae(), svd_image_vae()))
    assert (plain - expected).abs().max() > 0.02
    assert_same(temporal(svd_image_vae(), module).decode(latents(frames)), expected)


def test_layers_out_of_diffusers_file_have_the_published_names():
    published = manifest("diffusers_svd_xt_vae")
    tensors = {key: torch.full((1,), 0.25).half().expand(shape) for key, shape in published.items()}
    weights = decoder_from_tensors(tensors, "vae.safetensors").patcher.model.state_dict()
    own = (key.removeprefix("first_stage_model.") for key in manifest("svd"))
    over_frames = re.compile(r"decoder\..*(time_stack|mix_factor|time_mix_conv)")
    original = {
        key: tuple(manifest("svd")[f"first_stage_model.{key}"]) for key in own if over_frames.match(key)
    }
    assert {key: tuple(value.shape) for key, value in weights.items()} == original
    identity = torch.eye(3)[..., None, None, None] * torch.tensor([0, 1, 0])[:, None, None]
    assert torch.equal(weights["decoder.conv_out.time_mix_conv.weight"].float(), 0.25 - identity)


@pytest.mark.parametrize("make", [kl_vae, svd_image_vae])
@pytest.mark.parametrize("frames", [1, F])
def test_new_layers_change_nothing_and_say_so(make, frames, notes):
    vae = make()
    plain = vae.decode(latents(frames))
    assert torch.equal(temporal(vae, new_temporal_decoder(vae)).decode(latents(frames)), plain)
    assert notes == ["These temporal layers are not trained yet: until then they change nothing."]


def test_frames_see_each_other_and_a_frame_alone_is_decoded():
    vae = temporal(kl_vae())
    changed = latents()
    changed[-1] += 1
    difference = (vae.decode(changed) - vae.decode(latents())).abs().amax((1, 2, 3))
    assert difference.min() > 1e-3
    alone = vae.decode(latents(1))
    assert alone.isfinite().all() and (alone - kl_vae().decode(latents(1))).abs().max() > 1e-2


@pytest.mark.parametrize("frames", [1, F])
def test_encoding_is_that_of_the_plain_vae(frames):
    pictures = torch.rand(frames, 8 * H, 8 * W, 3)
    assert torch.equal(temporal(kl_vae()).encode(pictures), kl_vae().encode(pictures))


def test_strength_0_is_the_plain_vae_and_others_lie_around_the_trained_one(notes):
    plain, module = kl_vae(), trained(kl_vae())
    assert temporal(plain, module, strength=0.0) is plain
    assert "Apply Temporal Decoder is off: its strength is 0." in notes
    pictures = [temporal(plain, module, strength=s).decode(latents()) for s in (0.5, 1.0, 1.5)]
    steps = [
        (a - b).abs().max() for a, b in zip([plain.decode(latents()), *pictures], pictures, strict=False)
    ]
    assert min(steps) > 0.01


def test_two_sets_of_layers_add_up():
    first, second = trained(kl_vae()), trained(kl_vae(), 0.2)
    both = temporal(temporal(kl_vae(), first), second)
    alone = temporal(kl_vae(), first)
    assert (both.decode(latents()) - alone.decode(latents())).abs().max() > 0.01
    nothing = temporal(temporal(kl_vae(), first), new_temporal_decoder(kl_vae()))
    assert torch.equal(nothing.decode(latents()), alone.decode(latents()))


def svd_layers():
    """SVD's image VAE with SVD's temporal layers: what it decodes is known from core's own decoder."""
    return decoder_from_tensors(svd_tensors(), "svd.safetensors")


@pytest.mark.parametrize(
    ("frames", "chunk", "overlap", "passes"),
    [
        (12, 4, 2, [((0, 6), (0, 4)), ((2, 10), (4, 8)), ((6, 12), (8, 12))]),
        (7, 3, 0, [((0, 3), (0, 3)), ((3, 6), (3, 6)), ((6, 7), (6, 7))]),
        (7, 3, 2, [((0, 7), (0, 7))]),
        (1, 1, 0, [((0, 1), (0, 1))]),
        (3, 1, 1, [((0, 3), (0, 3))]),
    ],
)
def test_every_chunk_is_decoded_with_its_neighbours(frames, chunk, overlap, passes):
    vae = temporal(svd_image_vae(), svd_layers(), chunk_frames=chunk, chunk_overlap=overlap)
    z = latents(frames)
    expected = torch.cat([svd_vae().decode(z[first:last])[start - first : end - first]
                          for (first, last), (start, end) in passes])  # fmt: skip
    assert_same(vae.decode(z), expected)


def test_several_videos_do_not_see_each_other():
    vae = temporal(svd_image_vae(), svd_layers(), frames_per_video=3)
    z = latents(6)
    expected = torch.cat([svd_vae().decode(z[:3]), svd_vae().decode(z[3:])])
    assert_same(vae.decode(z), expected)
    videos = z.unflatten(0, (2, 3)).movedim(1, 2)  # as video models have them: (B, C, F, h, w)
    assert torch.equal(vae.decode(videos), vae.decode(z).unflatten(0, (2, 3)))
    with pytest.raises(ValueError, match="batch of 5 latents is not a whole number .* frames_per_video=3"):
        vae.decode(latents(5))


def tiles_of_svd(z, tile, overlap):
    """What SVD's own decoder makes of the frames of each tile, joined as core joins tiles of video VAEs."""

    def decoded(video):
        return svd_vae().first_stage_model.decode(video[0].movedim(0, 1)).movedim(0, 1)[None]

    joined = comfy.utils.tiled_scale_multidim(
        z.movedim(0, 1)[None], decoded, (999, tile, tile), (1, overlap, overlap), (1, 8, 8), 3
    )
    return ((joined + 1) / 2).clamp(0, 1)[0].permute(1, 2, 3, 0)


def test_every_tile_sees_its_frames():
    vae, z = temporal(svd_image_vae(), svd_layers()), gold_input("tiles", (F, 4, 11, 7))
    expected = tiles_of_svd(z, 5, 2)
    assert (expected - svd_vae().decode(z)).abs().max() > 0.01
    assert_same(vae.decode_tiled(z, tile_x=5, tile_y=5, overlap=2), expected)
    assert torch.equal(vae.decode_tiled(z), vae.decode(z))  # one tile holds all


def test_core_s_batches_by_free_memory_do_not_part_frames(monkeypatch):
    vae, plain = temporal(kl_vae()), kl_vae()
    expected = vae.decode(latents())
    sizes = []
    decode = plain.first_stage_model.decode
    monkeypatch.setattr(
        plain.first_stage_model, "decode", lambda z, **o: sizes.append(len(z)) or decode(z, **o)
    )
    one_by_one = lambda patcher, device: int(plain.memory_used_decode((1, 4, H, W), plain.vae_dtype))  # noqa: E731
    monkeypatch.setattr(type(plain.patcher), "get_free_memory", one_by_one)
    plain.decode(latents())
    assert sizes == [1] * F
    assert torch.equal(vae.decode(latents()), expected) and sizes[F:] == [F]


def test_without_room_for_whole_frames_each_tile_sees_all_frames(monkeypatch):
    vae, z = temporal(svd_image_vae(), svd_layers()), gold_input("room", (F, 4, 34, 3))
    memory = vae.memory_used_decode
    whole, tile = (F * memory((1, 4, height, 3), vae.vae_dtype) for height in (34, 32))
    said = []
    monkeypatch.setattr(frame_vae, "say", lambda text, node_id: said.append(text))
    monkeypatch.setattr(frame_vae, "free_memory", lambda: (whole + tile) // 2)
    assert_same(vae.decode(z), tiles_of_svd(z, 32, 8))
    assert said == [
        "5 frames of 24x272 that are decoded together have no room in memory: tiles of 256 pixels."
    ]
    monkeypatch.setattr("zoetrope.memory.free_memory", lambda: tile // 2)
    monkeypatch.setattr(frame_vae, "free_memory", lambda: tile // 2)
    with pytest.raises(ValueError, match="5 frames of 24x256 .* need .* lower chunk_frames or chunk_overlap"):
        vae.decode(z)


def test_core_s_way_out_of_memory_takes_tiles_of_all_frames(monkeypatch):
    vae, z = temporal(svd_image_vae(), svd_layers()), gold_input("room", (F, 4, 34, 3))
    decode = vae.first_stage_model.decode

    def small_ones(latents):
        if latents.shape[-2] > 32:
            raise torch.OutOfMemoryError("no room")
        return decode(latents)

    monkeypatch.setattr(vae.first_stage_model, "decode", small_ones)
    assert_same(vae.decode(z), tiles_of_svd(z, 32, 8))


def test_little_memory_for_weights_gives_the_same():
    vae = temporal(kl_vae())
    expected = vae.decode(latents())
    patchers = [vae.patcher, *vae.patcher.model_patches_models()]
    assert len(patchers) == 2
    for patcher in patchers:
        patcher.detach()
        patcher.patch_model(device_to=patcher.load_device, lowvram_model_memory=4096)
    try:
        assert_same(vae.decode(latents()), expected)
    finally:
        for patcher in patchers:
            patcher.detach()


def test_a_copy_of_the_vae_as_core_s_device_node_makes_it_keeps_its_layers():
    vae = temporal(svd_image_vae(), svd_layers(), frames_per_video=3)
    (moved,) = SelectVAEDeviceNode.execute(vae, "default").result
    assert moved is not vae and moved.patcher is not vae.patcher
    assert torch.equal(moved.decode(latents(6)), vae.decode(latents(6)))


def test_half_precision_is_kept():
    vae = kl_vae.__wrapped__()
    exact, exact_plain = temporal(vae).decode(latents()), vae.decode(latents())
    vae.vae_dtype = torch.bfloat16
    vae.first_stage_model.to(torch.bfloat16)
    dtypes = set()
    moving, last = temporal(vae), vae.first_stage_model.decoder.conv_out
    watching = last.register_forward_hook(lambda module, inputs, output: dtypes.add(output.dtype))
    rounded, plain = moving.decode(latents()), vae.decode(latents())
    watching.remove()
    assert dtypes == {torch.bfloat16}
    assert (rounded - exact).square().mean() < 100 * (plain - exact_plain).square().mean()


def test_the_plain_vae_is_bit_identical_afterwards():
    """After a run, a run that failed, and one that was cancelled; and two sets of layers take turns."""
    plain, vae, other = kl_vae(), temporal(kl_vae()), temporal(kl_vae(), strength=0.5)
    expected, moving, half = (each.decode(latents()) for each in (plain, vae, other))
    assert not torch.equal(moving, expected) and not torch.equal(moving, half)
    for _ in range(2):
        assert torch.equal(vae.decode(latents()), moving)
        assert torch.equal(other.decode(latents()), half)
        assert torch.equal(plain.decode(latents()), expected)
    block = plain.first_stage_model.decoder.up[0].block[1]
    for stop in (fail, cancel):
        hook = block.register_forward_hook(stop)
        with pytest.raises((RuntimeError, comfy.model_management.InterruptProcessingException)):
            vae.decode(latents())
        hook.remove()
        comfy.model_management.interrupt_current_processing(False)
        assert torch.equal(plain.decode(latents()), expected)
    assert torch.equal(vae.decode(latents()), moving)
    own = set(map(id, vae.patcher.model_patches_models()[0].model.modules()))
    assert own and not own & set(map(id, plain.first_stage_model.modules()))


def fail(*args):
    raise RuntimeError("a layer of another pack failed, say")


def cancel(*args):
    comfy.model_management.interrupt_current_processing(True)


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("frames_per_video", [0, 7])
def test_latents_to_video_file_decodes_chunks_of_each_video(frames_per_video, backward):
    vae = temporal(svd_image_vae(), svd_layers(), frames_per_video=frames_per_video)
    z = latents(14)
    stream = LatentStream(vae, z, ChunkRequest(chunk_frames=4, chunk_overlap=2))
    frames = torch.stack([frame for frame, _ in stream.frames(backward)])
    expected = []
    for video in z.split(frames_per_video or 14):
        for start in range(0, len(video), 4):
            first = max(0, start - 2)
            expected.append(svd_vae().decode(video[first : start + 6])[start - first :][:4])
    expected = torch.cat(expected)
    assert stream.count == 14
    assert_same(frames, expected.flip(0) if backward else expected)


def test_latents_to_video_file_takes_video_latents_and_tiles():
    vae, z = temporal(svd_image_vae(), svd_layers()), gold_input("stream", (1, 4, 3, 11, 7))
    frames = torch.stack([f for f, _ in LatentStream(vae, z, ChunkRequest(tile_size=64)).frames()])
    assert_same(frames, tiles_of_svd(z[0].movedim(0, 1), 8, 1))
    with pytest.raises(ValueError, match=r"do not fit this VAE, which takes 4 channels and 5 dimensions"):
        LatentStream(vae, torch.zeros(3, 16, 5, 3), ChunkRequest())


def test_saved_layers_are_the_same_again(listed):
    module = trained(kl_vae())
    save_motion_module(module, str(listed / "own.safetensors"))
    keys = load_file(listed / "own.safetensors").keys()
    assert "decoder.conv_out.time_mix_conv.diff" in keys and "decoder.mid.block_1.mix_factor" in keys
    again = load_temporal_decoder("own.safetensors")
    assert again.is_untrained  # as its file's head says
    weights = again.patcher.model.state_dict()
    assert all(torch.equal(weights[key], value) for key, value in module.patcher.model.state_dict().items())
    assert torch.equal(
        temporal(kl_vae(), again).decode(latents()), temporal(kl_vae(), module).decode(latents())
    )


def test_training_reaches_exactly_the_temporal_weights():
    with torch.inference_mode(False), torch.enable_grad():
        vae = kl_vae.__wrapped__()
        vae.first_stage_model.requires_grad_(False)
        network = METHOD.build(places_in(vae))
        for key, parameter in network.named_parameters():
            parameter.data = 0.3 * gold_tensor(key, parameter.shape)
        acts = METHOD.acts(network, places_in(vae))
        frames = FrameDecoder(vae.first_stage_model)
        with inject(frames, acts, lambda forward: Call(forward, forward.num_frames)):
            frames(latents()).square().mean().backward()
        reached = {key for key, parameter in network.named_parameters() if parameter.grad.abs().max() > 0}
        assert reached == {key for key, _ in network.named_parameters()}
        assert all(parameter.grad is None for parameter in vae.first_stage_model.parameters())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (wan_vae, "need the decoder of an image VAE, this VAE is a WanVAE; load the VAE of an SD1.x"),
        (image_vae, "need the decoder of an image VAE, this VAE is a TAESD"),
        (svd_vae, "has temporal layers already .* use it as it is"),
    ],
)
def test_other_vaes_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        new_temporal_decoder(make())


def test_pixel_space_is_refused():
    with pytest.raises(ValueError, match="this VAE is a PixelspaceConversionVAE"):
        new_temporal_decoder(comfy.sd.VAE(sd={"pixel_space_vae": torch.tensor(1.0)}))


def test_layers_of_another_width_are_refused():
    wrong = "do not fit .* at 'decoder.mid.block_1' they have 32 channels, this VAE has 128"
    with pytest.raises(ValueError, match=wrong):
        temporal(kl_vae(), new_temporal_decoder(svd_image_vae()))


STACK, LAST = "decoder.mid.block_2.time_stack", "decoder.conv_out.time_mix_conv"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({f"{STACK}.in_layers.2.weight": None}, f"lacks the key '{STACK}.in_layers.2.weight'"),
        ({f"{STACK}.out_layers.3.weight": None}, f"lacks the key '{STACK}.out_layers.3.weight'"),
        ({"decoder.mid.block_2.mix_factor": None}, "lacks the key 'decoder.mid.block_2.mix_factor'"),
        ({f"{LAST}.weight": None}, f"lacks the key '{LAST}.weight'"),
        ({f"{LAST}.weight": None, f"{LAST}.bias": None}, f"has no '{LAST}'"),
        ({f"{LAST}.weight": torch.zeros(3, 3, 3)}, rf"'{LAST}.weight' has shape \(3, 3, 3\)"),
        ({f"{LAST}.diff": torch.zeros(3, 3, 3, 1, 1)}, f"has '{LAST}.weight' and its change; keep one"),
        ({f"{STACK}.in_layers.0.bias": torch.full((32,), torch.nan)}, "holds numbers that are not finite"),
        (
            {f"{STACK}.out_layers.3.weight": torch.zeros(31, 31, 3, 1, 1)},
            "a multiple of 32 channels is needed",
        ),
    ],
)
def test_damaged_files_are_refused(changes, message):
    with pytest.raises(ValueError, match=f"'svd.safetensors'.* {message}|{message}"):
        decoder_from_tensors(svd_tensors(**changes), "svd.safetensors")


def test_files_of_another_kind_are_refused(listed, monkeypatch):
    plain = kl_vae().first_stage_model.state_dict()
    with pytest.raises(
        ValueError, match="no temporal layers of a decoder: it has keys of a VAE .*Use a file of"
    ):
        decoder_from_tensors(plain, "vae.safetensors")
    save_file(METHOD.to_file(trained(kl_vae()).patcher.model), listed / "own.safetensors")
    monkeypatch.setattr(motion_models, "find_model_file", lambda key, name: str(listed / name))
    with pytest.raises(ValueError, match="temporal layers of a VAE's decoder .use Load Temporal Decoder"):
        motion_models.load_motion_module("own.safetensors")


def test_impossible_settings_are_refused():
    for settings in ({"chunk_frames": 0}, {"chunk_overlap": -1}, {"frames_per_video": -1}):
        (name, value), *_ = settings.items()
        with pytest.raises(ValueError, match=f"{name}={value}"):
            DecoderSettings(**settings)


def test_the_reference_case_of_diffusers_decoder():
    """The golden decoder, taken apart into a plain one and layers, gives the golden's numbers."""
    meta, io, state_dict = load_case("svd/temporal_decoder")
    config = {key: value for key, value in meta["config"].items() if key not in ("attn_type", *OVER_FRAMES)}
    network = AutoencodingEngine(
        regularizer_config={"target": "comfy.ldm.models.autoencoder.DiagonalGaussianRegularizer"},
        encoder_config={"target": "torch.nn.Identity"},
        decoder_config={"target": "comfy.ldm.modules.diffusionmodules.model.Decoder", "params": config},
    ).eval()
    network.decoder.load_state_dict(state_dict, strict=False)
    tensors = {f"decoder.{key}": value for key, value in state_dict.items()}
    layers = decoder_from_tensors(tensors, "golden").patcher.model
    vae = kl_vae.__wrapped__()
    vae.first_stage_model = network
    acts = METHOD.acts(layers, places_in(vae))
    frames = FrameDecoder(network)
    with inject(frames, acts, lambda forward: Call(forward, forward.num_frames)):
        assert_same(frames(io["z"]), io["out"])
