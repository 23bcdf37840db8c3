"""Waits for a run on the thread that asked for it, and turns Ctrl-C into an end of the run."""

from __future__ import annotations

import queue
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeAlias

from exec_magic.model import Event, Finished, Output, OutputDict

#: A run's events; None stands for a Ctrl-C.
Events: TypeAlias = "queue.SimpleQueue[Event | None]"


@contextmanager
def interrupts_to(events: Events) -> Iterator[None]:
    """Queue every SIGINT as None, so that it neither gets lost nor leaves a run behind.

    A KeyboardInterrupt could be raised between any two steps: after a run was started and before
    it is known here, or with an event in hand. On other threads than the main one there is none.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) is None:
        yield
        return

    def note(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a signal handler's
        events.put(None)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def follow(
    events: Events, show: Callable[[OutputDict], object], cancel: Callable[[], object]
) -> bool:
    """Show outputs until the run has finished; return whether it was interrupted.

    Whatever ends the showing (a closed stream, another signal's exception) ends the run first.
    """
    is_interrupted = False
    try:
        while not isinstance(event := events.get(), Finished):
            if event is None:
                is_interrupted = True
                cancel()
            elif isinstance(event, Output):
                show(event.output)
    except BaseException:
        cancel()
        raise
    return is_interrupted
