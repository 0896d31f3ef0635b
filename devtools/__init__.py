"""What dev.py does: set-up, server, tests, demo. Python's standard library only, and nothing of the pack."""

from .comfyui import find_comfyui as find_comfyui
from .inside import enter_comfyui as enter_comfyui
from .paths import HOME as HOME
from .paths import ROOT as ROOT
from .script import run_as_script as run_as_script
