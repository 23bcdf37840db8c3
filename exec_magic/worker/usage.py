"""What a run's process tree uses, read from /proc; nothing here asks the run.

Memory is anonymous and shared memory above what the run was handed. One process: resident
anonymous and shared pages less those at hand-over, exactly. Several: the kernel's proportional
shares (PSS), less the part of them that is the server's pages, which every fork still maps.
"""

from __future__ import annotations

import os
import time

_TICK = 1 / os.sysconf("SC_CLK_TCK")


class Look:
    """One look at a process: plain figures, seconds and bytes."""

    def __init__(self, pid: int) -> None:
        """Read /proc/PID/status; raises OSError where the process is gone."""
        fields = _fields("/proc/{}/status".format(pid))
        self.pid = pid
        self.anonymous = fields.get("RssAnon", 0) + fields.get("RssShmem", 0)
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
    with open("/proc/{}/stat".format(pid)) as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) * _TICK


def shares(pid: int) -> int:
    """Return the process's proportional share of anonymous and shared memory, in bytes."""
    fields = _fields("/proc/{}/smaps_rollup".format(pid))
    return fields.get("Pss_Anon", 0) + fields.get("Pss_Shmem", 0)


def transferred(pid: int) -> tuple[int, int] | None:
    """Return bytes read from and written to storage; None where we may not know."""
    try:
        with open("/proc/{}/io".format(pid)) as file:
            fields = dict(line.split(": ") for line in file.read().splitlines())
    except OSError:
        return None
    return int(fields["read_bytes"]), int(fields["write_bytes"])


def descendants(pid: int) -> list[int]:
    """Return the pids below a process, parents first; those that die meanwhile are left out."""
    found = []
    try:
        for thread in os.listdir("/proc/{}/task".format(pid)):
            with open("/proc/{}/task/{}/children".format(pid, thread)) as file:
                for child in file.read().split():
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
    with open("/proc/{}/cmdline".format(pid), "rb") as file:
        return file.read()


def _fields(path: str) -> dict[str, int]:
    """Return the numbers of a /proc file's `Name:  123 kB` lines, kilobytes made bytes."""
    with open(path) as file:
        lines = [line.split() for line in file]
    return {
        words[0][:-1]: int(words[1]) * (1024 if words[-1] == "kB" else 1)
        for words in lines
        if len(words) >= 2 and words[1].isdigit()
    }
