"""Text2Video-Zero (Khachatryan et al. 2023, arXiv 2303.13439): motion in the noise of one frame, and a
background that keeps still. Maths only.
"""
