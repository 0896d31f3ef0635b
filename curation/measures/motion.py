"""How much moves in a clip: dense optical flow between frames that follow each other.

Where little moves, frames three apart are compared and the flow is divided: noise of the sensor and of the
codec then counts a third. Source of DIS: Kroeger et al. 2016 (arXiv 1603.03590), OpenCV's implementation with
its preset MEDIUM; of RAFT: Teed and Deng 2020 (arXiv 2003.12039), torchvision's raft_large.
Letters: H height, W width.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np

from ...foreign_text import printable
from ..extras import missing
from ..settings import Motion
from ..videos import SmallFrames
from .look import ClipLook, ClipView, Measure

Flow = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""flow(one, other) -> (2, H, W) of two RGB pictures (H, W, 3), uint8: pixels to the right and downwards."""
FURTHER = 3  # frames between those that are compared where little moves
LITTLE = 0.01  # of the shorter side per frame
MOVES = 0.0005  # of the shorter side per frame, from which on a pixel counts as moving
RAFT_SMALLEST, RAFT_MULTIPLE = 128, 8


class FlowMotion(Measure):
    """`motion`: pixels per frame, at the clip's own size. `motion_speed`: shorter sides a second. `moving`:
    share of the picture that moves. flow: given, or loaded in `setup` by the settings' tier."""

    columns = ("motion", "motion_speed", "moving")

    def __init__(self, settings: Motion, flow: Flow | None = None) -> None:
        self.settings, self.flow = settings, flow

    def setup(self) -> None:
        """Loads the flow. Raises ValueError where a package or a file is missing."""
        if self.flow is None:
            self.flow = dis_flow() if self.settings.tier == "dis" else raft_flow(self.settings.weights)

    def begin(self, clip: ClipView) -> ClipLook:
        """The look at one clip."""
        return _FlowLook(self, clip)


class _FlowLook(ClipLook):
    def __init__(self, measure: FlowMotion, clip: ClipView) -> None:
        self.measure, self.clip, self.small = measure, clip, SmallFrames()
        self.step = max(1, round(clip.fps / measure.settings.pairs_per_second))
        self.begun: dict[int, np.ndarray] = {}  # place -> picture
        self.rough: dict[int, np.ndarray] = {}  # place -> lengths between neighbours where little moves
        self.found: list[tuple[float, float]] = []
        self.size = None

    def see(self, place: int, frame: av.VideoFrame) -> None:
        starts = [place - apart for apart in (0, 1, FURTHER) if self._starts(place - apart)]
        if not starts:
            return
        if self.size is None:
            scale = min(1.0, self.measure.settings.side / min(frame.width, frame.height))
            self.size = tuple(max(16, round(side * scale)) for side in (frame.width, frame.height))
            self.scale = min(self.size) / min(frame.width, frame.height)
        picture = self.small.stored(frame, *self.size)
        for start in starts:
            if start == place:
                self.begun[start] = picture
            elif start in self.begun:
                self._compare(start, place, picture)

    def _starts(self, place: int) -> bool:
        return place >= 0 and place % self.step == 0

    def _compare(self, start: int, place: int, picture: np.ndarray) -> None:
        apart = place - start
        if apart > 1 and start not in self.rough:
            return
        lengths = np.hypot(*self.measure.flow(self.begun[start], picture)) / apart
        if apart == 1 and lengths.mean() < LITTLE * min(self.size):
            self.rough[start] = lengths
            return
        self.rough.pop(start, None)
        self._keep(lengths)
        del self.begun[start]

    def _keep(self, lengths: np.ndarray) -> None:
        moving = float((lengths > MOVES * min(self.size)).mean())
        self.found.append((float(lengths.mean()), moving))

    def result(self) -> dict[str, float]:
        for lengths in self.rough.values():  # the clip ended before the further frame came
            self._keep(lengths)
        if not self.found:
            raise ValueError("motion needs two frames that follow each other; the clip has fewer.")
        length, moving = (sum(values) / len(values) for values in zip(*self.found, strict=True))
        speed = length / min(self.size) * self.clip.fps
        return {
            "motion": round(length / self.scale, 5),
            "motion_speed": round(speed, 6),
            "moving": round(moving, 5),
        }


def dis_flow() -> Flow:
    """Dense inverse search, on the processor: about 6 ms for 320x192. Raises ValueError without OpenCV."""
    try:
        import cv2
    except ImportError as error:
        raise missing("motion by DIS", "opencv-python-headless") from error
    cv2.setNumThreads(1)  # workers run side by side
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

    def flow(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        grey = (cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (one, other))
        return search.calc(*grey, None).transpose(2, 0, 1)

    return flow


def raft_flow(weights: str) -> Flow:
    """RAFT by torchvision's file of raft_large. Raises ValueError for a file that is missing or another."""
    if not weights:
        raise ValueError(
            "motion by RAFT needs weights: the file raft_large_C_T_SKHT_V2 of torchvision; set weights in"
            " [motion], or choose the tier dis."
        )

    from ..weights import read_weights

    values = read_weights(Path(weights), "RAFT", "torchvision's raft_large_C_T_SKHT_V2-ff5fadd5.pth")
    try:
        from torchvision.models.optical_flow import raft_large
    except ImportError as error:
        raise missing("motion by RAFT", "torchvision") from error
    network = raft_large(weights=None).eval()
    try:
        network.load_state_dict(values)
    except RuntimeError as error:
        raise ValueError(
            f"'{printable(Path(weights).name)}' holds no weights of torchvision's raft_large; choose that"
            " file."
        ) from error
    return flow_of_tensors(lambda one, other: network(one, other)[-1])


def flow_of_tensors(find: Callable) -> Flow:
    """A Flow of what takes two pictures (1, 3, H, W) in -1..1 and gives (1, 2, H, W), as RAFT does."""
    import torch

    def flow(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        height, width = one.shape[:2]
        rows, columns = (-(-max(side, RAFT_SMALLEST) // RAFT_MULTIPLE) * RAFT_MULTIPLE
                         for side in (height, width))  # fmt: skip
        pad = ((0, rows - height), (0, columns - width), (0, 0))
        pictures = [
            torch.from_numpy(np.pad(picture, pad, mode="edge")).movedim(-1, 0)[None].float() / 127.5 - 1
            for picture in (one, other)
        ]
        with torch.inference_mode():
            found = find(*pictures)
        return found[0, :, :height, :width].float().cpu().numpy()

    return flow
