"""The run that users hold: a Future with a name, figures, outputs and a record."""

from __future__ import annotations

import concurrent.futures
import hashlib
import json
import time
import uuid
from collections.abc import Callable, Generator
from typing import Any

from exec_magic.engine import command
from exec_magic.engine.loop import Dispatcher
from exec_magic.engine.transcript import Transcript
from exec_magic.errors import SandboxError
from exec_magic.model import (
    FINAL,
    Bytes,
    Cancelled,
    CodeError,
    Command,
    Completed,
    Facts,
    Failed,
    Figures,
    Lost,
    Outcome,
    OutputDict,
    Reason,
    Record,
    Sample,
    Seconds,
    Spec,
    State,
    Stopped,
    Story,
    View,
)

#: Samples kept of one run; past that every second one goes, and half as many are taken on.
MAX_SAMPLES = 4096


class Run(concurrent.futures.Future[dict[str, Any]]):
    """One submission, however it ends.

    `result()` is the dict of values brought back, and raises SandboxError unless the run
    completed, CancelledError where it was cancelled. `await run` gives the run itself.
    Callbacks run on a thread of exec_magic's own.
    """

    def __init__(
        self, spec: Spec, view: View, dispatcher: Dispatcher, stop: Callable[[Run], None]
    ) -> None:
        """Made by the executor; `stop` asks it to end the run."""
        super().__init__()
        self.name = spec.name
        self.id = uuid.uuid4().hex
        self.spec = spec
        self.transcript = Transcript()
        self.budget: Bytes = 0
        self.protections: tuple[str, ...] = ()
        self.hints: tuple[str, ...] = ()
        #: Monotonic seconds at which the run was `submitted`, `taken`, `answered`, `resolved`.
        self.stamps: dict[str, Seconds] = {"submitted": time.monotonic()}
        self._view = view
        self._dispatcher = dispatcher
        self._stop = stop
        self._started: Seconds | None = None
        self._outcome: Outcome | None = None
        self._values: dict[str, Any] = {}
        self._facts = Facts(None, None, Figures())
        self._error: CodeError | None = None
        self._samples: list[Sample] = []
        self._stride = 1
        self._seen = 0

    # How it ended.

    @property
    def state(self) -> State:
        """`queued running completed failed stopped cancelled skipped` or `lost`."""
        if self._outcome is not None:
            return self._outcome.state
        return "queued" if self._started is None else "running"

    @property
    def reason(self) -> Reason:
        """The limit or cause that ended the run; empty when the code ended by itself."""
        return self._outcome.reason if self._outcome is not None else ""

    @property
    def message(self) -> str:
        """How the run stands, in one line."""
        return self._outcome.message if self._outcome is not None else self.state

    @property
    def exit_code(self) -> int | None:
        """The process's exit code; None while it runs and where a signal ended it."""
        return self._facts.exit_code

    @property
    def signal(self) -> int | None:
        """The number of the signal that ended the process, if one did."""
        return self._facts.signal

    @property
    def error(self) -> CodeError | None:
        """The exception that ended the code, as the code tells it."""
        return self._error

    # What it showed.

    @property
    def outputs(self) -> list[OutputDict]:
        """All outputs in order, as nbformat 4 stores them."""
        return self.transcript.outputs

    @property
    def stdout(self) -> str:
        """The text written to standard output."""
        return self.transcript.stream("stdout")

    @property
    def stderr(self) -> str:
        """The text written to standard error."""
        return self.transcript.stream("stderr")

    @property
    def text(self) -> str | None:
        """The text of the last expression; None where it had no value."""
        return self.transcript.text

    @property
    def images(self) -> list[bytes]:
        """The PNG images shown."""
        return self.transcript.images

    @property
    def values(self) -> dict[str, Any]:
        """The values brought back, by name; of `Command.aws` its answer, parsed, as `json`."""
        return dict(self._values)

    # What it used.

    @property
    def samples(self) -> list[Sample]:
        """The looks at the run's process tree, some 10 a second."""
        return list(self._samples)

    @property
    def usage(self) -> Any:
        """A DataFrame, a row per look: time, CPU, memory, processes, threads, bytes moved."""
        return self._view.usage(self.samples)

    @property
    def stats(self) -> dict[str, Any]:
        """This run's row of `runs()`."""
        return self._view.row(self.record())

    def plot(self) -> Any:
        """Draw memory and CPU over time; return the matplotlib Axes."""
        return self._view.plot(self.record(), self.samples)

    # As a whole.

    def record(self) -> Record:
        """Return the run as it stands."""
        return Record(
            name=self.name,
            id=self.id,
            state=self.state,
            reason=self.reason,
            message=self.message,
            figures=self._facts.figures,
            limits=self.spec.limits,
            started=self._started,
            exit_code=self.exit_code,
            signal=self.signal,
            error=self._error,
            code_hash=hashlib.sha256(self.spec.task.code.encode()).hexdigest()[:12],
            labels=self.spec.labels,
            protections=self.protections,
            hints=self.hints,
            budget=self.budget,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything about the run as JSON-able data."""
        record = self.record()
        error = None if record.error is None else vars(record.error)
        figures = vars(record.figures)
        data = {**vars(record), "figures": figures, "limits": vars(record.limits), "error": error}
        data |= {"labels": dict(record.labels), "outputs": self.outputs}
        data |= {"code": self.spec.task.code, "usage": [vars(sample) for sample in self._samples]}
        whole: dict[str, Any] = json.loads(json.dumps(data, default=str))
        return whole

    def report(self, max_chars: int = 20_000) -> str:
        """Return outcome, output and figures as plain text; of a long one head and tail."""
        parts = [self._view.mimebundle(self.record(), self.samples)["text/plain"]]
        parts += [f"--- {name}\n{text}" for name, text in self._told() if text]
        text = "\n".join(parts)
        if len(text) <= max_chars:
            return text
        half = max_chars // 2
        return f"{text[:half]}\n… {len(text) - 2 * half} characters left out …\n{text[-half:]}"

    def _told(self) -> list[tuple[str, str]]:
        traceback = self._error.traceback if self._error else ""
        told = [("stdout", self.stdout), ("stderr", self.stderr)]
        return [*told, ("last expression", self.text or ""), ("error", traceback)]

    def __repr__(self) -> str:
        """Return name and state."""
        return f"<Run {self.name}: {self.message}>"

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        return self._view.mimebundle(self.record(), self.samples)

    # As a Future.

    def wait(self, timeout: Seconds | None = None) -> Run:
        """Wait until the run has ended, however; return it.

        Raises TimeoutError after `timeout` seconds.
        """
        if concurrent.futures.wait([self], timeout).not_done:
            raise TimeoutError(f"run {self.name} goes on after {timeout} s")
        return self

    def cancel(self) -> bool:
        """End the run, also one that is running; return False where it has ended already.

        The Future becomes cancelled when the run's last process is gone.
        """
        if self.done():
            return False
        self._stop(self)
        return True

    def running(self) -> bool:
        """Tell whether the code runs now."""
        return self.state == "running"

    def add_done_callback(self, fn: Callable[[Any], object]) -> None:
        """Call `fn(run)` on exec_magic's callback thread once the run has ended."""
        super().add_done_callback(lambda run: self._dispatcher.call(lambda: fn(run)))

    def __await__(self) -> Generator[Any, None, Run]:
        """Wait in a coroutine; the run, however it ended."""
        import asyncio

        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()

        def tell() -> None:
            if not ended.done():
                ended.set_result(None)

        self.add_done_callback(lambda _: loop.call_soon_threadsafe(tell))
        yield from ended.__await__()
        return self

    # Called by the executor, on its thread.

    def begin(self, protections: tuple[str, ...]) -> None:
        """Note that the code begins."""
        self._started = time.time()
        self.protections = protections
        self.stamps["taken"] = time.monotonic()

    def sampled(self, sample: Sample) -> None:
        """Keep a sample; of a long run every second, fourth, … one."""
        self._seen += 1
        if self._seen % self._stride:
            return
        self._samples.append(sample)
        if len(self._samples) >= MAX_SAMPLES:
            del self._samples[::2]
            self._stride *= 2

    def finish(self, outcome: Outcome, facts: Facts, story: Story, hints: tuple[str, ...]) -> None:
        """End the run and tell all that wait."""
        self._facts, self._error, self.hints = facts, story.error, hints
        self._outcome = outcome
        self.stamps["resolved"] = time.monotonic()
        match outcome:
            case Completed():
                self._values = self._answer()
                self.set_result(self.values)
            case Cancelled():
                super().cancel()
                self.set_running_or_notify_cancel()
            case Failed() | Stopped() | Lost():
                self.set_exception(SandboxError(outcome.message, self))

    def _answer(self) -> dict[str, Any]:
        task = self.spec.task
        answer = command.document(task, self.stdout) if isinstance(task, Command) else None
        return {} if answer is None else {"json": answer}

    def forget_outputs(self) -> None:
        """Let go of output and samples; the figures stay."""
        if self.state in FINAL:
            self.transcript = Transcript()
            self._samples = []
