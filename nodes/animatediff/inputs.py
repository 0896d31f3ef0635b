"""The types that the nodes of this folder take and hand on."""

from comfy_api.latest import io

CameraPoses = io.Custom("CAMERA_POSES")
MotionModule = io.Custom("MOTION_MODULE")
FrameValues = io.Custom("FRAME_VALUES")
