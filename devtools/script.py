"""From the command line to the exit status; whatever ends the script is told in one sentence."""

import errno
import signal
import sys

from .commands import run_command
from .ending import Stop, Terminated, disk_is_full
from .help import HELP
from .progress import say
from .server import ComfyError


def run_as_script(trouble=""):
    """Runs what the command line asks for and exits; `trouble` says why only help can be had."""
    sys.stdout.reconfigure(errors="replace")
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), terminate)
    try:
        sys.exit(main(sys.argv[1:], trouble))
    except (Stop, ComfyError) as stop:
        sys.exit(f"\n{stop}")
    except KeyboardInterrupt:
        sys.exit("\nInterrupted; run the same command again to go on.")
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        sys.exit(f"\n{disk_is_full()}")


def main(arguments, trouble=""):
    """Runs the command named by `arguments` and returns the exit status. Raises Stop with the `trouble`."""
    if not arguments or arguments[0] in ("-h", "--help", "help") or arguments[1:2] in (["-h"], ["--help"]):
        say(HELP)
        return 0 if arguments else 2
    if trouble:
        raise Stop(trouble)
    return run_command(arguments)


def terminate(number, frame):
    """Turns a request to end (kill, closing the terminal) into what Ctrl-C does: nothing of ours is left."""
    raise Terminated
