"""The rig sees what it is there to see; otherwise every test that relies on it would be empty."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from rig import cells
from rig.guard import Guard, PollingGuard, guard
from rig.leftovers import Snapshot, below

_MB = 1 << 20
_DAEMON = """
import os, time
if not os.fork():
    os.setsid()
    if not os.fork():
        print(os.getpid(), flush=True)
        os.close(1)
        time.sleep(60)
    os._exit(0)
os.wait()
"""
_HOG = "kept = []\nwhile True: kept.append(bytearray(10_000_000))"


def _start_daemon(prefix: list[str]) -> psutil.Process:
    done = subprocess.run(
        [*prefix, sys.executable, "-c", _DAEMON],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=30,
    )
    return psutil.Process(int(done.stdout))


def test_orphan_is_found() -> None:
    """A double-forked daemon in a session of its own is found, and is gone once it is killed."""
    before = Snapshot.take()
    daemon = _start_daemon([])
    (found,) = before.left(with_descriptors=True, seconds=0)
    assert f"process {daemon.pid}" in found
    daemon.send_signal(signal.SIGKILL)
    assert before.left(with_descriptors=True) == []


def test_file_is_found() -> None:
    """A temporary file of the package's name is found."""
    before = Snapshot.take()
    path = Path(tempfile.gettempdir(), "exec_magic-something")
    path.touch()
    (found,) = before.left(with_descriptors=True, seconds=0)
    path.unlink()
    assert str(path) in found


def test_descriptor_is_found() -> None:
    """An open descriptor is found."""
    before = Snapshot.take()
    ends = os.pipe()
    (found,) = before.left(with_descriptors=True, seconds=0)
    for end in ends:
        os.close(end)
    assert found == "2 descriptor(s) of pipe"


@pytest.mark.parametrize("make", [guard, PollingGuard], ids=["strongest", "polling"])
def test_guard_ends_a_hog(make: Callable[[int], Guard]) -> None:
    """A program that would eat all memory is ended by the guard, or meets a MemoryError in it."""
    limits = make(300 * _MB)
    try:
        with subprocess.Popen(
            [*limits.prefix, sys.executable, "-c", _HOG], stderr=subprocess.DEVNULL
        ) as program:
            limits.watch(program.pid)
            assert program.wait(30) in {1, -signal.SIGKILL}
    finally:
        left = limits.close()
    assert left == []


def test_guard_ends_what_is_left_in_it() -> None:
    """Closing the guard tells of a daemon in it and ends it, where the guard is a cgroup."""
    limits = guard(300 * _MB)
    if isinstance(limits, PollingGuard):
        pytest.skip("no cgroup of ours can hold groups with limits")
    daemon = _start_daemon(limits.prefix)
    assert set(limits.close()) == {f"process {daemon.pid}"}
    assert daemon not in below()


def test_every_cell_says_how_it_ends() -> None:
    """Each file of `tests/cells` has a title and says state and message."""
    for name in cells.names():
        case = cells.load(name)
        assert case.title.endswith(".")
        assert case.message.startswith(case.state)
