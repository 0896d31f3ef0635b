"""`dev.py test`: what its arguments mean, what they need, and how pytest is run."""

import functools
import os
import re
import shutil
import time
from pathlib import Path

from . import paths
from .browser import browser_trouble, find_chromium
from .ending import Stop
from .processes import ask, child_environment, run_visibly
from .progress import clock, say
from .setup import prepare

TIERS = ("bare", "video", "comfy", "browser")
NO_TESTS = 5  # pytest's status where nothing was selected
# pytest's options whose value may stand behind them as an argument of its own
OPTIONS_WITH_VALUE = (
    "-k", "-m", "-n", "-p", "-o", "-c", "-W", "-r",
    "--durations", "--maxfail", "--tb", "--deselect", "--ignore",
)  # fmt: skip
TEST_PROCESSES = 2  # each has ComfyUI and a server: about 5 GB where text encoders of full size are loaded
TEST_SECONDS = 600  # for one test, on a machine that has other things to do


def run_tests(arguments):
    """Sets up what the chosen tests need, runs them and returns pytest's status. Raises Stop."""
    begun = time.monotonic()
    options, named = chosen_tests(arguments)
    tiers, trouble = tiers_that_run(tiers_of(named))
    if trouble:
        options.append("--ignore=tests/browser")
    place = prepare(comfy=bool({"comfy", "browser"} & set(tiers)), browser="browser" in tiers, curation=True)
    what = description(named, options)
    say(f"Running the tests: {what}.")
    shared = limits(place.python, arguments, list(named))
    status = run_pytest(place, "browser" in tiers, [*shared, *named, *options])
    if trouble:
        say(f"The browser tests were left out: {trouble}.")
    end = {0: "Passed", NO_TESTS: "No test was chosen"}.get(status, "FAILED")
    say(f"{end} after {clock(time.monotonic() - begun)}: {what}.")
    return status


def chosen_tests(arguments):
    """Divides the arguments of `test` into (pytest's options, {path for pytest: as it was named}).

    Without a path all tiers are chosen. Raises Stop where a path leads nowhere.
    """
    options, named = [], {}
    for before, argument in zip(["", *arguments], arguments, strict=False):
        file = argument.split("::")[0]
        if argument.startswith("-") or before in OPTIONS_WITH_VALUE:
            options.append(argument)
        elif argument in TIERS:
            named[f"tests/{argument}"] = argument
        elif (paths.ROOT / file).exists():
            named[argument] = argument
        else:
            tiers = ", ".join(TIERS)
            raise Stop(
                f"There is no {file} in {paths.ROOT}; name a tier ({tiers}), a file or a folder of tests."
            )
    return options, named or {f"tests/{tier}": tier for tier in TIERS}


def tiers_of(named):
    """Returns the tiers that hold one of these paths or lie in one, in their order."""
    chosen = [Path(os.path.abspath(paths.ROOT / path.split("::")[0])) for path in named]
    folders = {tier: paths.ROOT / "tests" / tier for tier in TIERS}

    def is_chosen(folder):
        return any(path.is_relative_to(folder) or folder.is_relative_to(path) for path in chosen)

    return [tier for tier, folder in folders.items() if is_chosen(folder)]


def tiers_that_run(tiers):
    """Returns (the tiers that can run here, why the browser tier was left out or nothing).

    Raises Stop where that leaves no tier.
    """
    trouble = browser_trouble() if "browser" in tiers else ""
    if trouble and tiers == ["browser"]:
        raise Stop(f"The browser tier cannot run: {trouble}.")
    return [tier for tier in tiers if not trouble or tier != "browser"], trouble


def description(named, options):
    """Returns what runs as it was named, and the options that select among it."""
    selecting = [pair for pair in zip(options, options[1:], strict=False) if pair[0] in ("-k", "-m")]
    return ", ".join(named.values()) + "".join(f" {option} {value!r}" for option, value in selecting)


@functools.cache
def runners_of(python):
    """Returns which packages an interpreter has of those that run tests in parallel and end what hangs."""
    names = "('xdist', 'pytest_timeout')"
    code = f"import importlib.util as u; print(*[name for name in {names} if u.find_spec(name)])"
    return ask(python, code).stdout.split()


def limits(python, arguments, named):
    """Returns pytest's options for how many processes share the tests, and how long one test may take.

    `named` are the paths among the arguments. A single file, and a run that is watched, stay in one process.
    """
    found = runners_of(str(python))
    missing = [name for name in ("pytest_timeout", "xdist") if name not in found]
    if missing:
        say(
            f"{python} has no {' and no '.join(missing)}: "
            "the tests run in one process, or without a limit for one that hangs."
        )
    options = [f"--timeout={TEST_SECONDS}"] if "pytest_timeout" in found else []
    single = len(named) == 1 and (paths.ROOT / named[0].split("::")[0]).is_file()
    if "xdist" in found and not is_watched(arguments) and not single:
        # The files in the order of the tiers: the fast ones first.
        options += ["-n", str(TEST_PROCESSES), "--dist", "loadfile", "--no-loadscope-reorder"]
    return options


def is_watched(arguments):
    """Whether pytest's options ask for one process, or for a terminal to look into the tests."""
    watching = r"-n|-s$|--numprocesses|--dist|--pdb|--trace$|--capture"
    return any(re.match(watching, argument) for argument in arguments)


def run_pytest(place, browser, arguments):
    """Runs pytest in a scratch folder of its own and returns its status."""
    scratch = paths.HOME / "tmp" / str(os.getpid())
    scratch.parent.mkdir(exist_ok=True)
    folders = ["-o", f"cache_dir={paths.HOME / 'pytest'}", f"--basetemp={scratch}"]
    try:
        command = [place.python, "-m", "pytest", *folders, *arguments]
        return run_visibly(command, pytest_environment(place.comfyui, browser))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def pytest_environment(comfyui, browser):
    """Returns the environment variables of pytest."""
    environment = child_environment(PYTHONSAFEPATH="1")  # this folder does not belong on sys.path
    environment.setdefault("ZOETROPE_ARTEFACTS", str(paths.HOME / "artefacts"))
    environment.setdefault("OMP_NUM_THREADS", "1")  # small tensors: threads would mostly wait for each other
    if comfyui:
        environment["COMFYUI_PATH"] = str(comfyui)
    if browser:
        environment.update(CHROMIUM=find_chromium(), NODE_PATH=str(paths.HOME / "node" / "node_modules"))
    return environment
