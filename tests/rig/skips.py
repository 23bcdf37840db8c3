"""Under CI=true a skipped test must be one that `expected_skips.toml` expects of this machine."""

from __future__ import annotations

import fnmatch
import os
import tomllib

import pytest

from rig.machine import REPOSITORY, kinds

_FILE = REPOSITORY / "tests" / "expected_skips.toml"


def unexpected(skips: list[tuple[str, str]], table: dict[str, dict[str, str]]) -> list[str]:
    """Return in words the skips, as (test, reason), that no kind of this machine expects."""
    here = kinds()
    expected = [item for kind, tests in table.items() if kind in here for item in tests.items()]
    return [
        f"{test}: {reason}"
        for test, reason in skips
        if not any(fnmatch.fnmatch(test, glob) and why in reason for glob, why in expected)
    ]


class Skips:
    """The pytest plugin: collects skips and fails the session where one was not expected."""

    def __init__(self) -> None:
        self._seen: list[tuple[str, str]] = []
        self._wrong: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a skipped test."""
        if report.skipped and not hasattr(report, "wasxfail"):
            self._note(report.nodeid, report.longrepr)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a module that was skipped whole."""
        if report.skipped:
            self._note(report.nodeid, report.longrepr)

    def _note(self, test: str, why: object) -> None:
        reason = str(why[2] if isinstance(why, tuple) else why).removeprefix("Skipped: ")
        self._seen.append((test, reason))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail the session where a skip is not in the table."""
        if os.environ.get("CI", "").lower() not in {"true", "1"}:
            return
        self._wrong = unexpected(self._seen, tomllib.loads(_FILE.read_text(encoding="utf-8")))
        if self._wrong and session.exitstatus in {0, pytest.ExitCode.OK}:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Name them."""
        if self._wrong:
            terminalreporter.section("skips that expected_skips.toml does not expect here")
            for line in self._wrong:
                terminalreporter.line(line, red=True)
