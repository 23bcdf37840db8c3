"""Whoever is killed, nothing is left: kernel, server, guardian, alone and together."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from rig.kernel import Kernel
from rig.leftovers import below, wait_until_gone
from rig.machine import environment, has_namespaces

_DRIVER = Path(__file__).with_name("driver.py")


class Driver:
    """The program of `driver.py` with its runs under way."""

    def __init__(self, home: Path, **orders: Any) -> None:
        self._program = subprocess.Popen(
            [sys.executable, _DRIVER, json.dumps({"runs": 10, "pool": False} | orders)],
            env=environment(home),
            cwd=home,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pids: dict[str, Any] = {}

    def start(self) -> None:
        """Wait until it says that its runs are under way."""
        self.pids = self._read() | {"driver": self._program.pid}
        self.tree = below(self._program.pid)

    def _read(self) -> dict[str, Any]:
        assert self._program.stdout
        line = self._program.stdout.readline()
        assert line, f"the driver ended with {self._program.wait(10)}"
        result: dict[str, Any] = json.loads(line)
        return result

    def kill(self, *names: str) -> None:
        """Send SIGKILL to processes named in what the driver printed."""
        for name in names:
            os.kill(self.pids[name], signal.SIGKILL)

    def ask(self) -> dict[str, Any]:
        """Return the states of the runs when all have ended, and what a new run printed."""
        assert self._program.stdin
        self._program.stdin.write("\n")
        self._program.stdin.flush()
        return self._read()

    def left(self, seconds: float) -> set[psutil.Process]:
        """Return what lives of the driver's processes, but for its pool, after so long."""
        pool = {process for process in self.tree if process.pid in self.pids["pool"]}
        return wait_until_gone(self.tree - pool, seconds)

    def finish(self) -> int:
        """Let it close its session and end; return its exit code."""
        assert self._program.stdin
        self._program.stdin.close()
        return self._program.wait(15)

    def close(self) -> None:
        """End the driver, and the pool whose workers Python itself leaves behind."""
        with self._program:
            self._program.kill()
        for pid in self.pids.get("pool", []):
            if psutil.pid_exists(pid):
                os.kill(pid, signal.SIGKILL)


@pytest.fixture(params=[True, False], ids=["namespaced", "plain"])
def mode(request: pytest.FixtureRequest) -> dict[str, bool]:
    """Run the test in both modes, where both can be had."""
    if request.param and not has_namespaces():
        pytest.skip("no PID and mount namespaces here")
    return {"namespaced": request.param}


@pytest.fixture
def driver(mode: dict[str, bool], home: Path) -> Iterator[Driver]:
    """Provide a driver with ten runs under way."""
    with contextlib.closing(Driver(home, **mode)) as driver:
        driver.start()
        yield driver


@pytest.fixture
def driver_with_pool(mode: dict[str, bool], home: Path) -> Iterator[Driver]:
    """Provide a driver with ten runs under way and a live multiprocessing.Pool."""
    with contextlib.closing(Driver(home, **mode, pool=True)) as driver:
        driver.start()
        yield driver


def test_kernel_killed(driver: Driver) -> None:
    """The kernel process is killed while ten runs go on: within a second nothing is left."""
    assert len(driver.tree) >= 12
    driver.kill("driver")
    assert not driver.left(1)


def test_kernel_killed_with_a_pool(driver_with_pool: Driver) -> None:
    """A live pool of its forked workers, which hold the kernel's descriptors, changes nothing."""
    assert len(driver_with_pool.pids["pool"]) == 2
    driver_with_pool.kill("driver")
    assert not driver_with_pool.left(1)


def test_kernel_and_server_killed(driver: Driver) -> None:
    """The kernel process and the server are killed together: within a second nothing is left."""
    driver.kill("driver", "server")
    assert not driver.left(1)


def test_kernel_and_guardian_killed(driver: Driver) -> None:
    """The kernel process and the guardian are killed together: within a second nothing is left."""
    driver.kill("guardian", "driver")
    assert not driver.left(1)


@pytest.mark.parametrize("name", ["server", "guardian"])
def test_server_or_guardian_killed(driver: Driver, name: str) -> None:
    """Server or guardian is killed: nothing of it is left, its runs are `lost`, the next works."""
    driver.kill(name)
    assert not driver.left(1)
    answer = driver.ask()
    assert answer == {"states": ["lost"] * 10, "after": ["completed", "42\n"]}


def test_kernel_terminated(driver: Driver) -> None:
    """SIGTERM ends the kernel process, without any exit handler: nothing is left."""
    os.kill(driver.pids["driver"], signal.SIGTERM)
    assert not driver.left(1)


def test_kernel_closes_its_session(driver: Driver) -> None:
    """The kernel process closes its session while ten runs go on, and ends: nothing is left."""
    assert driver.finish() == 0
    assert not driver.left(0)


_START_TEN_RUNS_AND_A_POOL = """
import multiprocessing, queue, exec_magic as em
from exec_magic import model, session
events = queue.SimpleQueue()
code = "print('up', flush=True)\\nimport time\\ntime.sleep(600)"
runs = [session.current().submit(model.Cell(code), listener=events.put) for _ in range(10)]
up = set()
while len(up) < 10:
    event = events.get(timeout=60)
    if isinstance(event, model.Output):
        up.add(event.run)
pool = multiprocessing.get_context("fork").Pool(2)
workers = [child.pid for child in multiprocessing.active_children()]
"""


@pytest.fixture
def doomed_kernel(home: Path) -> Iterator[Kernel]:
    """Provide a kernel for the test to kill."""
    with contextlib.closing(Kernel(home)) as kernel:
        yield kernel


def test_notebook_kernel_killed(doomed_kernel: Kernel) -> None:
    """A real ipykernel with ten runs and a live pool is killed: within a second nothing is left."""
    started = doomed_kernel.run_cell(_START_TEN_RUNS_AND_A_POOL)
    assert started.status == "ok", started.text
    workers = set(doomed_kernel.value("workers"))
    tree = {process for process in below(doomed_kernel.pid) if process.pid not in workers}
    assert len(tree) >= 12
    os.kill(doomed_kernel.pid, signal.SIGKILL)
    assert not wait_until_gone(tree, 1)
    for pid in workers:
        os.kill(pid, signal.SIGKILL)


def test_notebook_kernel_shut_down(doomed_kernel: Kernel) -> None:
    """A real ipykernel is shut down, as a notebook does it, while a cell in a sandbox goes on."""
    doomed_kernel.run_cell("%load_ext exec_magic")
    request = doomed_kernel.submit("%%sandbox\nprint('going')\nwhile True: pass")
    assert any("going" in shown.get("text", "") for shown in doomed_kernel.messages(request))
    assert not doomed_kernel.close()
