"""Work of a prompt on other processes and hosts: what touches ComfyUI, on both sides.

The head is the ComfyUI that runs the prompt. A worker is a ComfyUI without a server (comfy_worker.py), which
builds its own MODEL from the part of the prompt that makes it.
"""
