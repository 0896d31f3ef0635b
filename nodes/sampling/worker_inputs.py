"""Where the workers of a node are: the widgets of WorkerSettings."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.cluster.pools import LOCAL, TRANSPORTS


def worker_inputs() -> list[io.Input]:
    return [
        io.Combo.Input(
            "transport",
            options=list(TRANSPORTS),
            default=TRANSPORTS[0],
            tooltip=(
                "processes = on this machine, one for each GPU. Ray = on the hosts of a Ray cluster, which"
                " needs the extra [cluster]."
            ),
        ),
        io.Int.Input(
            "workers",
            default=2,
            min=1,
            max=1000,
            tooltip="How many. One for each GPU; each holds a MODEL of its own in memory.",
        ),
        io.String.Input(
            "address",
            default=LOCAL,
            advanced=True,
            tooltip=(
                "Of the Ray cluster: local = started on this machine, auto = the one that runs here,"
                " host:6379, ray://host:10001. Not used by processes."
            ),
        ),
    ]
