"""Where the test data lies."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
GOLDENS = ROOT / "tests" / "data" / "goldens"
MANIFESTS = ROOT / "tests" / "data" / "manifests"
