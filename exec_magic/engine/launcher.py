"""Starts a guardian with its server, and holds the kernel process's ends of what joins them."""

from __future__ import annotations

import array
import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from exec_magic.errors import Unavailable
from exec_magic.model import Seconds

#: What preload may bring in besides, if the kernel has it imported already.
PRELOADABLE = ("scipy", "sklearn", "polars", "pyarrow")
#: Where the user waits for the first run, the moment to say why.
SLOW: Seconds = 0.3
BOOT_TIMEOUT: Seconds = 60.0
#: Killing everything takes the guardian milliseconds; a process in the kernel's D state longer.
END_TIMEOUT: Seconds = 5.0
MAX_FACT = 1 << 20
_PASSED_ON = frozenset(
    "PATH HOME USER LOGNAME LANG LANGUAGE TZ TMPDIR LD_LIBRARY_PATH MPLCONFIGDIR "
    "XDG_CACHE_HOME XDG_CONFIG_HOME".split()
)
#: A fork of a process with several threads hangs in their locks. OpenBLAS may have its number:
#: it ends its threads before each fork, and starts them again when a run first needs them.
_ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
}
_FOLDER = str(Path(__file__).resolve().parents[2])
_DESCRIPTOR = array.array("i")
#: The same copy of this package as here, whatever else is installed; then no path of ours.
_BOOT = (
    "import sys; sys.path.insert(0, {!r}); import exec_magic; del sys.path[0]; "
    "from exec_magic.worker.{} import main; main()"
)


class Server:
    """A running sandbox server; its methods may be called from any thread."""

    def __init__(
        self, *, is_namespaced: bool, colors: str, on_slow: Callable[[], None] | None = None
    ) -> None:
        """Start guardian and server and wait until it can fork.

        Calls `on_slow` once when that takes longer than SLOW seconds.
        Raises Unavailable where it does not start.
        """
        if sys.platform != "linux":
            raise Unavailable(f"exec_magic needs Linux; this is {sys.platform}")
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        watched, self._lifeline = os.pipe()
        kernel = os.pidfd_open(os.getpid())
        self._log = os.memfd_create("exec_magic log")
        self._groups: dict[str, str] = {}
        passed = (theirs.fileno(), watched, kernel)
        try:
            self._guardian = _start_guardian(passed, self._log, is_namespaced=is_namespaced)
        finally:
            theirs.close()
            os.close(watched)
            os.close(kernel)
        preload = [name for name in PRELOADABLE if name in sys.modules]
        setup = {"path": search_path(), "preload": preload, "colors": colors}
        self.order({"do": "setup", **setup})
        try:
            ready = self._wait_until_ready(on_slow)
        except BaseException:  # a KeyboardInterrupt above all: what was started must not stay
            self.close()
            raise
        self.pid: int = ready["pid"]
        self.is_namespaced: bool = ready["is_namespaced"]
        self._groups = ready["groups"]

    @property
    def guardian_pid(self) -> int:
        """The guardian's process id."""
        return self._guardian.pid

    def fileno(self) -> int:
        """Return the control socket's descriptor."""
        return self._control.fileno()

    def order(self, order: dict[str, Any]) -> None:
        """Ask the server for something; one that is dead is found out by `facts`."""
        try:
            self._control.send(json.dumps(order).encode())
        except (BrokenPipeError, ConnectionResetError):
            pass

    def facts(self) -> list[tuple[dict[str, Any], list[int]]] | None:
        """Return what the server has told, each with its descriptors; None once it is gone."""
        facts: list[tuple[dict[str, Any], list[int]]] = []
        # Not `socket.recv_fds`: Python 3.11's ignores its flags.
        flags = socket.MSG_DONTWAIT | socket.MSG_CMSG_CLOEXEC
        room = socket.CMSG_LEN(3 * _DESCRIPTOR.itemsize)
        while True:
            descriptors = array.array("i")
            try:
                data, ancillary, _, _ = self._control.recvmsg(MAX_FACT, room, flags)
            except BlockingIOError:
                return facts
            except ConnectionResetError:
                data, ancillary = b"", []
            if not data:
                return facts or None
            for _, _, sent in ancillary:
                descriptors.frombytes(sent)
            facts.append((json.loads(data), descriptors.tolist()))

    def close(self) -> None:
        """End the server and all its runs; return when nothing of them is left."""
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1
        try:
            self._guardian.wait(END_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._guardian.kill()
            self._guardian.wait()
        if self._guardian.returncode:
            self._sweep()
        self._control.close()
        if self._log >= 0:
            os.close(self._log)
            self._log = -1

    def _sweep(self) -> None:
        """Remove the cgroups of a guardian that was killed before it could."""
        folders = {str(Path(folder).parent) for folder in self._groups.values()}
        boot = _BOOT.format(_FOLDER, "guardian")
        command = [sys.executable, "-I", "-S", "-c", boot, "sweep", *folders]
        subprocess.run(command, check=False, env=_environment(), cwd="/")  # noqa: S603

    @property
    def controllers(self) -> frozenset[str]:
        """The cgroup controllers that hold runs to their limits here."""
        return frozenset(self._groups)

    def disown(self) -> None:
        """Let go in a fork child of the kernel process, without ending anything."""
        os.close(self._lifeline)
        self._control.close()
        os.close(self._log)
        self._lifeline = self._log = -1
        self._guardian.returncode = 0  # not this process's child: nothing to wait for

    def _wait_until_ready(self, on_slow: Callable[[], None] | None) -> dict[str, Any]:
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        begin = time.monotonic()
        if not poll.poll(SLOW * 1000) and on_slow is not None:
            on_slow()
        is_heard = poll.poll(max(0.0, BOOT_TIMEOUT - (time.monotonic() - begin)) * 1000)
        data = self._control.recv(MAX_FACT) if is_heard else b""
        fact: dict[str, Any] = json.loads(data) if data else {"fact": "broken"}
        if fact["fact"] == "ready":
            return fact
        said = fact.get("message") or self.last_words()
        if not is_heard:
            said = f"no answer within {BOOT_TIMEOUT:.0f} s"
        raise Unavailable(f"the sandbox server did not start: {said}")

    def last_words(self) -> str:
        """Return the last line that guardian or server wrote to their log."""
        lines = os.pread(self._log, MAX_FACT, 0).decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it ended without a word"


def cpus() -> int:
    """Return how many CPUs this process may use."""
    return len(os.sched_getaffinity(0))


def search_path() -> list[str]:
    """Return `sys.path` with the working folder named; other entries may be no folders at all."""
    return [entry or str(Path.cwd()) for entry in sys.path]


def _start_guardian(
    passed: tuple[int, int, int], log: int, *, is_namespaced: bool
) -> subprocess.Popen[bytes]:
    environ = _environment()
    control, lifeline, kernel = passed
    # The server keeps the notebook's own flags: what runs start (joblib) inherits them.
    flags = ["-P"] + (["-s"] if sys.flags.no_user_site else [])
    orders = {
        "server": [sys.executable, *flags, "-c", _BOOT.format(_FOLDER, "server")],
        "environ": environ,
        "namespaced": is_namespaced,
        "control": control,
        "lifeline": lifeline,
        "kernel": kernel,
    }
    boot = _BOOT.format(_FOLDER, "guardian")
    return subprocess.Popen(  # noqa: S603 - our own interpreter and code
        [sys.executable, "-I", "-S", "-c", boot, json.dumps(orders)],
        pass_fds=passed,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=log,
        start_new_session=True,
        env=environ,
        cwd="/",
    )


def _environment() -> dict[str, str]:
    """Return the server's own environment; the runs' travels with each run."""
    passed = {
        name: value
        for name, value in os.environ.items()
        if name in _PASSED_ON or name.startswith("LC_")
    }
    return passed | _ONE_THREAD | {"OPENBLAS_NUM_THREADS": str(cpus())}
