"""Run Seeds on Workers: many samplings at once on several GPUs or machines."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.cluster.node_runs import seeds_on_workers
from ...host.cluster.pools import WorkerSettings
from ...host.cluster.seed_runs import SeedSettings
from ..base import ZoetropeNode
from .worker_inputs import worker_inputs


class RunSeedsOnWorkers(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeRunSeedsOnWorkers",
            display_name="Run Seeds on Workers",
            category="Zoetrope/Sampling",
            description=(
                "Samples one workflow with many seeds and prompts on several GPUs or machines at once; each"
                " video comes out in its place."
            ),
            search_aliases=[
                "multi gpu",
                "distributed",
                "ray",
                "cluster",
                "batch of seeds",
                "many prompts",
                "parallel",
                "queue",
                "多显卡",
                "分布式",
                "批量种子",
            ],
            inputs=[
                io.Latent.Input(
                    "latent",
                    optional=True,
                    lazy=True,
                    tooltip=(
                        "From the sampler whose run is repeated. It does not run here: workers run all nodes"
                        " in front of this wire."
                    ),
                ),
                io.String.Input(
                    "seeds",
                    default="1-4",
                    tooltip=(
                        "Numbers and ranges: 1-4, 10. Each takes the place of every seed and noise_seed in"
                        " front of latent."
                    ),
                ),
                io.String.Input(
                    "prompts",
                    default="",
                    multiline=True,
                    tooltip=(
                        "One in each line, or empty. Each is sampled with each seed, and takes the place of"
                        " {prompt} in the texts in front of latent."
                    ),
                ),
                *worker_inputs(),
            ],
            outputs=[
                io.Latent.Output(
                    "LATENT",
                    is_output_list=True,
                    tooltip="The latents of each run: all seeds of the first prompt, then of the second.",
                ),
                io.String.Output("label", is_output_list=True, tooltip="The seed and prompt of each run."),
            ],
            hidden=[io.Hidden.dynprompt, io.Hidden.unique_id],
        )

    @classmethod
    def check_lazy_status(cls, **_) -> list[str]:
        return []

    @classmethod
    def execute(cls, latent=None, seeds="", prompts="", **settings) -> io.NodeOutput:
        place = cls.hidden.dynprompt, cls.hidden.unique_id
        return io.NodeOutput(
            *seeds_on_workers(SeedSettings(seeds, prompts), WorkerSettings(**settings), *place)
        )
