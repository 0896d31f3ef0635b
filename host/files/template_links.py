"""Names of the example workflows for links,
as in http://127.0.0.1:8188/?template=NAME&source=ComfyUI-Zoetrope.

The template browser shows a workflow's file name as its title, and a link
takes letters, digits, dots, hyphens and underscores only. So the files have
readable names that sort, and the server answers to a second name of each.
"""

from __future__ import annotations

from pathlib import Path

PACK = Path(__file__).parents[2]
LINKS = {
    "zoetrope_demo": "01 Demo (no download)",
    "zoetrope_demo_camera_and_look": "02 Demo, camera and look",
    "AnimateDiff_text_to_video_SD1.5": "03 Text to video (AnimateDiff)",
    "AnimateDiff_image_to_video_SD1.5": "04 Image to video (AnimateDiff)",
    "AnimateDiff_ControlNet_video_SD1.5": "05 Video to video (AnimateDiff, ControlNet)",
    "AnimateDiff_long_video_context_windows_SD1.5": "06 Long video (AnimateDiff)",
    "Long_video_in_bounded_memory": "07 Long video in bounded memory",
    "Compare_and_contact_sheet": "08 Compare clips, contact sheet",
    "ModelScope_text_to_video": "09 Text to video (ModelScope)",
    "ZeroScope_v2_text_to_video_XL": "10 Text to video (ZeroScope XL)",
    "VideoCrafter2_text_to_video": "11 Text to video (VideoCrafter2)",
    "VideoCrafter1_image_to_video": "12 Image to video (VideoCrafter1)",
    "DynamiCrafter_image_to_video": "13 Image to video (DynamiCrafter)",
    "DynamiCrafter_interpolation": "14 Between images (DynamiCrafter)",
    "SVD_image_to_video": "15 Image to video (SVD)",
    "SV3D_orbit": "16 Orbit of an image (SV3D)",
    "LaVie_text_to_video_cascade": "17 Text to large video (LaVie)",
    "Show-1_text_to_video_cascade": "18 Text to video (Show-1)",
    "zoetrope_demo_zoom_then_pan": "19 Demo, zoom then pan",
    "zoetrope_demo_prompts_over_frames": "20 Demo, prompts over frames",
    "zoetrope_demo_controlnet_over_time": "21 Demo, ControlNet over time",
    "zoetrope_demo_deep_features_reused": "22 Demo, deep features reused",
    "zoetrope_demo_values_over_frames_and_places": "23 Demo, values over frames and places",
    "AnimateDiff_SparseCtrl_from_pictures_SD1.5": "24 From pictures (AnimateDiff, SparseCtrl)",
    "zoetrope_demo_guidance_and_FreeInit": "25 Demo, guidance and FreeInit",
    "zoetrope_demo_windows_side_by_side": "26 Demo, windows side by side",
    "AnimateDiff_CameraCtrl_camera_poses_SD1.5": "27 Camera poses (AnimateDiff, CameraCtrl)",
    "AnimateLCM_text_to_video_SD1.5": "28 Text to video (AnimateLCM)",
    "zoetrope_demo_Text2Video-Zero": "29 Demo, Text2Video-Zero",
    "zoetrope_demo_Text2Video-Zero_with_ControlNet": "30 Demo, Text2Video-Zero with ControlNet",
    "zoetrope_demo_edit_by_inversion": "31 Demo, edit by inversion",
    "zoetrope_demo_queue_and_windows": "32 Demo, queue and windows side by side",
    "zoetrope_demo_extend_a_clip": "33 Demo, extend a clip",
    "zoetrope_demo_fill_a_moving_region": "34 Demo, fill a moving region",
    "zoetrope_demo_loop": "35 Demo, loop",
    "zoetrope_demo_story": "36 Demo, a story of three scenes",
    "zoetrope_demo_train_a_MotionLoRA": "37 Demo, train a MotionLoRA",
    "zoetrope_curate_a_folder": "38 Curate a folder",
    "zoetrope_demo_compare_two_sets": "39 Demo, compare two sets",
    "zoetrope_demo_one-shot_tuning": "40 Demo, one-shot tuning",
    "zoetrope_demo_windows_on_workers": "41 Demo, windows on workers",
    "zoetrope_demo_seeds_on_workers": "42 Demo, seeds on workers",
    "zoetrope_demo_looks_and_motion_apart": "43 Demo, looks and motion apart",
    "zoetrope_demo_edit_by_mixed_tuning": "44 Demo, edit by mixed tuning",
    "zoetrope_demo_animate_a_picture": "45 Demo, animate a picture",
    "zoetrope_demo_fill_in_key_frames": "46 Demo, fill in key frames",
    "train_a_LoRA_ModelScope": "47 Train a LoRA (ModelScope)",
    "train_a_camera_move_SVD": "48 Train a camera move (SVD)",
    "train_frames_between_SVD": "49 Train frames between (SVD)",
    "train_a_steady_decoder": "50 Train a steady decoder",
}
"""Name in links -> name of the file in example_workflows/."""


def register_template_links() -> None:
    """Lets the server answer to the names in links, before ComfyUI's own routes of the folder."""
    from server import PromptServer

    server = getattr(PromptServer, "instance", None)
    if server is None:  # nodes are used without a server
        return
    for link, name in LINKS.items():
        place = f"/api/workflow_templates/{PACK.name}/{link}.json"
        server.app.router.add_get(place, _answer(PACK / "example_workflows" / f"{name}.json"))


def _answer(path: Path):
    """A handler that sends a file."""
    from aiohttp import web

    async def send(request: web.Request) -> web.FileResponse:
        return web.FileResponse(path)

    return send
