"""The published files of camera control are recognised by their keys and shapes, and fit a v3 module."""

import gzip
import json

import pytest
import torch
from zoetrope.motion_modules.animatediff.layers import MotionConfig, animatediff_sites
from zoetrope.motion_modules.camera.controls import control_of
from zoetrope.motion_modules.method import claimed_by
from zoetrope.motion_modules.methods import METHODS
from zoetrope.tests.places import MANIFESTS

V3 = MotionConfig("v3", animatediff_sites((320, 640, 1280, 1280), with_mid=False))
FILES = {"cameractrl_pruned": ("CameraCtrl", 16), "motionctrl_animatediff_cmcm": ("MotionCtrl", 32)}
"""Manifest -> the method of a module with it, and the most frames of that."""


@pytest.mark.parametrize("name", FILES)
def test_a_published_file_is_what_it_is(name):
    manifest = json.loads(gzip.decompress((MANIFESTS / f"{name}.json.gz").read_bytes()))
    tensors = {key: torch.zeros(1).expand(shape) for key, (shape, _) in manifest["tensors"].items()}
    control = control_of(tensors, name)
    config, weights = control.read(tensors, V3, name)
    assert (control.method.name, control.method.longest(config)) == FILES[name]
    network = control.method.build(config, device="meta").state_dict()
    assert weights.keys() <= network.keys()
    assert all(weights[key].shape == network[key].shape for key in weights)
    missing = network.keys() - weights.keys()
    assert not [key for key in missing if "pose_encoder" in key or "qkv_merge" in key or "cc_proj" in key]
    assert claimed_by(METHODS, tensors) is None
