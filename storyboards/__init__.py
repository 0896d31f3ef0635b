"""Storyboards: a script of scenes as prompts, cameras and cuts of one video. No ComfyUI."""
