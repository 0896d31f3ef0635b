"""The nodes of the menu Zoetrope > AnimateDiff."""

from .animate_image_lcm import AnimateImageLCM
from .animate_image_pia import AnimateImagePIA
from .apply_motion_module import ApplyMotionModule
from .load_motion_lora import LoadMotionLora
from .load_motion_module import LoadMotionModule

NODES = [LoadMotionModule, LoadMotionLora, AnimateImagePIA, AnimateImageLCM, ApplyMotionModule]
"""In the order of the menu."""
