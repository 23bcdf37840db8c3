"""Forks the processes that will be runs, ahead of need, and knows their trees."""

from __future__ import annotations

import os
import resource
import signal
import socket

from exec_magic.worker import reaping, usage
from exec_magic.worker.cgroup import Group
from exec_magic.worker.confine import namespaces

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from exec_magic.worker.inits import Inits

#: A limit that no ordinary process meets (RLIMIT_RTTIME, CPU time under real-time scheduling):
#: its value marks all that a run starts, since children inherit it and cannot raise it.
RLIMIT_RTTIME = 15
_FIRST_MARK = 1 << 45


class Child:
    """A process that is or will be a run, and the pid 1 of its namespace, if it has one."""

    def __init__(
        self, nursery: Nursery, number: int, init: int, pid: int, group: Group | None
    ) -> None:
        """Take over the two children, just forked."""
        self.group = group
        if group is not None:
            group.add(pid)
        self.number = number
        self.pid = pid
        self.init = init
        self.pidfd = os.pidfd_open(pid)
        self.mark = _FIRST_MARK - number
        self.base: usage.Look
        #: Where the run's own /dev/shm can be seen from here; None where it has the machine's.
        self.own_shm = "/proc/{}/root/dev/shm".format(pid) if init else None
        self._nursery = nursery
        resource.prlimit(pid, RLIMIT_RTTIME, (self.mark, self.mark))

    def settle(self) -> None:
        """Remember what the child has before it is handed anything."""
        self.base = usage.Look(self.pid)
        usage.reset_peak(self.pid)
        if self.group is not None:
            self.group.settle()

    def tree(self) -> list[int]:
        """Return the pids of the run's process and of all others that are the run's."""
        return [self.pid, *self.others()]

    def others(self) -> list[int]:
        """Return the pids of the run's processes but the first."""
        found = usage.descendants(self.pid)
        if self.init:
            return found + usage.descendants(self.init)
        for orphan in self._nursery.orphans():
            if self._nursery.owner(orphan) in (self, None):
                found += [orphan, *usage.descendants(orphan)]
        return found

    def kill(self) -> None:
        """Kill the whole tree; what forks meanwhile is met by the next call."""
        if self.group is not None and self.group.kill():
            pass  # all of it, at once; its pid 1, which is in no group, follows
        if self.init:
            reaping.send(self.init, signal.SIGKILL)
            return
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in self.tree():
                reaping.send(pid, number)

    def forks_elsewhere(self) -> int:
        """Return how many processes outside this tree still map the server's pages."""
        return len(self._nursery.children)  # the server, and all children but this one

    def close(self) -> None:
        """Close the descriptor; both processes have been waited for."""
        os.close(self.pidfd)
        if self.group is not None:
            self._nursery.remove(self.group)


class Nursery:
    """All children of the server."""

    def __init__(
        self,
        live: Callable[[list[int], bool], None],
        inits: Inits | None,
        groups: dict[str, str],
    ) -> None:
        """`live(descriptors, is_warm)` is the child's life and never returns.

        Without `inits` children share the server's PID namespace; `groups` are hierarchy.prepare's.
        """
        self.groups = groups
        self._leaving: list[Group] = []
        self.children: dict[int, Child] = {}
        self._live = live
        self._count = 0
        self._inits = inits

    def fork(self, *, is_warm: bool) -> tuple[Child, socket.socket, list[int]]:
        """Fork a child; return it, our end of its bell and what the kernel process shall hold.

        The three descriptors are the run's socket and the read ends of its two pipes; the
        caller closes them.
        """
        ours, its_run = socket.socketpair()
        out, its_out = os.pipe()
        err, its_err = os.pipe()
        bell, its_bell = socket.socketpair()
        bell.setblocking(False)  # what is at its other end may come to be anything
        its = [its_out, its_err, its_run.detach(), its_bell.detach()]
        init = self._inits.make() if self._inits is not None else 0
        pid = namespaces.fork_inside(init) if init else os.fork()
        if not pid:
            self._live(its, is_warm)
        for descriptor in its:
            os.close(descriptor)
        self._count += 1
        group = Group(self.groups, self._count) if self.groups else None
        child = Child(self, self._count, init, pid, group)
        self.children[child.number] = child
        return child, bell, [ours.detach(), out, err]

    def remove(self, group: Group) -> None:
        """Remove a dead child's group, now or as soon as its last process has left it."""
        self._leaving = [left for left in [*self._leaving, group] if not left.remove()]

    def orphans(self) -> list[int]:
        """Return children of the server that it did not fork: plain runs' orphans (subreaper)."""
        own = {child.pid for child in self.children.values()}
        with open("/proc/self/task/{}/children".format(os.getpid())) as file:
            return [int(pid) for pid in file.read().split() if int(pid) not in own]

    def owner(self, orphan: int) -> Child | None:
        """Return the child whose mark a process bears; None where it bears none that is alive."""
        try:
            mark = resource.prlimit(orphan, RLIMIT_RTTIME)[1]
        except (ProcessLookupError, PermissionError):
            return None
        return self.children.get(_FIRST_MARK - mark)

    def reap_orphans(self) -> dict[int, float]:
        """Wait for dead orphans; return CPU seconds by the number of the child they were of."""
        spent: dict[int, float] = {}
        for pid in self.orphans() if self._inits is None else []:
            owner = self.owner(pid)
            waited, _, used = os.wait4(pid, os.WNOHANG)
            if waited and owner is not None:
                seconds = used.ru_utime + used.ru_stime
                spent[owner.number] = spent.get(owner.number, 0.0) + seconds
        return spent
