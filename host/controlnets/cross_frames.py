"""Cross-frame attention in a ControlNet: its frames read other frames, as those of the UNet do.

A CONTROL_NET of core stays what it is: its class gets `CrossFrameControl` in front, which puts the acts on
the ControlNet's layers for the time of each call.

Source: github.com/Picsart-AI-Research/Text2Video-Zero, which gives its processor to the ControlNet too.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import comfy.cldm.cldm
import comfy.controlnet

from ...motion_modules.call import SINGLE_FRAMES, Call, Forward, streams_in
from ...motion_modules.cross_frame_attention import acts
from ...motion_modules.points import inject
from ..injection.cross_frame_attention import NODE, CrossFrames, refuse_without_attention
from ..injection.places import places_of
from ..sampling.video_frames import frames_in_batch
from ..windows.controls import selects_frames_itself


@dataclass(frozen=True)
class ControlCrossFrames:
    """frames: what they read. frames_per_video: F where a batch holds several videos; 0 = all are one."""

    frames: CrossFrames
    frames_per_video: int = 0

    def resolve(self, forward: Forward) -> Call | None:
        """Raises ValueError for a batch that is no whole number of videos."""
        if SINGLE_FRAMES in forward.options:
            return None
        length = frames_in_batch(forward.frames_of_run, forward.options, self.frames_per_video)
        in_call = forward.num_frames // streams_in(forward.options) if forward.is_windowed else length
        return Call(forward, in_call, inputs=self.frames.of_video(length))


class CrossFrameControl:
    """Stands in front of a control object's class. cross_frames: the settings."""

    cross_frames: ControlCrossFrames

    def copy(self):
        return _with(super().copy(), self.cross_frames)

    def get_control(self, x_noisy, t, cond, batched_number, transformer_options):
        """As core's, with the acts on the network. Its forward finds the options among its arguments."""
        places = acts(places_of(self.control_model), self.cross_frames.frames.keys_from)
        self.extra_args["transformer_options"] = transformer_options
        try:
            with inject(self.control_model, places, self.cross_frames.resolve):
                return super().get_control(x_noisy, t, cond, batched_number, transformer_options)
        finally:
            del self.extra_args["transformer_options"]


@functools.cache
def _class_with_cross_frames(base: type) -> type:
    # Named as part of core's module where base is: context windows know those to treat images one by one.
    return type(f"{base.__name__}CrossFrames", (CrossFrameControl, base), {"__module__": base.__module__})


def _with(control, settings: ControlCrossFrames):
    if not isinstance(control, CrossFrameControl):
        control.__class__ = _class_with_cross_frames(type(control))
    control.cross_frames = settings
    return control


def control_cross_frames(control_net, settings: ControlCrossFrames):
    """A copy of a CONTROL_NET whose frames read other frames.

    Raises ValueError for one without self-attentions, such as a T2I-Adapter or one of another family.
    """
    if isinstance(control_net, comfy.controlnet.ControlLora):  # its network is made in each run
        return _with(control_net.copy(), settings)
    network = getattr(control_net, "control_model", None)
    if selects_frames_itself(control_net) or not isinstance(network, comfy.cldm.cldm.ControlNet):
        raise ValueError(
            f"{NODE} needs a ControlNet of SD1.x, SD2.x or SDXL, loaded with ComfyUI's 'Load ControlNet "
            f"Model'; this is a {type(control_net).__name__}, which has no such attentions."
        )
    refuse_without_attention(places_of(network), "CONTROL_NET")
    return _with(control_net.copy(), settings)
