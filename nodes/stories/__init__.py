"""The nodes of the menu Zoetrope > Stories."""

from .ask_for_storyboard import AskForStoryboard
from .join_scenes import JoinScenes
from .make_storyboard import MakeStoryboard
from .storyboard_poses import StoryboardPoses
from .storyboard_values import StoryboardValues

NODES = [AskForStoryboard, MakeStoryboard, StoryboardPoses, StoryboardValues, JoinScenes]
"""In the order of the menu."""
