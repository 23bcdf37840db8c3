"""`python -m exec_magic`, as somebody types it on a fresh machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from exec_magic.__main__ import TOUR
from rig.machine import environment


def exec_magic(home: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in an empty home."""
    return subprocess.run(
        [sys.executable, "-m", "exec_magic", *words],
        check=False, capture_output=True, text=True, timeout=100, cwd=home,
        env=environment(home, **env),
    )  # fmt: skip


def test_demo_shows_every_step(home: Path) -> None:
    """The tour shows its cells, its runs end as they should, and it leaves no profile behind."""
    before = set(home.rglob("*ipython*"))
    done = exec_magic(home, "demo")
    assert done.returncode == 0, done.stdout + done.stderr
    for step in TOUR:
        assert step.words in done.stdout
        assert step.cell.splitlines()[0] in done.stdout
    assert "5076.0" in done.stdout, "the Gentoo penguins' mean body mass"
    assert "stopped: memory limit 500 MB reached" in done.stdout
    assert "Out[7]: 'three hours of work'" in done.stdout
    assert set(home.rglob("*ipython*")) == before


def test_demo_says_when_something_went_wrong(home: Path) -> None:
    """A run that ends otherwise than it should is named, and the exit code is 1."""
    done = exec_magic(home, "demo", EXEC_MAGIC_TIMEOUT="0.001")
    assert done.returncode == 1
    named = [line for line in done.stdout.splitlines() if line.startswith("not as expected")]
    assert "not as expected: %%sandbox -n works should have ended completed" in named


@pytest.mark.parametrize("words", [(), ("fly",), ("demo", "fast")])
def test_wrong_command_is_one_line(home: Path, words: tuple[str, ...]) -> None:
    """A command that there is not, or none, is answered by one line and exit code 2."""
    done = exec_magic(home, *words)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
