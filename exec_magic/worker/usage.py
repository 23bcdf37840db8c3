"""What a run's process tree uses, read from /proc; nothing here asks the run.

Memory is anonymous and shared memory above what the run was handed. One process: resident
anonymous and shared pages less those at hand-over, exactly. Several: the kernel's proportional
shares (PSS), less the part of them that is the server's pages, which every fork still maps.
Files in memory (memfd, /dev/shm) count whether mapped or not: of shared pages and such files the
larger sum is taken, for most often they are the same pages.
"""

from __future__ import annotations

import os
import time

#: Larger than any record of /proc but the longest command lines.
_MOST = 65_536
_TICK = 1 / os.sysconf("SC_CLK_TCK")


class Look:
    """One look at a process: plain figures, seconds and bytes."""

    def __init__(self, pid: int) -> None:
        """Read /proc/PID/status; raises OSError where the process is gone."""
        fields = _fields("/proc/{}/status".format(pid))
        self.pid = pid
        self.anonymous = fields.get("RssAnon", 0)
        self.shared = fields.get("RssShmem", 0)
        self.files = fields.get("RssFile", 0)
        self.highest = fields.get("VmHWM", 0)
        self.threads = fields.get("Threads", 0)
        self.data = fields.get("VmData", 0)


def reset_peak(pid: int) -> None:
    """Make VmHWM count from now on; see /proc/PID/clear_refs in proc(5)."""
    with open("/proc/{}/clear_refs".format(pid), "w") as file:
        file.write("5")


def cputime(pid: int) -> float:
    """Return the CPU seconds of a process, its dead threads included, to the nanosecond.

    The clock's number is what clock_getcpuclockid(3) computes.
    """
    return time.clock_gettime_ns((~pid << 3) | 2) / 1e9


def children_cputime(pid: int) -> float:
    """Return the CPU seconds of the children that a process has waited for (10 ms steps)."""
    fields = _read("/proc/{}/stat".format(pid)).rpartition(b")")[2].split()
    return (int(fields[13]) + int(fields[14])) * _TICK


def shares(pid: int) -> tuple[int, int]:
    """Return the process's proportional shares of anonymous and of shared memory, in bytes."""
    fields = _fields("/proc/{}/smaps_rollup".format(pid))
    return fields.get("Pss_Anon", 0), fields.get("Pss_Shmem", 0)


def unmapped(pids: list[int], own_shm: str | None) -> int:
    """Return the bytes that files in memory hold, mapped or not: memfds, a run's own /dev/shm.

    `own_shm` is a path to that folder, where the run has one of its own.
    """
    held: dict[tuple[int, int], int] = {}
    for pid in pids:
        folder = "/proc/{}/fd/".format(pid)
        try:
            for name in os.listdir(folder):
                if os.readlink(folder + name).startswith("/memfd:"):
                    found = os.stat(folder + name)
                    held[found.st_dev, found.st_ino] = found.st_blocks * 512
        except OSError:
            continue  # the process or the descriptor has gone meanwhile
    total = sum(held.values())
    if own_shm is not None:
        try:
            shm = os.statvfs(own_shm)
        except OSError:
            return total
        total += (shm.f_blocks - shm.f_bfree) * shm.f_frsize
    return total


def transferred(pid: int) -> tuple[int, int] | None:
    """Return bytes read from and written to storage; None where we may not know."""
    try:
        lines = _read("/proc/{}/io".format(pid)).splitlines()
    except OSError:
        return None
    fields = dict(line.split(b": ") for line in lines)
    return int(fields[b"read_bytes"]), int(fields[b"write_bytes"])


def descendants(pid: int) -> list[int]:
    """Return the pids below a process, parents first; those that die meanwhile are left out."""
    found = []
    try:
        for thread in os.listdir("/proc/{}/task".format(pid)):
            for child in _read(
                "/proc/{}/task/{}/children".format(pid, thread), is_list=True
            ).split():
                found += [int(child), *descendants(int(child))]
    except (FileNotFoundError, ProcessLookupError):
        pass  # it has died meanwhile
    return found


def is_fork(pid: int) -> bool:
    """Tell whether a process still runs this program, so maps pages of this process."""
    try:
        return _command_line(pid) == _command_line(os.getpid())
    except OSError:
        return False


def _command_line(pid: int) -> bytes:
    return _read("/proc/{}/cmdline".format(pid))


def _fields(path: str) -> dict[str, int]:
    """Return the numbers of a /proc file's `Name:  123 kB` lines, kilobytes made bytes."""
    lines = [line.split() for line in _read(path).splitlines()]
    return {
        words[0][:-1].decode(): int(words[1]) * (1024 if words[-1] == b"kB" else 1)
        for words in lines
        if len(words) >= 2 and words[1].isdigit()
    }


def _read(path: str, *, is_list: bool = False) -> bytes:
    """Return a /proc file; `open` would take five system calls more for each.

    A file of one record comes whole in one piece, a list (`is_list`) in pieces of a page.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = os.read(descriptor, _MOST)
        while is_list and (more := os.read(descriptor, _MOST)):
            data += more
        return data
    finally:
        os.close(descriptor)
