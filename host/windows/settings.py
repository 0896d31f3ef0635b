"""How a video is divided into context windows: what a person chooses in Context Windows, checked."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ...foreign_text import printable
from ...frame_tools.selection import check_expression, select_frames
from ...samplers.anchor_frames import with_anchors
from ...samplers.context_fusion import FUSE_METHODS, fuse_weights
from ...samplers.context_schedules import check_context, create_context_windows, is_looped
from ...samplers.noise import NOISE_TYPES
from .conds import BATCH_AXIS, TIME_AXIS

FRAME_AXES = ("auto", "batch", "time")


@dataclass(frozen=True)
class ContextSettings:
    """What a person chooses. Lengths are frames of latents;
    windows_per_batch 0 means as many as memory allows.

    Raises ValueError with rule, value and remedy on settings that make no sense.
    """

    context_length: int = 16
    context_overlap: int = 4
    context_schedule: str = "standard_static"
    context_stride: int = 1
    closed_loop: bool = False
    fuse_method: str = "pyramid"
    noise_type: str = "default"
    windows_per_batch: int = 0
    frame_axis: str = "auto"
    frames_per_video: int = 0
    start_percent: float = 0.0
    """The part of the noise schedule from which on these windows rule, 0..1."""
    guarantee_steps: int = 1
    """Steps that they get at least, where they begin within a run."""
    use_on_equal_length: bool = False
    """Whether a video of exactly context_length frames has windows too."""
    anchor_frames: str = ""
    """Frames of a video, or of each of its pieces, that every window sees in front; empty = none."""
    pieces: tuple[int, ...] = ()
    """Frames between borders that no window crosses, all of a video together; () = there are none."""

    def __post_init__(self):
        check_context(self.context_schedule, self.context_length, self.context_overlap, self.context_stride)
        for name, choices in (
            ("fuse_method", FUSE_METHODS),
            ("noise_type", NOISE_TYPES),
            ("frame_axis", FRAME_AXES),
        ):
            if getattr(self, name) not in choices:
                raise ValueError(
                    f"{name}='{printable(getattr(self, name))}' must be one of {', '.join(choices)}; choose "
                    "one of these."
                )
        if self.windows_per_batch < 0:
            raise ValueError(
                f"windows_per_batch={self.windows_per_batch} must be at least 0; 0 means as many as memory"
                " allows."
            )
        if self.frames_per_video < 0:
            raise ValueError(
                f"frames_per_video={self.frames_per_video} must be at least 0; 0 means that all frames are"
                " one video."
            )
        if self.anchor_frames.strip():
            check_expression(self.anchor_frames)
        self._check_part()
        self._check_loop()

    def _check_part(self) -> None:
        if not 0 <= self.start_percent < 1:
            raise ValueError(
                f"start_percent={self.start_percent:g} must be at least 0 and below 1; 0 = from the first"
                " step on."
            )
        if self.guarantee_steps < 0:
            raise ValueError(f"guarantee_steps={self.guarantee_steps} must be at least 0; 1 is usual.")
        if self.start_percent == 0 and self.guarantee_steps != 1:
            raise ValueError(
                f"guarantee_steps={self.guarantee_steps} is for windows with a start_percent above 0, which"
                " follow those of another Context Windows; leave it at 1."
            )

    def _check_loop(self) -> None:
        for name in ("closed_loop", "use_on_equal_length"):
            if getattr(self, name) and not is_looped(self.context_schedule):
                raise ValueError(
                    f"{name} is for looped_uniform, whose windows go from the last frame on to the first;"
                    f" context_schedule={self.context_schedule} has none: turn {name} off, or take"
                    " looped_uniform."
                )
        if self.closed_loop and len(self.pieces) > 1:
            raise ValueError(
                f"closed_loop is for a video of one piece, and the storyboard has {len(self.pieces)} between"
                " its cuts and fades; turn closed_loop off."
            )

    def axis(self, shape: torch.Size | list[int]) -> int:
        """The axis of latents of this shape that holds the frames. Raises ValueError where there is none."""
        if self.frame_axis == "batch" or (self.frame_axis == "auto" and len(shape) != 5):
            return BATCH_AXIS
        if len(shape) != 5:
            raise ValueError(
                "frame_axis=time needs video latents of 5 dimensions (B, C, F, H, W); these have shape"
                f" {tuple(shape)}; choose auto or batch."
            )
        return TIME_AXIS

    def videos(self, shape: torch.Size | list[int], streams: int = 1) -> tuple[int, int]:
        """How many videos lie one after another on the frame axis
        of latents of this shape, and the frames of each.

        streams: images of each frame, a whole video of them after another.
        Raises ValueError when they are not a whole number, and where there are none.
        """
        total = shape[self.axis(shape)]
        if total == 0:
            raise ValueError(
                "the latents hold no frames, a video needs at least one; raise batch_size of the latent."
            )
        frames = self.frames_per_video or max(1, total // streams)
        if total % (streams * frames):
            twice = " with their motion" if streams > 1 else ""
            raise ValueError(
                f"{total} frames are not a whole number of videos of frames_per_video={frames}{twice}; make"
                f" the latents a multiple of {streams * frames} frames or set frames_per_video to 0 (all"
                " frames are one video)."
            )
        return total // (streams * frames), frames

    def needed(self, shape: torch.Size | list[int], streams: int = 1) -> bool:
        """Whether latents of this shape are more than one window. Raises ValueError as `videos` does."""
        num_videos, num_frames = self.videos(shape, streams)
        longest = self.context_length - int(self.use_on_equal_length)
        return num_frames > longest or num_videos > 1 or len(self.pieces) > 1

    @property
    def changes_by_step(self) -> bool:
        """Whether windows or weights may be right at one step and wrong at another."""
        return any("AnimateDiff-Evolved" in name for name in (self.context_schedule, self.fuse_method))

    def plan(self, num_frames: int, step: int, sigma: float) -> tuple[list[list[int]], list[list[float]]]:
        """The windows of one video of num_frames frames at a sampling step of noise level sigma,
        and the weight of each of their frames.

        Raises ValueError where AnimateDiff-Evolved's schedules and weights have none, and for a video that is
        not as long as its pieces.
        """
        if self.pieces and sum(self.pieces) != num_frames:
            raise ValueError(
                f"the storyboard has {sum(self.pieces)} frames and the video {num_frames}; wire num_frames of"
                " Storyboard to the empty latent's batch_size, or take the storyboard off Context Windows."
            )
        windows, weights, start = [], [], 0
        for length in self.pieces or (num_frames,):
            own_windows, own_weights = self._plan_of_piece(length, step, sigma)
            windows += [[start + frame for frame in window] for window in own_windows]
            weights += own_weights
            start += length
        return windows, weights

    def _plan_of_piece(
        self, num_frames: int, step: int, sigma: float
    ) -> tuple[list[list[int]], list[list[float]]]:
        """`plan` of what lies between two borders, its frames counted from 0."""
        anchors = self._anchors(num_frames)
        windows = create_context_windows(
            self.context_schedule,
            num_frames,
            self.context_length - len(anchors),
            self.context_overlap,
            self.context_stride,
            self.closed_loop,
            step,
            self.use_on_equal_length,
        )
        method = self.fuse_method if len(windows) > 1 else "flat"
        weights = [
            fuse_weights(method, window, num_frames, self.context_overlap, sigma) for window in windows
        ]
        return with_anchors(windows, weights, anchors)

    def _anchors(self, num_frames: int) -> list[int]:
        """The anchors of a piece, none where it is one window. ValueError where they leave no place."""
        if not self.anchor_frames.strip() or num_frames <= self.context_length:
            return []
        anchors = list(dict.fromkeys(select_frames(self.anchor_frames, num_frames)))
        if self.context_length - len(anchors) <= self.context_overlap:
            raise ValueError(
                f'anchor_frames="{printable(self.anchor_frames)}" are {len(anchors)} of the'
                f" context_length={self.context_length} frames of a window, so fewer are left than"
                f" context_overlap={self.context_overlap} needs; name fewer, or lower the overlap."
            )
        return anchors
