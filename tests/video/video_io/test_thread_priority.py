"""Encoders that want to be more important than everything else are not;
threads that were real-time before stay so.
"""

import os
import sys
import threading

import av
import numpy as np
import pytest
import torch
from zoetrope.video_io.encode import EncodeSettings, VideoEncoder
from zoetrope.video_io.thread_priority import kept_priority

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux has these priorities")


def policies():
    return {int(thread): os.sched_getscheduler(int(thread)) for thread in os.listdir("/proc/self/task")}


def may_be_real_time():
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        return False
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    return True


as_root = pytest.mark.skipif(
    sys.platform != "linux" or not may_be_real_time(), reason="only root gets real-time threads"
)


@as_root
def test_the_encoder_of_av1_would_take_the_whole_computer(tmp_path):
    """Why this module exists: when this fails, the encoder has stopped doing it and the module can go."""
    if "libsvtav1" not in av.codec.codecs_available:
        pytest.skip("this PyAV has no SVT-AV1")
    with kept_priority(), av.open(str(tmp_path / "x.mp4"), "w") as container:
        stream = container.add_stream("libsvtav1", rate=8)
        stream.width, stream.height, stream.pix_fmt = 128, 128, "yuv420p"
        container.mux(
            stream.encode(av.VideoFrame.from_ndarray(np.zeros((128, 128, 3), np.uint8), format="rgb24"))
        )
        assert os.sched_getscheduler(0) == os.SCHED_FIFO
        container.mux(stream.encode(None))
    assert set(policies().values()) == {os.SCHED_OTHER}


@as_root
@pytest.mark.parametrize("name", ["AV1 (mp4)", "H.265 (mp4)"])
def test_writing_leaves_every_thread_as_it_was(tmp_path, name):
    encoder = VideoEncoder(str(tmp_path / "x.mp4"), EncodeSettings(name, 8.0))
    for _ in range(3):
        encoder.write(torch.rand(128, 128, 3))
        assert set(policies().values()) == {os.SCHED_OTHER}
    assert encoder.finish() == 3
    assert set(policies().values()) == {os.SCHED_OTHER}


@as_root
def test_what_was_real_time_before_stays_so():
    os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(2))
    end, begun = threading.Event(), threading.Event()
    try:
        with kept_priority():
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(9))
            thread = threading.Thread(target=lambda: (begun.set(), end.wait(60)))
            thread.start()  # inherits it
            begun.wait(60)
            assert os.sched_getscheduler(thread.native_id) == os.SCHED_FIFO
        assert os.sched_getscheduler(0) == os.SCHED_RR and os.sched_getparam(0).sched_priority == 2
        assert os.sched_getscheduler(thread.native_id) == os.SCHED_OTHER
    finally:
        end.set()
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def test_an_error_inside_comes_out():
    with pytest.raises(ValueError, match="inside"), kept_priority():
        raise ValueError("inside")
