"""Frames to a file in output/:
name, order, transparency, what the editor shows, metadata switched off, a run that is cancelled.
"""

from types import SimpleNamespace

import av
import comfy.model_management
import comfy.utils
import folder_paths
import pytest
import torch
from PIL import Image
from zoetrope.host.files.output_names import next_name
from zoetrope.host.media import video_saving
from zoetrope.host.media.video_saving import (
    FORMAT_NAMES,
    SaveRequest,
    save_images,
    save_video,
    workflow_texts,
)
from zoetrope.video_io.frame_size import Size

HIDDEN = SimpleNamespace(prompt={"1": {}}, extra_pnginfo={"workflow": {"nodes": []}})
LEVELS = (0.1, 0.3, 0.5, 0.7)


@pytest.fixture(autouse=True)
def output(tmp_path, monkeypatch):
    monkeypatch.setattr(folder_paths, "output_directory", str(tmp_path))
    return tmp_path


def images(levels=LEVELS):
    return torch.tensor(levels)[:, None, None, None].expand(-1, 64, 64, 3).clone()


def request(format="FFV1 (mkv)", prefix="clip", **more):
    return SaveRequest(prefix, 8, format, hidden=HIDDEN, **more)


def levels_of(path):
    with av.open(str(path)) as container:
        return [
            round(frame.to_ndarray(format="rgb24").mean() / 255, 1) for frame in container.decode(video=0)
        ]


def test_names_count_on_and_take_sub_folders_and_any_letters(output):
    names = [save_images(images(), None, None, request(prefix="视频/a b $(x) é")).path for _ in range(2)]
    assert [path.relative_to(output).as_posix() for path in names] == [
        f"视频/a b $(x) é_0000{i}_.mkv" for i in (1, 2)
    ]


@pytest.mark.parametrize("prefix", ["t1/x/", "t1/x//", "t1/./x", "t1/y/../x/"])
def test_a_slash_at_the_end_is_no_name_of_its_own(prefix, output):
    names = [save_images(images((0.2 + n / 10,)), None, None, request(prefix=prefix)).path for n in range(3)]
    assert [path.relative_to(output).as_posix() for path in names] == [
        f"t1/x_0000{n}_.mkv" for n in (1, 2, 3)
    ]
    assert [levels_of(path) for path in names] == [[0.2], [0.3], [0.4]]


def test_names_are_those_of_comfyui(output):
    """Its own savers count every file of the prefix, and know the date and size."""
    for name in ("x_00007_.png", "x_00003_.mkv", "other_00050_.mkv"):
        (output / name).write_bytes(b"")
    mine = save_images(images(), None, None, request(prefix="x")).path
    assert mine.name == "x_00008_.mkv" and folder_paths.get_save_image_path("x", str(output))[2] == 9
    year = folder_paths.get_save_image_path("%year%", str(output))[1]
    assert save_images(images(), None, None, request(prefix="%year%/%width%x%height%")).path == (
        output / year / "64x64_00001_.mkv"
    )
    assert (
        save_images(images(), None, None, request(prefix="%date:yyyy%/x")).path.parent.name == "%date:yyyy%"
    )


def test_a_name_that_is_too_long_is_refused_before_the_first_frame(output):
    message = "the file name .a+.* has 311 bytes, .*make the filename_prefix 56 bytes shorter"
    with pytest.raises(ValueError, match=message):
        save_video(frames_of_nobody, 1, Size(8, 8), request("H.264 (mp4)", "a" * 300))
    message = "its sub-folder cannot be used .File name too long.*choose another sub-folder"
    with pytest.raises(ValueError, match=message):
        save_video(frames_of_nobody, 1, Size(8, 8), request("H.264 (mp4)", "视" * 100 + "/x"))
    assert list(output.iterdir()) == []


@pytest.mark.parametrize("prefix", ["file/x", "file/deep/x", "file/x/"])
def test_a_sub_folder_that_is_a_file_is_refused_before_the_first_frame(prefix, output):
    (output / "file").write_bytes(b"theirs")
    with pytest.raises(ValueError, match="its sub-folder cannot be used .*because a file has that name"):
        save_video(frames_of_nobody, 1, Size(8, 8), request(prefix=prefix))
    assert (output / "file").read_bytes() == b"theirs"


def frames_of_nobody(backward):
    raise AssertionError("a frame was asked for")


@pytest.mark.parametrize("prefix", ["../x", "a/../../x", "{root}x", "link/x"])
def test_names_that_leave_the_output_folder_are_refused(prefix, output, tmp_path_factory):
    (output / "link").symlink_to(tmp_path_factory.mktemp("elsewhere"))
    with pytest.raises(ValueError, match="leads out of the output folder; give a name, or a sub-folder"):
        save_images(images(), None, None, request(prefix=prefix.format(root=output.anchor)))
    assert [path.name for path in output.iterdir()] == ["link"]


def test_names_that_no_file_system_takes_are_refused(output):
    for prefix, message in (
        ("a\0b/x", "zero character"),
        ("a\ud800", "half a character"),
        ("", "names no file"),
    ):
        with pytest.raises(ValueError, match=f"filename_prefix='.*' .*{message}.*; ") as refused:
            save_images(images(), None, None, request(prefix=prefix))
        assert str(refused.value).isprintable()
    assert list(output.iterdir()) == []


@pytest.mark.parametrize(
    ("format", "ping_pong", "loops", "expected"),
    [
        ("FFV1 (mkv)", True, 0, [0.1, 0.3, 0.5, 0.7, 0.5, 0.3]),
        ("FFV1 (mkv)", False, 2, [*LEVELS, *LEVELS]),
        ("GIF", False, 5, list(LEVELS)),
    ],
)
def test_order(format, ping_pong, loops, expected):
    saved = save_images(images(), None, None, request(format, ping_pong=ping_pong, loop_count=loops))
    assert levels_of(saved.path) == expected


def test_the_video_goes_on_to_other_nodes():
    saved = save_images(images(), None, None, request())
    components = saved.video.get_components()
    assert components.images.shape == (4, 64, 64, 3) and components.frame_rate == 8


@pytest.mark.parametrize("format", FORMAT_NAMES)
def test_the_editor_gets_what_a_browser_can_show(format):
    saved = save_images(images(), None, None, request(format)).ui.as_dict()
    (shown,) = saved["images"]
    extension = shown["filename"].rsplit(".", 1)[1]
    assert extension in ("mp4", "webm", "gif", "webp", "png") and shown["type"] == "output"
    # The editor makes a <video> of what is animated and neither webp nor png.
    assert ("animated" in saved) == (extension in ("mp4", "webm", "webp") or format == "APNG")


def alpha_of(saved):
    with av.open(str(saved.path)) as container:
        return (
            torch.stack(
                [torch.from_numpy(f.to_ndarray(format="rgba"))[..., 3] for f in container.decode(video=0)]
            ).float()
            / 255
        )


def test_a_mask_is_what_is_transparent():
    mask = torch.zeros(4, 64, 64)
    mask[2, :, 32:] = 1
    found = alpha_of(save_images(images(), mask, None, request()))
    assert torch.equal(found, 1 - mask)
    found = alpha_of(
        save_images(images(), mask[2:3, :32, :32], None, request())
    )  # one for all, of another size
    assert (found == found[0]).all() and found[0, 0, 0] == 1


def test_four_channels_are_colour_and_opacity():
    four = torch.cat([images(), torch.full((4, 64, 64, 1), 0.2)], -1)
    assert (alpha_of(save_images(four, None, None, request())) - 0.2).abs().max() < 0.01
    assert levels_of(save_images(four, None, None, request("H.264 (mp4)")).path) == list(LEVELS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((images()[:0], None), "at least one frame"),
        ((images(), torch.zeros(3, 64, 64)), "3 masks for 4 frames; give one for each"),
    ],
)
def test_what_makes_no_video_is_refused(arguments, message, output):
    with pytest.raises(ValueError, match=message):
        save_images(*arguments, None, request())
    assert list(output.iterdir()) == []


@pytest.mark.parametrize("more", [["a list"], "text", {"名 😀 \ud83d": {"\0": "猫"}}, {"odd": {1, 2}}, None])
def test_whatever_is_told_beside_the_prompt_is_written(more):
    hidden = SimpleNamespace(prompt={"1": {}}, extra_pnginfo=more)
    saved = save_images(images(), None, None, SaveRequest("x", 8, "APNG", hidden=hidden))
    assert b'comfprompt\0{"1": {}}' in saved.path.read_bytes()


def test_disable_metadata_is_respected(monkeypatch):
    assert set(workflow_texts(HIDDEN)) == {"prompt", "workflow"}
    monkeypatch.setattr(video_saving.args, "disable_metadata", True)
    assert workflow_texts(HIDDEN) == {}
    saved = save_images(images(), None, None, request("APNG"))
    with Image.open(saved.path) as image:
        assert image.n_frames == 4
    assert b"workflow" not in saved.path.read_bytes()


def test_a_cancelled_run_leaves_nothing_and_its_name_is_free_again(output, monkeypatch):
    calls = []

    def hook(value, total, preview, **_):
        calls.append((value, total))
        comfy.model_management.interrupt_current_processing()
        comfy.model_management.throw_exception_if_processing_interrupted()

    monkeypatch.setattr(comfy.utils, "PROGRESS_BAR_HOOK", hook)
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        save_images(images(), None, None, request(ping_pong=True))
    assert calls == [(1, 6)]
    assert list(output.iterdir()) == []
    assert next_name("clip", Size(64, 64))[1] == "clip_00001_"


def test_a_video_to_look_at_lies_in_temp(output, tmp_path_factory, monkeypatch):
    temp = tmp_path_factory.mktemp("temp")
    monkeypatch.setattr(folder_paths, "temp_directory", str(temp))
    saved = save_images(images(), None, None, request("H.264 (mp4)", save_output=False))
    assert saved.path.parent == temp and not list(output.iterdir())
    (shown,) = saved.ui.as_dict()["images"]
    assert (shown["filename"], shown["type"]) == (saved.path.name, "temp")


def test_a_video_without_metadata_says_nothing_of_the_workflow():
    for keeps, words in ((True, b'"nodes"'), (False, b"")):
        path = save_images(images(), None, None, request("H.264 (mp4)", save_metadata=keeps)).path
        assert (b'"nodes"' in path.read_bytes()) == bool(words)


@pytest.mark.parametrize(("seconds", "frames"), [(0.25, 2), (0.26, 3), (0.01, 1), (9.0, 4)])
def test_a_video_ends_with_its_sound_where_that_is_wanted(seconds, frames):
    sound = {"waveform": torch.zeros(1, 1, round(seconds * 8000)), "sample_rate": 8000}
    for trims, count in ((True, frames), (False, 4)):
        path = save_images(images(), None, sound, request(trim_to_audio=trims)).path
        assert len(levels_of(path)) == count
