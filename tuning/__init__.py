"""Training of temporal layers and of low-rank changes: recipes, losses, the loop, its states. No ComfyUI."""
