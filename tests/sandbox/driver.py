"""A program that uses exec_magic, for the tests to kill: prints one line of JSON, then waits.

Started as `driver.py JSON` with {"namespaced": bool, "runs": int, "pool": bool}.
Prints {"guardian": pid, "server": pid, "pool": [pid, …]} when all its runs are under way, and
then, for every line that it reads, the states of its runs and what a new run prints.
"""

from __future__ import annotations

import json
import multiprocessing
import queue
import sys
import time
from typing import Any

import psutil

import exec_magic as em
from exec_magic import model
from exec_magic.session import Session


def _start_runs(session: Session, count: int) -> list[em.Run]:
    """Start runs that sleep; return when the code of each is running."""
    events: queue.SimpleQueue[model.Event] = queue.SimpleQueue()
    code = "print('up', flush=True)\nimport time\ntime.sleep(600)"
    runs = [session.submit(model.Cell(code), listener=events.put) for _ in range(count)]
    waiting = {run.id for run in runs}
    while waiting:
        event = events.get(timeout=60)
        if isinstance(event, model.Output):
            waiting.discard(event.run)
    return runs


def _processes() -> dict[str, int]:
    """Return the pids of the guardian and of its only child, the server."""
    me = psutil.Process()
    guardian = next(child for child in me.children() if "guardian" in " ".join(child.cmdline()))
    deadline = time.monotonic() + 10
    while len(guardian.children()) != 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    (server,) = guardian.children()
    return {"guardian": guardian.pid, "server": server.pid}


def main() -> None:
    """Do as the module says."""
    orders: dict[str, Any] = json.loads(sys.argv[1])
    session = Session(is_namespaced=orders["namespaced"])
    runs = _start_runs(session, orders["runs"])
    pool = multiprocessing.get_context("fork").Pool(2) if orders["pool"] else None
    workers = [child.pid for child in multiprocessing.active_children()] if pool else []
    print(json.dumps(_processes() | {"pool": workers}), flush=True)
    for _ in sys.stdin:
        states = [run.wait(30).state for run in runs]
        after = session.submit(model.Cell("print(6 * 7)")).wait(60)
        print(json.dumps({"states": states, "after": [after.state, after.stdout]}), flush=True)
    session.close()


if __name__ == "__main__":
    main()
