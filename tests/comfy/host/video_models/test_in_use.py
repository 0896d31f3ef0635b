"""Video networks among core's own features: batched and split prompts, windows, ControlNet, LoRA, previews,
little memory, half precision.
"""

import comfy.cldm.cldm
import comfy.cli_args
import comfy.controlnet
import comfy.ops
import comfy.sd
import latent_preview
import pytest
import torch
from zoetrope.host.sampling.prompt_frames import FRAMES_TOLD
from zoetrope.host.video_models.loader import video_model_from_file
from zoetrope.tests.comfy.host.context_rig import CPU, evaluate, seed_weights, seeded, windowed, with_control
from zoetrope.tests.networks.video_networks import VIDEO_NETWORKS
from zoetrope.tests.rounding import HALF, OTHER_BATCH, assert_same

FRAME_WISE = [name for name, network in VIDEO_NETWORKS.items() if network.frame_wise]
WITH_CONTROLNETS = [name for name, network in VIDEO_NETWORKS.items() if network.controlnets]
WITHOUT_CONTROLNETS = ["show1_base", "show1_interpolation", "show1_sr1"]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """{system: path of its file}, written when it is asked for."""
    folder = tmp_path_factory.mktemp("systems")
    written = {}

    def file_of(name):
        if name not in written:
            written[name] = folder / f"{name}.pth"
            VIDEO_NETWORKS[name].write(written[name])
        return str(written[name])

    return file_of


class Loaded:
    """A freshly loaded system with prompts and noise for it."""

    def __init__(self, name, path):
        self.tiny = VIDEO_NETWORKS[name]
        self.frames = self.tiny.num_frames
        self.control = None
        self.model = video_model_from_file(path).model

    def both(self, frames):
        return self.tiny.prompt("positive", frames), self.tiny.prompt("negative", frames)

    def noise(self, frames=None, seed=1):
        return seeded(frames or self.frames, *self.tiny.latent, seed=seed)

    def run(self, model=None, frames=None, part=slice(None)):
        """One evaluation by core; part:
        of the frames, each with its own conditioning, as a video of its own.
        """
        frames = frames or self.frames
        conds = [
            [[text, cut(values, part, frames)] for text, values in prompt] for prompt in self.both(frames)
        ]
        return evaluate(model or self.model, self.noise(frames)[part], *conds)


def cut(values, part, frames):
    return {
        key: value[part] if isinstance(value, torch.Tensor | list) and len(value) == frames else value
        for key, value in values.items()
    }


@pytest.fixture
def loaded(request, files):
    return Loaded(request.param, files(request.param))


def every(names=tuple(VIDEO_NETWORKS)):
    return pytest.mark.parametrize("loaded", list(names), indirect=True)


@every()
def test_prompts_computed_together_or_one_by_one_give_the_same(loaded):
    sizes = []
    loaded.model.model.diffusion_model.register_forward_pre_hook(
        lambda _, args: sizes.append(args[0].shape[0])
    )
    together = loaded.run()
    assert sizes == [2 * loaded.frames]
    loaded.model.model.memory_usage_factor = 1e9  # now core finds room for one conditioning only
    sizes.clear()
    split = loaded.run()
    assert sizes == [loaded.frames] * 2
    assert_same(split, together, OTHER_BATCH)


@every()
def test_every_frame_can_have_its_own_prompt(loaded):
    _, negative = loaded.both(loaded.frames)
    ((rows, values),) = loaded.tiny.prompt("rows", loaded.frames, rows=loaded.frames)
    one, same, own = (
        evaluate(loaded.model, loaded.noise(), [[text, dict(values)]], negative)
        for text in (rows[:1], rows[:1].repeat(loaded.frames, 1, 1), rows)
    )
    assert_same(same, one, OTHER_BATCH)
    assert (own - one).abs().max() > 1e-3 * one.std()


@every(["modelscope"])
def test_prompts_for_other_frames_are_refused(loaded):
    _, negative = loaded.both(loaded.frames)
    ((rows, values),) = loaded.tiny.prompt("rows", loaded.frames, rows=loaded.frames)
    told = [[rows, {**values, FRAMES_TOLD: loaded.frames}]]
    twice = loaded.noise(2 * loaded.frames)
    with pytest.raises(ValueError, match=f"for {loaded.frames} frames and the video has {len(twice)}; set"):
        evaluate(loaded.model, twice, told, negative)
    videos = evaluate(windowed(loaded.model, frames_per_video=loaded.frames), twice, told, negative)
    assert_same(
        videos[loaded.frames :],
        evaluate(windowed(loaded.model), twice[loaded.frames :], told, negative),
        OTHER_BATCH,
    )


@every()
def test_one_window_is_no_window(loaded):
    windows = windowed(loaded.model, context_length=loaded.frames, context_overlap=2)
    assert torch.equal(loaded.run(windows), loaded.run())


@every(FRAME_WISE)
@pytest.mark.parametrize("windows_per_batch", [0, 1])
def test_windows_are_videos_of_their_length(loaded, windows_per_batch):
    """Windows that do not overlap are as many separate videos."""
    windows = windowed(loaded.model, context_length=3, context_overlap=0, windows_per_batch=windows_per_batch)
    together = loaded.run(windows, frames=6)
    parts = [loaded.run(frames=6, part=slice(start, start + 3)) for start in (0, 3)]
    assert_same(together, torch.cat(parts), OTHER_BATCH)


@every()
def test_other_numbers_of_frames_run_and_one_frame_is_a_picture(loaded):
    for frames in loaded.tiny.lengths:
        out = loaded.run(frames=frames)
        assert out.shape == (frames, *loaded.tiny.latent)
        assert out.isfinite().all()


def controlnet(model):
    """A ControlNet of the kind made for SD1.x or SD2.x, as narrow as the stand-in;
    it sees the noisy latents alone.
    """
    known = (
        "model_channels",
        "channel_mult",
        "num_res_blocks",
        "transformer_depth",
        "transformer_depth_middle",
        "context_dim",
        "num_head_channels",
    )
    given = model.model.model_config.unet_config
    network = comfy.cldm.cldm.ControlNet(
        **{key: given[key] for key in known},
        num_heads=given.get("num_heads", -1),
        in_channels=4,
        image_size=8,
        hint_channels=3,
        use_spatial_transformer=True,
        use_linear_in_transformer=given.get("use_linear_in_transformer", True),
        legacy=False,
        operations=comfy.ops.disable_weight_init,
    )
    return comfy.controlnet.ControlNet(seed_weights(network), load_device=CPU)


def hints_for(loaded, frames):
    return seeded(frames, 3, *(8 * size for size in loaded.tiny.latent[1:]), seed=9).abs().clamp(max=1)


def steered(loaded, images, model=None, part=slice(None), frames=None):
    frames = frames or loaded.frames
    loaded.control = loaded.control or controlnet(loaded.model)
    control = loaded.control.copy().set_cond_hint(images[part] if len(images) > 1 else images, 0.7)
    conds = [
        with_control([[text, cut(values, part, frames)] for text, values in p], control)
        for p in loaded.both(frames)
    ]
    return evaluate(model or loaded.model, loaded.noise(frames)[part], *conds)


@every(WITH_CONTROLNETS)
def test_controlnet_gives_every_frame_its_hint(loaded):
    frames = loaded.frames
    hints = hints_for(loaded, frames)
    plain, result = loaded.run(), steered(loaded, hints)
    assert (result - plain).abs().max() > 1e-2 * plain.std()
    changed = hints.clone()
    changed[frames - 1] = 0
    moved = (steered(loaded, changed) - result).abs().amax(dim=(1, 2, 3))
    assert moved.argmax() == frames - 1
    assert_same(steered(loaded, hints[:1]), steered(loaded, hints[:1].repeat(frames, 1, 1, 1)))


@every([name for name in WITH_CONTROLNETS if name in FRAME_WISE])
def test_controlnet_in_windows(loaded):
    hints = hints_for(loaded, 6)
    windows = steered(loaded, hints, windowed(loaded.model, context_length=3, context_overlap=0), frames=6)
    parts = [steered(loaded, hints, part=slice(start, start + 3), frames=6) for start in (0, 3)]
    assert_same(windows, torch.cat(parts), OTHER_BATCH)


@every(WITHOUT_CONTROLNETS)
def test_where_no_controlnets_exist_one_is_refused(loaded):
    network, ((text, _),) = loaded.model.model.diffusion_model, loaded.tiny.prompt("text", loaded.frames)
    with pytest.raises(
        ValueError, match="no ControlNets for Show-1's pixel networks; remove Apply ControlNet"
    ):
        network(loaded.noise(), torch.ones(loaded.frames), context=text, control={"output": []})


def lora_names(network):
    """A layer that looks at text, one that looks over frames, one that convolves and,
    where there is one, one that looks at an image, by the network's names.
    """
    weights = {
        key.removesuffix(".weight"): value
        for key, value in network.state_dict().items()
        if key.endswith(".weight")
    }
    temporal = ("attn_temp", "temp_attentions", ".2.transformer_blocks.0.attn1", ".time_stack.0.attn1")
    kinds = (
        lambda name: "attn2.to_k" in name or "add_k_proj" in name,
        lambda name: any(part in name for part in temporal) and name.endswith("to_v"),
        lambda name: weights[name].ndim == 4,
        lambda name: name.endswith("to_k_ip"),
    )
    found = [next(filter(kind, weights), None) for kind in kinds]
    assert None not in found[:3]
    return [name for name in found if name]


@every()
def test_core_s_lora_loader_reaches_spatial_and_temporal_layers(loaded):
    network = loaded.model.model.diffusion_model
    lora, changes = {}, {}
    for name in lora_names(network):
        shape = network.state_dict()[f"{name}.weight"].shape
        up, down = seeded(shape[0], 2, seed=31) * 0.1, seeded(2, shape[1:].numel(), seed=32) * 0.1
        key = "lora_unet_" + name.replace(".", "_")
        lora[f"{key}.lora_up.weight"], lora[f"{key}.lora_down.weight"] = up, down
        changes[f"{name}.weight"] = (up @ down).view(shape)
    before = {key: network.state_dict()[key].clone() for key in changes}
    plain = loaded.run()
    patched, _ = comfy.sd.load_lora_for_models(loaded.model, None, lora, 0.5, 0)
    assert set(patched.patches) == {f"diffusion_model.{key}" for key in changes}
    assert (loaded.run(patched) - plain).abs().max() > 1e-3 * plain.std()
    for key, change in changes.items():
        torch.testing.assert_close(network.state_dict()[key], before[key] + 0.5 * change)
    assert_same(loaded.run(), plain)  # and goes again


@every()
def test_previews_show_the_first_frame(loaded, monkeypatch):
    monkeypatch.setattr(comfy.cli_args.args, "preview_method", latent_preview.LatentPreviewMethod.Latent2RGB)
    previewer = latent_preview.get_previewer(CPU, loaded.model.model.latent_format)
    kind, image, _ = previewer.decode_latent_to_preview_image("JPEG", loaded.noise())
    assert (kind, image.size) == ("JPEG", loaded.tiny.latent[:0:-1])


@every()
def test_weights_that_stay_outside_give_the_same(loaded):
    """Low-VRAM mode: core casts every layer's weights when it runs."""
    expected = loaded.run()
    loaded.model.unpatch_model(CPU)
    loaded.model.load(CPU, lowvram_model_memory=1)
    assert loaded.model.model.model_lowvram
    assert_same(loaded.run(), expected)


@every()
def test_half_precision_weights(loaded, files, monkeypatch):
    expected = loaded.run()
    monkeypatch.setattr(comfy.cli_args.args, "fp16_unet", True)
    half = Loaded(loaded.tiny.system, files(loaded.tiny.system))
    assert half.model.model.get_dtype() == torch.float16
    assert_same(half.run(), expected, HALF)
