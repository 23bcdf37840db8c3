"""Wires engine, tables and display for one process; the only place that constructs them."""

from __future__ import annotations

import atexit
import os
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from exec_magic import config
from exec_magic.engine import command
from exec_magic.engine.executor import Executor
from exec_magic.engine.run import Run
from exec_magic.errors import BadBody, BadOption, Interrupted
from exec_magic.model import Cell, Command, Limits, Listener, Record, Sample, Spec

if TYPE_CHECKING:
    import pandas as pd

    from exec_magic.display.publish import Screen

#: Finished runs whose output stays in memory; of earlier ones the figures stay.
KEPT_OUTPUTS = 200


class _View:
    """How runs are shown; pandas and matplotlib are imported when first asked for."""

    @property
    def summary(self) -> Literal["full", "stable"]:
        return config.load().summary

    def usage(self, samples: list[Sample]) -> pd.DataFrame:
        from exec_magic.history import frames

        return frames.usage(samples)

    def row(self, record: Record) -> dict[str, Any]:
        from exec_magic.history import frames

        return frames.row(record)

    def mimebundle(self, record: Record, samples: list[Sample]) -> dict[str, str]:
        from exec_magic.display import render

        return render.mimebundle(record, samples, self.summary)

    def plot(self, record: Record, samples: list[Sample]) -> Any:
        from exec_magic.display import plot

        return plot.plot(record, samples)


@dataclass(frozen=True)
class Shows:
    """What of a run is shown while somebody waits for it."""

    outputs: bool = True
    record: bool = True
    #: `stdout`, `stderr`: streams that are not shown.
    hidden: frozenset[str] = frozenset()
    #: Tracebacks are text on stderr, not outputs that make a notebook's cell count as failed.
    errors_as_text: bool = False


class Session:
    """All runs of one process, and what serves them; making one starts nothing.

    `is_namespaced=False` is for tests: it runs plainly where namespaces could be had.
    """

    def __init__(self, *, is_namespaced: bool = True) -> None:
        """Start no process and no thread."""
        self.view = _View()
        self.executor = Executor(self.view, is_namespaced=is_namespaced)
        self._runs: list[Run] = []
        self._with_outputs: deque[Run] = deque()
        self._count = 0
        self._lock = threading.Lock()

    @property
    def last(self) -> Run | None:
        """The newest run."""
        return self._runs[-1] if self._runs else None

    def submit(
        self,
        task: Cell | Command,
        *,
        name: str | None = None,
        limits: Limits = Limits(),
        labels: Mapping[str, Any] | None = None,
        listener: Listener | None = None,
        on_slow_start: Callable[[], None] | None = None,
    ) -> Run:
        """Run a cell or command in a sandbox; return its Run once the server is up.

        `listener` is called on the engine's thread; `on_slow_start` in the caller's, once, where
        the server takes long to start.
        Raises BadOption, BadBody, BadCommand, Unavailable; then nothing was started.
        """
        check(task, name)
        with self._lock:
            self._count += 1
            name = name or f"run{self._count}"
        spec = Spec(task, name, limits, dict(labels or {}))
        run = self.executor.submit(spec, listener, on_slow_start)
        with self._lock:
            self._runs.append(run)
            self._with_outputs.append(run)
            self._forget_old_outputs()
        return run

    def attend(
        self,
        task: Cell | Command,
        *,
        name: str | None = None,
        limits: Limits = Limits(),
        labels: Mapping[str, Any] | None = None,
        shows: Shows = Shows(),
        on_slow_start: Callable[[], None] | None = None,
        on_start: Callable[[Run], object] = lambda _: None,
    ) -> Run:
        """Run a task and wait, showing its outputs as they come, then its record; return the run.

        `on_start` is called with the run as soon as there is one.
        Raises as `submit`; and Interrupted, when the run is gone, where SIGINT came.
        """
        from exec_magic.display import follow, publish

        check(task, name)
        # Before SIGINT is held back: starting may take a second, and can be interrupted.
        self.executor.start(task.colors, on_slow_start)
        events: follow.Events = queue.SimpleQueue()
        screen = publish.screen() if shows.outputs else None
        show = partial(
            publish.show, on=screen, is_error_text=shows.errors_as_text, hidden=shows.hidden
        )
        with follow.interrupts_to(events):
            run = self.submit(task, name=name, limits=limits, labels=labels, listener=events.put)
            on_start(run)
            is_interrupted = follow.follow(events, show, run.cancel)
            self._show_record(run, screen if shows.record else None)
        if is_interrupted or not events.empty():  # a SIGINT that came after the end counts too
            raise Interrupted(run.message, run)
        return run

    def run(
        self,
        task: Cell | Command,
        *,
        name: str | None = None,
        asked: config.Asked,
        labels: Mapping[str, Any] | None = None,
        is_shown: bool = False,
    ) -> Run:
        """Run a cell or command and wait; return its Run, however it ended.

        `is_shown`: output appears as it comes, the record follows.
        Raises what `submit` raises, and Interrupted where the user interrupts.
        """
        limits = config.resolve_limits(asked, is_interactive=False)
        # The caller's cell does not fail with the run: no error output, which would say so.
        shows = Shows(outputs=is_shown, record=is_shown, errors_as_text=True)
        return self.attend(task, name=name, limits=limits, labels=labels, shows=shows)

    def show_record(self, run: Run) -> None:
        """Show a run's record, where it is worth it."""
        from exec_magic.display import publish

        self._show_record(run, publish.screen())

    def replay(self, run: Run) -> None:
        """Show again what a run has shown, errors as text, and its record."""
        from exec_magic.display import publish

        screen = publish.screen()
        for output in run.outputs:
            publish.show(output, screen, is_error_text=True)
        screen.display({"data": self.view.mimebundle(run.record(), run.samples)})

    def find(self, name: str) -> Run:
        """Return the newest run of a name; `NAME@1` is the first of that name, and so on.

        Raises BadOption naming the runs that there are.
        """
        base, _, number = name.partition("@")
        named = [run for run in self._runs if run.name == base]
        if number.isdigit() and 1 <= int(number) <= len(named):
            return named[int(number) - 1]
        if named and not number:
            return named[-1]
        known = ", ".join(dict.fromkeys(run.name for run in self._runs[-20:])) or "none yet"
        raise BadOption(f"no run is named {name!r}; there are: {known}")

    def names(self) -> list[str]:
        """Return the runs' names, newest last, each once."""
        return list(dict.fromkeys(run.name for run in self._runs))

    def live(self) -> list[Run]:
        """Return the runs that have not ended."""
        return [run for run in self._runs if not run.done()]

    def runs(self) -> pd.DataFrame:
        """Return a DataFrame with a row per run, newest last."""
        from exec_magic.history import frames

        return frames.runs([run.record() for run in self._runs])

    def close(self) -> None:
        """Cancel all runs and end everything that was started; the runs stay readable."""
        self.executor.close()

    def _show_record(self, run: Run, screen: Screen | None) -> None:
        from exec_magic.display import render

        record = run.record()
        if screen is not None and render.is_worth_showing(record, self.view.summary):
            screen.display({"data": self.view.mimebundle(record, run.samples)})

    def _forget_old_outputs(self) -> None:
        while len(self._with_outputs) > KEPT_OUTPUTS and self._with_outputs[0].done():
            self._with_outputs.popleft().forget_outputs()


_current: Session | None = None
_current_lock = threading.Lock()


def current() -> Session:
    """Return the process's session, made at the first call."""
    global _current  # noqa: PLW0603 - one per process, by definition
    with _current_lock:
        if _current is None:
            _current = Session()
            atexit.register(close)
        return _current


def close() -> None:
    """End the process's session, if there is one; the next call of `current` makes a new one."""
    global _current
    with _current_lock:
        ended, _current = _current, None
    if ended is not None:
        atexit.unregister(close)
        ended.close()


def _leave_to_parent() -> None:
    """In a fork child: the runs are the parent's; what this process holds of them is closed."""
    global _current, _current_lock  # noqa: PLW0603 - a fork child has a state of its own
    _current_lock = threading.Lock()
    inherited, _current = _current, None
    if inherited is not None:
        atexit.unregister(close)
        inherited.executor.disown()


os.register_at_fork(after_in_child=_leave_to_parent)


def task_of(task: object) -> Cell | Command:
    """Return a task as the Python API takes it: a cell's text, or a Command; else TypeError."""
    if isinstance(task, str):
        return Cell(task)
    if isinstance(task, Cell | Command):
        return task
    raise TypeError(f"a task is a cell's text or a Command, not {type(task).__name__}")


def check(task: Cell | Command, name: str | None) -> None:
    """Raise BadOption, BadBody or BadCommand unless task and name can be submitted."""
    if name is not None:
        check_name(name)
    match task:
        case Cell():
            check_body(task.code, task.header_lines)
        case Command():
            command.check(task, is_guarded=config.load().guard == "on")


def check_name(name: str, option: str = "--name") -> None:
    """Raise BadOption unless what `option` names can be bound to `name`."""
    if not name.isidentifier() or name in _keywords():
        raise BadOption(f"{option} {name!r} is no Python identifier; letters, digits and _ may be")


def check_body(code: str, header_lines: int = 0) -> None:
    """Raise BadBody, in one line, unless the body compiles as an IPython cell.

    Lines are counted from the cell's first, of which `header_lines` stand above the body.
    """
    import ast
    import warnings

    from IPython.core.inputtransformer2 import TransformerManager

    try:
        with warnings.catch_warnings(action="ignore"):  # the run itself shows them
            compile(
                TransformerManager().transform_cell(code),
                "<cell>",
                "exec",
                flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
                dont_inherit=True,
            )
    except (SyntaxError, ValueError, OverflowError) as error:
        line = _in_one_line(error, code, header_lines)
        raise BadBody(f"the code does not compile: {line}") from None


def _in_one_line(error: Exception, code: str, header_lines: int) -> str:
    if not isinstance(error, SyntaxError):
        return str(error)
    lines = code.splitlines()
    # IPython has taken away the blank lines above the first one with code.
    blank = next((number for number, line in enumerate(lines) if line.strip()), 0)
    number = (error.lineno or 0) + blank
    line = f": {lines[number - 1].strip()[:80]}" if 0 < number <= len(lines) else ""
    return f"{error.msg}, line {number + header_lines}{line}"


def _keywords() -> Iterable[str]:
    import keyword

    return keyword.kwlist
