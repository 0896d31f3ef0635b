"""Nodes that pick, join and even out frames."""

from __future__ import annotations

from comfy_api.latest import io, ui

from ..frame_tools import batches
from ..frame_tools.selection import ping_pong, select_frames, split_place
from ..host.media.frame_tools import MATCH_MODES, remove_flicker
from .base import ZoetropeNode

CATEGORY = "Zoetrope/Frames"
FRAMES = "IMAGE, LATENT or MASK"


def _any_frames() -> io.MatchType.Template:
    return io.MatchType.Template("frames", [io.Image, io.Latent, io.Mask])


class SelectFrames(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        kind = _any_frames()
        return io.Schema(
            node_id="ZoetropeSelectFrames",
            display_name="Select Frames",
            category=CATEGORY,
            description="Picks frames out of images, latents or masks by an expression such as 0:16:2,-1.",
            search_aliases=[
                "vhs",
                "select every nth",
                "select latents",
                "select images",
                "select masks",
                "pick frames",
                "index string",
                "get frame",
                "last frame",
                "slice batch",
                "抽帧",
                "取帧",
                "最后一帧",
            ],
            inputs=[
                io.MatchType.Input("frames", template=kind, tooltip=f"{FRAMES}: the batch to pick from."),
                io.String.Input(
                    "selection",
                    default="::2",
                    tooltip=(
                        "Frame numbers from 0 and ranges start:end:step, separated by commas; negative"
                        " numbers count from the end. ::2 = every second frame, 0:16 = the first 16, -1 = the"
                        " last, : = all."
                    ),
                ),
            ],
            outputs=[
                io.MatchType.Output(
                    kind,
                    display_name="frames",
                    tooltip="The frames picked, in the order in which they are named.",
                ),
                io.Int.Output("num_frames", display_name="num_frames", tooltip="How many they are."),
            ],
        )

    @classmethod
    def execute(cls, frames, selection) -> io.NodeOutput:
        numbers = select_frames(selection, batches.count_frames(frames))
        return io.NodeOutput(batches.take_frames(frames, numbers), len(numbers))


class SplitFrames(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        kind = _any_frames()
        return io.Schema(
            node_id="ZoetropeSplitFrames",
            display_name="Split Frames",
            category=CATEGORY,
            description="Cuts a batch of images, latents or masks in two.",
            search_aliases=[
                "vhs",
                "split batch",
                "split images",
                "split latents",
                "split masks",
                "cut clip",
                "拆分",
                "分割",
                "剪切",
            ],
            inputs=[
                io.MatchType.Input("frames", template=kind, tooltip=f"{FRAMES}: the batch to cut."),
                io.Int.Input(
                    "position",
                    default=16,
                    min=-1000000,
                    max=1000000,
                    tooltip=(
                        "How many frames the first part gets; negative: how many the second part gets. Both"
                        " parts must have one at least."
                    ),
                ),
            ],
            outputs=[
                io.MatchType.Output(
                    kind, id="first", display_name="first", tooltip="The frames before the cut."
                ),
                io.MatchType.Output(kind, id="second", display_name="second", tooltip="The frames after it."),
                io.Int.Output(
                    "num_first", display_name="num_first", tooltip="How many frames the first part has."
                ),
                io.Int.Output(
                    "num_second", display_name="num_second", tooltip="How many frames the second part has."
                ),
            ],
        )

    @classmethod
    def execute(cls, frames, position) -> io.NodeOutput:
        total = batches.count_frames(frames)
        place = split_place(position, total)
        parts = [batches.take_frames(frames, list(range(*ends))) for ends in ((0, place), (place, total))]
        return io.NodeOutput(*parts, place, total - place)


class MergeFrames(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        kind = _any_frames()
        return io.Schema(
            node_id="ZoetropeMergeFrames",
            display_name="Merge Frames",
            category=CATEGORY,
            description="Puts one clip after the other, with a cross-fade between them if wanted.",
            search_aliases=[
                "vhs",
                "merge images",
                "merge latents",
                "merge masks",
                "crossfade",
                "cross-fade",
                "transition",
                "join clips",
                "concatenate",
                "append",
                "combine clips",
                "合并",
                "拼接",
                "转场",
            ],
            inputs=[
                io.MatchType.Input("first", template=kind, tooltip=f"{FRAMES}: what comes first."),
                io.MatchType.Input(
                    "second", template=kind, tooltip="What comes after it; the same kind and size."
                ),
                io.Int.Input(
                    "crossfade",
                    default=0,
                    min=0,
                    max=1000000,
                    tooltip=(
                        "Frames over which the end of the first turns into the beginning of the second; the"
                        " result is shorter by as many. 0 = a cut."
                    ),
                ),
            ],
            outputs=[
                io.MatchType.Output(kind, display_name="frames", tooltip="Both clips as one."),
                io.Int.Output(
                    "num_frames", display_name="num_frames", tooltip="How many frames they have together."
                ),
            ],
        )

    @classmethod
    def execute(cls, first, second, crossfade) -> io.NodeOutput:
        joined = batches.join_frames(first, second, crossfade)
        return io.NodeOutput(joined, batches.count_frames(joined))


class ReverseFrames(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        kind = _any_frames()
        return io.Schema(
            node_id="ZoetropeReverseFrames",
            display_name="Reverse Frames",
            category=CATEGORY,
            description="Turns the order of the frames round, so that a clip runs backwards.",
            search_aliases=[
                "reverse images",
                "reverse latents",
                "reverse batch",
                "backwards",
                "flip time",
                "rewind",
                "倒放",
                "反转",
            ],
            inputs=[io.MatchType.Input("frames", template=kind, tooltip=f"{FRAMES}: the clip.")],
            outputs=[
                io.MatchType.Output(
                    kind, display_name="frames", tooltip="The same frames, the last one first."
                )
            ],
        )

    @classmethod
    def execute(cls, frames) -> io.NodeOutput:
        return io.NodeOutput(batches.take_frames(frames, list(range(batches.count_frames(frames)))[::-1]))


class PingPongFrames(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        kind = _any_frames()
        return io.Schema(
            node_id="ZoetropePingPongFrames",
            display_name="Ping-Pong Frames",
            category=CATEGORY,
            description="Makes a clip run forwards and then backwards, so that it loops without a jump.",
            search_aliases=[
                "pingpong",
                "boomerang",
                "bounce",
                "loop",
                "vhs",
                "forward and backward",
                "seamless loop",
                "循环",
                "来回播放",
                "无缝循环",
            ],
            inputs=[
                io.MatchType.Input("frames", template=kind, tooltip=f"{FRAMES}: the clip."),
                io.Boolean.Input(
                    "repeat_ends",
                    default=False,
                    tooltip=(
                        "Whether the last and the first frame are shown twice in a row at the turns. Off ="
                        " not, which is smooth in a player's loop."
                    ),
                ),
            ],
            outputs=[
                io.MatchType.Output(kind, display_name="frames", tooltip="The clip forwards and backwards."),
                io.Int.Output("num_frames", display_name="num_frames", tooltip="How many frames it has now."),
            ],
        )

    @classmethod
    def execute(cls, frames, repeat_ends) -> io.NodeOutput:
        numbers = ping_pong(batches.count_frames(frames), repeat_ends)
        return io.NodeOutput(batches.take_frames(frames, numbers), len(numbers))


class RepeatFrames(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        kind = _any_frames()
        return io.Schema(
            node_id="ZoetropeRepeatFrames",
            display_name="Repeat Frames",
            category=CATEGORY,
            description="Repeats a clip, or every frame of it, for images, latents and masks.",
            search_aliases=[
                "vhs",
                "duplicate images",
                "duplicate latents",
                "duplicate masks",
                "loop clip",
                "hold frames",
                "slow motion",
                "循环",
                "重复",
                "慢动作",
            ],
            inputs=[
                io.MatchType.Input("frames", template=kind, tooltip=f"{FRAMES}: the clip."),
                io.Int.Input("times", default=2, min=1, max=10000, tooltip="How many times: 1 = as it is."),
                io.Boolean.Input(
                    "each_frame",
                    default=False,
                    tooltip=(
                        "Off = the whole clip is repeated (0 1 2 0 1 2); on = every frame is held (0 0 1 1 2"
                        " 2), which is slower."
                    ),
                ),
            ],
            outputs=[
                io.MatchType.Output(kind, display_name="frames", tooltip="The repeated clip."),
                io.Int.Output("num_frames", display_name="num_frames", tooltip="How many frames it has now."),
            ],
        )

    @classmethod
    def execute(cls, frames, times, each_frame) -> io.NodeOutput:
        repeated = batches.repeat_frames(frames, times, each_frame)
        return io.NodeOutput(repeated, batches.count_frames(repeated))


class InterleaveFrames(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        kind = _any_frames()
        return io.Schema(
            node_id="ZoetropeInterleaveFrames",
            display_name="Interleave Frames",
            category=CATEGORY,
            description="Takes a frame of one clip and a frame of the other in turn.",
            search_aliases=[
                "interleave images",
                "interleave latents",
                "alternate",
                "zip frames",
                "merge every other",
                "weave",
                "交错",
                "交替",
            ],
            inputs=[
                io.MatchType.Input(
                    "first", template=kind, tooltip=f"{FRAMES}: gives frames 0, 2, 4 and so on."
                ),
                io.MatchType.Input(
                    "second", template=kind, tooltip="Gives frames 1, 3, 5 and so on; the same kind and size."
                ),
            ],
            outputs=[
                io.MatchType.Output(
                    kind, display_name="frames", tooltip="Both in turn; the rest of the longer one follows."
                ),
                io.Int.Output(
                    "num_frames", display_name="num_frames", tooltip="How many frames they have together."
                ),
            ],
        )

    @classmethod
    def execute(cls, first, second) -> io.NodeOutput:
        woven = batches.interleave_frames(first, second)
        return io.NodeOutput(woven, batches.count_frames(woven))


class CountFrames(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeCountFrames",
            display_name="Count Frames",
            category=CATEGORY,
            description="Says how many frames images, latents or masks have, and how large they are.",
            is_output_node=True,
            search_aliases=[
                "vhs",
                "get image count",
                "get latent count",
                "get mask count",
                "frame count",
                "batch size",
                "video length",
                "video info",
                "帧数",
            ],
            inputs=[
                io.MultiType.Input(
                    "frames", [io.Image, io.Latent, io.Mask], tooltip=f"{FRAMES}: what is counted."
                )
            ],
            outputs=[
                io.Int.Output(
                    "num_frames",
                    display_name="num_frames",
                    tooltip="How many frames; of latents, frames of latents.",
                ),
                io.Int.Output(
                    "width",
                    display_name="width",
                    tooltip="Their width in pixels; of latents, in latent cells.",
                ),
                io.Int.Output(
                    "height",
                    display_name="height",
                    tooltip="Their height in pixels; of latents, in latent cells.",
                ),
            ],
        )

    @classmethod
    def execute(cls, frames) -> io.NodeOutput:
        count, (height, width) = batches.count_frames(frames), batches.frame_size(frames)
        return io.NodeOutput(
            count,
            width,
            height,
            ui=ui.PreviewText(f"{batches.kind_of(frames)}: {count} frames of {width}x{height}"),
        )


class RemoveFlicker(ZoetropeNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZoetropeRemoveFlicker",
            display_name="Remove Flicker",
            category=CATEGORY,
            description="Evens out brightness, contrast and colour from frame to frame.",
            search_aliases=[
                "deflicker",
                "de-flicker",
                "flicker",
                "color match",
                "colour match",
                "stabilize colors",
                "brightness",
                "去闪烁",
                "闪烁",
                "颜色匹配",
            ],
            inputs=[
                io.Image.Input("images", tooltip="The frames."),
                io.Combo.Input(
                    "match",
                    options=list(MATCH_MODES),
                    default=MATCH_MODES[0],
                    tooltip=(
                        "What each frame is brought to: frames around = the mean of the frames around it,"
                        " which keeps slow changes; reference frame = one frame's colours."
                    ),
                ),
                io.Float.Input(
                    "radius",
                    default=4.0,
                    min=0.1,
                    max=1000.0,
                    step=0.1,
                    tooltip=(
                        "For frames around: how far the frames around count, in frames (standard deviation)."
                        " 4 suits 8 to 30 frames per second; more keeps less of slow changes."
                    ),
                ),
                io.Float.Input(
                    "strength",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="How much of the difference is taken away, a factor: 1 = all, 0 = off.",
                ),
                io.Int.Input(
                    "reference_frame",
                    display_name="reference_frame (-1 = last)",
                    default=0,
                    min=-1000000,
                    max=1000000,
                    tooltip="For reference frame: its number, 0 = the first, -1 = the last.",
                ),
            ],
            outputs=[io.Image.Output("IMAGE", tooltip="The frames with even colours.")],
        )

    @classmethod
    def execute(cls, images, match, radius, strength, reference_frame) -> io.NodeOutput:
        return io.NodeOutput(remove_flicker(images, match, radius, strength, reference_frame))


NODES = [
    SelectFrames,
    SplitFrames,
    MergeFrames,
    ReverseFrames,
    PingPongFrames,
    RepeatFrames,
    InterleaveFrames,
    CountFrames,
    RemoveFlicker,
]
