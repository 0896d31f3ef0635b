"""The previews of a whole clip:
what goes through ComfyUI's progress hook is a picture of all frames, and sampling is as without.
"""

import io

import comfy.utils
import folder_paths
import latent_preview
import pytest
import torch
from comfy.cli_args import LatentPreviewMethod, args
from comfy.taesd.taesd import Decoder
from PIL import Image
from safetensors.torch import save_file
from zoetrope.host.media import clip_previews
from zoetrope.host.media.clip_previews import PreviewSettings, preview_clip
from zoetrope.tests.comfy.golden_unet import golden_model
from zoetrope.tests.rounding import assert_same

from ..context_rig import F, H, W, evaluate, prompt, seeded, windowed

STEPS = 3


@pytest.fixture
def sent(monkeypatch):
    """What reaches the progress hook, as the server would encode it: (format, bytes, step)."""
    images = []

    def hook(value, total, preview, **_):
        if preview is not None:
            kind, image, size = preview
            out = io.BytesIO()
            image.save(
                out, format=kind, quality=95, compress_level=1
            )  # as ComfyUI's server.send_image_with_metadata
            images.append((kind, out.getvalue(), value))
            assert total == STEPS and (size is None or kind == "JPEG")

    before = comfy.utils.PROGRESS_BAR_HOOK
    comfy.utils.set_progress_bar_global_hook(hook)
    yield images
    comfy.utils.set_progress_bar_global_hook(before)


def three_steps(model, x, sigmas, extra_args=None, callback=None, disable=None):
    """A sampler whose step i ends with frame n of the latents at a brightness of their own."""
    for i in range(STEPS):
        denoised = torch.linspace(-1, 1, x.shape[0]).view(-1, 1, 1, 1).expand_as(x) * (i + 1)
        callback({"i": i, "denoised": denoised, "x": x, "sigma": sigmas[0], "sigma_hat": sigmas[0]})
    return model(x, sigmas[0] * x.new_ones(x.shape[0]), **(extra_args or {}))


def run(model, callback=None, sampler=three_steps):
    return evaluate(
        model,
        seeded(F, 4, H, W),
        prompt(),
        prompt(seed=3),
        sampler=sampler,
        sigmas=(3.0, 2.0, 1.0, 0.0),
        callback=callback,
    )


def frames_of(content):
    with Image.open(io.BytesIO(content)) as image:
        frames = []
        for number in range(image.n_frames):
            image.seek(number)
            frames.append((image.convert("RGB"), image.info["duration"]))
        return frames


def test_every_frame_is_in_the_animation(sent):
    run(preview_clip(golden_model(), PreviewSettings(fps=10.0, size=64)))
    assert [value for _, _, value in sent] == [
        1,
        STEPS,
    ]  # the first and the last step; those between come within half a second
    for kind, content, _ in sent:
        frames = frames_of(content)
        assert kind == "WEBP" and content[:4] == b"RIFF" and content[8:12] == b"WEBP"
        assert len(frames) == F
        assert {duration for _, duration in frames} == {100}
        assert {max(frame.size) for frame, _ in frames} == {64}
        # In the animation as in the latents, each frame differs from the one before.
        brightness = [sum(frame.resize((1, 1)).getpixel((0, 0))) for frame, _ in frames]
        assert len(set(brightness)) > F // 2


def test_the_sheet_shows_all_frames_side_by_side(sent):
    run(preview_clip(golden_model(), PreviewSettings(mode="contact sheet", size=40)))
    kind, content, _ = sent[-1]
    with Image.open(io.BytesIO(content)) as sheet:
        assert kind == "JPEG" and sheet.width * sheet.height > F * 25 * 40


def test_samples_are_bit_for_bit_those_without_and_other_callbacks_still_run(sent):
    seen = []
    model = golden_model()
    with_it = run(
        preview_clip(model, PreviewSettings()), callback=lambda step, x0, x, total: seen.append((step, total))
    )
    assert seen == [(i, STEPS) for i in range(STEPS)]
    assert torch.equal(with_it, run(model, callback=lambda *_: None))


def test_it_is_once_on_the_model_and_not_on_the_one_it_came_from(sent):
    model = golden_model()
    run(preview_clip(preview_clip(model, PreviewSettings()), PreviewSettings()))
    assert len(sent) == 2
    sent.clear()
    run(model)
    assert sent == []


def test_context_windows_before_and_after_it(sent):
    plain = golden_model()
    expected = run(windowed(plain), callback=lambda *_: None)
    for model in (
        preview_clip(windowed(plain), PreviewSettings()),
        windowed(preview_clip(plain, PreviewSettings())),
    ):
        sent.clear()
        assert_same(run(model), expected)
        assert [len(frames_of(content)) for _, content, _ in sent] == [F, F]


def test_behind_comfyui_s_own_still_the_latest_picture_comes_again(sent, monkeypatch):
    """Otherwise the still picture of a step between ours would stand there until the next one of ours."""
    monkeypatch.setattr(args, "preview_method", LatentPreviewMethod.Latent2RGB)
    model = preview_clip(golden_model(), PreviewSettings())
    run(model, callback=latent_preview.prepare_callback(model, STEPS))
    assert [kind for kind, _, _ in sent] == ["JPEG", "WEBP"] * STEPS
    assert sent[1][1] == sent[3][1] != sent[5][1]


def test_previews_wait_their_turn(monkeypatch):
    """Half a second at least, and five times what the last one took."""
    now = [100.0]
    monkeypatch.setattr(clip_previews.time, "monotonic", lambda: now[0])
    preview = clip_previews.ClipPreview(PreviewSettings(), None, [])
    made = []

    def image(cost):
        def make(x0):
            now[0] += cost
            made.append(round(now[0], 2))
            return "WEBP", clip_previews.EncodedImage(b"x", (1, 1)), None

        return make

    for cost, ends in ((0.01, [100.01, 100.51, 101.01]), (0.4, [100.4, 102.4, 104.4])):
        now[0], made[:], preview.due = 100.0, [], 0.0
        preview.image = image(cost)
        for step in range(500):
            preview.show(step, None, 10_000)
            now[0] += 0.01
        assert made[:3] == pytest.approx(ends, abs=0.03)


def test_video_latents_and_long_clips():
    latent_format = golden_model().get_model_object("latent_format")
    previewer = clip_previews.find_previewer("latent2rgb", latent_format, torch.device("cpu"))
    preview = clip_previews.ClipPreview(PreviewSettings(fps=20.0, size=16), previewer, [])
    # What latent2rgb makes of SD's latents is the same with and without an axis for time.
    video = seeded(2, 4, 5, H, W)
    assert len(frames_of(preview.image(video)[1].content)) == 5
    shown = frames_of(preview.image(video)[1].content)
    alone = frames_of(preview.image(video[0].movedim(1, 0))[1].content)
    assert [frame.tobytes() for frame, _ in shown] == [frame.tobytes() for frame, _ in alone]
    long = frames_of(preview.image(seeded(clip_previews.MOST_FRAMES * 2, 4, H, W))[1].content)
    assert (
        len(long) == clip_previews.MOST_FRAMES and long[0][1] == 100
    )  # every second frame, shown twice as long


def test_video_with_sound_arrives_in_one_row():
    shapes = [torch.Size((1, 4, 3, H, W)), torch.Size((1, 2, 11))]
    packed, _ = comfy.utils.pack_latents([seeded(*shape) for shape in shapes])
    previewer = clip_previews.find_previewer(
        "latent2rgb", golden_model().get_model_object("latent_format"), torch.device("cpu")
    )
    preview = clip_previews.ClipPreview(PreviewSettings(size=16), previewer, shapes)
    assert len(frames_of(preview.image(packed)[1].content)) == 3


def test_taesd_is_used_where_it_is_asked_for_and_there(sent, tmp_path, monkeypatch):
    with pytest.raises(
        ValueError, match=r"method=taesd needs taesd_decoder.safetensors or .pth in models/vae_approx"
    ):
        run(preview_clip(golden_model(), PreviewSettings(method="taesd")))
    torch.manual_seed(0)
    save_file(Decoder(4).state_dict(), tmp_path / "taesd_decoder.safetensors")
    monkeypatch.setattr(folder_paths, "folder_names_and_paths", {**folder_paths.folder_names_and_paths})
    folder_paths.folder_names_and_paths["vae_approx"] = ([str(tmp_path)], {".safetensors"})
    monkeypatch.setattr(folder_paths, "filename_list_cache", {})
    run(preview_clip(golden_model(), PreviewSettings(method="taesd", size=1024)))
    frame, _ = frames_of(sent[-1][1])[0]
    assert frame.size == (W * 1024 // H, 1024)
    latent_format = golden_model().get_model_object("latent_format")
    assert isinstance(
        clip_previews.find_previewer("auto", latent_format, torch.device("cpu")),
        latent_preview.Latent2RGBPreviewer,
    )
    assert isinstance(
        clip_previews.find_previewer("taesd", latent_format, torch.device("cpu")),
        latent_preview.TAESDPreviewerImpl,
    )
    monkeypatch.setattr(args, "preview_method", LatentPreviewMethod.TAESD)
    assert isinstance(
        clip_previews.find_previewer("auto", latent_format, torch.device("cpu")),
        latent_preview.TAESDPreviewerImpl,
    )


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"mode": "film"}, "mode='film' must be one of animation, contact sheet"),
        ({"method": "vae"}, "method='vae' must be one of"),
        ({"fps": 0.0}, "fps=0 must be above 0"),
        ({"size": 3}, "size=3 must be at least 16"),
    ],
)
def test_bad_settings_are_refused(settings, told):
    with pytest.raises(ValueError, match=told):
        PreviewSettings(**settings)
