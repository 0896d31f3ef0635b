"""Storyboards in ComfyUI: what a script becomes, its cameras, and the scenes joined."""
