"""Outputs reach the screen that there is, and waiting leaves nothing behind."""

from __future__ import annotations

import os
import queue
import signal
import threading
from collections.abc import Mapping
from typing import Any

import pytest

from exec_magic.display import follow, publish
from exec_magic.model import Completed, Finished, Output, OutputDict, Started

STREAM: OutputDict = {"output_type": "stream", "name": "stdout", "text": "hello"}
RESULT: OutputDict = {
    "output_type": "execute_result",
    "data": {"text/plain": "42", "text/html": "<b>42</b>"},
    "metadata": {},
    "execution_count": 1,
}
ERROR: OutputDict = {
    "output_type": "error",
    "ename": "ValueError",
    "evalue": "no",
    "traceback": ["\x1b[31mValueError\x1b[0m: no"],
}


class _Pub:
    """IPython's display publisher, as far as it is called."""

    def __init__(self) -> None:
        self.published: list[dict[str, Any]] = []
        self.cleared: list[bool] = []

    def publish(self, **message: Any) -> None:
        self.published.append(message)

    def clear_output(self, wait: bool) -> None:
        self.cleared.append(wait)


class _Shell:
    """A kernel's shell, as far as it is called."""

    kernel = object()

    def __init__(self) -> None:
        self.display_pub = _Pub()
        self.tracebacks: list[tuple[str, str, list[str]]] = []

    def _showtraceback(self, kind: type, error: BaseException, lines: list[str]) -> None:
        self.tracebacks.append((kind.__name__, str(error), lines))


def test_displays_keep_their_data(capsys: pytest.CaptureFixture[str]) -> None:
    """Bundles are published as they are, with metadata and display id; a result is a display."""
    shell: Any = _Shell()
    screen = publish.Shell(shell)
    display = {"data": {"text/plain": "x"}, "metadata": {"a": 1}, "transient": {"display_id": "d"}}
    for kind in ("display_data", "update_display_data"):
        publish.show({"output_type": kind, **display}, screen)
    publish.show(RESULT, screen)
    publish.show({"output_type": "clear_output", "wait": True}, screen)
    publish.show(STREAM, screen)
    first, update, result = shell.display_pub.published
    assert first == {**display, "update": False}
    assert update == {**display, "update": True}
    assert result["data"] == RESULT["data"]
    assert shell.display_pub.cleared == [True]
    assert capsys.readouterr().out == "hello"


@pytest.mark.parametrize("name", ["ValueError", "a\0b", "", "no name"])
def test_traceback_is_the_front_ends(name: str) -> None:
    """A traceback goes the way of the shell's own, whatever the run calls its exception."""
    shell: Any = _Shell()
    publish.show({**ERROR, "ename": name}, publish.Shell(shell))
    [(_, message, lines)] = shell.tracebacks
    assert (message, lines) == ("no", ERROR["traceback"])


def test_traceback_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    """Where the cell is not to fail, the traceback is text on stderr."""
    shell: Any = _Shell()
    publish.show(ERROR, publish.Shell(shell), is_error_text=True)
    assert not shell.tracebacks
    assert "ValueError" in capsys.readouterr().err


def test_plain_python(capsys: pytest.CaptureFixture[str]) -> None:
    """Without IPython there is plain text, each display on a line of its own."""
    screen = publish.Standard()
    clear: OutputDict = {"output_type": "clear_output", "wait": False}
    for output in (STREAM, RESULT, ERROR, clear):
        publish.show(output, screen)
    shown = capsys.readouterr()
    assert shown.out == "hello\n42\n"
    assert shown.err == "ValueError: no\n"


def test_no_screen() -> None:
    """Without a screen nothing is shown."""
    publish.show(STREAM, None)


def _events(*outputs: OutputDict) -> follow.Events:
    events: follow.Events = queue.SimpleQueue()
    events.put(Started("r"))
    for output in outputs:
        events.put(Output("r", output))
    return events


def test_following_shows_all_up_to_the_end() -> None:
    """Everything that came before the end is shown, in order."""
    shown: list[Mapping[str, Any]] = []
    events = _events(STREAM, RESULT)
    events.put(Finished("r", Completed()))
    assert follow.follow(events, shown.append, pytest.fail) is False
    assert shown == [STREAM, RESULT]


def test_interrupts_are_events() -> None:
    """Any number of Ctrl-C cancel the run, and what it still shows is shown until it has ended."""
    events = _events()
    shown: list[Mapping[str, Any]] = []
    cancelled: list[bool] = []

    def cancel() -> None:
        cancelled.append(True)
        if len(cancelled) == 1:
            os.kill(os.getpid(), signal.SIGINT)  # the second one, while the first is dealt with
        else:
            events.put(Output("r", STREAM))
            events.put(Finished("r", Completed()))

    before = signal.getsignal(signal.SIGINT)
    with follow.interrupts_to(events):
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
        assert follow.follow(events, shown.append, cancel) is True
    assert (len(cancelled), shown) == (2, [STREAM])
    assert signal.getsignal(signal.SIGINT) is before


def test_failing_screen_ends_the_run() -> None:
    """Where output cannot be shown the run is cancelled, and the error goes on."""
    cancelled: list[bool] = []

    def show(_: OutputDict) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        follow.follow(_events(STREAM), show, lambda: cancelled.append(True))
    assert cancelled == [True]


def test_other_threads_wait_without_signals() -> None:
    """On another thread than the main one waiting works, and no handler is touched."""
    events = _events()
    events.put(Finished("r", Completed()))
    ended: list[bool] = []

    def wait() -> None:
        with follow.interrupts_to(events):
            ended.append(follow.follow(events, lambda _: None, lambda: None))

    thread = threading.Thread(target=wait)
    thread.start()
    thread.join(10)
    assert ended == [False]
