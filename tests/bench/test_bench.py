"""`python -m pytest -m bench -s` prints what a sandbox costs beside what people use instead."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rig.machine import environment


@pytest.mark.bench
@pytest.mark.timeout(300)
def test_report(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The report is printed; it asserts no times."""
    program = Path(__file__).with_name("measure.py")
    done = subprocess.run(
        [sys.executable, program],
        check=False, capture_output=True, text=True, timeout=280, cwd=home, env=environment(home),
    )  # fmt: skip
    with capsys.disabled():
        print(done.stdout)
    assert done.returncode == 0, done.stderr
