"""Paths that people type: the input folder, allowed folders, and nothing else."""

import os
from pathlib import Path

import folder_paths
import pytest
from zoetrope.host.files.allowed_paths import allowed_folders, find_path, path_message, settings_file

REFUSED = "is not below a folder that may be read"


@pytest.fixture
def allow(comfy_base):
    """Writes the settings file; it is gone afterwards."""

    def write(text, encoding="utf8"):
        settings_file().parent.mkdir(parents=True, exist_ok=True)
        settings_file().write_text(text, encoding=encoding)

    yield write
    settings_file().unlink(missing_ok=True)


@pytest.fixture
def outside(tmp_path):
    (tmp_path / "open" / "deep").mkdir(parents=True)
    (tmp_path / "open" / "deep" / "clip.mp4").write_bytes(b"clip")
    (tmp_path / "opened secrets").mkdir()
    (tmp_path / "opened secrets" / "clip.mp4").write_bytes(b"secret")
    (tmp_path / "open" / "way out").symlink_to(tmp_path / "opened secrets")
    return tmp_path


def test_the_settings_file_is_where_no_route_of_comfyui_leads(comfy_base):
    folder = settings_file().parent
    assert folder.name.startswith("__") and folder.parent == Path(folder_paths.get_user_directory())
    assert folder_paths.get_public_user_directory(folder.name) is None


def test_nothing_outside_is_open_at_first(comfy_base, outside):
    assert allowed_folders() == []
    with pytest.raises(ValueError, match=f"{REFUSED}.*user/__zoetrope/allowed_folders.txt"):
        find_path(str(outside / "open" / "deep" / "clip.mp4"))


def test_names_of_the_input_folder_are_open(comfy_base):
    file = Path(folder_paths.get_input_directory()) / "größe und $HOME.mp4"
    file.write_bytes(b"clip")
    for name in (file.name, f"./{file.name}", str(file), f' "{file}" '):
        assert find_path(name) == file.resolve()
    file.unlink()
    assert "was not found" in path_message(file.name)


def test_a_folder_that_is_written_down_is_open_at_once(allow, outside):
    file = outside / "open" / "deep" / "clip.mp4"
    allow(f'# mine\n\n"{outside / "open"}"\r\n', "utf-8-sig")
    assert find_path(str(file)) == file.resolve()
    assert find_path(str(file.parent)) == file.parent.resolve()
    assert find_path(str(outside / "open" / ".." / "open" / "deep" / "clip.mp4")) == file.resolve()
    allow("# nothing")
    assert REFUSED in path_message(str(file))


def test_a_number_sign_is_a_letter_inside_of_a_line(allow, outside):
    (outside / "#Projects #1").mkdir()
    allow(str(outside / "#Projects #1"))
    assert find_path(str(outside / "#Projects #1")).name == "#Projects #1"


def test_nothing_beside_an_allowed_folder_is_open(allow, outside):
    allow(str(outside / "open"))
    for path in (
        outside / "opened secrets" / "clip.mp4",
        outside / "open" / ".." / "opened secrets" / "clip.mp4",
        outside / "open" / "way out" / "clip.mp4",
        outside,
    ):
        assert REFUSED in path_message(str(path)), path


def test_a_message_does_not_tell_what_is_there(allow, outside):
    allow(str(outside / "open"))
    there, gone = outside / "opened secrets" / "clip.mp4", outside / "opened secrets" / "none.mp4"
    assert path_message(str(there)).replace(there.name, "") == path_message(str(gone)).replace(gone.name, "")


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("", "path is empty"),
        ("  ", "path is empty"),
        ("a\0b.mp4", "no path that a file can have"),
        ("x" * 5000, "no path that a file can have"),
        ("https://host/x.mp4", "is an address"),
        ("file:///etc/passwd", "is an address"),
        ("file:/etc/passwd", "is an address"),
        ("../x.mp4", REFUSED),
        ("/etc/passwd", REFUSED),
        ("~/x.mp4", REFUSED),
        ("C:\\Windows\\win.ini", REFUSED),
        ("c:win.ini", REFUSED),
        ("\\\\server\\share\\x.mp4", REFUSED),
        ("//server/share/x.mp4", REFUSED),
    ],
)
def test_odd_paths_get_a_sentence(comfy_base, path, told):
    assert told in path_message(path)


def test_a_path_over_a_link_is_not_known_before_the_run():
    assert path_message(None) == ""


@pytest.mark.parametrize("line", ["videos", "../videos", "a\0b"])
def test_a_line_that_is_no_whole_path_is_named(allow, line):
    allow(f"# mine\n{line}\n")
    with pytest.raises(ValueError, match=r"line 2 of user/__zoetrope/allowed_folders.txt .* no whole path"):
        find_path("/somewhere/x.mp4")


def test_a_settings_file_that_is_no_text_is_said(allow):
    allow("")
    settings_file().write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="cannot be read .* save it as a text in UTF-8"):
        find_path("/somewhere/x.mp4")


def test_the_root_can_be_opened(allow, outside):
    allow("/")
    file = outside / "opened secrets" / "clip.mp4"
    assert find_path(str(file)) == file.resolve()


def test_only_files_and_folders_are_opened(allow, outside):
    os.mkfifo(outside / "open" / "pipe.mp4")
    allow(str(outside / "open"))
    assert "is a pipe, socket or device" in path_message(str(outside / "open" / "pipe.mp4"))
