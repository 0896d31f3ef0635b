"""Run Windows on Workers: context windows of one video on several GPUs or machines."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.cluster.node_runs import windows_on_workers
from ...host.cluster.pools import WorkerSettings
from ..base import ZoetropeNode
from .worker_inputs import worker_inputs

CONTROL_NETS = ("control_net", "control_net_2", "control_net_3")


class RunWindowsOnWorkers(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeRunWindowsOnWorkers",
            display_name="Run Windows on Workers",
            category="Zoetrope/Sampling",
            description=(
                "Evaluates the context windows of one video on several GPUs or machines at once; the result"
                " is that of one machine."
            ),
            search_aliases=[
                "multi gpu",
                "distributed",
                "ray",
                "cluster",
                "parallel",
                "several machines",
                "raylight",
                "faster",
                "多显卡",
                "分布式",
                "集群",
            ],
            inputs=[
                io.Model.Input(
                    "model",
                    tooltip=(
                        "The MODEL from Context Windows; workers make their own from the same nodes. Put"
                        " this node last, in front of the sampler."
                    ),
                ),
                *worker_inputs(),
                *_control_nets(),
            ],
            outputs=[io.Model.Output("MODEL", tooltip="Goes into any sampler.")],
            hidden=[io.Hidden.dynprompt, io.Hidden.unique_id],
        )

    @classmethod
    def execute(
        cls, model, control_net=None, control_net_2=None, control_net_3=None, **settings
    ) -> io.NodeOutput:
        given = zip(CONTROL_NETS, (control_net, control_net_2, control_net_3), strict=True)
        control_nets = {name: value for name, value in given if value is not None}
        place = cls.hidden.dynprompt, cls.hidden.unique_id
        return io.NodeOutput(windows_on_workers(model, control_nets, WorkerSettings(**settings), *place))


def _control_nets() -> list[io.Input]:
    return [
        io.ControlNet.Input(
            name,
            optional=True,
            tooltip=(
                "The CONTROL_NET that goes into an Apply ControlNet of this run, so that workers load it too."
            ),
        )
        for name in CONTROL_NETS
    ]
