"""The two threads of the kernel process: one that waits for sockets, one for users' callbacks."""

from __future__ import annotations

import os
import queue
import select
import sys
import threading
from collections import deque
from collections.abc import Callable


class Loop:
    """Waits for descriptors and calls their handlers on one daemon thread."""

    def __init__(self) -> None:
        """Start the thread."""
        self._epoll = select.epoll()
        self._handlers: dict[int, Callable[[], object]] = {}
        self._soon: deque[Callable[[], None]] = deque()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._epoll.register(self._wake, select.EPOLLIN)
        self._is_over = False
        self._thread = threading.Thread(target=self._work, name="exec_magic", daemon=True)
        self._thread.start()

    def listen(self, descriptor: int, handler: Callable[[], object]) -> None:
        """Call `handler` whenever `descriptor` can be read; from any thread."""
        self._handlers[descriptor] = handler
        self._epoll.register(descriptor, select.EPOLLIN)

    def ignore(self, descriptor: int) -> None:
        """Stop listening; before the descriptor is closed. Ignored already: nothing happens."""
        if self._handlers.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)

    def call_soon(self, function: Callable[[], None]) -> None:
        """Call `function` on the loop's thread."""
        self._soon.append(function)
        os.eventfd_write(self._wake, 1)

    def stop(self) -> None:
        """End the thread; called from another one."""
        self._is_over = True
        self.call_soon(lambda: None)
        self._thread.join()

    def close(self) -> None:
        """Close what the thread, which has ended, waited for."""
        self._epoll.close()
        os.close(self._wake)

    def _work(self) -> None:
        while not self._is_over:
            for descriptor, _ in self._epoll.poll():
                if descriptor == self._wake:
                    os.eventfd_read(self._wake)
                    continue
                handler = self._handlers.get(descriptor)
                if handler is not None:
                    _guarded(handler)
            while self._soon:
                _guarded(self._soon.popleft())


class Dispatcher:
    """Calls users' callbacks in order on a daemon thread of its own, started at the first."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._queue: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def call(self, function: Callable[[], object]) -> None:
        """Call `function` soon."""
        with self._lock:
            if self._thread is None:
                name = "exec_magic callbacks"
                self._thread = threading.Thread(target=self._work, name=name, daemon=True)
                self._thread.start()
        self._queue.put(function)

    def close(self) -> None:
        """Call what is waiting, then end the thread; not from a callback."""
        if self._thread is not None and self._thread is not threading.current_thread():
            self._queue.put(None)
            self._thread.join()

    def _work(self) -> None:
        while (function := self._queue.get()) is not None:
            _guarded(function)


def _guarded(function: Callable[[], object]) -> None:
    """Call a handler; an error in one must not end the thread that serves all others."""
    try:
        function()
    except Exception:  # noqa: BLE001 - the outer wall of a thread's loop
        sys.excepthook(*sys.exc_info())
