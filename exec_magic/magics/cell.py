"""`%%sandbox`: parse, run, show."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from IPython.core.error import UsageError

from exec_magic import config
from exec_magic.errors import BadBody, BadOption, SandboxError
from exec_magic.magics.options import limits_of
from exec_magic.magics.shell import cell_number, header_lines, is_watched, is_whole_cell
from exec_magic.model import Cell

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from exec_magic.engine.run import Run


def run_cell(shell: InteractiveShell, options: argparse.Namespace, body: str) -> None:
    """Run a cell's body in a sandbox and wait, showing what it shows.

    Raises UsageError before anything starts, Unavailable, Interrupted; and SandboxError unless
    the run completed or `--no-raise-error` was given.
    """
    from exec_magic import session  # the engine: nothing that loading the magics should pay for

    is_raising = not options.no_raise_error
    note = _Note(shell) if is_watched(shell) and is_whole_cell(shell, body) else None
    try:
        run = session.current().attend(
            Cell(body, cell_number(shell), header_lines(shell, body), str(shell.colors)),
            name=options.name,
            limits=config.resolve_limits(limits_of(options), is_interactive=is_watched(shell)),
            shows=session.Shows(record=not options.quiet, errors_as_text=not is_raising),
            on_slow_start=None if note is None else note.say,
            on_start=_binder(shell, options.name, note),
        )
    except (BadOption, BadBody) as error:
        raise UsageError(str(error)) from None
    finally:
        if note is not None:
            note.erase()
    if is_raising and run.state != "completed":
        raise SandboxError(run.message, run)


def _binder(shell: InteractiveShell, name: str | None, note: _Note | None) -> Callable[[Run], None]:
    def begin(run: Run) -> None:
        if note is not None:
            note.erase()
        if name is not None:
            shell.push({name: run})

    return begin


class _Note:
    """The words that are there while the server starts, and gone when it has."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._is_said = False

    def say(self) -> None:
        self._is_said = True
        sys.stderr.write("starting the sandbox server")
        sys.stderr.flush()

    def erase(self) -> None:
        if self._is_said:
            self._is_said = False
            self._shell.display_pub.clear_output()
