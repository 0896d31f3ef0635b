"""A file under a model's name that is something else is called what it is;
files are made by the programs that make them.
"""

import bz2
import gzip
import io
import lzma
import pickle
import re
import tarfile
import traceback
import zipfile

import av
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from zoetrope.host.files.model_files import read_content, read_tensors

PAGE = "<!DOCTYPE html>\n<html lang='en'><head><title>Sign in</title></head><body>...</body></html>"
POINTER = (
    "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32\nsize"
    " 12345\n"
)
S3 = '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code></Error>'


def image(kind):
    buffer = io.BytesIO()
    Image.new("RGB", (5, 3)).save(buffer, kind)
    return buffer.getvalue()


def video(kind, codec):
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=kind) as container:
        stream = container.add_stream(codec, rate=8)
        stream.width, stream.height, stream.pix_fmt = 32, 16, "yuv420p"
        for _ in range(3):
            container.mux(
                stream.encode(av.VideoFrame.from_ndarray(np.zeros((16, 32, 3), np.uint8), format="rgb24"))
            )
        container.mux(stream.encode())
    return buffer.getvalue()


def tar():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("pytorch_model.bin"))
    return buffer.getvalue()


def zipped(name):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, "x" * 100)
    return buffer.getvalue()


def numpy_array():
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    return buffer.getvalue()


def script():
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 3)), buffer)
    return buffer.getvalue()


OTHERS = {
    "web page": (lambda: PAGE.encode(), "is a web page saved as a file; download the model"),
    "web page of another programme": (
        lambda: b"\xef\xbb\xbf\r\n  <HTML>\n<body>404</body>",
        "is a web page saved as a file",
    ),
    "web page in UTF-16": (lambda: PAGE.encode("utf-16"), "is a web page saved as a file"),
    "comment before the page": (lambda: b"<!-- saved -->\n" + PAGE.encode(), "is a web page saved as a file"),
    "Git LFS pointer": (lambda: POINTER.encode(), "is a Git LFS pointer.*git lfs pull"),
    "JSON": (lambda: b'{"error": "Repository not found"}', "is a JSON text .*Repository not found"),
    "list in JSON": (lambda: b'[\n "down_blocks"]', "is a JSON text"),
    "error of a server": (lambda: S3.encode(), "is an XML text, mostly the error of a server.*AccessDenied"),
    "words": (lambda: "Entry not found, 文件".encode(), "is a text .'Entry not found, 文件'"),
    "hostile words": (
        lambda: b"Not found \x7f " + "\u202e".encode() + b"x" * 5000,
        r"is a text .'Not found \\x7f \\u202exx.*\.\.\.",
    ),
    "GGUF": (
        lambda: b"GGUF\3\0\0\0" + bytes(range(90)),
        "is a GGUF file.*download the .safetensors or .ckpt version",
    ),
    "ONNX": (
        lambda: b"\x08\x08\x12\x07pytorch\x1a\x052.1.0:\x90\x01" + bytes(range(128)),
        "is an ONNX model",
    ),
    "tar": (tar, "is a tar archive; unpack it"),
    "tar.gz": (lambda: gzip.compress(tar()), "is a gzip archive; unpack it"),
    "bz2": (lambda: bz2.compress(b"x" * 99), "is a bzip2 archive"),
    "xz": (lambda: lzma.compress(b"x" * 99), "is an xz archive"),
    "zip": (lambda: zipped("model/unet.ckpt"), "is a zip archive of 1 files .'model/unet.ckpt'.; unpack it"),
    "PNG": (lambda: image("PNG"), "is a PNG picture"),
    "JPEG": (lambda: image("JPEG"), "is a JPEG picture"),
    "WebP": (lambda: image("WEBP"), "is a WebP picture"),
    "MP4": (lambda: video("mp4", "libx264"), r"is a video \(MP4 or MOV\)"),
    "MKV": (lambda: video("matroska", "libx264"), r"is a video \(MKV or WebM\)"),
    "NumPy": (numpy_array, "is a NumPy array"),
    "TorchScript": (script, "is a TorchScript archive"),
    "zeros": (lambda: bytes(5000), "is a file of zeros, a download that was never finished"),
}


def refused(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError) as error:
        read_tensors(str(path))
    told = str(error.value)
    whole = "".join(traceback.format_exception(error.value))
    assert told.startswith(f"'{name}' ") and len(told) < 400
    assert "weights_only" not in whole and "trusted" not in whole, (
        "torch's advice is not for people who fetch models"
    )
    return told


@pytest.mark.parametrize("ending", ["ckpt", "safetensors"])
@pytest.mark.parametrize("kind", OTHERS)
def test_what_is_something_else_is_called_so(tmp_path, kind, ending):
    make, wanted = OTHERS[kind]
    told = refused(tmp_path, f"x.{ending}", make())
    assert re.search(wanted, told), told
    assert "code" not in told


def test_models_under_the_other_ending_say_which_it_is(tmp_path):
    save_file({"a": torch.zeros(3)}, tmp_path / "good.safetensors")
    told = refused(tmp_path, "x.ckpt", (tmp_path / "good.safetensors").read_bytes())
    assert "is a .safetensors file; rename it so that it ends with .safetensors" in told
    for zipped_file in (True, False):
        torch.save({"a": torch.zeros(3)}, tmp_path / "good.ckpt", _use_new_zipfile_serialization=zipped_file)
        told = refused(tmp_path, "x.safetensors", (tmp_path / "good.ckpt").read_bytes())
        assert "is a PyTorch file; rename it so that it ends with .ckpt" in told
        assert torch.equal(read_content(str(tmp_path / "good.ckpt"))["a"], torch.zeros(3))


@pytest.mark.parametrize("zipped_file", [True, False])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_a_pickle_that_is_cut_off_is_no_code(tmp_path, zipped_file, share):
    torch.save(
        {"weight": torch.randn(53, 7), "bias": torch.randn(7)},
        tmp_path / "w.ckpt",
        _use_new_zipfile_serialization=zipped_file,
    )
    content = (tmp_path / "w.ckpt").read_bytes()
    told = refused(tmp_path, "x.ckpt", content[: int(len(content) * share)])
    assert "cannot be read" in told and "cut off" in told and "code" not in told


def test_a_safetensors_file_that_is_cut_off_says_how_much_is_missing(tmp_path):
    save_file({"a": torch.randn(53, 7), "b": torch.randn(11)}, tmp_path / "good.safetensors")
    content = (tmp_path / "good.safetensors").read_bytes()
    assert "at least 13 bytes are missing" in refused(tmp_path, "x.safetensors", content[:-13])


class Runs:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return open, (str(self.mark), "w")


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_a_pickle_with_code_is_called_so_in_every_protocol(tmp_path, protocol):
    mark = tmp_path / "ran"
    told = refused(tmp_path, "x.ckpt", pickle.dumps({"a": Runs(mark)}, protocol))
    assert "was refused: it is a pickle that contains more than tensors and could run code" in told
    assert not mark.exists()


def test_a_pickle_of_opcodes_that_are_rare(tmp_path):
    told = refused(tmp_path, "x.ckpt", f"(S'{tmp_path / 'ran'}'\nS'w'\ni__builtin__\nopen\n.".encode())
    assert "could run code" in told and not (tmp_path / "ran").exists()


def test_a_name_that_is_not_utf8(tmp_path):
    path = bytes(tmp_path) + b"/bad\xff.ckpt"
    with open(path, "wb") as file:
        file.write(PAGE.encode())
    with pytest.raises(ValueError, match=r"^'bad\\udcff.ckpt' is a web page"):
        read_tensors(path.decode("utf8", "surrogateescape"))
