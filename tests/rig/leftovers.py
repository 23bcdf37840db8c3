"""What the package may leave behind: processes, cgroups, mounts, files, descriptors.

The test process is made a subreaper, so every orphan below it, whatever sessions and double
forks it went through, becomes its child and is found.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil

_PR_SET_CHILD_SUBREAPER = 36
#: Names that the test rig gives to what it makes itself.
_RIG = "exec_magic-test-"


def adopt_orphans() -> None:
    """Make this process the parent of every orphan below it."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def living(processes: Iterable[psutil.Process]) -> set[psutil.Process]:
    """Return those that are neither gone nor zombies."""
    return {process for process in processes if is_alive(process)}


def is_alive(process: psutil.Process) -> bool:
    """Whether a process still runs: a zombie does not, nor does another one with its number."""
    try:
        return bool(process.is_running()) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def below(pid: int | None = None) -> set[psutil.Process]:
    """Return the living processes below one (default: this one)."""
    try:
        return living(psutil.Process(pid).children(recursive=True))
    except psutil.NoSuchProcess:
        return set()


def wait_until_gone(processes: Iterable[psutil.Process], seconds: float) -> set[psutil.Process]:
    """Return those that are still alive after at most so many seconds."""
    deadline = time.monotonic() + seconds
    left = living(processes)
    while left and time.monotonic() < deadline:
        time.sleep(0.005)
        left = living(left)
    return left


@dataclass(frozen=True)
class Snapshot:
    """What there is before a test; `left` compares it with what there is after."""

    processes: frozenset[psutil.Process]
    #: How many processes live below each child of this process that was there already.
    counts: dict[psutil.Process, int]
    places: frozenset[str]
    descriptors: Counter[str]

    @classmethod
    def take(cls) -> Snapshot:
        """Look at everything there is now, once what forks ahead has done so."""
        last = None
        while (now := (below(), _descriptors())) != last and now[0]:
            last = now
            time.sleep(0.05)
        children = living(psutil.Process().children())
        counts = {child: len(below(child.pid)) for child in children}
        return cls(frozenset(below()), counts, frozenset(_places()), _descriptors())

    def left(self, *, with_descriptors: bool, seconds: float = 5.0) -> list[str]:
        """Return in words what is still too much after at most so many seconds."""
        deadline = time.monotonic() + seconds
        while (
            left := self._left(with_descriptors=with_descriptors)
        ) and time.monotonic() < deadline:
            time.sleep(0.02)
        _reap()
        return left

    def _left(self, *, with_descriptors: bool) -> list[str]:
        found = [f"file, mount or cgroup {place}" for place in _places() - self.places]
        kept = {child: below(child.pid) for child in self.counts}
        excused = set(self.processes).union(*kept.values())
        found += [f"process {_describe(process)}" for process in below() - excused]
        for child, count in self.counts.items():
            if len(kept[child]) > count:
                names = ", ".join(map(_describe, kept[child]))
                found.append(f"under {child.pid} not {count} but {len(kept[child])}: {names}")
        if with_descriptors:
            more = _descriptors() - self.descriptors
            found += [f"{count} descriptor(s) of {kind}" for kind, count in more.items()]
        return found


def _places() -> set[str]:
    folders = {Path(tempfile.gettempdir()), Path("/dev/shm")}
    found = {str(path) for folder in folders for path in folder.glob("*exec_magic*")}
    mounts = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    found |= {line.split()[1] for line in mounts if "exec_magic" in " ".join(line.split()[:2])}
    return {place for place in found | _cgroups() if _RIG not in place}


def _cgroups() -> set[str]:
    folders = (Path(folder) for folder, _, _ in os.walk("/sys/fs/cgroup"))
    named = {folder for folder in folders if "exec_magic" in folder.name}
    return {str(folder) for folder in named if not _is_anothers(folder)}


def _is_anothers(folder: Path) -> bool:
    """Tell whether a cgroup belongs, by the pid in its name, to a program not started here."""
    pid = folder.name.rpartition("-")[2]
    if not pid.isdigit() or not psutil.pid_exists(int(pid)):
        return False
    return int(pid) not in {process.pid for process in below()}


def _descriptors() -> Counter[str]:
    """Count this process's descriptors by kind: `socket`, `pipe`, or their path."""
    kinds: Counter[str] = Counter()
    for entry in list(Path("/proc/self/fd").iterdir()):
        with contextlib.suppress(FileNotFoundError):  # the one that listed the folder
            kinds[str(entry.readlink()).split(":[")[0]] += 1
    return kinds


def _describe(process: psutil.Process) -> str:
    try:
        return f"{process.pid} {' '.join(process.cmdline())[:120] or process.name()!r}"
    except psutil.NoSuchProcess:
        return str(process.pid)


def _reap() -> None:
    """Collect orphans that ended as zombies here only because this process adopts them."""
    for child in psutil.Process().children():
        if not is_alive(child):
            with contextlib.suppress(ChildProcessError):  # somebody else here waits for it
                os.waitpid(child.pid, os.WNOHANG)
