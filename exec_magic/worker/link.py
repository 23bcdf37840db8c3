"""The server's end of the control socket: orders in, facts out, never blocking."""

from __future__ import annotations

import json
import os
import select
import socket
from collections import deque

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: The kernel process sends a few hundred bytes, once some kilobytes (its search path).
MAX_MESSAGE = 1 << 16


class Link:
    """A SOCK_SEQPACKET socket to the kernel process, watched by the server's epoll."""

    def __init__(self, control: socket.socket, epoll: select.epoll) -> None:
        """Take a connected socket."""
        self.is_closed = False
        self._socket = control
        self._socket.setblocking(False)
        self._epoll = epoll
        self._outbox: deque[tuple[bytes, list[int]]] = deque()
        epoll.register(control.fileno(), select.EPOLLIN)

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        return self._socket.fileno()

    def close(self) -> None:
        """Hear no more."""
        self.is_closed = True

    def receive(self) -> dict[str, Any] | None:
        """Return the next order, or None where there is none; `is_closed` says why."""
        try:
            data = self._socket.recv(MAX_MESSAGE)
        except BlockingIOError:
            return None
        except OSError:
            data = b""
        if not data:
            self.is_closed = True
            return None
        order: dict[str, Any] = json.loads(data)
        return order

    def tell(self, fact: dict[str, Any], descriptors: list[int] | None = None) -> None:
        """Send a fact, now or when there is room; `descriptors` are closed then."""
        if fact["fact"] == "sample" and self._outbox:
            return  # the kernel process is busy: a sample can be left out, a fact cannot
        self._outbox.append((json.dumps(fact).encode(), descriptors or []))
        self.send_waiting()

    def send_waiting(self) -> None:
        """Send what there is room for."""
        interest = select.EPOLLIN
        while self._outbox:
            data, descriptors = self._outbox[0]
            try:
                socket.send_fds(self._socket, [data], descriptors)
            except BlockingIOError:
                interest |= select.EPOLLOUT
                break
            except OSError:
                self.is_closed = True
                return
            self._outbox.popleft()
            for descriptor in descriptors:
                os.close(descriptor)
        self._epoll.modify(self._socket.fileno(), interest)
