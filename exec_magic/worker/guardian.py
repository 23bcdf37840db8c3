"""The guardian: starts the server, then only watches; whatever happens, nothing is left.

Started by the kernel process as `python -I -S`, in a session of its own, with
    argv[1]  JSON: {"server": [program, argument, …], "environ": {…}, "namespaced": bool,
             "control": fd, "lifeline": fd, "kernel": fd}, or `sweep FOLDER…`: see below
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

from exec_magic.worker import hierarchy, reaping
from exec_magic.worker.confine import libc, namespaces

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def main() -> None:
    """Start the server and watch until the end of any of the three."""
    if sys.argv[1] == "sweep":  # after a guardian that was killed
        for folder in sys.argv[2:]:
            hierarchy.sweep(folder)
        return
    orders = json.loads(sys.argv[1])
    for name in ("control", "lifeline", "kernel"):
        os.set_inheritable(orders[name], False)
    groups = hierarchy.prepare()
    libc.prctl(libc.PR_SET_CHILD_SUBREAPER, 1)
    is_namespaced = orders["namespaced"] and namespaces.available()
    if is_namespaced:
        namespaces.unshare_processes()
    server = _start_server(orders, is_namespaced, groups)
    os.close(orders["control"])
    _watch([os.pidfd_open(server), orders["lifeline"], orders["kernel"]])
    reaping.send(server, signal.SIGKILL)
    # In namespaces the server is pid 1, and its death kills the rest; without them its orphans
    # are now children of this process.
    while not reaping.kill_descendants(timeout=60.0):
        pass
    hierarchy.discard(groups)


def _start_server(orders: dict[str, Any], is_namespaced: bool, groups: dict[str, str]) -> int:
    # The server learns of this process's death by the end of a pipe; a signal would leave it no
    # time to remove its groups.
    leash, _held = os.pipe()
    server = os.fork()
    if server:
        os.close(leash)
        return server
    try:
        os.close(_held)
        os.set_inheritable(leash, True)
        if is_namespaced:
            namespaces.enter_as_first()
        os.set_inheritable(orders["control"], True)
        command = [*orders["server"], str(orders["control"]), str(int(is_namespaced))]
        command += [json.dumps(groups), str(leash)]
        os.execve(command[0], command, orders["environ"])  # noqa: S606 - no shell wanted
    finally:
        os._exit(71)


def _watch(descriptors: list[int]) -> None:
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)  # end of file arrives as POLLHUP, unasked
    poll.poll()
