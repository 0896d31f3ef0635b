"""What the browser tests do when a browser stops answering:
end it, start another, and give up after a few.
"""

import sys

import pytest
from zoetrope.tests.browser.session import Browser

# Answers every line but those that ask it to hang or to end.
FAKE = """
import json, sys, time
for line in sys.stdin:
    request = json.loads(line)
    if request["do"] == "hang":
        time.sleep(600)
    if request["do"] == "quit":
        sys.exit(3)
    print(json.dumps({"error": "no"} if request["do"] == "refuse" else {"result": request}), flush=True)
"""


class FakeBrowser(Browser):
    PATIENCE = 0.5

    def _start(self):
        self.command = [sys.executable, "-c", FAKE]
        super()._start()


@pytest.fixture
def browser():
    browser = FakeBrowser("http://127.0.0.1:1")
    yield browser
    browser.end()


def test_a_browser_that_hangs_or_ends_is_replaced_by_open_only(browser):
    assert browser.nodes(seconds=60)["do"] == "nodes"
    with pytest.raises(RuntimeError, match="did not answer to hang"):
        browser.hang(seconds=0)
    with pytest.raises(RuntimeError, match="there is no browser for nodes"):
        browser.nodes()
    assert browser.open(seconds=60) == {"do": "open", "seconds": 60}
    with pytest.raises(RuntimeError, match="refuse {'seconds': 60}: no"):
        browser.refuse(seconds=60)
    with pytest.raises(RuntimeError, match="ended at quit"):
        browser.quit(seconds=60)
    assert browser.open(seconds=60)["do"] == "open" and browser.lives == Browser.LIVES
    with pytest.raises(RuntimeError, match="did not answer"):
        browser.hang(seconds=0)
    with pytest.raises(RuntimeError, match="3 of 3 times"):
        browser.open()
