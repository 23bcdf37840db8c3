"""What a run shows: text and displays become frames on the run's own socket, in order.

Text is gathered for at most `DELAY` seconds or `CHUNK` characters, so that a million prints are
not a million frames. A process forked by the user's code shares the socket: frames of two writers
would mix, so there text goes to descriptors 1 and 2, which are pipes.
"""

from __future__ import annotations

import _thread
import io
import os
import time

from exec_magic import wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from types import FrameType
    from typing import Any

    from typing_extensions import Buffer

CHUNK = 32_768
#: Characters of one frame of text.
LONGEST = 1 << 20
DELAY = 0.02


class Channel:
    """The run's socket, written frame by frame; text waiting to be sent is kept in order."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._lock = _thread.RLock()
        self._waiting: list[tuple[str, str]] = []
        self._size = 0
        self._is_forked = False
        self._is_sending = False
        self._is_interrupted = False
        self._bell = _thread.allocate_lock()
        self._has_flusher = False
        self._is_hot = False
        os.register_at_fork(after_in_child=self._enter_fork)

    def open(self, sock: socket.socket) -> None:
        """Send to `sock` from now on; before, everything is dropped (the warm-up's output)."""
        self._socket = sock

    def text(self, name: str, text: str) -> None:
        """Send text of the stream `name` (`stdout` or `stderr`), at once or very soon."""
        # A print is two calls of this: no lock and no clock unless there is something to do.
        self._waiting.append((name, text))
        self._size += len(text)
        if self._size >= CHUNK or self._is_forked:
            self.flush()
        elif not self._is_hot:
            self._send_soon(text)

    def send(self, head: dict[str, Any], tail: bytes = b"") -> None:
        """Send a frame, after the text that came before it."""
        with self._lock:
            self.flush()
            frame = wire.encode(head, tail, is_strict=True)
            if len(frame) > wire.MAX_HEAD:
                what = "{} of {} MB".format(head["type"], len(frame) >> 20)
                self._send_text("stderr", "{}: too large to be shown\n".format(what))
            else:
                self._send(frame)

    def flush(self) -> None:
        """Send the text that is waiting."""
        with self._lock:
            waiting, self._waiting, self._size = self._waiting, [], 0
            for name, text in _joined(waiting):
                for start in range(0, len(text), LONGEST):
                    self._send_text(name, text[start : start + LONGEST])

    def _send_text(self, name: str, text: str) -> None:
        # Lone surrogates (odd file names) are no Unicode: shown as \udc80, as print does.
        shown = text.encode("utf-8", "backslashreplace")
        if self._is_forked:
            _write_all(1 if name == "stdout" else 2, shown)
        else:
            frame = {"type": "stream", "name": name, "text": shown.decode()}
            self._send(wire.encode(frame, is_strict=True))

    def interrupt(self, number: int, frame: FrameType | None) -> None:
        """Raise KeyboardInterrupt (a handler of SIGINT), but not in the middle of a frame."""
        if self._is_sending:
            self._is_interrupted = True
        else:
            raise KeyboardInterrupt

    def _send(self, frame: bytes) -> None:
        if self._socket is None or self._is_forked:
            return
        self._is_sending = True
        try:
            self._socket.sendall(frame)
        finally:
            self._is_sending = False
            if self._is_interrupted:
                self._is_interrupted = False
                _thread.interrupt_main()

    def _send_soon(self, text: str) -> None:
        if self._socket is None:
            return
        if "\n" in text:
            self.flush()  # at once: what comes next may crash, or hold Python's lock for long
            self._is_hot = True  # but what follows within DELAY is gathered
        if not self._has_flusher:
            # A thread that Python's `threading` does not list: it is not the user's.
            self._has_flusher = True
            self._bell.acquire()
            _thread.start_new_thread(self._flush_when_rung, ())
        if self._bell.locked():
            self._bell.release()

    def _flush_when_rung(self) -> None:
        while True:
            self._bell.acquire()
            time.sleep(DELAY)
            self._is_hot = False
            try:
                self.flush()
            except OSError:
                return  # the kernel process no longer listens; the run is about to be ended

    def _enter_fork(self) -> None:
        self._is_forked = self._socket is not None  # else it is the server that forks
        self._waiting = []
        self._lock = _thread.RLock()


class Stream(io.TextIOBase):
    """`sys.stdout` or `sys.stderr` of a run."""

    encoding = "utf-8"
    errors = "backslashreplace"
    newlines = None
    line_buffering = True

    def __init__(self, name: str, channel: Channel, descriptor: int) -> None:
        self.name = "<{}>".format(name)
        self._stream = name
        self._channel = channel
        self._descriptor = descriptor
        self.buffer = _Bytes(self)

    def fileno(self) -> int:
        """Return the descriptor of the pipe, for subprocesses and C code."""
        return self._descriptor

    def writable(self) -> bool:
        """Return True."""
        return True

    def isatty(self) -> bool:
        """Return False."""
        return False

    def write(self, text: str) -> int:
        """Show text."""
        if not isinstance(text, str):
            raise TypeError("write() argument must be str, not " + type(text).__name__)
        if text:
            self._channel.text(self._stream, text)
        return len(text)

    def flush(self) -> None:
        """Send what is waiting."""
        self._channel.flush()


class _Bytes(io.RawIOBase):
    """`sys.stdout.buffer`: bytes take the same road as text, so that both stay in order."""

    def __init__(self, stream: Stream) -> None:
        self._text = stream

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer) -> int:
        raw = bytes(data)
        self._text.write(raw.decode("utf-8", "replace"))
        return len(raw)


def _joined(pieces: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the pieces with neighbours of one stream joined."""
    joined: list[tuple[str, list[str]]] = []
    for name, text in pieces:
        if joined and joined[-1][0] == name:
            joined[-1][1].append(text)
        else:
            joined.append((name, [text]))
    return [(name, "".join(texts)) for name, texts in joined]


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
