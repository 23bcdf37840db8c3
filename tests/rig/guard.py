"""A guard of the tests' own round a kernel that runs hostile cells.

Should the package fail, the guard's limits keep the machine alive. With cgroups of its own
(root) it also knows, whatever sessions and forks they went through, every process in it.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import threading
import time
from abc import ABC, abstractmethod
from itertools import count
from pathlib import Path

import psutil

from rig.leftovers import below

PROCESSES = 600
_numbers = count(1)


class Guard(ABC):
    """Limits round a program that is started with `prefix` before its own command."""

    #: Words to put before the command; they end in an exec: the pid is the program's.
    prefix: list[str]

    @abstractmethod
    def watch(self, pid: int) -> None:
        """Start to guard the program that was started with `prefix`."""

    @abstractmethod
    def close(self) -> list[str]:
        """Remove the guard and end what is left in it; return that in words."""


def guard(memory: int) -> Guard:
    """Return the strongest guard that this machine lets us have, with a limit in bytes."""
    try:
        return CgroupGuard(memory)
    except OSError:
        return PollingGuard(memory)


class CgroupGuard(Guard):
    """Groups of our own, one for each hierarchy: exact, and no process escapes."""

    def __init__(self, memory: int) -> None:
        name = f"exec_magic-test-{os.getpid()}-{next(_numbers)}"
        self._folders = [parent / name for parent in _writable_parents()]
        try:
            for folder in self._folders:
                folder.mkdir()
                _limit(folder, memory)
        except OSError:
            self.close()
            raise
        enter = "".join(
            f"echo $$ > {shlex.quote(str(folder / 'cgroup.procs'))}; " for folder in self._folders
        )
        self.prefix = ["sh", "-c", f'{enter}exec "$@"', "sh"]

    def watch(self, pid: int) -> None:
        """Nothing to start: the kernel of the operating system watches."""

    def close(self) -> list[str]:
        """See Guard."""
        found: list[str] = []
        for top in self._folders:
            nested = [Path(folder) for folder, _, _ in os.walk(top, topdown=False)]
            found += [f"cgroup {folder.name}" for folder in nested if folder != top]
            for folder in nested:
                found += [f"process {pid}" for pid in _empty(folder)]
                folder.rmdir()
        return found


def _writable_parents() -> list[Path]:
    """Return our own cgroups in which groups with limits of memory and processes can be made."""
    lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    own = {names: path for _, names, path in (line.split(":", 2) for line in lines)}
    root = Path("/sys/fs/cgroup")
    if "memory" in own and "pids" in own:
        return [root / "memory" / own["memory"][1:], root / "pids" / own["pids"][1:]]
    folder = root / own.get("", "/")[1:]
    enabled = (folder / "cgroup.subtree_control").read_text(encoding="utf-8").split()
    if not {"memory", "pids"} <= set(enabled):
        raise PermissionError("no cgroup of ours can hold groups with limits")
    return [folder]


def _limit(folder: Path, memory: int) -> None:
    for file, value in (
        ("memory.max", memory),
        ("memory.limit_in_bytes", memory),
        ("pids.max", PROCESSES),
    ):
        if (folder / file).exists():
            (folder / file).write_text(str(value), encoding="ascii")


def _empty(folder: Path) -> set[int]:
    """End the group's processes; return those that were there."""
    seen: set[int] = set()
    deadline = time.monotonic() + 10
    while pids := (folder / "cgroup.procs").read_text(encoding="ascii").split():
        if time.monotonic() > deadline:
            raise TimeoutError(f"processes {pids} in {folder} do not die")
        for pid in map(int, pids):
            seen.add(pid)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)
    return seen


class PollingGuard(Guard):
    """A thread that looks at the tree, and RLIMIT_DATA for each process."""

    def __init__(self, memory: int) -> None:
        self._memory = memory
        self._done = threading.Event()
        self._thread: threading.Thread | None = None
        self.prefix = ["sh", "-c", f'ulimit -d {memory // 1024}; exec "$@"', "sh"]

    def watch(self, pid: int) -> None:
        """See Guard."""
        self._thread = threading.Thread(target=self._poll, args=(pid,), daemon=True)
        self._thread.start()

    def _poll(self, pid: int) -> None:
        while not self._done.wait(0.05):
            tree = below(pid)
            if sum(map(_resident, tree)) > self._memory or len(tree) > PROCESSES:
                for process in tree:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        process.kill()

    def close(self) -> list[str]:
        """See Guard; orphans are found by `leftovers`, for the test process adopts them."""
        self._done.set()
        if self._thread:
            self._thread.join()
        return []


def _resident(process: psutil.Process) -> int:
    try:
        memory = process.memory_info()
    except psutil.NoSuchProcess:
        return 0
    return int(memory.rss - memory.shared)
