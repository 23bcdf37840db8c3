"""An engine that only plays: it has no processes, and ends its runs as a test says."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

from exec_magic.engine.loop import Dispatcher
from exec_magic.engine.run import Run
from exec_magic.model import (
    Cancelled,
    Completed,
    Facts,
    Figures,
    Finished,
    Listener,
    Outcome,
    Output,
    OutputDict,
    Spec,
    Started,
    Story,
    View,
)


class Player:
    """In the engine's place: plays outputs and an end for each submission, on a thread."""

    def __init__(self, view: View) -> None:
        self.specs: list[Spec] = []
        self.outputs: list[OutputDict] = []
        self.outcome: Outcome = Completed()
        self.walltime = 0.1
        self.is_endless = False
        self.is_slow = False
        self.failure: Exception | None = None
        self.starts: list[str] = []
        self._view = view
        self._dispatcher = Dispatcher()
        self._stopped = threading.Event()

    def start(self, colors: str, on_slow: Callable[[], None] | None = None) -> None:
        """Note the start, say that it is slow, or fail, as the test wishes."""
        self.starts.append(colors)
        if self.is_slow and on_slow is not None:
            on_slow()
        if self.failure is not None:
            raise self.failure

    def submit(self, spec: Spec, listener: Listener | None, _: object) -> Run:
        """Play one run; an endless one interrupts its own process and waits to be stopped."""
        self.specs.append(spec)
        run = Run(spec, self._view, self._dispatcher, lambda _: self._stopped.set())
        threading.Thread(target=self._play, args=(run, listener or (lambda _: None))).start()
        return run

    def close(self) -> None:
        """End the thread of callbacks."""
        self._dispatcher.close()

    def _play(self, run: Run, tell: Listener) -> None:
        run.begin(())
        tell(Started(run.id))
        for output in self.outputs:
            run.transcript.add(output)
            tell(Output(run.id, output))
        outcome = self.outcome
        if self.is_endless:
            os.kill(os.getpid(), signal.SIGINT)
            assert self._stopped.wait(10)
            outcome = Cancelled()
        run.finish(outcome, Facts(0, None, Figures(self.walltime)), Story(), ())
        tell(Finished(run.id, outcome))
