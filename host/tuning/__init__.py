"""Training inside ComfyUI: what is trained runs as ComfyUI's samplers run it."""
