"""Every published system is made a MODEL by the class that knows its conditioning."""

import pytest
from zoetrope.host.video_models.base import VideoModel
from zoetrope.host.video_models.latents import LATENTS
from zoetrope.host.video_models.models import MODELS
from zoetrope.host.video_models.parts import TEXT_ENCODERS
from zoetrope.tests.comfy.video_unets.test_formats import NETWORKS
from zoetrope.tests.networks.golden_cases import hollow, manifest
from zoetrope.tests.networks.video_networks import VIDEO_NETWORKS
from zoetrope.video_unets.formats import VIDEO_UNETS, detect, shapes_of

FILES = {system: file for file, system in NETWORKS.items()}


def settings_of(system):
    """The network's arguments for a published file of the system."""
    shapes = shapes_of(hollow(manifest(FILES[system.name])), FILES[system.name])
    return system.settings(shapes.without_prefix(system.prefix))


@pytest.mark.parametrize("name", VIDEO_UNETS)
def test_a_network_that_reads_more_than_text_has_a_class_of_its_folder(name):
    system = VIDEO_UNETS[name]
    settings = settings_of(system)
    channels = LATENTS[system.latent].format().latent_channels
    more = settings["in_channels"] > channels or settings.get("has_fps") or settings.get("image_tokens")
    kind = MODELS[system.model]
    if kind is VideoModel:
        assert not more
    else:
        folder = system.network.__module__.split(".")[-2]
        assert kind.__module__.split(".")[-1] == folder


@pytest.mark.parametrize("name", VIDEO_UNETS)
def test_what_a_system_names_is_there(name):
    system = VIDEO_UNETS[name]
    assert system.latent in LATENTS
    assert system.text_encoder in {"", *TEXT_ENCODERS}


def test_every_system_has_a_tiny_network_and_its_file_is_that_system_s():
    assert set(VIDEO_NETWORKS) == set(VIDEO_UNETS)
    for name, network in VIDEO_NETWORKS.items():
        assert detect(shapes_of(network.tensors(), name)).name == name


def test_every_class_is_of_some_system():
    assert {system.model for system in VIDEO_UNETS.values()} == set(MODELS)
