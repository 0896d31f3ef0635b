"""Where things are: this repository, and the folder that holds all that dev.py makes."""

import os
from pathlib import Path

ROOT = Path(os.path.abspath(__file__)).parents[1]
HOME = ROOT / ".zoetrope"
PACK = "ComfyUI-Zoetrope"
DEMO_WORKFLOW = ROOT / "example_workflows" / "01 Demo (no download).json"
DEMO_LINK = "zoetrope_demo"  # its name in links, see host/template_links.py
