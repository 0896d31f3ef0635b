"""Metrics in ComfyUI: features through its own models and files of networks, sets of videos, tables."""
