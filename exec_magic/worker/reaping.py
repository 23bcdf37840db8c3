"""Ends all that a process has started, however deep, whatever it does."""

from __future__ import annotations

import os
import signal
import time

from exec_magic.worker import usage

#: Between two rounds.
ROUND = 0.001


def kill_descendants(timeout: float) -> bool:
    """Kill and reap everything below this process, a subreaper or a pid 1; tell whether it is so.

    All are stopped first, so that none forks while others are killed, and the round is repeated
    until none is left or `timeout` seconds have passed.
    """
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in usage.descendants(os.getpid()):
                send(pid, number)
        try:
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass
        except ChildProcessError:
            return True
        time.sleep(ROUND)
    return False


def send(pid: int, number: int) -> None:
    """Send a signal to a process that may be gone."""
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        pass  # gone, or a setuid program: it ends with its namespace or its parent
