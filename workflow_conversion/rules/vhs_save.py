"""Video Combine of VideoHelperSuite, and of AnimateDiff-Evolved and ArtVenture before it."""

from __future__ import annotations

from typing import Any

from ..graph import Node
from ..plan import Plan, Wire
from .registry import USES, rule

SAVE = "ZoetropeSaveFrames"
H264, H265, AV1, VP9 = "H.264 (mp4)", "H.265 (mp4)", "AV1 (mp4)", "VP9 (webm)"
GIF, WEBP = "GIF", "WebP"
NVENC = "its bit rate is a quality here, crf"
FORMATS: dict[str, tuple[str, str]] = {
    "image/gif": (GIF, ""),
    "image/webp": (WEBP, ""),
    "video/h264-mp4": (H264, ""),
    "video/h265-mp4": (H265, ""),
    "video/webm": (VP9, ""),
    "video/av1-webm": (AV1, "AV1 goes into an mp4 here"),
    "video/ProRes": ("ProRes (mov)", ""),
    "video/ffv1-mkv": ("FFV1 (mkv)", ""),
    "video/nvenc_h264-mp4": (H264, NVENC),
    "video/nvenc_hevc-mp4": (H265, NVENC),
    "video/nvenc_av1-mp4": (AV1, NVENC),
    "video/gifski": (GIF, "gifski's palette is another one"),
    "video/ffmpeg-gif": (GIF, "FFmpeg's palette is another one"),
}
"""Format there -> (format here, why it differs)."""
USUAL_CRF = {H264: 19, H265: 22, AV1: 23, VP9: 20}
MOST_CRF = {H264: (1, 51), H265: (0, 51), AV1: (1, 63), VP9: (0, 63)}
PIX_FMTS = {
    H264: ("yuv420p", "yuv420p10le"), H265: ("yuv420p", "yuv420p10le"), AV1: ("yuv420p", "yuv420p10le"),
    VP9: ("yuv420p", "yuva420p"),
}  # fmt: skip
USUAL_PIX_FMT = {H264: "yuv420p", H265: "yuv420p10le", AV1: "yuv420p10le", VP9: "yuv420p"}
PICTURES = {"video/8bit-png", "video/16bit-png"}


@rule("VHS_VideoCombine", "ADE_AnimateDiffCombine", "AnimateDiffCombine", stage=USES)
def video_combine(node: Node, plan: Plan) -> None:
    images = _frames(node, plan)
    told = plan.constant(node, "format", "image/gif")
    if told in PICTURES:
        _save_pictures(node, plan, images, told)
        return
    values: dict[str, Any] = {}
    links: dict[str, Wire] = {}
    kind, why = FORMATS.get(told, (H264, f"{told} is a format of somebody's own, and H.264 takes its place"))
    if why:
        plan.say(why)
    values["format"] = kind
    if why == NVENC:
        values["hardware_encoder"] = True
    plan.setting(node, "frame_rate", values, links, "fps", 8)
    plan.setting(node, "filename_prefix", values, links, "filename_prefix", "AnimateDiff")
    plan.setting(node, "pingpong", values, links, "ping_pong", False)
    _encoding(node, plan, kind, values, links)
    _loops(node, plan, kind, values)
    _what_is_kept(node, plan, values, links)
    made = plan.add(SAVE, values, images=images, audio=plan.wire(node, "audio"), **links)
    _names(node, plan, made)
    if plan.scope.source(node, "meta_batch") or plan.scope.source(node, "batch_manager"):
        plan.say("all frames come at once, not in batches; for long videos take Latents to Video File")


def _frames(node: Node, plan: Plan) -> Wire | None:
    """The frames; latents are decoded, as that node does where a VAE is wired."""
    images, vae = plan.wire(node, "images"), plan.wire(node, "vae")
    if images is not None and vae is not None and plan.kind_of(images) == "LATENT":
        return (plan.add("VAEDecode", {}, samples=images, vae=vae), 0)
    return images


def _encoding(node: Node, plan: Plan, kind: str, values: dict, links: dict) -> None:
    if kind not in USUAL_CRF:
        return
    plan.setting(node, "crf", values, links, "crf", USUAL_CRF[kind])
    least, most = MOST_CRF[kind]
    if "crf" in values and isinstance(values["crf"], (int, float)):
        told = values["crf"]
        values["crf"] = min(max(told, least), most)
        if values["crf"] != told:
            plan.say(f"crf {told} is {values['crf']} here, where {least} to {most} are allowed")
    if "crf" in links and "crf" not in values:
        values["crf"] = USUAL_CRF[kind]
    pix_fmt = plan.constant(node, "pix_fmt", USUAL_PIX_FMT[kind])
    pix_fmt = "yuv420p10le" if pix_fmt == "p010le" else pix_fmt
    values["pix_fmt"] = pix_fmt if pix_fmt in PIX_FMTS[kind] else "auto"


def _loops(node: Node, plan: Plan, kind: str, values: dict) -> None:
    """There the number of repeats, here how often it is played; but WebP counts plays in both."""
    repeats = plan.constant(node, "loop_count", 0)
    values["loop_count"] = repeats + (1 if repeats and kind != WEBP else 0)


def _what_is_kept(node: Node, plan: Plan, values: dict, links: dict) -> None:
    """Whether the video is kept at all, and whether the workflow is in it."""
    saved = "save_output" if "save_output" in (*(node.values or {}), *node.sources) else "save_image"
    inputs = plan.targets.inputs(SAVE)
    for old, new, why in (
        (saved, "save_output", "the video is kept in the output folder"),
        ("save_metadata", "save_metadata", "the workflow is in the file"),
    ):
        if new in inputs:
            plan.setting(node, old, values, links, new, True)
        elif old in node.sources or plan.value(node, old, True) is False:
            plan.say(why)
    if plan.value(node, "trim_to_audio", False) is True:
        if "trim_to_audio" in inputs:
            values["trim_to_audio"] = True
        else:
            plan.say("the video is not cut to the length of its sound")


def _names(node: Node, plan: Plan, made: Any) -> None:
    """The output that has the names of the files."""
    outputs = [name for name, _ in plan.targets.outputs(SAVE)]
    slot = outputs.index("path") if "path" in outputs else None
    for user, _, _ in list(plan.scope.final_users(node.id)):
        if user.type == "VHS_PruneOutputs":
            plan.absorbed[user.id] = {}
        elif user.type == "VHS_SelectFilename" and slot is not None:
            plan.absorbed[user.id] = {0: (made, slot)}
    if slot is not None:
        plan.outputs[0] = (made, slot)


def _save_pictures(node: Node, plan: Plan, images: Wire | None, told: str) -> None:
    prefix = plan.constant(node, "filename_prefix", "AnimateDiff")
    plan.add("SaveImage", {"filename_prefix": prefix}, images=images)
    plan.say("the pictures are numbered in another way" + (", with 8 bits" if "16" in told else ""))
