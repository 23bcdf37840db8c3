"""A real ipykernel, driven through jupyter_client as a notebook drives it."""

from __future__ import annotations

import ast
import contextlib
import json
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from queue import Empty
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

from rig.guard import Guard, guard
from rig.leftovers import below, wait_until_gone
from rig.machine import environment

_numbers = count(1)
#: What the kernel and all its runs may use together before the guard steps in.
GUARD_BYTES = 4 << 30
#: What the package takes for the machine's memory.
MEMORY_BYTES = 2 << 30


@dataclass(frozen=True)
class CellResult:
    """What a notebook would show for one cell."""

    #: `ok`, `error` or `aborted`.
    status: str
    #: The messages that a notebook stores or shows, as {"type": …, **content}, in order.
    outputs: list[dict[str, Any]]
    #: The reply: `execution_count`, and for an error `ename evalue traceback`.
    reply: dict[str, Any]
    seconds: float = field(compare=False)

    def stream(self, name: str) -> str:
        """Return all text of `stdout` or `stderr`."""
        texts = [o["text"] for o in self.outputs if o["type"] == "stream" and o["name"] == name]
        return "".join(texts)

    def data(self, mime: str) -> list[Any]:
        """Return every displayed value of one mime type."""
        shown = [o["data"] for o in self.outputs if "data" in o]
        return [data[mime] for data in shown if mime in data]

    @property
    def errors(self) -> list[dict[str, Any]]:
        """The error outputs: `ename evalue traceback`."""
        return [output for output in self.outputs if output["type"] == "error"]

    @property
    def text(self) -> str:
        """Everything a reader sees, as plain text without colours."""
        parts = [
            output.get("text", "")
            or "\n".join(output.get("traceback", []))
            or output.get("data", {}).get("text/plain", "")
            for output in self.outputs
        ]
        return uncoloured("".join(parts))


def uncoloured(text: str) -> str:
    """Return text without its ANSI colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


class Kernel:
    """One kernel in a home of its own; a cell that takes too long is an error, not a hang."""

    def __init__(self, home: Path, python: str = sys.executable, **env: str) -> None:
        number = next(_numbers)
        self._is_closed = False
        self._guard: Guard = guard(GUARD_BYTES)
        self._manager = _manager(home, number, [*self._guard.prefix, python])
        try:
            given = environment(home, MEM_LIMIT=str(MEMORY_BYTES), **env)
            self._manager.start_kernel(env=given, cwd=str(home))
            self._client: BlockingKernelClient = self._manager.client()
            self._client.start_channels()
            self._client.wait_for_ready(timeout=60)
        except BaseException:
            self._manager.shutdown_kernel(now=True)
            self._guard.close()
            raise
        self._guard.watch(self.pid)

    @property
    def pid(self) -> int:
        """The kernel's process id."""
        return int(self._manager.provisioner.process.pid)  # type: ignore[union-attr]

    def submit(self, code: str, *, allow_stdin: bool = True, stop_on_error: bool = True) -> str:
        """Send a cell; return the id of its request."""
        return str(self._client.execute(code, allow_stdin=allow_stdin, stop_on_error=stop_on_error))

    def messages(self, request: str, timeout: float = 60) -> Iterator[dict[str, Any]]:
        """Yield what a request shows, as it arrives, until the kernel is idle again."""
        deadline = time.monotonic() + timeout
        while True:
            message = self._next(self._client.get_iopub_msg, request, deadline)
            kind, content = message["msg_type"], message["content"]
            if kind == "status" and content["execution_state"] == "idle":
                return
            if kind not in {"status", "execute_input"}:
                yield {"type": kind, **content}

    def reply(self, request: str, timeout: float = 60) -> dict[str, Any]:
        """Return the reply to a request."""
        deadline = time.monotonic() + timeout
        content: dict[str, Any] = self._next(self._client.get_shell_msg, request, deadline)[
            "content"
        ]
        return content

    def _next(self, receive: Any, request: str, deadline: float) -> dict[str, Any]:
        while True:
            try:
                message: dict[str, Any] = receive(timeout=max(0, deadline - time.monotonic()))
            except Empty:
                self._manager.interrupt_kernel()
                raise TimeoutError(f"the cell of request {request} takes too long") from None
            if message["parent_header"].get("msg_id") == request:
                return message

    def run_cell(self, code: str, timeout: float = 60, *, allow_stdin: bool = True) -> CellResult:
        """Run a cell to its end."""
        start = time.monotonic()
        request = self.submit(code, allow_stdin=allow_stdin)
        return self.finish(request, start, timeout)

    def finish(
        self, request: str, start: float, timeout: float = 60, shown: list[Any] | None = None
    ) -> CellResult:
        """Collect the rest of a cell, of which `shown` was read already."""
        outputs = [*(shown or []), *self.messages(request, timeout)]
        reply = self.reply(request, timeout)
        return CellResult(reply["status"], outputs, reply, time.monotonic() - start)

    def value(self, expression: str) -> Any:
        """Return the value of an expression in the kernel, which JSON must be able to say."""
        wrapped = f"__import__('json').dumps({expression})"
        request = self._client.execute("", silent=True, user_expressions={"value": wrapped})
        for _ in self.messages(request):
            pass
        result = self.reply(request)["user_expressions"]["value"]
        if result["status"] != "ok":
            raise AssertionError(f"{expression}: {result['ename']}: {result['evalue']}")
        return json.loads(_literal(result["data"]["text/plain"]))

    def interrupt(self) -> None:
        """Press the stop button."""
        self._manager.interrupt_kernel()

    def is_alive(self) -> bool:
        """Whether the kernel process still runs."""
        return bool(self._manager.is_alive())

    def close(self) -> list[str]:
        """Shut the kernel down as a notebook does; return in words what it left behind."""
        if self._is_closed:
            return []
        self._is_closed = True
        children = below(self.pid)
        self._client.shutdown(reply=self.is_alive(), timeout=10)
        self._client.stop_channels()
        self._manager.finish_shutdown()
        self._manager.cleanup_resources()
        self._manager.context.destroy()
        left = [f"process {process.pid}" for process in wait_until_gone(children, 2)]
        return left + self._guard.close()


@contextlib.contextmanager
def notebook(home: Path, python: str = sys.executable, *, is_warm: bool = True) -> Iterator[Kernel]:
    """Start a kernel, load the extension, and close it in the end; it may leave nothing.

    In a warm one a cell has run already, so that the sandbox server is up.
    """
    kernel = Kernel(home, python)
    try:
        loaded = kernel.run_cell("%load_ext exec_magic")
        assert loaded.status == "ok", loaded.text
        if is_warm:
            first = kernel.run_cell("import exec_magic as em\nem.run('pass', timeout=60).result();")
            assert first.status == "ok", first.text
        yield kernel
    finally:
        left = kernel.close()
    assert not left, f"left behind: {left}"


def _manager(home: Path, number: int, command: list[str]) -> KernelManager:
    folder = home / "kernels" / f"test{number}"
    folder.mkdir(parents=True)
    argv = [*command, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": "test", "language": "python"}
    (folder / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    specs = KernelSpecManager(kernel_dirs=[str(folder.parent)], ensure_native_kernel=False)
    return KernelManager(
        kernel_name=folder.name,
        kernel_spec_manager=specs,
        connection_file=str(folder / "connection.json"),
    )


def _literal(text: str) -> str:
    return str(ast.literal_eval(text))
