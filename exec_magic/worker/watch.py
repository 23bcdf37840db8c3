"""One live run as the server sees it: its limits, what it used, and its end.

All that is known here comes from the operating system and the monotonic clock, never from the
run's word. Times are seconds of that clock.
"""

from __future__ import annotations

import os
import resource
import signal
import time

from exec_magic.worker import reaping, usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from exec_magic.worker.nursery import Child

#: Between two samples that are reported.
SAMPLE = 0.1
#: The fastest that one process was seen to allocate, bytes a second: how soon to look again.
FASTEST = 8e9
SOONEST, LATEST = 0.01, 0.25
#: The ladder of a cancelled run: after SIGINT, after SIGTERM.
INTERRUPT_GRACE, TERMINATE_GRACE = 0.7, 0.3
#: For exit handlers, after the run told that its code had ended.
END_GRACE = 1.0
#: Where no number was asked for: enough for joblib's and torch's, too few for a fork bomb.
PROCESSES, PROCESSES_PER_CPU = 512, 64
#: Of its memory limit a tree holds at least so much when the kernel kills for that limit.
NEARLY = 0.9
#: Above the memory limit, where allocation itself begins to fail.
BACKSTOP = 1.25


class Watch:
    """A run between its go and the death of its last process."""

    def __init__(self, run: str, child: Child, limits: dict[str, Any], *, is_command: bool) -> None:
        """Set the limits on the waiting child; then it may go.

        `limits`, each None where there is none: `timeout` and `cpu_time` in seconds, `memory` in
        bytes, `processes`, `cpus`. `is_command`: the process becomes another program.
        """
        self.run = run
        self.child = child
        self.memory_limit: int | None = limits["memory"]
        self._cpu_time: float | None = limits["cpu_time"]
        self._is_command = is_command
        self.memory = 0
        self.limit = ""
        self.is_shared_budget = False
        self.is_cancelled = False
        self.is_ending = False
        self.is_overdue = False
        self.status: int | None = None
        self._base = child.base
        self._peak: int | None = None
        self._charged: int | None = None
        self._is_refused_processes = False
        self._cputime = self._seen_cputime = 0.0
        self._walltime = 0.0
        self._next_signal = 0
        self._signal_at: float | None = None
        self._last_sample = 0.0
        self._restrict(limits)
        self._base_cputime = 0.0
        self._base_cputime = self._spent_by([child.pid])
        self.start = time.monotonic()
        timeout = limits["timeout"]
        self.deadline = None if timeout is None else self.start + timeout
        self.next_look = self.start + SOONEST

    def _restrict(self, limits: dict[str, Any]) -> None:
        group, memory = self.child.group, self.memory_limit
        if group is None:
            if memory is not None:
                data = self._base.data + int(BACKSTOP * memory)
                resource.prlimit(self.child.pid, resource.RLIMIT_DATA, (data, data))
            return
        if memory is not None:
            group.limit_memory(memory)
        if group.has("pids"):
            most = max(PROCESSES, PROCESSES_PER_CPU * (os.cpu_count() or 1))
            group.limit_processes(limits["processes"] or most)
        if limits["cpus"] is not None and group.has("cpu"):
            group.limit_cpus(limits["cpus"])

    def due(self) -> float:
        """Return when `act` must be called at the latest."""
        times = [self.next_look, self.deadline, self._signal_at]
        return min(moment for moment in times if moment is not None)

    def act(self, now: float) -> dict[str, Any] | None:
        """Do what is due; return a sample to report, if any."""
        if self._signal_at is not None and now >= self._signal_at:
            self._climb(now)
        if self.deadline is not None and now >= self.deadline and not self.limit:
            self.stop("walltime")
        return self.look(now) if now >= self.next_look else None

    def look(self, now: float, *, is_last: bool = False) -> dict[str, Any] | None:
        """Look at the tree and stop it past its memory limit; return a sample when one is due."""
        try:
            sample = self._measure(is_last=is_last)
        except OSError:  # it is dying at this moment; its exit will be reported
            self.next_look = now + SOONEST
            return None
        limit = self.memory_limit
        if (limit is not None and self.memory > limit) or self._is_out_of_memory():
            self.stop("memory")
        if self._cpu_time is not None and sample["cputime"] >= self._cpu_time:
            self.stop("cputime")
        self.next_look = now + min(SAMPLE, self._soon(sample["cputime"]))
        if now - self._last_sample < 0.9 * SAMPLE:
            return None
        self._last_sample = now
        return {**sample, "fact": "sample", "run": self.run, "time": now - self.start}

    def expect(self, headroom: float) -> None:
        """Look again as soon as the shared budget could be used up."""
        self.next_look = min(self.next_look, time.monotonic() + _delay(headroom))

    def stop(self, limit: str, *, is_shared_budget: bool = False) -> None:
        """End the run because of a limit, at once."""
        if not self.limit and not self.is_cancelled:
            self.limit = limit
            self.is_shared_budget = is_shared_budget
        self._kill()

    def cancel(self) -> None:
        """End the run by SIGINT, then SIGTERM, then SIGKILL, to the whole tree."""
        if not self.is_cancelled:
            self.is_cancelled = True
            self._climb(time.monotonic())

    def end_soon(self) -> None:
        """Give exit handlers their time, no more."""
        if self._signal_at is None:
            self._next_signal, self._signal_at = 2, time.monotonic() + END_GRACE
            self.is_ending = True

    def exited(self, status: int, used: resource.struct_rusage) -> None:
        """Take the exit of the run's own process; what it left behind is looked at and killed."""
        self.status = status
        self._walltime = time.monotonic() - self.start
        # Killed with their namespace they are never waited for: this is the last look at them.
        left = sum(_spent(pid) for pid in self.child.others()) if self.child.init else 0.0
        self._cputime = used.ru_utime + used.ru_stime - self._base_cputime + left
        group = self.child.group
        if group is not None:
            if group.cputime() is not None:
                self._cputime = self._spent_by([])
            self._charged = group.charged()
            self._is_refused_processes = group.processes_refused()
            if self._is_out_of_memory() and not self.is_cancelled:
                self.limit = self.limit or "memory"
                # The kernel refused more: what was charged then is what the tree held.
                self._peak = max(self._peak or 0, group.grown())
        self.child.kill()

    def ended(self, reaped: float) -> dict[str, Any]:
        """Return the fact of the end; `reaped`: CPU seconds of orphans that were waited for."""
        return {
            "fact": "ended",
            "run": self.run,
            "status": self.status,
            "walltime": self._walltime,
            # Of processes that we killed the last look tells more than their end.
            "cputime": max(self._seen_cputime, self._cputime + reaped),
            "memory": self._peak,
            "memory_charged": self._charged,
            "is_refused_processes": self._is_refused_processes,
            "limit": self.limit,
            "is_shared_budget": self.is_shared_budget,
            "is_cancelled": self.is_cancelled,
            "is_overdue": self.is_overdue,
        }

    def _climb(self, now: float) -> None:
        steps = (
            (signal.SIGINT, INTERRUPT_GRACE),
            (signal.SIGTERM, TERMINATE_GRACE),
            (signal.SIGKILL, None),
        )
        number, grace = steps[self._next_signal]
        self._next_signal = min(self._next_signal + 1, 2)
        self._signal_at = None if grace is None else now + grace
        if grace is None:
            self.is_overdue = self.is_ending and not self.is_cancelled
            self._kill()
            return
        for pid in self.child.tree():
            reaping.send(pid, number)

    def _kill(self) -> None:
        """Kill the tree, after a last look: what is killed with its namespace tells no figures."""
        try:
            self._measure(is_last=False)
        except OSError:
            pass  # it is dying already
        self.child.kill()

    def _heed_exec(self) -> None:
        """Take nothing off a command's figures any more once it has taken its process over.

        Of commands alone is this asked: a cell may well give its process another name.
        """
        if self._is_command and not usage.is_fork(self.child.pid):
            self._is_command = False
            self._base.anonymous = 0
            if self.child.group is not None:
                self.child.group.unsettle()

    def _measure(self, *, is_last: bool) -> dict[str, Any]:
        self._heed_exec()
        tree = self.child.tree()
        looks = [usage.Look(self.child.pid)]
        for pid in tree[1:]:
            try:
                looks.append(usage.Look(pid))
            except OSError:
                pass  # it has died since the list was read
        group = self.child.group
        if group is not None:
            self.memory = group.memory()
        else:
            self.memory = self._memory(looks, usage.unmapped(tree, self.child.own_shm))
        peak = self.memory
        if is_last and len(looks) == 1:
            # Page tables shrink again; the kernel keeps the highest sum of all resident pages.
            peak = max(peak, looks[0].highest - looks[0].files - self._base.anonymous)
        self._peak = max(self._peak or 0, peak)
        # Never less than before: what dies between two looks takes its figures with it.
        spent = self._spent_by([look.pid for look in looks])
        self._seen_cputime = max(self._seen_cputime, spent)
        moved = [usage.transferred(look.pid) for look in looks]
        known = [pair for pair in moved if pair is not None]
        is_known = len(known) == len(moved)
        return {
            "cputime": self._seen_cputime,
            "memory": self.memory,
            "processes": len(looks),
            "threads": sum(look.threads for look in looks),
            "read_bytes": sum(pair[0] for pair in known) if is_known else None,
            "write_bytes": sum(pair[1] for pair in known) if is_known else None,
        }

    def _spent_by(self, pids: list[int]) -> float:
        """Return the CPU seconds of the tree since the hand-over."""
        group = self.child.group
        counted = None if group is None else group.cputime()
        if counted is None:
            counted = sum(_spent(pid) for pid in pids)
            if self.child.init:
                counted += usage.children_cputime(self.child.init)  # its orphans that have died
        return max(0.0, counted - self._base_cputime)

    def _memory(self, looks: list[usage.Look], unmapped: int) -> int:
        if len(looks) == 1:
            anonymous = max(0, looks[0].anonymous - self._base.anonymous)
            return anonymous + max(looks[0].shared, unmapped)
        total, shared, forks = 0.0, 0, 0
        for look in looks:
            try:
                own, common = usage.shares(look.pid)
            except OSError:
                continue  # it has died since
            total += own
            shared += common
            forks += usage.is_fork(look.pid)
        # Each fork's share of the server's own pages, which all forks of the server map.
        share = self._base.anonymous / (forks + self.child.forks_elsewhere())
        return max(0, int(total - forks * share)) + max(shared, unmapped)

    def _soon(self, cputime: float) -> float:
        """Return after how many seconds a limit could be met at the earliest."""
        soonest = LATEST
        if self.memory_limit is not None and self.child.group is None:
            soonest = _delay(self.memory_limit - self.memory)
        if self._cpu_time is not None:
            left = (self._cpu_time - cputime) / (os.cpu_count() or 1)
            soonest = min(soonest, max(SOONEST, left))
        return soonest

    def _is_out_of_memory(self) -> bool:
        """Tell whether the kernel killed for the run's own limit, not for the machine's sake."""
        group, limit = self.child.group, self.memory_limit
        if group is None or limit is None or not group.is_out_of_memory():
            return False
        return group.grown() > NEARLY * limit


def _delay(headroom: float) -> float:
    return min(LATEST, max(SOONEST, headroom / FASTEST))


def _spent(pid: int) -> float:
    """Return the CPU seconds of a process and of its dead children; 0 once it is gone."""
    try:
        return usage.cputime(pid) + usage.children_cputime(pid)
    except OSError:
        return 0.0
