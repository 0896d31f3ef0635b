"""What `dev.py --help` prints."""

from .comfyui_download import COMFYUI_TAG

HELP = f"""\
python dev.py demo [--json]                  set everything up, run an example workflow in a real ComfyUI, \
print the path of the video
python dev.py test [TIER|FILE|FILE::TEST]    run all tests, or tiers (bare, video, comfy, browser), files; \
options go to pytest
python dev.py serve [--port N]               ComfyUI with this pack and the demo's models, in your browser; \
Ctrl-C ends it
python dev.py bench NAME [--json] ...        run benchmarks/NAME.py: a table, or one JSON object \
as the last line
python dev.py train CONFIG.toml              train as a file says, without a browser: docs/train_pan.toml, \
docs/training.md
python dev.py measure A [B] [--metrics ...]  scores of a video or a folder of videos, or of one against \
another: docs/metrics.md
python dev.py curate FOLDER --out DIR        from raw videos to a data set of clips: --config FILE, \
--ray ADDRESS, docs/curation.md
python dev.py convert OLD [-o NEW.json]      a workflow of AnimateDiff-Evolved, VideoHelperSuite, FizzNodes \
and others becomes one of ours; docs/conversion.md
python dev.py run MODULE [arguments]         for developers: run a module of the pack (say demo.train) where \
torch and ComfyUI are there
python dev.py clean                          delete everything this script has made (the folder .zoetrope)

demo --json ends with {{"video": path, "frames": number of frames in the file, \
"seconds": duration of the whole command}}.
Chosen by environment variables:
  COMFYUI_PATH          the ComfyUI to use. Without it: the one this folder is installed in as a custom \
node, else a copy
                        of {COMFYUI_TAG} that is fetched once. A ComfyUI of yours is only read: its \
models, outputs and settings
                        stay as they are, and everything that is written goes to .zoetrope/base.
  ZOETROPE_PYTHON       an interpreter to use as it is, with all packages there. Without it: a virtual \
environment of our own.
  ZOETROPE_TORCH_INDEX  a package index with another build of torch. On Linux the default build is made for \
NVIDIA GPUs and
                        brings several GB; the address of the small CPU builds stands on pytorch.org under \
"Get started".
  CHROMIUM              the browser of the browser tier. Without it: Chromium or Chrome, wherever it is \
installed.
Sampling runs on the CPU in demo and test; serve uses a GPU if torch sees one."""
