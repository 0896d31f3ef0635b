import io
import json
import shutil
import subprocess

import av
import pytest
import torch
from zoetrope.video_io.encode import encode_h264

COLOURS = {
    "red": (1, 0, 0),
    "green": (0, 1, 0),
    "blue": (0, 0, 1),
    "white": (1, 1, 1),
    "grey": (0.5, 0.5, 0.5),
    "skin": (0.9, 0.7, 0.6),
}


def decode(buffer: io.BytesIO, **reformat) -> torch.Tensor:
    buffer.seek(0)
    with av.open(buffer) as container:
        return torch.stack(
            [
                torch.from_numpy(f.reformat(format="rgb24", **reformat).to_ndarray())
                for f in container.decode(video=0)
            ]
        )


@pytest.mark.parametrize("colour", COLOURS)
def test_colours_come_back_when_read_as_tagged(colour):
    want = torch.tensor(COLOURS[colour])
    buffer = io.BytesIO()
    encode_h264([want.expand(34, 46, 3)] * 3, buffer, fps=8)
    buffer.seek(0)
    with av.open(buffer) as container:
        frame = next(container.decode(video=0))
        assert (frame.colorspace, frame.color_range) == (1, 1)
        context = container.streams.video[0].codec_context
        assert (context.color_primaries, context.color_trc, context.colorspace) == (1, 1, 1)
    got = decode(buffer, src_colorspace="ITU709", src_color_range="MPEG", dst_color_range="JPEG")[1, 17, 23]
    assert (got - want * 255).abs().max() <= 3


def test_frames_rate_order_and_size():
    frames = [torch.full((34, 46, 3), i / 10) for i in range(7)]
    buffer, seen = io.BytesIO(), []
    assert encode_h264(iter(frames), buffer, fps=12.5, progress=lambda: seen.append(1)) == len(seen) == 7
    got = decode(buffer).float().mean((1, 2, 3)) / 255
    torch.testing.assert_close(got, torch.arange(7) / 10, atol=0.02, rtol=0)
    buffer.seek(0)
    with av.open(buffer) as container:
        stream = container.streams.video[0]
        assert (stream.average_rate, stream.width, stream.height) == (12.5, 46, 34)


def test_odd_sides_are_made_even_by_repeating_the_edge():
    frame = torch.zeros(33, 45, 3)
    frame[-1], frame[:, -1] = 1, 1
    buffer = io.BytesIO()
    encode_h264([frame], buffer, fps=8, crf=5)
    got = decode(buffer)[0].float()
    assert got.shape == (34, 46, 3)
    assert got[-1].mean() > 200
    assert got[:, -1].mean() > 200


def test_the_index_comes_first_so_that_browsers_can_start_and_find_the_workflow(tmp_path):
    encode_h264([torch.rand(34, 46, 3)] * 5, str(tmp_path / "x.mp4"), fps=8)
    content = (tmp_path / "x.mp4").read_bytes()
    assert 0 < content.index(b"moov") < content.index(b"mdat")


def test_audio_is_muxed_and_cut_to_the_video():
    audio = {"waveform": torch.randn(1, 2, 8000 * 5) * 0.1, "sample_rate": 8000}
    buffer = io.BytesIO()
    encode_h264([torch.rand(34, 46, 3)] * 16, buffer, fps=8, audio=audio)
    buffer.seek(0)
    with av.open(buffer) as container:
        sound = container.streams.audio[0]
        seconds = sum(f.samples for f in container.decode(audio=0)) / sound.rate
    assert sound.layout.name == "stereo"
    assert seconds == pytest.approx(2.0, abs=0.3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"frames": []}, "at least one frame"),
        ({"fps": 0}, "fps=0"),
        ({"crf": 60}, "crf=60"),
        ({"crf": 0}, "crf=0"),
        ({"audio": {"waveform": torch.zeros(1, 9, 800), "sample_rate": 8000}}, "9 channels"),
    ],
)
def test_bad_input_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        encode_h264(**{"frames": [torch.zeros(34, 46, 3)], "target": io.BytesIO(), "fps": 8} | arguments)


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="compares with ffprobe where it is installed")
def test_ffprobe_agrees_on_the_tags(tmp_path):
    path = tmp_path / "x.mp4"
    encode_h264([torch.rand(34, 46, 3)] * 3, str(path), fps=8)
    said = subprocess.run(
        ["ffprobe", "-v", "error", "-show_streams", "-of", "json", str(path)], capture_output=True, check=True
    )
    stream = json.loads(said.stdout)["streams"][0]
    assert {stream[k] for k in ("color_space", "color_transfer", "color_primaries")} == {"bt709"}
    assert stream["color_range"] == "tv"
