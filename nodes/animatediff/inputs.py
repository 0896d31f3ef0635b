"""The type that the nodes of this folder hand on."""

from comfy_api.latest import io

MotionModule = io.Custom("MOTION_MODULE")
