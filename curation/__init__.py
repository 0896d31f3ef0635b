"""From a folder of raw videos to a data set: Stable Video Diffusion's curation as stages, without ComfyUI.

Source: Blattmann et al. 2023, Stable Video Diffusion (arXiv 2311.15127), section 3 and appendix C.
"""
