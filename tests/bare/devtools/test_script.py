"""dev.py as a person runs it and as other scripts load it: help, refusals, what it leaves behind."""

import ast
import os
import shutil
import subprocess
import sys

import pytest
from zoetrope.tests.places import ROOT

SCRIPT = ROOT / "dev.py"
LOAD = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("some_name", sys.argv[1])
dev = importlib.util.module_from_spec(spec)
spec.loader.exec_module(dev)
"""


def run_script(*arguments, script=SCRIPT, cwd=None, **environment):
    """Runs dev.py as a person does and returns the finished process."""
    command = [sys.executable, str(script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env={**os.environ, **environment})


def run_code(code, *arguments, cwd=None):
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd)


def copy_of_the_repository(folder):
    """The files of the repository that dev.py --help reads."""
    shutil.copytree(ROOT / "devtools", folder / "devtools", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dev.py", "__init__.py"):
        shutil.copyfile(ROOT / name, folder / name)
    return folder


def test_the_script_is_short():
    assert len(SCRIPT.read_text(encoding="utf8").splitlines()) <= 60


def test_an_old_python_can_read_the_script_and_is_told_what_to_do():
    """Without devtools/, which it may not be able to read."""
    ast.parse(SCRIPT.read_text(encoding="utf8"), feature_version=(3, 7))
    code = "import runpy, sys\nsys.version_info = (3, 9, 18)\n"
    code += "try:\n    runpy.run_path(sys.argv.pop(1), run_name='__main__')\n"
    code += "finally:\n    print([name for name in sys.modules if 'devtools' in name])"
    for arguments in (["demo"], ["--help"], []):
        done = run_code(code, SCRIPT, *arguments)
        assert (done.returncode, done.stdout) == (1, "[]\n")
        wanted = (
            "Python 3.9 is too old; run dev.py with Python 3.10 to 3.13, for example: python3.12 dev.py demo"
        )
        assert done.stderr == f"\n{wanted}\n"


def test_a_python_that_is_too_new_gets_help_and_nothing_else():
    code = "import runpy, sys\nsys.version_info = (3, 14, 0)\n"
    code += "runpy.run_path(sys.argv.pop(1), run_name='__main__')"
    assert "Python 3.14 is too new; run dev.py with" in run_code(code, SCRIPT, "demo").stderr
    assert "python dev.py demo" in run_code(code, SCRIPT, "--help").stdout


def test_help_names_every_command():
    done = run_script("--help")
    assert done.returncode == 0
    for command in ("demo", "test", "serve", "bench", "train", "measure", "curate", "run", "clean"):
        assert f"python dev.py {command}" in done.stdout


def test_without_a_command_the_help_comes_too():
    done = run_script()
    assert (done.returncode, done.stdout) == (2, run_script("--help").stdout)


@pytest.mark.parametrize(
    "arguments",
    [
        ("dance",),
        ("demo", "--fast"),
        ("serve", "--port", "x"),
        ("clean", "all"),
        ("bench",),
        ("run",),
        ("train",),
        ("measure",),
    ],
)
def test_unknown_arguments_end_with_one_sentence(arguments):
    done = run_script(*arguments)
    assert done.returncode == 1
    told = " ".join(arguments)
    assert done.stderr == f"\ndev.py does not know {told!r}; python dev.py --help lists what it can do.\n"


@pytest.mark.parametrize("environment", [{}, {"PYTHONSAFEPATH": "1"}])
def test_it_runs_from_any_folder_and_writes_only_to_its_own(environment, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    copy = copy_of_the_repository(tmp_path / "copy")
    (elsewhere / "devtools").mkdir(parents=True)
    (elsewhere / "devtools" / "__init__.py").write_text("raise RuntimeError('not this one')")
    before = sorted(copy.rglob("*"))
    done = run_script(
        "--help", script=copy / "dev.py", cwd=elsewhere, **{"PYTHONPYCACHEPREFIX": "", **environment}
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(copy.rglob("*")) == before


def test_loaded_by_its_path_it_has_what_scripts_use_and_leaves_sys_path_alone(tmp_path):
    code = "import sys; before = list(sys.path)" + LOAD
    code += "assert sys.path == before\n"
    code += "assert dev.import_pack_as('other').__path__ == [str(dev.ROOT)]\n"
    code += "assert dev.HOME == dev.ROOT / '.zoetrope'\n"
    code += "from other.foreign_text import __name__ as name\n"
    code += "from zoetrope.devtools.comfyui import find_comfyui\n"
    code += "print(name, dev.find_comfyui is find_comfyui, callable(dev.enter_comfyui))"
    done = run_code(code, SCRIPT, cwd=tmp_path)
    assert done.stdout == "other.foreign_text True True\n", done.stderr


def test_two_copies_of_the_repository_in_one_process(tmp_path):
    copy = copy_of_the_repository(tmp_path)
    code = LOAD + "first = dev\nsys.argv[1] = sys.argv[2]" + LOAD + "print(first.ROOT, dev.ROOT, sep='|')"
    done = run_code(code, SCRIPT, copy / "dev.py")
    assert done.stdout == f"{ROOT}|{copy}\n", done.stderr
