"""The connection to a Ray cluster: opened, checked, closed.

    with connect("10.0.0.5:6379") as cluster:      # or "local": Ray on this machine, ended afterwards
        task = cluster.ray.remote(work)            # Ray itself, imported only now
        with cluster.errors():                     # a lost cluster becomes a ClusterError in plain words
            cluster.ray.get(task.remote())

On the workers the code of this pack is the package `zoetrope` (code.PACKAGE), whatever its name is here:
`importlib.import_module("zoetrope.curation.job")`. Objects of its classes travel if their module has that
name here too, as under dev.py; else send plain data.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import socket
import tempfile
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..foreign_text import printable
from .code import PACKAGE, copy_code, versions

EXTRA, LOCAL = "cluster", "local"
PATIENCE = 180.0
"""Seconds that a host has for its first answer: Ray unpacks the code there and starts a process."""
REACHABLE = 5.0
"""Seconds for a port to take a connection."""
HEAD_IS_GONE, FOR_EVER = "RAY_gcs_rpc_server_reconnect_timeout_s", "1000000000"
"""Ray's setting of the seconds after which a process without a head ends itself."""


class ClusterError(ValueError):
    """What is wrong with a cluster, and what to do about it, for the person who asked for it."""


def import_ray() -> types.ModuleType:
    """Ray. Raises ClusterError, which names the extra, where it is not installed."""
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # says nothing to anybody outside
    try:
        import ray
    except ImportError:
        raise ClusterError(
            f"a cluster needs ray, which is not installed; install the extra [{EXTRA}] of this pack, or: pip"
            ' install "ray[data]"'
        ) from None
    return ray


@dataclass
class Cluster:
    """A connection. ray: the module. address: as it was asked for. hosts: the name of every node that lives,
    by its id. runtime_env: what ships the code (py_modules); every task and actor has it already.
    """

    ray: types.ModuleType
    address: str
    runtime_env: dict
    started_here: bool
    _ends: contextlib.ExitStack = field(repr=False, default_factory=contextlib.ExitStack)

    @property
    def hosts(self) -> dict[str, str]:
        return {n["NodeID"]: n["NodeManagerHostname"] for n in self.ray.nodes() if n["Alive"]}

    @contextlib.contextmanager
    def errors(self) -> Iterator[None]:
        """Within: what Ray raises where the cluster went away, or ran out of space, is a ClusterError."""
        try:
            yield
        except Exception as error:
            told = trouble_of(self.ray, error, self.address)
            if told is None:
                raise
            raise ClusterError(told) from error

    @property
    def head(self) -> str:
        """host:port of its head."""
        return self.ray.get_runtime_context().gcs_address

    def on_every_host(self, function: Callable, *arguments) -> dict[str, object]:
        """function(*arguments) once on each node: its results by node id. The function must be importable
        there, or defined in no module.

        Raises ClusterError where a host does not answer in PATIENCE seconds."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        task = self.ray.remote(num_cpus=0, max_retries=0)(function)
        hosts = self.hosts
        with self.errors():
            asked = {
                task.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote(
                    *arguments
                ): node
                for node in hosts
            }
            done, late = self.ray.wait(list(asked), num_returns=len(asked), timeout=PATIENCE)
            if late:
                silent = ", ".join(sorted({hosts[asked[task]] for task in late}))
                for one in late:
                    self.ray.cancel(one, force=True)
                raise ClusterError(
                    f"no answer from {printable(silent)} in {PATIENCE:.0f} s; look at `ray status` and at the"
                    " logs of that host, or take it out of the cluster."
                )
            return {asked[one]: self.ray.get(one) for one in done}

    def close(self) -> None:
        self._ends.close()

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *error) -> None:
        self.close()


def connect(address: str, comfyui: Path | None = None, num_cpus: int | None = None) -> Cluster:
    """Connects this process to a Ray cluster and compares the versions of all its hosts.

    address: LOCAL starts Ray on this machine, which ends with the connection; else host:port of a cluster's
    head (its GCS, 6379 by default), ray://host:port of its client server, or `auto` for the cluster that runs
    here. comfyui: the folder of ComfyUI, where the work needs one on each host; its version is compared then.
    num_cpus: that a LOCAL Ray believes to have; None = those of the machine.

    Raises ClusterError: Ray is not installed, nobody is at the address, a host differs (it names host,
    program and both versions), or this process is connected to another cluster.
    """
    ray = import_ray()
    address = address.strip()
    if ray.is_initialized():
        raise ClusterError("this process is connected to a Ray cluster already; close that connection first.")
    with contextlib.ExitStack() as ends:
        folder = Path(tempfile.mkdtemp(prefix="zoe"))  # short: Ray puts sockets below it
        ends.callback(shutil.rmtree, folder, ignore_errors=True)
        code = copy_code(folder / "code")
        runtime_env = {"py_modules": [str(code)]}
        options: dict = {"runtime_env": runtime_env, "log_to_driver": False, "logging_level": logging.ERROR}
        if address == LOCAL:
            options |= {
                "num_cpus": num_cpus,
                "include_dashboard": False,
                "_temp_dir": str(folder / "ray"),
                # ComfyUI may fill the memory on purpose; Ray would end its own workers then. And what a
                # person waits for is not to get what other programs leave of the processors.
                "_system_config": {"memory_monitor_refresh_ms": 0, "worker_niceness": 0},
            }
        else:
            _check_address(address)
            options["address"] = address
        ends.callback(ray.shutdown)
        try:
            with _outliving(address):
                ray.init(**options)
        except Exception as error:
            raise ClusterError(_why_not_connected(address, error)) from error
        cluster = Cluster(ray, address, runtime_env, address == LOCAL)
        _compare_hosts(cluster, versions(comfyui, code), comfyui)
        cluster._ends = ends.pop_all()
        return cluster


@contextlib.contextmanager
def _outliving(address: str) -> Iterator[None]:
    """Within: a connection to a cluster whose head is gone does not end this process, as Ray has it after a
    minute. A Ray of this machine keeps that: its processes must not be left over.
    """
    before = os.environ.get(HEAD_IS_GONE)
    if address != LOCAL and before is None:
        os.environ[HEAD_IS_GONE] = FOR_EVER
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(HEAD_IS_GONE, None)


def trouble_of(ray: types.ModuleType, error: BaseException, address: str) -> str | None:
    """A sentence for errors that are the cluster's; None for those of the work itself."""
    of = ray.exceptions
    if isinstance(error, of.ObjectStoreFullError | of.OutOfDiskError):
        return (
            "the object store of the Ray cluster is full; start it with more (ray start"
            " --object-store-memory=BYTES), or use fewer workers."
        )
    if isinstance(error, of.OutOfMemoryError):
        return (
            "Ray ended a worker because its host ran out of memory; use fewer workers on that host, or start"
            " Ray with RAY_memory_monitor_refresh_ms=0."
        )
    if isinstance(error, of.RuntimeEnvSetupError):
        return f"a host could not take the code of this pack ({printable(error)}); look at its disk and logs."
    if isinstance(error, of.RaySystemError | of.NodeDiedError | of.LocalRayletDiedError | ConnectionError):
        return f"the Ray cluster at {printable(address)} went away ({printable(error)}); start it again."
    return None


def versions_on_host(comfyui: str | None) -> dict[str, str]:
    """`versions` of the host that runs this; its ComfyUI is that of COMFYUI_PATH there, else in the same
    place as here.
    """
    found = os.environ.get("COMFYUI_PATH") or comfyui
    return versions(Path(found) if found and comfyui else None)


def differences(here: Mapping[str, str], there: Mapping[str, str]) -> list[str]:
    """`torch 2.13 there, 2.12 here` for all that differs."""
    return [
        f"{name} {there.get(name, 'none')} there, {version} here"
        for name, version in here.items()
        if there.get(name) != version
    ]


def _ask_versions(comfyui: str | None) -> dict[str, str]:
    import importlib

    return importlib.import_module(f"{PACKAGE}.cluster.connecting").versions_on_host(comfyui)


def _compare_hosts(cluster: Cluster, here: Mapping[str, str], comfyui: Path | None) -> None:
    told, hosts = [], cluster.hosts
    question = _by_value(cluster.ray, _ask_versions)
    for node, there in cluster.on_every_host(question, str(comfyui) if comfyui else None).items():
        if different := differences(here, there):
            told.append(f"{printable(hosts.get(node, node))}: {', '.join(map(printable, different))}")
    if told:
        raise ClusterError(
            f"the hosts of the cluster must have the versions of this one. {'; '.join(sorted(set(told)))}."
            " Install the same there, or take the host out of the cluster. (A host's ComfyUI is looked for at"
            " COMFYUI_PATH, then where it lies here.)"
        )


def _by_value(ray: types.ModuleType, function: Callable) -> Callable:
    """A copy of a function that needs nothing of its module, for workers that have no module of that name."""
    copy = types.FunctionType(function.__code__, {"PACKAGE": PACKAGE, "__builtins__": __builtins__})
    copy.__module__ = "__main__"
    return copy


def _check_address(address: str) -> None:
    """Ray itself waits a minute at a wrong address; a person should not."""
    if address == "auto":
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        raise ClusterError(
            f"'{printable(address)}' is no address of a cluster; give {LOCAL}, auto, host:6379 or"
            " ray://host:10001."
        )
    if (error := refusal_of(f"{host}:{port}")) is not None:
        raise ClusterError(
            f"nobody answers at {printable(address)} ({printable(error)}); start the cluster there (ray start"
            " --head --port=6379), look at the firewall, or correct the address."
        )


def refusal_of(address: str) -> Exception | None:
    """Why host:port takes no connection; None where it does."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), REACHABLE).close()
    except (OSError, OverflowError) as error:
        return error
    return None


def _why_not_connected(address: str, error: Exception) -> str:
    if "ersion mismatch" in str(error):
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        return f"the cluster at {printable(address)} has other versions: {printable(' '.join(lines), 600)}"
    return (
        f"no connection to Ray at {printable(address)} ({printable(error)}); start the cluster (ray start"
        " --head --port=6379), or correct the address."
    )
