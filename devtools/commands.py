"""The commands of dev.py: what may follow each of them, and what it does."""

import os
import shutil

from . import paths
from .base_folder import make_demo_base, remove_link
from .demo import demo
from .ending import Stop
from .inside import run_inside
from .lock import only_one_setup
from .processes import ask, child_environment, run_visibly
from .progress import say
from .server import ComfyServer, port_is_free
from .setup import prepare
from .testing import run_tests


def serve(port):
    """Starts ComfyUI with its output in this terminal and returns when it has ended. Raises Stop."""
    if not port_is_free(port):
        raise Stop(
            f"Port {port} is taken by another program; "
            f"choose another one: python dev.py serve --port {port + 1}"
        )
    place = prepare()
    base = make_demo_base()
    options = [] if sees_gpu(place.python) else ["--cpu"]
    server = ComfyServer(place.python, place.comfyui, base, port=port, options=options)
    say("Starting ComfyUI ...")
    try:
        server.start()
        say(f"\nComfyUI with {paths.PACK}: {server.url}")
        say(f"The demo in it: {server.url}/?template={paths.DEMO_LINK}&source={paths.PACK}")
        say(f"Models: {base / 'models'}   Videos: {base / 'output'}   Ctrl-C ends it.\n")
        return server.process.wait()
    except KeyboardInterrupt:
        say("\nEnding ComfyUI.")
        return 0
    finally:
        server.stop()


def sees_gpu(python):
    code = "import torch; print(torch.cuda.is_available() or torch.backends.mps.is_available())"
    return "True" in ask(python, code).stdout


def bench(name, arguments):
    """Runs a benchmark and returns its status. Raises Stop where there is none of that name."""
    sources = sorted((paths.ROOT / "benchmarks").glob("*.py"))
    names = [path.stem for path in sources if "\ndef main(" in path.read_text(encoding="utf8")]
    if name not in names:
        raise Stop(f"There is no benchmark {name!r}; there are: {', '.join(names) or 'none yet'}.")
    return run(f"benchmarks.{name}", arguments)


def run(module, arguments, curation=False):
    """Starts dev.py once more where the packages are, to run a module of the pack, and returns its status."""
    place = prepare(curation=curation)
    environment = child_environment(
        ZOETROPE_INSIDE="1", COMFYUI_PATH=str(place.comfyui), ZOETROPE_CALLED_IN=os.getcwd()
    )
    return run_visibly([place.python, paths.ROOT / "dev.py", "run", module, *arguments], environment)


def run_module(arguments):
    """Runs a module of the pack: here where dev.py was started for it, else where the packages are."""
    name, *rest = arguments
    return run_inside(name, rest) if os.environ.get("ZOETROPE_INSIDE") else run(name, rest)


def is_convert(rest):
    """Whether these are one file and options that are known, each once."""
    names = rest[1::2]
    is_known = set(names) <= {"-o", "--report"} and len(names) == len(set(names))
    return len(rest) % 2 == 1 and is_known and not rest[0].startswith("-")


def clean():
    """Deletes all that this script has made, and nothing behind the link to this repository."""
    if not paths.HOME.exists():
        say("There is nothing to delete.")
        return 0
    with only_one_setup():
        remove_link(paths.HOME / "base" / "custom_nodes" / paths.PACK)
    shutil.rmtree(paths.HOME)
    say(f"Deleted {paths.HOME}.")
    return 0


def is_port(rest):
    return not rest or (len(rest) == 2 and rest[0] == "--port" and rest[1].isdigit())


# name: (whether these arguments may follow it, what it does with them)
COMMANDS = {
    "demo": (lambda rest: set(rest) <= {"--json"}, lambda rest: demo(as_json=bool(rest))),
    "test": (lambda rest: True, run_tests),
    "serve": (is_port, lambda rest: serve(int(rest[1]) if rest else 8188)),
    "bench": (bool, lambda rest: bench(rest[0], rest[1:])),
    "convert": (is_convert, lambda rest: run("demo.convert_workflow", rest)),
    "train": (lambda rest: len(rest) == 1, lambda rest: run("demo.train_by_config", rest)),
    "measure": (bool, lambda rest: run("host.measuring.command", rest)),
    "curate": (bool, lambda rest: run("curation.command", rest, curation=True)),
    "run": (bool, run_module),
    "clean": (lambda rest: not rest, lambda rest: clean()),
}


def run_command(arguments):
    """Runs the command that `arguments` begin with and returns the status. Raises Stop for unknown ones."""
    command, *rest = arguments
    accepts, start = COMMANDS.get(command, (lambda rest: False, None))
    if not accepts(rest):
        told = " ".join(arguments)
        raise Stop(f"dev.py does not know {told!r}; python dev.py --help lists what it can do.")
    return start(rest)
