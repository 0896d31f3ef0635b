"""What a run of several tiers reports:
the time of each, and nothing slow once the fast tests have failed. Which are numeric.

The process that reports reads this, and so does not wait for torch.
"""

from __future__ import annotations

import re

import pytest

FIRST = "bare"
NUMERIC = re.compile(r"\brounding import|\bGOLDENS\b|\bload_case\b")
SLOW_FILES = 15


def is_numeric(source: str) -> bool:
    """Whether a file of tests compares numbers of networks: it reads goldens, or imports tests/rounding.py.

    Such tests have the marker `numeric`, and `.ci/run` repeats them with the kernels of another processor.
    """
    return bool(NUMERIC.search(source))


class TierReport:
    """A plugin of the process that reports (not of xdist's workers).

    Counts the tests of each tier and their time by the clock. When a test of
    the first tier has failed, the run ends with the first report of another
    tier: what is broken for everybody need not be shown a thousand times.
    """

    def __init__(self):
        self.tests: dict[str, int] = {}
        self.begun: dict[str, float] = {}
        self.ended: dict[str, float] = {}
        self.busy: dict[str, float] = {}
        self.of_file: dict[str, float] = {}
        self.first_tier_failed = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        parts = report.nodeid.split("/")
        if parts[0] != "tests" or len(parts) < 3:
            return
        tier = parts[1]
        self.tests[tier] = self.tests.get(tier, 0) + (
            report.when == "call" or (report.when == "setup" and not report.passed)
        )
        self.begun[tier] = min(self.begun.get(tier, report.start), report.start)
        self.ended[tier] = max(self.ended.get(tier, report.stop), report.stop)
        self.busy[tier] = self.busy.get(tier, 0.0) + report.duration
        file = report.nodeid.split("::")[0]
        self.of_file[file] = self.of_file.get(file, 0.0) + report.duration
        if tier == FIRST:
            self.first_tier_failed |= report.failed
        elif self.first_tier_failed:
            # Not session.shouldstop: xdist's workers would go on
            # to the end of the files they have been given.
            raise pytest.Session.Interrupted(f"tests/{FIRST} failed, so the slower tests were left out")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if len(self.tests) > 1:
            terminalreporter.section("tiers", sep="=")
        for tier, number in sorted(self.tests.items()):
            by_the_clock = self.ended[tier] - self.begun[tier]
            terminalreporter.line(
                f"tests/{tier}: {number} tests in {by_the_clock:.0f} s ({self.busy[tier]:.0f} s in all"
                " processes)"
            )
        if len(self.tests) > 1:
            slowest = sorted(self.of_file, key=self.of_file.get, reverse=True)[:SLOW_FILES]
            told = ", ".join(f"{file.removeprefix('tests/')} {self.of_file[file]:.0f} s" for file in slowest)
            terminalreporter.line(f"slowest files: {told}")
