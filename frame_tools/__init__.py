"""What people do with frames between loading and saving:
picking, joining, comparing, measuring. Knows nothing of ComfyUI.
"""
