"""The guardian: starts the server, then only watches; whatever happens, nothing is left.

Started by the kernel process as `python -I -S`, in a session of its own, with
    argv[1]  JSON: {"server": [program, argument, …], "environ": {…}, "namespaced": bool,
             "control": fd, "lifeline": fd, "kernel": fd}
    control  the server's end of the control socket; passed on, never read here
    lifeline read end of a pipe whose write end only the kernel process holds
    kernel   a pidfd of the kernel process: a fork child of the kernel can hold the lifeline open
It ends when the server exits, the lifeline closes or the kernel process is gone, and then kills
everything below it first. Its exit says to the kernel process that nothing is left.

It must not import anything but the standard library's lightest modules, and never forks after
the server.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time

from exec_magic.worker import usage
from exec_magic.worker.confine import libc, namespaces

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def main() -> None:
    """Start the server and watch until the end of any of the three."""
    orders = json.loads(sys.argv[1])
    libc.prctl(libc.PR_SET_CHILD_SUBREAPER, 1)
    is_namespaced = orders["namespaced"] and namespaces.available()
    if is_namespaced:
        namespaces.unshare_processes()
    server = _start_server(orders, is_namespaced)
    os.close(orders["control"])
    _watch([os.pidfd_open(server), orders["lifeline"], orders["kernel"]])
    _kill_all(server)


def _start_server(orders: dict[str, Any], is_namespaced: bool) -> int:
    server = os.fork()
    if server:
        return server
    try:
        libc.prctl(libc.PR_SET_PDEATHSIG, signal.SIGKILL)
        if is_namespaced:
            namespaces.enter_as_first()
        os.set_inheritable(orders["control"], True)
        command = [*orders["server"], str(orders["control"]), str(int(is_namespaced))]
        os.execve(command[0], command, orders["environ"])  # noqa: S606 - no shell wanted
    finally:
        os._exit(71)


def _watch(descriptors: list[int]) -> None:
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)  # end of file arrives as POLLHUP, unasked
    poll.poll()


def _kill_all(server: int) -> None:
    """Kill the server and all that it started.

    In namespaces the server is pid 1, and its death kills the rest. Without them its orphans
    become children of this process, a subreaper: they are stopped first, so that none forks
    while others are killed, and the round is repeated until none is left.
    """
    _signal(server, signal.SIGKILL)
    while True:
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in usage.descendants(os.getpid()):
                _signal(pid, number)
        try:
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass
        except ChildProcessError:
            return
        time.sleep(0.001)


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass  # it has died meanwhile
