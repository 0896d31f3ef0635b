"""Running a denoiser over many frames:
context windows, fusion of their results, noise. Maths only, no ComfyUI.
"""
