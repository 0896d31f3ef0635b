"""Curation inside ComfyUI: its folders, its progress bar and cancel, its networks."""
