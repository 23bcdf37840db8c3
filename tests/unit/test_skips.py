"""With CI=true only those tests may be skipped that `expected_skips.toml` names."""

from __future__ import annotations

import types

import pytest

from rig import machine
from rig.skips import Skips, unexpected

_TABLE = {"user": {"tests/a.py::*": "no root"}, "root": {"tests/b.py::test_x": "no"}}


@pytest.fixture
def _as_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "is_root", lambda: False)


@pytest.mark.usefixtures("_as_user")
@pytest.mark.parametrize(
    ("test", "reason", "is_expected"),
    [
        ("tests/a.py::test_1[x]", "there is no root here", True),
        ("tests/a.py::test_1[x]", "something else", False),
        ("tests/c.py::test_1", "there is no root here", False),
        ("tests/b.py::test_x", "no", False),
    ],
)
def test_table(test: str, reason: str, *, is_expected: bool) -> None:
    """Test, reason and kind of machine must all be those of one line."""
    assert (unexpected([(test, reason)], _TABLE) == []) == is_expected


@pytest.mark.parametrize(("is_ci", "status"), [("true", 1), ("", 0)])
def test_session_fails_under_ci_alone(
    monkeypatch: pytest.MonkeyPatch, is_ci: str, status: int
) -> None:
    """An unexpected skip fails the test session under CI=true, not at a developer's desk."""
    monkeypatch.setenv("CI", is_ci)
    skips = Skips()
    report = types.SimpleNamespace(skipped=True, nodeid="tests/x.py::y", longrepr="Skipped: why")
    skips.pytest_runtest_logreport(report)  # type: ignore[arg-type]
    session = types.SimpleNamespace(exitstatus=0)
    skips.pytest_sessionfinish(session)  # type: ignore[arg-type]
    assert session.exitstatus == status
