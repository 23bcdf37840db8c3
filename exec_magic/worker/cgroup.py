"""Control groups: the kernel itself counts a run's tree and holds it to its limits.

The server makes a group for each child below the guardian's (`hierarchy.py`). Memory limits hold
from the hand-over on: what the child holds by then is added to them.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: The period of CPU limits, microseconds: the kernel's own default.
PERIOD = 100_000


class Group:
    """The groups of one child, one in each hierarchy."""

    def __init__(self, folders: dict[str, str], number: int) -> None:
        """Make them; OSError where that fails."""
        self._is_version_2 = is_version_2(folders)
        self._folders = {name: os.path.join(path, str(number)) for name, path in folders.items()}
        for folder in set(self._folders.values()):
            os.mkdir(folder)
        self._base = self._charged_base = 0
        if self._is_version_2:
            self._write("memory", "memory.swap.max", 0)
            self._write("memory", "memory.oom.group", 1)

    def add(self, pid: int) -> None:
        """Put a process in; what it forks from now on is in too."""
        for folder in set(self._folders.values()):
            write(os.path.join(folder, "cgroup.procs"), pid)

    def settle(self) -> None:
        """Take what is held now as nothing; what comes from now on counts."""
        self._base = self._held()
        name = "memory.current" if self._is_version_2 else "memory.usage_in_bytes"
        self._charged_base = int(self._read("memory", name))
        if not self._is_version_2:
            self._write("memory", "memory.max_usage_in_bytes", 0)

    def unsettle(self) -> None:
        """Count all that is held: what was there at first has gone."""
        self._base = 0

    def grown(self) -> int:
        """Return the peak of what was charged above what was charged at first."""
        return max(0, (self.charged() or 0) - self._charged_base)

    def memory(self) -> int:
        """Return anonymous and shared memory above what was held at first, in bytes."""
        return max(0, self._held() - self._base)

    def charged(self) -> int | None:
        """Return the peak of all memory charged to the group, page cache included."""
        name = "memory.peak" if self._is_version_2 else "memory.max_usage_in_bytes"
        try:
            return int(self._read("memory", name))
        except FileNotFoundError:
            return None  # version 2 before Linux 5.19

    def cputime(self) -> float | None:
        """Return the CPU seconds of all that ever was in the group; None where nobody counts."""
        if self._is_version_2:
            return self._count("memory", "cpu.stat", "usage_usec") / 1e6
        if "cpuacct" not in self._folders:
            return None
        return int(self._read("cpuacct", "cpuacct.usage")) / 1e9

    def limit_memory(self, size: int) -> None:
        """Hold the tree to `size` bytes above what it holds now."""
        name = "memory.current" if self._is_version_2 else "memory.usage_in_bytes"
        total = int(self._read("memory", name)) + size
        if self._is_version_2:
            self._write("memory", "memory.max", total)
            return
        self._write("memory", "memory.limit_in_bytes", total)
        try:
            self._write("memory", "memory.memsw.limit_in_bytes", total)
        except OSError:
            pass  # swap is not counted here, and without swap there is nothing to count

    def limit_processes(self, count: int) -> None:
        """Let no more than `count` processes and threads be in the tree."""
        self._write("pids", "pids.max", count)

    def limit_cpus(self, cpus: float) -> None:
        """Hold the tree to so many CPUs' time."""
        quota = int(cpus * PERIOD)
        if self._is_version_2:
            write(os.path.join(self._folders["cpu"], "cpu.max"), "{} {}".format(quota, PERIOD))
            return
        self._write("cpu", "cpu.cfs_period_us", PERIOD)
        self._write("cpu", "cpu.cfs_quota_us", quota)

    def is_out_of_memory(self) -> bool:
        """Tell whether the kernel has killed a process of the tree at its memory limit."""
        name = "memory.events" if self._is_version_2 else "memory.oom_control"
        return self._count("memory", name, "oom_kill") > 0

    def processes_refused(self) -> bool:
        """Tell whether a fork was refused at the limit of processes."""
        if "pids" not in self._folders:
            return False
        return self._count("pids", "pids.events", "max") > 0

    def kill(self) -> bool:
        """Kill all that is in the group at once; return False where the kernel cannot."""
        try:
            self._write("memory", "cgroup.kill", 1)
        except OSError:
            return False  # version 1, or Linux before 5.14
        return True

    def remove(self) -> bool:
        """Remove the groups; return False while a process is still leaving them."""
        removed = [remove(folder) for folder in set(self._folders.values())]
        return all(removed)

    def has(self, controller: str) -> bool:
        """Tell whether a controller is there."""
        return controller in self._folders

    def _held(self) -> int:
        names = ("anon", "shmem") if self._is_version_2 else ("total_rss", "total_shmem")
        return self._count("memory", "memory.stat", *names)

    def _count(self, controller: str, file: str, *names: str) -> int:
        """Return the sum of some of the numbers in a file of `name number` lines."""
        total = 0
        for line in self._read(controller, file).splitlines():
            name, _, value = line.partition(" ")
            if name in names:
                total += int(value)
        return total

    def _read(self, controller: str, name: str) -> str:
        return read(os.path.join(self._folders[controller], name))

    def _write(self, controller: str, name: str, value: int) -> None:
        write(os.path.join(self._folders[controller], name), value)


def is_version_2(folders: dict[str, str]) -> bool:
    """Tell whether all controllers share one hierarchy."""
    return len(set(folders.values())) == 1 and os.path.exists(
        os.path.join(folders["memory"], "cgroup.controllers")
    )


def read(path: str) -> str:
    """Return a file's text."""
    with open(path) as file:
        return file.read()


def write(path: str, value: Any) -> None:
    """Write a value into a file that is there."""
    with open(path, "w") as file:
        file.write(str(value))


def remove(folder: str) -> bool:
    """Remove an empty group; return False while it is in use."""
    try:
        os.rmdir(folder)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
