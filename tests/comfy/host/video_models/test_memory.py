"""How much memory loading a video network takes:
measured in a process of its own, because a peak cannot be taken back.
"""

import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_file
from zoetrope.devtools.comfyui import find_comfyui
from zoetrope.tests.networks.modelscope import modelscope_shapes
from zoetrope.tests.places import ROOT

PART = 16 * 1024**2

MEASURE = f"""
import importlib.util, re, sys
root, comfyui, base, path, precision = sys.argv[1:]
spec = importlib.util.spec_from_file_location("zoetrope_dev", root + "/dev.py")
sys.modules["zoetrope_dev"] = dev = importlib.util.module_from_spec(spec)
spec.loader.exec_module(dev)
dev.import_pack_as("zoetrope")
dev.enter_comfyui(comfyui, base)
import comfy.cli_args
from zoetrope.host.video_models import loader, network_file
comfy.cli_args.args.fp16_unet = precision == "fp16"
network_file._READ_AT_ONCE = {PART}

def resident(kind):  # of this program alone; getrusage's peak is inherited from the one that started it
    with open("/proc/self/status") as file:
        return int(re.search(kind + r":\\s+(\\d+) kB", file.read())[1]) * 1024

before = resident("VmRSS")
loaded = loader.video_model_from_file(path)
print(resident("VmHWM") - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(("name", "precision"), [("model.pth", "fp32"), ("model.safetensors", "fp16")])
def test_loading_takes_little_more_than_the_file(tmp_path, name, precision):
    """The file is never in memory twice: at most 1.15 times its size and the part that is being copied."""
    shapes = modelscope_shapes(model_channels=128, channel_mult=[1, 2])
    weights = {key: torch.full(shape, 0.01) for key, shape in shapes.items()}
    path = tmp_path / name
    (torch.save if name.endswith(".pth") else save_file)(weights, path)
    arguments = [str(ROOT), str(find_comfyui()), str(tmp_path / "base"), str(path), precision]
    done = subprocess.run([sys.executable, "-c", MEASURE, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    size = path.stat().st_size
    assert size > 3 * PART
    assert int(done.stdout.split()[-1]) < 1.15 * size + 2 * PART
