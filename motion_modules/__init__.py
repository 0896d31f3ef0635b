"""Layers that add time to a spatial network, and the checkpoint formats they are published in.
Knows nothing of ComfyUI.
"""
