"""Running a denoiser over many frames:
context windows, fusion of their results, noise, what each frame is told. Maths only, no ComfyUI.
"""
