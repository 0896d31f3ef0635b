"""Types and inputs that several nodes of this folder have."""

from __future__ import annotations

from comfy_api.latest import io

from ..frames.inputs import OpticalFlow

MetricNetwork = io.Custom("METRIC_NETWORK")
Ratings = io.Custom("RATINGS")
Scores = io.Custom("SCORES")
VideoSet = io.Custom("VIDEO_SET")


def metrics_input(default_means: str, listed: str) -> io.Input:
    """Which metrics are measured, by name."""
    return io.String.Input(
        "metrics", default="", tooltip=f"Names with commas between them: {listed}. Empty = {default_means}."
    )


def clip_instruments() -> list[io.Input]:
    """What metrics of single clips may be measured with."""
    return [
        io.ClipVision.Input(
            "clip_vision",
            optional=True,
            tooltip="CLIP-L/14 or another CLIP image encoder, for frame consistency, texts and aesthetics.",
        ),
        io.Clip.Input(
            "clip",
            optional=True,
            tooltip=(
                "The text encoder of the same CLIP with its projection: clip_l.safetensors for CLIP-L/14."
            ),
        ),
        io.String.Input(
            "text",
            default="",
            multiline=True,
            optional=True,
            tooltip="What should be seen, for clip_similarity and clip_score.",
        ),
        io.ClipVision.Input("subject_vision", optional=True, tooltip="DINOv2, for subject_consistency."),
        OpticalFlow.Input(
            "optical_flow",
            optional=True,
            tooltip="RAFT from Load Optical Flow Model; without it movement is found without a network.",
        ),
        MetricNetwork.Input(
            "aesthetic", optional=True, tooltip="An aesthetic head of LAION from Load Metric Network."
        ),
    ]


def score_inputs(tooltip: str) -> list[io.Input]:
    """Up to 16 results, and a line of text for each."""
    template = io.Autogrow.TemplatePrefix(Scores.Input("scores"), prefix="scores", min=1, max=16)
    return [
        io.Autogrow.Input("scores", template=template, tooltip=tooltip),
        io.String.Input(
            "labels",
            default="",
            multiline=True,
            tooltip="One line of text for each, in their order. Empty = scores 1, scores 2 and so on.",
        ),
    ]


def length_inputs(frames_tooltip: str) -> list[io.Input]:
    """How much of each video of a set is measured."""
    return [
        io.Int.Input(
            "num_frames",
            display_name="num_frames (0 = all)",
            default=16,
            min=0,
            max=4096,
            tooltip=frames_tooltip,
        )
    ]
