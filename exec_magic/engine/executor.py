"""Takes specs, gives Runs: joins each run with a child of the server and sees it to its end."""

from __future__ import annotations

import dataclasses
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from exec_magic.engine import handover, verdict
from exec_magic.engine.budget import budget
from exec_magic.engine.launcher import Server
from exec_magic.engine.live import Child, Live
from exec_magic.engine.loop import Dispatcher, Loop
from exec_magic.engine.run import Run
from exec_magic.errors import Unavailable
from exec_magic.model import (
    Cancelled,
    Command,
    Facts,
    Figures,
    Finished,
    Limits,
    Listener,
    Lost,
    Outcome,
    Sample,
    Seconds,
    Spec,
    Started,
    Story,
    Usage,
    View,
)

#: What is available is read anew for the first of several runs, but not for each of a quick series.
BUDGET_AGE: Seconds = 1.0
_SAMPLE = [field.name for field in dataclasses.fields(Sample)]
_FIGURES = [field.name for field in dataclasses.fields(Figures)]
_NAMESPACED = ("own PID namespace", "own /proc", "own /dev/shm")


class Executor:
    """The engine of one process; its server starts with the first run.

    `is_namespaced=False` runs plainly even where namespaces can be had.
    """

    def __init__(self, view: View, *, is_namespaced: bool = True) -> None:
        """Start nothing yet."""
        self._view = view
        self._is_namespaced = is_namespaced
        self._dispatcher = Dispatcher()
        self._loop: Loop | None = None
        self._server: Server | None = None
        self._starting = threading.Lock()
        # Guards what follows; held for moments only, never while waiting.
        self._lock = threading.RLock()
        self._stock: deque[Child] = deque()
        self._waiting: deque[tuple[Run, Listener | None]] = deque()
        self._live: dict[str, Live] = {}
        self._budget = 0
        self._budget_read = -BUDGET_AGE

    @property
    def server(self) -> Server | None:
        """The server that runs now, if any."""
        return self._server

    def start(self, colors: str = "nocolor", on_slow: Callable[[], None] | None = None) -> None:
        """Start the server unless it runs; raises Unavailable."""
        with self._starting:
            if self._server is not None:
                return
            server = Server(is_namespaced=self._is_namespaced, colors=colors, on_slow=on_slow)
            if self._loop is None:
                self._loop = Loop()
            self._server = server
            self._loop.listen(server.fileno(), lambda: self._hear(server))

    def submit(
        self,
        spec: Spec,
        listener: Listener | None = None,
        on_slow: Callable[[], None] | None = None,
    ) -> Run:
        """Run a spec as soon as a child is ready; `listener` is told everything about it."""
        run = Run(spec, self._view, self._dispatcher, self._cancel)
        while True:
            self.start(spec.task.colors, on_slow)
            with self._lock:
                if self._server is None:  # it has died since
                    continue
                _check_enforceable(spec.limits, self._server.controllers)
                if self._stock:
                    self._take(run, listener, self._stock.popleft())
                else:
                    self._waiting.append((run, listener))
                    self._order({"do": "need", "count": len(self._waiting)})
                return run

    def close(self) -> None:
        """Cancel everything; return when no process, thread or descriptor of ours is left."""
        with self._starting:
            server, self._server = self._server, None
            loop, self._loop = self._loop, None
        if loop is not None:
            loop.stop()
            if server is not None:
                self._end_server(server, Cancelled())
            loop.close()
        self._dispatcher.close()

    def disown(self) -> None:
        """Forget everything in a fork child of the kernel process."""
        if self._server is not None:
            self._server.disown()
        for child in [*self._stock, *(live.child for live in self._live.values())]:
            child.close()

    # From any thread, under the lock.

    def _take(self, run: Run, listener: Listener | None, child: Child) -> None:
        server, loop = self._server, self._loop
        if server is None or loop is None:  # closed meanwhile
            child.close()
            _finish(run, listener, Cancelled())
            return
        live = self._live[run.id] = Live(run, child, listener, loop)
        if len(self._live) == 1 and time.monotonic() - self._budget_read > BUDGET_AGE:
            self._budget, self._budget_read = budget(), time.monotonic()
        run.budget = self._budget
        run.begin(_protections(server))
        limits = run.spec.limits
        order = {"do": "take", "child": child.number, "run": run.id, "budget": self._budget}
        order["is_command"] = isinstance(run.spec.task, Command)
        server.order({**order, "limits": dataclasses.asdict(limits)})
        live.tell(Started(run.id))
        live.begin(
            handover.order(run.spec),
            handover.stdin(run.spec),
            lambda verb: self._order({"do": verb, "run": run.id}),
        )

    def _order(self, order: dict[str, Any]) -> None:
        server = self._server
        if server is not None:
            server.order(order)

    def _cancel(self, run: Run) -> None:
        with self._lock:
            waiting = next((entry for entry in self._waiting if entry[0] is run), None)
            if waiting is None:
                self._order({"do": "cancel", "run": run.id})
                return
            self._waiting.remove(waiting)
        _finish(run, waiting[1], Cancelled())

    # On the loop's thread.

    def _hear(self, server: Server) -> None:
        facts = server.facts()
        if facts is None:
            self._lose(server)
            return
        for fact, descriptors in facts:
            self._note(fact, descriptors)

    def _note(self, fact: dict[str, Any], descriptors: list[int]) -> None:
        with self._lock:
            match fact["fact"]:
                case "child":
                    self._add(Child(fact["child"], descriptors))
                case "gone":
                    self._drop(fact["child"])
                case "refused":
                    self._retake(self._live.pop(fact["run"]))
                case "sample":
                    self._sampled(fact)
                case "ended":
                    live = self._live.pop(fact["run"])
                    self._end(live, _facts(fact))

    def _add(self, child: Child) -> None:
        if self._waiting:
            run, listener = self._waiting.popleft()
            self._take(run, listener, child)
        else:
            self._stock.append(child)

    def _drop(self, number: int) -> None:
        for child in [child for child in self._stock if child.number == number]:
            self._stock.remove(child)
            child.close()

    def _retake(self, live: Live) -> None:
        """Give a run whose child had died before it was taken another one."""
        live.end()
        self._waiting.appendleft((live.run, live.tell))
        self._order({"do": "need", "count": len(self._waiting)})
        if self._stock:
            self._add(self._stock.popleft())

    def _sampled(self, fact: dict[str, Any]) -> None:
        live = self._live.get(fact["run"])
        if live is not None:
            sample = Sample(**{name: fact[name] for name in _SAMPLE})
            live.run.sampled(sample)
            live.tell(Usage(live.run.id, sample))

    def _end(self, live: Live, facts: Facts) -> None:
        story = live.end()
        spec = live.run.spec
        is_command = isinstance(spec.task, Command)
        outcome = verdict.judge(facts, story, spec.limits, live.run.budget, is_command=is_command)
        hints = verdict.hints(outcome, facts, story, spec.limits)
        _finish(live.run, live.tell, outcome, facts, story, hints)

    def _lose(self, server: Server) -> None:
        """The server is gone by itself: so is, once its guardian has ended, all that it forked."""
        with self._starting:
            if self._loop is not None:
                self._loop.ignore(server.fileno())
            self._end_server(server, Lost())

    def _end_server(self, server: Server, outcome: Outcome) -> None:
        """Wait until nothing of a server is left, then end its runs; a second call is harmless."""
        server.close()
        with self._lock:
            if self._server is server:
                self._server = None
            live, self._live = list(self._live.values()), {}
            waiting, self._waiting = list(self._waiting), deque()
            stock, self._stock = list(self._stock), deque()
        for child in stock:
            child.close()
        for one in live:
            _finish(one.run, one.tell, outcome, story=one.end())
        for run, listener in waiting:
            _finish(run, listener, outcome)


def _finish(
    run: Run,
    listener: Listener | None,
    outcome: Outcome,
    facts: Facts = Facts(None, None, Figures()),
    story: Story = Story(),
    hints: tuple[str, ...] = (),
) -> None:
    run.finish(outcome, facts, story, hints)
    if listener is not None:
        listener(Finished(run.id, outcome))


def _facts(fact: dict[str, Any]) -> Facts:
    """Return the server's fact of an end as a value."""
    code = os.waitstatus_to_exitcode(fact["status"])
    return Facts(
        exit_code=code if code >= 0 else None,
        signal=-code if code < 0 else None,
        figures=Figures(**{name: fact[name] for name in _FIGURES}),
        limit=fact["limit"],
        is_shared_budget=fact["is_shared_budget"],
        is_cancelled=fact["is_cancelled"],
        is_overdue=fact["is_overdue"],
        is_refused_processes=fact["is_refused_processes"],
    )


def _protections(server: Server) -> tuple[str, ...]:
    """Return in words what is around every run here, and which default cannot be had."""
    held = [name for name in ("memory", "pids", "cpu") if name in server.controllers]
    words = list(_NAMESPACED) if server.is_namespaced else []
    words += [f"cgroup ({', '.join(held)})"] if held else []
    words += [] if "pids" in held else ["without: a limit of processes (no pids cgroup here)"]
    return tuple(words)


def _check_enforceable(limits: Limits, controllers: frozenset[str]) -> None:
    """Raise Unavailable for a limit that was asked for and that nothing here can enforce."""
    for name, controller in (("processes", "pids"), ("cpus", "cpu")):
        asked = getattr(limits, name)
        if asked is not None and controller not in controllers:
            raise Unavailable(
                f"--{name} {asked:g} cannot be enforced here: it takes a {controller} cgroup that "
                "this user may use (root's, or one that systemd delegates)"
            )
