"""Load Metric Network: Inception, I3D or an aesthetic head."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.files.model_files import METRIC_NETWORKS, model_file_names
from ...host.measuring.networks import load_metric_network, missing_network_message
from ..base import ZoetropeNode
from .inputs import MetricNetwork


class LoadMetricNetwork(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeLoadMetricNetwork",
            display_name="Load Metric Network",
            category="Zoetrope/Metrics",
            description="Loads a network of metrics: Inception for FID, I3D for FVD, or an aesthetic head.",
            search_aliases=["inception", "i3d", "fid", "fvd", "laion aesthetic", "评估模型"],
            inputs=[
                io.Combo.Input(
                    "network",
                    options=model_file_names(METRIC_NETWORKS),
                    tooltip=(
                        "A file from models/metrics: torch-fidelity's Inception, TATS' I3D, LAION's"
                        " heads; what it"
                        " is is read from its keys."
                    ),
                )
            ],
            outputs=[
                MetricNetwork.Output("METRIC_NETWORK", tooltip="Goes into Measure Set or Measure Video."),
                io.String.Output("STRING", tooltip="Which network the file is."),
            ],
        )

    @classmethod
    def validate_inputs(cls, network: str | None = None) -> bool | str:
        return missing_network_message(network) or True

    @classmethod
    def execute(cls, network: str) -> io.NodeOutput:
        loaded = load_metric_network(network)
        return io.NodeOutput(loaded, loaded.kind.description)
