"""Makes the pid 1 of each run's PID namespace, in a small process of its own.

The server would have to fork its own hundred megabytes for a process that only reaps: twice the
time to fork a run, and milliseconds more until its namespace is gone. So this process is forked
from the server before that imports anything. It ends with the server, which is its pid 1.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import struct

from exec_magic.worker.confine import libc

_PID = struct.Struct("<i")
_DEATH = struct.Struct("<id")


class Inits:
    """The server's end: asks for inits and hears of their deaths."""

    def __init__(self) -> None:
        """Fork the small process; the server has imported nothing yet."""
        self._requests, requests = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._deaths, deaths = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        if not os.fork():
            self._requests.close()
            self._deaths.close()
            try:
                _serve(requests, deaths)
            finally:
                os._exit(0)
        requests.close()
        deaths.close()
        self._deaths.setblocking(False)

    def make(self) -> int:
        """Return the pid of a new namespace's pid 1, as the caller sees it."""
        self._requests.send(b"n")
        pid: int = _PID.unpack(self._requests.recv(_PID.size))[0]
        return pid

    def fileno(self) -> int:
        """Return the descriptor that can be read when an init has died."""
        return self._deaths.fileno()

    def death(self) -> tuple[int, float]:
        """Return pid and CPU seconds of an init that has died, its orphans' included."""
        pid, spent = _DEATH.unpack(self._deaths.recv(_DEATH.size))
        return pid, spent


def _serve(requests: socket.socket, deaths: socket.socket) -> None:
    own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    poll = select.poll()
    poll.register(requests, select.POLLIN)
    inits: dict[int, int] = {}
    while True:
        for descriptor, _ in poll.poll():
            if descriptor != requests.fileno():
                poll.unregister(descriptor)
                os.close(descriptor)
                pid, _, used = os.wait4(inits.pop(descriptor), 0)
                deaths.send(_DEATH.pack(pid, used.ru_utime + used.ru_stime))
            elif not requests.recv(1):
                return
            else:
                pid = _fork(own)
                pidfd = os.pidfd_open(pid)
                inits[pidfd] = pid
                poll.register(pidfd, select.POLLIN)
                requests.send(_PID.pack(pid))


def _fork(own: int) -> int:
    # unshare(NEWPID) works once until the caller's own namespace is entered again.
    libc.setns(own, libc.CLONE_NEWPID)
    libc.unshare(libc.CLONE_NEWPID)
    pid = os.fork()
    if not pid:
        _reap_for_ever()
    return pid


def _reap_for_ever() -> None:
    os.closerange(0, 1 << 30)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    while True:
        try:
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass
        except ChildProcessError:
            pass  # none left for now
        signal.sigwait({signal.SIGCHLD})
