"""One run that has been taken: its three descriptors and the story it tells through them."""

from __future__ import annotations

import functools
import os
import socket
import time
from collections.abc import Callable
from typing import Any

from exec_magic import wire
from exec_magic.engine.allowance import Allowance
from exec_magic.engine.decode import Decoder, End, TextDecoder
from exec_magic.engine.loop import Loop
from exec_magic.engine.run import Run
from exec_magic.errors import ProtocolError
from exec_magic.model import CodeError, Listener, Output, OutputDict, Story

#: Read at once, so that one run with much to say does not keep others waiting.
CHUNK = 1 << 18


class Child:
    """A process forked ahead, ready to be a run."""

    def __init__(self, number: int, descriptors: list[int]) -> None:
        """Own the run's socket and the read ends of its standard output and error."""
        self.number = number
        self.socket = socket.socket(fileno=descriptors[0])
        self.out, self.err = descriptors[1:]
        os.set_blocking(self.out, False)
        os.set_blocking(self.err, False)

    def close(self) -> None:
        """Close the descriptors."""
        self.socket.close()
        os.close(self.out)
        os.close(self.err)


class Live:
    """Reads what a run shows and passes it on; on the loop's thread after `begin`."""

    def __init__(self, run: Run, child: Child, listener: Listener | None, loop: Loop) -> None:
        """Take a run and the child that it becomes."""
        self.run = run
        self.child = child
        self.tell: Listener = listener or (lambda _: None)
        self._loop = loop
        self._allowance = Allowance(run.spec.limits.max_output, run.spec.limits.past_max_output)
        self._decoder = Decoder()
        self._texts = {child.out: TextDecoder("stdout"), child.err: TextDecoder("stderr")}
        self._is_finished = self._is_completed = False
        self._is_garbled = False
        self._error: CodeError | None = None
        self._on_end: Callable[[str], None] = lambda _: None

    def begin(
        self, order: dict[str, Any], stdin: int | None, on_end: Callable[[str], None]
    ) -> None:
        """Hand over; `stdin`, a descriptor for the run to read from, is closed here.

        `on_end` is called where the run must end, with the order for it. `end`: it says so
        itself; `kill`: it talks rubbish; `stop`: it shows too much.
        """
        self._on_end = on_end
        frame = wire.encode(order)
        try:
            if stdin is not None:
                frame = frame[socket.send_fds(self.child.socket, [frame], [stdin]) :]
            self.child.socket.sendall(frame)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it is dead; the server says so
        finally:
            if stdin is not None:
                os.close(stdin)
        self._loop.listen(self.child.socket.fileno(), self._read_frames)
        for descriptor in self._texts:
            self._loop.listen(descriptor, functools.partial(self._read_text, descriptor))

    def end(self) -> Story:
        """Read what is left, close, and return the story; every process of the run is gone."""
        self._drain()
        for output in self._allowance.rest():
            self._pass_on(output)
        for descriptor in (self.child.socket.fileno(), *self._texts):
            self._loop.ignore(descriptor)
        self.child.close()
        return Story(self._is_finished, self._is_completed, self._error, self._is_garbled)

    def _drain(self) -> None:
        while self._read_frames():
            pass
        for descriptor in self._texts:
            while self._read_text(descriptor):
                pass

    def _read_frames(self) -> bool:
        try:
            data = self.child.socket.recv(CHUNK, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except ConnectionResetError:
            data = b""
        if not data or self._is_garbled:
            self._loop.ignore(self.child.socket.fileno())
            return False
        try:
            for told in self._decoder.feed(data):
                self._take(told)
        except ProtocolError:
            self._is_garbled = True
            self._on_end("kill")
        return True

    def _take(self, told: OutputDict | CodeError | End) -> None:
        if isinstance(told, End):
            self._is_finished, self._is_completed = True, told.completed
            if told.completed:
                self._error = None
            self.run.stamps.setdefault("answered", time.monotonic())
            self._on_end("end")
        elif isinstance(told, CodeError):
            self._error = told
        else:
            self._show(told)

    def _read_text(self, descriptor: int) -> bool:
        try:
            data = os.read(descriptor, CHUNK)
        except BlockingIOError:
            return False
        for output in self._texts[descriptor].feed(data):
            self._show(output)
        if not data:
            self._loop.ignore(descriptor)
        return bool(data)

    def _show(self, output: OutputDict) -> None:
        for admitted in self._allowance.admit(output):
            self._pass_on(admitted)
        if self._allowance.is_used_up and self.run.spec.limits.past_max_output == "fail":
            self._on_end("stop")

    def _pass_on(self, output: OutputDict) -> None:
        self.run.transcript.add(output)
        self.tell(Output(self.run.id, output))
