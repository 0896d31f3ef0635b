import pickle
import zipfile

import folder_paths
import pytest
import torch
from safetensors.torch import save_file
from zoetrope.host.files.model_files import (
    MOTION_MODULES,
    find_listed_file,
    find_model_file,
    listed_files,
    missing_from_all_message,
    read_tensors,
    register_model_folders,
)
from zoetrope.host.files.published_files import VIDEO_MODEL_FILES


class RunsCode:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return (open, (str(self.mark), "w"))


def _pickle_with_code(path, mark):
    torch.save({"weight": torch.zeros(2), "bad": RunsCode(mark)}, path)


@pytest.mark.parametrize("extension", ["ckpt", "pth", "pt", "bin"])
def test_a_pickle_that_would_run_code_is_refused_and_does_not_run(tmp_path, extension):
    path, mark = tmp_path / f"evil.{extension}", tmp_path / "code-ran"
    _pickle_with_code(path, mark)
    with pytest.raises(ValueError, match=rf"evil.{extension}' was refused.*could run code.*safetensors"):
        read_tensors(str(path))
    assert not mark.exists()


@pytest.mark.parametrize("name", ["empty.safetensors", "empty.ckpt"])
def test_an_empty_file_is_named(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(ValueError, match=f"'{name}' is empty"):
        read_tensors(str(tmp_path / name))


@pytest.mark.parametrize("name", ["cut.safetensors", "cut.ckpt"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.99])
def test_a_truncated_file_is_named(tmp_path, name, share):
    path = tmp_path / name
    tensors = {"a": torch.randn(101, 7), "b": torch.randn(53)}
    save_file(tensors, path) if name.endswith("safetensors") else torch.save(tensors, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ValueError, match=f"'{name}' .*cannot be read"):
        read_tensors(str(path))


def _text(path):
    path.write_text("<html>404: not found</html>")


def _zip(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")


def _number(path):
    path.write_bytes(pickle.dumps(7))


@pytest.mark.parametrize("name", ["x.safetensors", "x.ckpt"])
@pytest.mark.parametrize("write", [_text, _zip, _number])
def test_something_else_under_a_model_s_name_is_named(tmp_path, name, write):
    write(tmp_path / name)
    with pytest.raises(ValueError, match=f"'{name}'"):
        read_tensors(str(tmp_path / name))


@pytest.mark.parametrize("name", ["good.safetensors", "good.ckpt", "good.pth"])
def test_good_files_are_read(tmp_path, name):
    tensors = {"a": torch.randn(3, 5), "b": torch.randn(7)}
    save_file(tensors, tmp_path / name) if name.endswith("safetensors") else torch.save(
        {"state_dict": tensors}, tmp_path / name
    )
    read = read_tensors(str(tmp_path / name))
    assert all(torch.equal(read[k], v) for k, v in tensors.items())


def test_folders_are_shared_and_keep_what_others_registered(tmp_path, monkeypatch):
    theirs = str(tmp_path / "theirs")
    monkeypatch.setitem(folder_paths.folder_names_and_paths, MOTION_MODULES, ([theirs], {".other"}))
    register_model_folders()
    register_model_folders()
    paths, extensions = folder_paths.folder_names_and_paths[MOTION_MODULES]
    assert paths[0] == theirs
    assert [p.rsplit("/", 1)[-1] for p in paths[1:]] == ["animatediff_models", "zoetrope_motion_modules"]
    assert {".other", ".safetensors", ".ckpt", ".pth"} <= extensions


def test_a_missing_file_names_file_and_folder():
    register_model_folders()
    with pytest.raises(ValueError, match="'nowhere.ckpt' was not found; put it into .*animatediff_models"):
        find_model_file(MOTION_MODULES, "nowhere.ckpt")


def test_a_file_is_found_as_it_was_downloaded(tmp_path, monkeypatch):
    """`model.ckpt` in a folder with its repository's name, under the name that workflows have for it."""
    monkeypatch.setitem(folder_paths.folder_names_and_paths, "zoetrope_test", ([str(tmp_path)], {".ckpt"}))
    file = tmp_path / "VideoCrafter2" / "model.ckpt"
    file.parent.mkdir()
    file.touch()
    keys, name = ["zoetrope_test"], "videocrafter2_t2v_512.ckpt"
    assert listed_files(keys, VIDEO_MODEL_FILES) == sorted([str(file.relative_to(tmp_path)), name])
    assert find_listed_file(keys, name, VIDEO_MODEL_FILES) == str(file)
    assert missing_from_all_message(keys, name, VIDEO_MODEL_FILES) == ""


def test_a_missing_file_is_told_with_its_page(tmp_path, monkeypatch):
    monkeypatch.setitem(folder_paths.folder_names_and_paths, "zoetrope_test", ([str(tmp_path)], {".ckpt"}))
    for name, page in (
        ("dynamicrafter_1024.ckpt", "Doubiiu/DynamiCrafter_1024"),
        ("videocrafter2_t2v_512.ckpt", "VideoCrafter2"),
    ):
        message = missing_from_all_message(["zoetrope_test"], name, VIDEO_MODEL_FILES)
        assert (
            message.startswith(f"the model file '{name}' was not found; put it into {tmp_path}")
            and page in message
        )
        with pytest.raises(ValueError, match=f"'{name}' was not found"):
            find_listed_file(["zoetrope_test"], name, VIDEO_MODEL_FILES)
