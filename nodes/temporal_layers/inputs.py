"""The type of temporal layers for a VAE, beside the MOTION_MODULE of those for a MODEL."""

from comfy_api.latest import io

TemporalDecoder = io.Custom("TEMPORAL_DECODER")
