"""Frames to and from video files, streamed. Knows nothing of ComfyUI."""
