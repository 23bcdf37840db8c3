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

    def close(self) -> None:
        """End the driver, and the pool whose workers Python itself leaves behind."""
        for stream in (self._program.stdin, self._program.stdout):
            if stream:
                stream.close()
        try:
            self._program.wait(15)
        except subprocess.TimeoutExpired:
            self._program.kill()
            self._program.wait()
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


def test_kernel_ends_by_itself(driver: Driver) -> None:
    """The kernel process closes its session while runs go on: nothing is left when it has ended."""
    os.kill(driver.pids["driver"], signal.SIGTERM)
    assert not driver.left(1)


def test_notebook_kernel_killed(home: Path) -> None:
    """A real ipykernel with ten runs and a live pool is killed: within a second nothing is left."""
    kernel = Kernel(home)
    try:
        start = (
            "import multiprocessing, queue, exec_magic as em\n"
            "from exec_magic import model, session\n"
            "events = queue.SimpleQueue()\n"
            "code = \"print('up', flush=True)\\nimport time\\ntime.sleep(600)\"\n"
            "runs = [session.current().submit(model.Cell(code), listener=events.put)"
            " for _ in range(10)]\n"
            "up = set()\n"
            "while len(up) < 10:\n"
            "    event = events.get(timeout=60)\n"
            "    if isinstance(event, model.Output): up.add(event.run)\n"
            "pool = multiprocessing.get_context('fork').Pool(2)\n"
            "workers = [child.pid for child in multiprocessing.active_children()]"
        )
        assert kernel.run_cell(start).status == "ok"
        workers = set(kernel.value("workers"))
        tree = {process for process in below(kernel.pid) if process.pid not in workers}
        assert len(tree) >= 12
        os.kill(kernel.pid, signal.SIGKILL)
        assert not wait_until_gone(tree, 1)
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
    finally:
        kernel.close()
