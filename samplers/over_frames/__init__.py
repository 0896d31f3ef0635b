"""Texts that say what belongs to which frame, such as `"0": "a red ball", "16": "a blue ball"`."""
