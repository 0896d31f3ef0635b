"""Published video networks as ComfyUI MODELs:
the loader, what all of them share, and what single systems need besides text.
"""
