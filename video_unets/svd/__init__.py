"""Stable Video Diffusion and SV3D."""
