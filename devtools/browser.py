"""The browser of the browser tier, and the driver that the tests reach it through."""

import os
import shutil

from . import paths
from .ending import Stop, stop_if_disk_was_full
from .processes import run_logged

PLAYWRIGHT = "playwright-core@1.65.0"
CHROMIUM_NAMES = (
    "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)  # fmt: skip


def find_chromium():
    """Returns the path of Chromium or Chrome, or None."""
    named = os.environ.get("CHROMIUM")
    if named:
        return shutil.which(named)
    return next((found for found in map(shutil.which, CHROMIUM_NAMES) if found), None)


def browser_trouble():
    """Says in one sentence what the browser tier lacks, or returns nothing."""
    if not find_chromium():
        return (
            "there is no Chromium (Debian: apt install chromium; "
            "elsewhere install Chrome, or set CHROMIUM to its path)"
        )
    driver = paths.HOME / "node" / "node_modules"
    if not shutil.which("node") or not (shutil.which("npm") or driver.is_dir()):
        return "there is no Node.js with npm (Debian: apt install nodejs npm; elsewhere nodejs.org)"
    return ""


def install_playwright(progress, log):
    """Installs the driver into .zoetrope/node. Raises Stop."""
    options = ["--prefix", paths.HOME / "node", "--no-save", "--ignore-scripts"]
    status, lines = run_logged([shutil.which("npm"), "install", *options, PLAYWRIGHT], log, progress)
    if status:
        stop_if_disk_was_full(lines)
        raise Stop(
            f"npm could not install {PLAYWRIGHT}: check the network and run this again (details in {log})."
        )
