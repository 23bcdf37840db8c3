"""The life of a run's process, from the fork to its exit or to the command that it becomes.

Descriptors, the same in every run: 0 /dev/null, or what a command reads; 1 and 2 pipes to the
kernel process; 3 the run's socket (hand-over and code in, output out); 4 the server's bell: `r`
ready, `g` go, `e` ending, `x` exit. The server sets the limits before it rings `g`; no code of the
user runs before that.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket

from exec_magic import wire
from exec_magic.worker import cell, command
from exec_magic.worker.confine import libc, namespaces

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from threadpoolctl import ThreadpoolController

#: What the exit waits for the server's last look; it answers within a millisecond.
LAST_LOOK = 0.2


def live(
    shell: cell.Shell,
    controller: ThreadpoolController,
    descriptors: list[int],
    is_namespaced: bool,
    is_warm: bool,
) -> None:
    """Take the descriptors, wait for the go, run, exit; never returns."""
    code = 70
    try:
        run_socket, bell = _settle(descriptors, is_namespaced)
        signal.signal(signal.SIGINT, shell.channel.interrupt)
        cell.take_streams(shell.channel)
        cell.reseed()
        if is_warm:
            cell.rehearse(shell, controller)
        bell.sendall(b"r")
        if bell.recv(1) == b"g":
            code = _run(shell, controller, run_socket)
            _ask_for_last_look(bell)
    finally:
        os._exit(code)


def _settle(descriptors: list[int], is_namespaced: bool) -> tuple[socket.socket, socket.socket]:
    """Keep only our descriptors and see only our own processes."""
    # First out of the way: a number to be given may be in use by another of them.
    high = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, 16) for descriptor in descriptors]
    for number, descriptor in enumerate(high, start=1):
        os.dup2(descriptor, number, inheritable=number < 3)
    os.closerange(len(high) + 1, 1 << 30)
    libc.prctl(libc.PR_SET_PDEATHSIG, signal.SIGKILL)
    os.setsid()
    if is_namespaced:
        namespaces.enter_run()
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")  # the kernel's out-of-memory killer takes the run, not the notebook
    return socket.socket(fileno=3), socket.socket(fileno=4)


def _run(shell: cell.Shell, controller: ThreadpoolController, run_socket: socket.socket) -> int:
    order, stdin = receive(run_socket)
    if "argv" in order:
        return command.become(order, stdin)
    shell.channel.open(run_socket)
    cell.hand_over(shell, order, controller)
    return cell.run(shell, order)


def receive(run_socket: socket.socket) -> tuple[dict[str, Any], int | None]:
    """Return the head of the next frame and the descriptor that came with it, if any.

    Its sender is the kernel process, and trusted.
    """
    begin, descriptors, _, _ = socket.recv_fds(run_socket, wire.HEAD.size, 1)
    head_size, _ = wire.HEAD.unpack(_exactly(run_socket, wire.HEAD.size, begin))
    order: dict[str, Any] = json.loads(_exactly(run_socket, head_size))
    return order, descriptors[0] if descriptors else None


def _exactly(run_socket: socket.socket, size: int, data: bytes = b"") -> bytes:
    while len(data) < size:
        more = run_socket.recv(size - len(data), socket.MSG_WAITALL)
        if not more:
            raise EOFError("the kernel process closed the run's socket")
        data += more
    return data


def _ask_for_last_look(bell: socket.socket) -> None:
    bell.settimeout(LAST_LOOK)
    try:
        bell.sendall(b"e")
        bell.recv(1)
    except OSError:
        pass  # too late or gone: then the figures are those of the look before
