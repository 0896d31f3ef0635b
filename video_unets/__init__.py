"""Whole text- and image-to-video networks as subclasses of ComfyUI's own UNet,
and the formats of their published files.
"""
