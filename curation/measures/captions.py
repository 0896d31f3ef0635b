"""What captioners say of a clip: one of its middle frame, one of frames over its whole length, and a language
model's text of both, as Stable Video Diffusion's data was described.

Source: Blattmann et al. 2023 (arXiv 2311.15127), section 3.1: CoCa, V-BLIP, and an LLM's summary.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import av
import torch

from ..captioners.captioner import Captioner, captioner_of
from ..captioners.language_model import LanguageModel, question
from ..captions import cleaned
from ..settings import Captioners
from ..videos import SmallFrames
from .look import ClipLook, ClipView, Measure

SIDE = 512  # pixels of the longer side of what captioners are given; they look at 224 x 224


@dataclass
class DescribeClips(Measure):
    """Gives `image_caption`, `video_caption` and `summary`, where a model for it says something.

    image, video: captioners. frames: of a clip that `video` sees. summarise: answers a question."""

    image: Captioner | None = None
    video: Captioner | None = None
    frames: int = 8
    summarise: Callable[[str], str] | None = None

    columns = ("image_caption", "video_caption", "summary")

    def setup(self) -> None:
        """Loads all models, to a GPU where there is one. Raises ValueError where something is missing."""
        on_gpu = torch.cuda.is_available()
        for model in (self.image, self.video, self.summarise):
            if model is not None and model.network is None:
                model.setup(torch.float16 if on_gpu else torch.float32)
                model.network.to("cuda" if on_gpu else "cpu")

    def begin(self, clip: ClipView) -> ClipLook:
        """The look at one clip."""
        return _DescribeLook(self, clip)


def captioners_of(settings: Captioners) -> DescribeClips:
    """The measure that the settings name, not loaded yet. Raises ValueError for what is no captioner."""
    image = captioner_of(settings.image, settings.prompt) if settings.image else None
    video = captioner_of(settings.video, settings.prompt, of_videos=True) if settings.video else None
    if settings.image == settings.video:
        image = video  # one network for both
    summarise = LanguageModel(settings.summary) if settings.summary else None
    return DescribeClips(image, video, settings.frames, summarise)


class _DescribeLook(ClipLook):
    def __init__(self, measure: DescribeClips, clip: ClipView) -> None:
        self.measure, self.clip, self.small = measure, clip, SmallFrames()
        self.middle, count, number = clip.num_frames // 2, measure.frames, clip.num_frames
        self.places = sorted({(2 * i + 1) * number // (2 * count) for i in range(count)})
        self.wanted = {*(self.places if measure.video else ()), *((self.middle,) if measure.image else ())}
        self.pictures: dict[int, object] = {}

    def see(self, place: int, frame: av.VideoFrame) -> None:
        if place in self.wanted:
            self.pictures[place] = self.small.shown(frame, SIDE, self.clip.aspect)

    def result(self) -> dict[str, str]:
        measure, found = self.measure, {}
        if measure.image is not None:
            found["image_caption"] = cleaned(measure.image([self.pictures[self.middle]]))
        if measure.video is not None:
            found["video_caption"] = cleaned(measure.video([self.pictures[place] for place in self.places]))
        if measure.summarise is not None and any(found.values()):
            asked = question(found.get("image_caption", ""), found.get("video_caption", ""))
            found["summary"] = cleaned(measure.summarise(asked))
        return {name: text for name, text in found.items() if text}
