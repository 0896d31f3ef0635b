"""Workflows of other packs' video nodes, made into workflows of ours and of ComfyUI's own nodes."""
