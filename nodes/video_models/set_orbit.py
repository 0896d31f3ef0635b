"""Set Orbit (SV3D): conditioning for views around a thing."""

from __future__ import annotations

from comfy_api.latest import io

from ...host.video_models import svd_conditioning
from ...samplers.orbits import ORBITS
from ..base import ZoetropeNode
from .inputs import conditioning_outputs, encoders, seed, svd_video


class SetOrbit(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeSetOrbit",
            display_name="Set Orbit (SV3D)",
            category="Zoetrope/Video models",
            description=(
                "Makes views all around the thing in an image, with SV3D_u or along a camera path with"
                " SV3D_p."
            ),
            search_aliases=[
                "sv3d",
                "sv3d_conditioning",
                "orbit",
                "multi-view",
                "3d",
                "turntable",
                "camera",
                "zero123",
                "环绕",
                "多视角",
                "转台",
            ],
            inputs=[
                *encoders(),
                io.Image.Input(
                    "image",
                    tooltip="The thing on white; its middle is cut out and resized to width x height.",
                ),
                *svd_video(576, 576, 21, "Views of the orbit: 21 as trained; the last one is the image's."),
                *_orbit_inputs(),
                seed("Seed of a dynamic orbit and of the trace of noise that is added to the image."),
            ],
            outputs=conditioning_outputs(),
        )

    @classmethod
    def execute(cls, clip_vision, vae, image, **settings) -> io.NodeOutput:
        settings = svd_conditioning.OrbitSettings(**settings)
        return io.NodeOutput(*svd_conditioning.orbit(clip_vision, vae, image, settings))


def _orbit_inputs() -> list[io.Input]:
    """The path of the camera."""
    return [
        io.Combo.Input(
            "orbit",
            options=list(ORBITS),
            tooltip=(
                "SV3D_p: static = level circle at equal angles, sine = it rises and falls once,"
                " dynamic = random rise and fall at uneven angles. SV3D_u always makes a static"
                " orbit."
            ),
        ),
        io.Float.Input(
            "elevation",
            default=10.0,
            min=-90.0,
            max=90.0,
            step=0.1,
            tooltip=(
                "SV3D_p: how far above the thing the image was taken, in degrees: 0 = level with it,"
                " 10 as published."
            ),
        ),
        io.Float.Input(
            "elevation_swing",
            default=20.0,
            min=0.0,
            max=90.0,
            step=0.1,
            tooltip="How far sine and dynamic orbits rise and fall, in degrees; 0 = not at all.",
        ),
    ]
