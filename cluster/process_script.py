"""The program of a worker on this machine: see processes.py. It gives the pack the name that Ray gives it."""

import importlib
import importlib.util
import os
import queue
import sys
import threading

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PACKAGE = "zoetrope"


def import_pack():
    spec = importlib.util.spec_from_file_location(
        PACKAGE, os.path.join(ROOT, "__init__.py"), submodule_search_locations=[ROOT]
    )
    sys.modules[PACKAGE] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)


def main():
    """Calls methods of one object as it is told, until the input ends."""
    sys.path = [path for path in sys.path if os.path.abspath(path or ".") != os.path.dirname(__file__)]
    import_pack()
    processes, messages, worker = (
        importlib.import_module(f"{PACKAGE}.cluster.{name}") for name in ("processes", "messages", "worker")
    )
    incoming = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints, prints into the log
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)

    calls, made = queue.SimpleQueue(), []
    latest = cancelled = 0  # numbers of calls: what came before a cancel is not begun any more

    def listen():
        nonlocal latest, cancelled
        status = 1  # no memory for a message: nobody would hear the next one either
        try:
            while (data := processes.read_frame(incoming)) is not None:
                number, method, arguments = messages.unpack(data)
                if number:
                    latest = number
                    calls.put((number, method, arguments))
                else:
                    cancelled = latest
                    if made:
                        made[0].cancel()
            status = 0  # the parent is gone, or wants us to go
        finally:
            os._exit(status)

    start = processes.read_frame(incoming)
    if start is None:
        return
    threading.Thread(target=listen, daemon=True).start()
    trouble = None
    try:
        made.append(worker.make(*messages.unpack(start)))
    except Exception as error:
        import traceback

        traceback.print_exc()
        trouble = worker.told(error)
    while True:
        number, method, arguments = calls.get()
        try:
            if trouble or number <= cancelled:
                answer = False, trouble or ("failed", "cancelled")
            else:
                answer = True, getattr(made[0], method)(*arguments)
        except BaseException as error:
            import traceback

            traceback.print_exc()
            answer = False, worker.told(error)
        processes.write_frame(answers, messages.pack((number, *answer)))


if __name__ == "__main__":
    main()
