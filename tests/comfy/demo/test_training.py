"""Training in two processes, what the probes read, and the files that stages end in."""

import contextlib
import random
import shutil
from types import SimpleNamespace

import pytest
import safetensors.torch
import torch
from zoetrope.demo import batches, networks, optimiser, stages, train, train_adapters, training, world
from zoetrope.demo.camera_teachers import Teachers
from zoetrope.demo.files import FILES, FOLDER
from zoetrope.motion_modules.animatediff.files import to_original_names
from zoetrope.motion_modules.animatediff.motion_lora import read_motion_lora
from zoetrope.motion_modules.camera import motion_ctrl
from zoetrope.tests.rounding import assert_same
from zoetrope.tuning.objectives import clip_loss


def weight_of(value, steps):
    made = optimiser.MasterOptimiser(
        {"w": torch.nn.Parameter(torch.full((3, 5), value))}.items(), (), ema=0.9
    )
    made.steps = steps
    return made


def test_named_parts_are_trained_faster():
    """AdamW's first step is its rate in every number, times what a part's name says."""
    weights = {name: torch.nn.Parameter(torch.zeros(2, 2)) for name in ("a.slow", "b.quick")}
    made = optimiser.MasterOptimiser(weights.items(), ("",), ema=0.9, faster={"quick": 10.0})
    for weight in weights.values():
        weight.grad = torch.tensor([[1.0, -2.0], [3.0, 4.0]])
    made.step(1e-3)
    for name, rate in (("a.slow", 1e-3), ("b.quick", 1e-2)):
        torch.testing.assert_close(weights[name].data, torch.tensor([[-rate, rate], [-rate, -rate]]))


def test_partners_meet_at_the_mean_weighted_by_the_steps_each_has_made(tmp_path):
    first, second = (
        training.Partner(tmp_path, "s", second=False),
        training.Partner(tmp_path, "s", second=True),
    )
    mine, theirs = weight_of(1.0, 10), weight_of(5.0, 0)
    first.exchange(mine)
    second.exchange(theirs)
    assert torch.equal(theirs.master["w"], mine.master["w"])  # who joins begins where the other is
    first.exchange(mine)  # sees the other for the first time: what it published before joining does not count
    theirs.master["w"].fill_(9.0)
    mine.steps, theirs.steps = 16, 2
    second.exchange(theirs)
    first.exchange(mine)
    # The first made 6 steps, the second 2, since they last met.
    torch.testing.assert_close(mine.master["w"], torch.full((3, 5), 1.0 + (9.0 - 1.0) * 2 / (2 + 6)))


def test_a_partner_that_stopped_changes_nothing(tmp_path):
    first, second = (
        training.Partner(tmp_path, "s", second=False),
        training.Partner(tmp_path, "s", second=True),
    )
    mine = weight_of(1.0, 10)
    second.exchange(weight_of(5.0, 3))
    first.exchange(mine)
    mine.steps = 20
    first.exchange(mine)
    assert torch.equal(mine.master["w"], torch.full((3, 5), 1.0))


@pytest.mark.parametrize("motion", world.MOTIONS)
def test_a_caption_names_its_motion_and_no_other(motion):
    scene, rng = world.scene_from_seed(3, motion=motion), random.Random(0)
    for _ in range(12):
        assert batches.named_motion(world.caption(scene, rng, name_motion=1.0)) == world.MOTIONS.index(motion)
    if motion != "blink":
        assert batches.named_motion(world.caption(scene, rng, name_motion=0.0)) == len(world.MOTIONS)


def test_the_pooled_features_are_those_of_group_norm():
    features = torch.randn(2, 64, 3, 7) * 3 + 1
    want = torch.nn.functional.group_norm(features, 32).mean((2, 3))
    assert_same(stages.normalised_mean(features), want)


def test_a_controlnet_begins_without_effect_and_as_a_copy_of_the_encoder():
    unet = networks.make_unet()
    for parameter in unet.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    controlnet = networks.make_controlnet({f"unet.{k}": v for k, v in unet.state_dict().items()})
    state = controlnet.state_dict()
    assert torch.equal(
        state["input_blocks.1.0.in_layers.2.weight"], unet.state_dict()["input_blocks.1.0.in_layers.2.weight"]
    )
    told = controlnet(
        torch.randn(2, 4, 16, 16),
        torch.rand(2, 3, 128, 128),
        torch.tensor([7.0, 900.0]),
        torch.randn(2, 77, 64),
    )
    assert len(told["output"]) == 12 and len(told["middle"]) == 1
    assert all(not bool(t.any()) for t in (*told["output"], *told["middle"]))


def test_added_control_is_what_core_does_with_control():
    unet = networks.make_unet()
    for parameter in unet.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    x, t, context = torch.randn(2, 4, 16, 16), torch.tensor([7.0, 900.0]), torch.randn(2, 77, 64)
    controlnet = networks.make_controlnet({f"unet.{k}": v for k, v in unet.state_dict().items()})
    for parameter in controlnet.parameters():
        torch.nn.init.normal_(parameter, std=0.05)

    def control(x, t, context):
        return controlnet(x, torch.ones(2, 3, 128, 128), t.float(), context)

    with torch.no_grad():
        ours = stages.denoise(unet, x, t, context, control=control)
        cores = unet(x, t, context=context, control={k: list(v) for k, v in control(x, t, context).items()})
        without = stages.denoise(unet, x, t, context)
    assert_same(ours, cores)
    assert (ours - without).abs().max() > 1e-2


def test_a_trained_motion_lora_is_read_back_as_a_published_one(tmp_path, monkeypatch):
    motion = training.make_motion("v2")
    sizes = {name: motion.get_submodule(name).weight.shape for name in train_adapters.motion_layers(motion)}
    trained = {}
    for name, (rows, columns) in sizes.items():
        parts = 3 if name.endswith("to_qkv") else 1
        for part in range(parts):
            trained[f"{name}.up.{part}"] = torch.randn(rows // parts, 2)
            trained[f"{name}.down.{part}"] = torch.randn(2, columns)
    monkeypatch.setattr(training, "averages", lambda work, stage: trained)
    changes = read_motion_lora(train_adapters.motion_lora_state(tmp_path, "pan"))
    assert len(changes) == sum(3 if name.endswith("to_qkv") else 1 for name in sizes)
    assert any(change.key.startswith("mid_block.") for change in changes)
    for change in changes:
        side = f"{change.key.removesuffix('.weight')}"
        part = change.part or 0
        torch.testing.assert_close(
            change.up @ change.down, trained[f"{side}.up.{part}"] @ trained[f"{side}.down.{part}"]
        )


def test_a_trained_camera_is_read_back_as_a_published_one(tmp_path):
    """Training changes MotionCtrl's layers alone; their file goes onto the module. What passes the features
    on stays the identity.
    """
    train.restore(tmp_path, FOLDER)
    shutil.copy(tmp_path / "pan.pt", tmp_path / "rise.pt")  # a teacher, whatever it teaches
    train_adapters.train_camera(training.Setup(tmp_path, steps=2, frames=32))
    trained = training.averages(tmp_path, "camera")
    assert trained and all(motion_ctrl.is_part(key) for key in trained)
    published = train_adapters.camera_state(tmp_path)
    assert motion_ctrl.is_control(frozenset(published))
    config = training.make_motion("v2").config
    _, weights = motion_ctrl.read_control(published, config, "tiny")
    projections = [value for key, value in weights.items() if key.endswith("cc_projection.weight")]
    assert len(projections) == len(config.site_channels)
    for value in projections:
        assert torch.equal(value[:, : len(value)], torch.eye(len(value)))
        assert value[:, len(value) :].any()


def test_teachers_are_as_strong_in_each_frame_as_they_are_told():
    """One strength for all frames is the MotionLoRA itself; a frame of strength 0 changes by the others
    alone, and outside of `at` nothing changes.
    """
    motion, plain = (training.make_motion("v2") for _ in range(2))
    with torch.no_grad():
        for parameter in motion.parameters():
            parameter.normal_(std=0.3)
    plain.load_state_dict(motion.state_dict())
    layer = (
        "down_blocks.0.motion_modules.0.temporal_transformer.transformer_blocks.0.attention_blocks.0.to_qkv"
    )
    rows, columns = motion.get_submodule(layer).weight.shape
    lora = {f"{layer}.up.{part}": torch.randn(rows // 3, 2) for part in range(3)}
    lora |= {f"{layer}.down.{part}": torch.randn(2, columns) for part in range(3)}
    teachers = Teachers(motion, {"pan": lora})
    tokens, attend = torch.randn(5, 4, columns), plain.get_submodule(layer)
    change = torch.cat([lora[f"{layer}.up.{part}"] @ lora[f"{layer}.down.{part}"] for part in range(3)])
    taught = motion.get_submodule(layer)
    shares = torch.tensor([0.0, 0.5, 1.0, -2.0])
    with torch.no_grad():
        assert torch.equal(taught(tokens), attend(tokens))
        with teachers.at({"pan": shares, "zoom": shares}):
            found = taught(tokens)
        wanted = attend(tokens) + (tokens @ change.T) * shares[:, None]
        torch.testing.assert_close(found, wanted)
        assert torch.equal(found[:, 0], attend(tokens)[:, 0])
        assert torch.equal(taught(tokens), attend(tokens))


def test_camera_control_is_scored_by_what_the_teachers_change(monkeypatch):
    """What does as the teachers do has no loss, also where they go backwards; what does nothing has nearly 1,
    but of clips that hold or have no caption, of which nothing changes.
    """
    drawer = batches.Drawer()
    batch = drawer.steered(16 * 8, 3, "camera")
    assert {True, False} == {curve.backwards for curve in batch.curves}
    steps = torch.arange(16.0)

    def predicted(unet, motion, noisy, times, context, num_frames, acts=None, inputs=None):
        """Frames that differ by what the teachers are told, or by what camera control was."""
        if motion == "plain":
            return torch.zeros_like(noisy)
        if motion == "taught":
            return (steps * teachers.shares["pan"])[:, None, None, None].expand_as(noisy).clone()
        each = [
            0 * steps if not told or curve.holds
            else (steps * curve.shares["pan"]).flip(0) if curve.backwards else steps * curve.shares["pan"]
            for curve, told in zip(batch.curves, batch.captioned, strict=True)
        ]  # fmt: skip
        return does * torch.cat(each)[:, None, None, None].expand_as(noisy)

    teachers = SimpleNamespace(motion="taught", shares={})
    teachers.at = lambda shares: contextlib.nullcontext(teachers.shares.update(shares))
    monkeypatch.setattr(stages, "_predicted", predicted)
    arguments = (lambda rows: torch.zeros(len(rows), 77, 4), None, "plain", teachers, "steered", batch)
    does = 1.0
    assert float(stages.camera_loss(*arguments)) < 1e-6
    does = 0.0
    pans = [
        told and bool(curve.shares["pan"].any())
        for curve, told in zip(batch.curves, batch.captioned.tolist(), strict=True)
    ]
    assert 0 < sum(pans) < len(pans)
    assert float(stages.camera_loss(*arguments)) == pytest.approx(sum(pans) / len(pans), abs=0.02)


def test_a_module_that_begins_locally_knows_its_frame():
    """What leaves the last attention differs from frame to frame although every frame is the same."""
    motion = training.begin_local(training.make_motion())
    attention = next(m for n, m in motion.named_modules() if n.endswith("attention_blocks.1"))
    tokens = torch.randn(1, 1, 64).repeat(3, 16, 1)
    with torch.no_grad():
        seen = attention(
            tokens,
            lambda q, k, v, heads: (
                torch.nn.functional.scaled_dot_product_attention(
                    *(t.unflatten(-1, (heads, -1)).transpose(1, 2) for t in (q, k, v))
                )
                .transpose(1, 2)
                .flatten(2)
            ),
        )
    apart = torch.cdist(seen[0], seen[0])
    assert float(apart[0, 15]) > 1.0 and float(apart[0, 8]) > 0.5


def test_the_finished_files_give_back_the_states_that_later_stages_need(tmp_path):
    train.restore(tmp_path, FOLDER)
    text, unet = training.frozen_base(tmp_path)
    shipped = safetensors.torch.load_file(FOLDER / FILES["checkpoint"])
    token_ids = networks.vocabulary(networks.word_tokens())
    again = networks.export_checkpoint(unet.state_dict(), text.state_dict(), token_ids, {})
    assert len(again) > 300
    for key, value in again.items():
        torch.testing.assert_close(
            value.float(), shipped[key].float(), atol=2e-2, rtol=1e-2
        )  # trained in bfloat16
    for stage, version in (("motion", "v3"), ("motion_v2", "v2")):
        names = to_original_names(train_adapters.finished_motion(version, tmp_path, stage))
        for key, value in safetensors.torch.load_file(FOLDER / FILES[stage]).items():
            torch.testing.assert_close(names[key].half(), value, atol=1e-3, rtol=1e-3)  # float16
    for stage in train_adapters.CAMERAS:
        shipped = safetensors.torch.load_file(FOLDER / FILES[stage])
        again = train_adapters.motion_lora_state(tmp_path, stage)
        assert set(again) == set(shipped) and all(
            torch.equal(again[key], value.float()) for key, value in shipped.items()
        )
    assert training.averages(tmp_path, "control").keys() == dict(networks.make_controlnet({
        f"unet.{k}": v for k, v in unet.state_dict().items()}).named_parameters()).keys()  # fmt: skip
    begun = {k for k in training.averages(tmp_path, "unet") if k.startswith("motion.")}
    assert begun == {f"motion.{k}" for k in training.averages(tmp_path, "motion")}
    motion = training.make_motion("v3")
    for parameter in motion.parameters():
        torch.nn.init.normal_(parameter)
    named = [(k, p) for k, p in motion.named_parameters() if p.requires_grad]
    gone_on = optimiser.MasterOptimiser(named, (), ema=0.9)
    gone_on.load_state_dict(torch.load(tmp_path / "motion.pt", weights_only=True)["optimiser"])
    assert gone_on.steps == 0 and gone_on.master.keys() == dict(named).keys()
    for key, value in training.averages(tmp_path, "motion").items():
        torch.testing.assert_close(
            dict(named)[key].detach(), value, atol=0, rtol=0
        )  # a stage goes on from the finished file
    with pytest.raises(
        FileExistsError, match="has states of unet, motion, motion_v2, pan, zoom, control already"
    ):
        train.restore(tmp_path, FOLDER)


def test_the_loss_of_the_stages_is_the_trainers_of_velocity(monkeypatch):
    """Written of the noise there, of the clean latents in tuning/objectives.py."""
    latents, predicted = torch.randn(2, 3, 4, 5, 2, generator=torch.Generator().manual_seed(2)).double()
    kept = torch.tensor([0.9, 0.5, 0.02], dtype=torch.float64)
    batch = SimpleNamespace(
        seed=3, kept=kept, times=kept, each_frame=lambda values: values
    )  # fmt: skip
    seen = []

    def denoise(unet, noisy, *_):
        seen.append(noisy)
        return predicted

    monkeypatch.setattr(stages, "denoise", denoise)
    found = stages.noise_loss(None, latents, batch, None)
    wanted = []
    for frame, share in enumerate(kept):
        sigma = ((1 - share) / share).sqrt()
        denoised = seen[0][frame] / share.sqrt() - sigma * predicted[frame]
        wanted.append(clip_loss(denoised[None], latents[frame][None], sigma, "velocity"))
    torch.testing.assert_close(found.double(), torch.stack(wanted).mean(), rtol=1e-5, atol=0)
