"""The opacity of VP8 and VP9 lies beside the pictures, where a tag says so;
programs write that tag in several ways.

What is right is what was drawn into the frames, and what ffmpeg's usual recipe says it writes.
"""

import shutil
import subprocess

import av
import numpy as np
import pytest
from zoetrope.tests.odd_videos import ALPHA, CLEAR, encode, read_cells, with_alpha
from zoetrope.video_io.decode import decode_selection
from zoetrope.video_io.frame_selection import ReadOptions
from zoetrope.video_io.frame_size import SizeRequest

HEADER, NOTHING = (
    b"\x53\xc0\x81\x01",
    b"\xec\x82\0\0",
)  # Matroska's AlphaMode = 1, and as many bytes that say nothing
VP8 = {"auto-alt-ref": "0", "crf": "5", "b": "2M"}


def write(path, codec, on_stream, on_file):
    """A file with opacity whose header does not say so; only these tags do."""
    with av.open(str(path), "w") as container:
        container.metadata.update(on_file)
        options = CLEAR if codec == "libvpx-vp9" else VP8
        stream, packets = encode(
            None, codec, with_alpha(), pix_fmt="yuva420p", options=options, container=container
        )
        stream.metadata.update(on_stream)
        container.mux(packets)
    whole = path.read_bytes()
    path.write_bytes(whole.replace(HEADER, NOTHING))


@pytest.mark.parametrize("codec", ["libvpx", "libvpx-vp9"])
@pytest.mark.parametrize("suffix", ["webm", "mkv"])
@pytest.mark.parametrize(
    ("on_stream", "on_file"),
    [({"alpha_mode": "1"}, {}), ({"ALPHA_MODE": "1"}, {}), ({}, {"Alpha_Mode": "1"})],
)
def test_the_tag_counts_however_it_is_written(tmp_path, codec, suffix, on_stream, on_file):
    path = tmp_path / f"x.{suffix}"
    write(path, codec, on_stream, on_file)
    with av.open(str(path)) as container:  # the header is silent, so that the tag is what is tested
        assert "alpha_mode" not in container.streams.video[0].metadata
    found = decode_selection(path)
    for opacity in found.alpha:
        np.testing.assert_allclose(read_cells(opacity.numpy()), ALPHA, atol=0.03)


def test_without_the_tag_and_with_a_zero_it_is_opaque(tmp_path):
    for tags in ({}, {"ALPHA_MODE": "0"}):
        write(tmp_path / "x.webm", "libvpx-vp9", tags, {})
        assert decode_selection(tmp_path / "x.webm").alpha is None


@pytest.mark.skipif(
    shutil.which("ffmpeg") is None, reason="reads a file of the ffmpeg command line where that is installed"
)
@pytest.mark.parametrize("width", [32, 34, 36, 46, 50])
def test_the_usual_recipe_of_ffmpeg(tmp_path, width):
    """Half transparent red; its last columns were of another colour at widths of 16 n + 2 and 16 n + 4."""
    source = ["-f", "lavfi", "-i", f"color=red@0.5:s={width}x16:r=8,format=yuva420p", "-frames:v", "3"]
    coded = [
        "-c:v",
        "libvpx-vp9",
        "-lossless",
        "1",
        "-pix_fmt",
        "yuva420p",
        "-metadata:s:v:0",
        "alpha_mode=1",
    ]
    subprocess.run(["ffmpeg", "-v", "error", *source, *coded, str(tmp_path / "x.webm")], check=True)
    subprocess.run(
        ["ffmpeg", "-v", "error", "-i", str(tmp_path / "x.webm"), "-c", "copy", str(tmp_path / "x.mkv")],
        check=True,
    )
    for name in ("x.webm", "x.mkv"):
        found = decode_selection(tmp_path / name, ReadOptions(size=SizeRequest(multiple_of=1)))
        assert found.frames.shape == (3, 16, width, 3)
        np.testing.assert_allclose(found.alpha.numpy(), 0.5, atol=0.01)
        np.testing.assert_allclose(
            found.frames.numpy(), np.broadcast_to((1.0, 0, 0), found.frames.shape), atol=0.02
        )
