"""Every tiny network of a published video system; a new system joins with a line."""

from __future__ import annotations

from . import lavie, modelscope, show1, svd, videocrafter
from .video_network import VideoNetwork

VIDEO_NETWORKS: dict[str, VideoNetwork] = {
    network.system: network
    for networks in (modelscope.NETWORKS, videocrafter.NETWORKS, lavie.NETWORKS, show1.NETWORKS, svd.NETWORKS)
    for network in networks
}
"""Name of a system -> its tiny network."""
