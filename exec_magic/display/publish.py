"""Shows a run's outputs where the user looks: in the IPython shell, else on the standard streams.

Everything happens on the thread that waits, so that it lands in the cell that waits.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from exec_magic.model import OutputDict

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")


class Screen(Protocol):
    """Where outputs go."""

    def stream(self, name: str, text: str) -> None:
        """Write text to `stdout` or `stderr`."""

    def display(self, output: Mapping[str, Any], *, is_update: bool = False) -> None:
        """Show a MIME bundle (`data`), or put it in the place of one shown earlier."""

    def clear(self, *, wait: bool = False) -> None:
        """Clear what was shown, with `wait` when the next output comes."""

    def error(self, output: OutputDict) -> None:
        """Show a traceback."""


def screen() -> Screen:
    """Return the running IPython shell's screen, or the standard streams."""
    shell = _shell()
    return Standard() if shell is None else Shell(shell)


def show(
    output: OutputDict,
    on: Screen | None,
    *,
    is_error_text: bool = False,
    hidden: frozenset[str] = frozenset(),
) -> None:
    """Show an output, unless `on` is None or it is text of a stream in `hidden`.

    With `is_error_text` an error is text on stderr, not an error output.
    """
    if on is None or output.get("name") in hidden:
        return
    match output["output_type"]:
        case "stream":
            on.stream(output["name"], output["text"])
        case "display_data" | "execute_result":
            on.display(output)
        case "update_display_data":
            on.display(output, is_update=True)
        case "clear_output":
            on.clear(wait=output["wait"])
        case "error" if is_error_text:
            on.stream("stderr", "\n".join(output["traceback"]) + "\n")
        case "error":
            on.error(output)


class Shell:
    """An IPython shell's own ways: a kernel's messages, a terminal's text."""

    def __init__(self, shell: InteractiveShell) -> None:
        """Show things in `shell`."""
        self._shell = shell
        # A terminal goes on where the last text ended; a notebook keeps outputs apart.
        self._lines = None if hasattr(shell, "kernel") else _Lines()

    def stream(self, name: str, text: str) -> None:
        """Write text to `stdout` or `stderr`."""
        _write(_stream(name), text)
        if self._lines is not None:
            self._lines.note(text)

    def display(self, output: Mapping[str, Any], *, is_update: bool = False) -> None:
        """Show a MIME bundle as it is; a result too, for its prompt would be another cell's."""
        self._begin_line()
        self._shell.display_pub.publish(
            data=output["data"],
            metadata=output.get("metadata", {}),
            transient=output.get("transient", {}),
            update=is_update,
        )

    def clear(self, *, wait: bool = False) -> None:
        """Clear the cell's output, with `wait` when the next one comes."""
        self._shell.display_pub.clear_output(wait)

    def error(self, output: OutputDict) -> None:
        """Show a traceback as the front end shows the cell's own."""
        self._begin_line()
        # A message for which IPython has no public call; kernels send it from here.
        name = "".join(filter(str.isprintable, output["ename"]))  # a class takes no NUL
        kind = type(name or "Exception", (Exception,), {})
        self._shell._showtraceback(kind, kind(output["evalue"]), output["traceback"])  # noqa: SLF001

    def _begin_line(self) -> None:
        if self._lines is not None and self._lines.is_open:
            self.stream("stdout", "\n")


class Standard:
    """The standard streams of a process without IPython: plain text."""

    def __init__(self) -> None:
        """Begin at the start of a line."""
        self._lines = _Lines()

    def stream(self, name: str, text: str) -> None:
        """Write text to `stdout` or `stderr`."""
        _write(_stream(name), text)
        self._lines.note(text)

    def display(
        self,
        output: Mapping[str, Any],
        *,
        is_update: bool = False,  # noqa: ARG002 - a protocol's
    ) -> None:
        """Write the text of a MIME bundle; an update is written as another one."""
        text = output["data"].get("text/plain")
        if isinstance(text, str):
            start = "\n" if self._lines.is_open else ""
            self.stream("stdout", f"{start}{text}\n")

    def clear(self, *, wait: bool = False) -> None:
        """Leave what is written."""

    def error(self, output: OutputDict) -> None:
        """Write a traceback to stderr, without colours."""
        start = "\n" if self._lines.is_open else ""
        self.stream("stderr", start + _ANSI.sub("", "\n".join(output["traceback"])) + "\n")


class _Lines:
    """Knows whether the last text written was a whole line."""

    is_open = False

    def note(self, text: str) -> None:
        if text:
            self.is_open = not text.endswith("\n")


def _stream(name: str) -> TextIO:
    return sys.stderr if name == "stderr" else sys.stdout


def _write(stream: TextIO, text: str) -> None:
    try:
        stream.write(text)
    except UnicodeEncodeError:
        # A terminal that is not UTF-8 must not end the cell.
        encoding = stream.encoding or "ascii"
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
    stream.flush()


def _shell() -> InteractiveShell | None:
    if "IPython" not in sys.modules:
        return None
    from IPython.core.getipython import get_ipython

    shell: InteractiveShell | None = get_ipython()
    return shell
