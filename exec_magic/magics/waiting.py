"""Runs a task and waits, in a cell of the notebook; shared by the magics that do."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from IPython.core.error import UsageError

from exec_magic import config
from exec_magic.errors import BadBody, BadCommand, BadOption
from exec_magic.magics.options import limits_of
from exec_magic.magics.shell import is_watched
from exec_magic.model import Cell, Command

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from exec_magic.engine.run import Run
    from exec_magic.session import Shows


def attend(
    shell: InteractiveShell,
    task: Cell | Command,
    options: argparse.Namespace,
    *,
    shows: Shows,
    bind: Mapping[str, str | None],
    is_whole_cell: bool,
) -> Run:
    """Run a task and wait, as `Session.attend`; return the run, however it ended.

    `bind`: names, if any, that the Run is bound to at its start, by the options that give them.
    `is_whole_cell`: nothing else is shown in the cell, so that a note can be taken back.
    Raises UsageError before anything starts, Unavailable, Interrupted.
    """
    from exec_magic import session  # the engine: nothing that loading the magics should pay for

    check_names(bind)
    names = [name for name in bind.values() if name is not None]
    note = _Note(shell) if is_watched(shell) and is_whole_cell else None
    try:
        return session.current().attend(
            task,
            name=options.name,
            limits=config.resolve_limits(limits_of(options), is_interactive=is_watched(shell)),
            shows=shows,
            on_slow_start=None if note is None else note.say,
            on_start=_binder(shell, names, note),
        )
    except (BadOption, BadBody, BadCommand) as error:
        raise UsageError(str(error)) from None
    finally:
        if note is not None:
            note.erase()


def check_names(names: Mapping[str, str | None]) -> None:
    """Raise UsageError unless each name, if any, can be a variable's; keys are the options."""
    from exec_magic import session

    try:
        for option, name in names.items():
            if name is not None:
                session.check_name(name, option)
    except BadOption as error:
        raise UsageError(str(error)) from None


def _binder(shell: InteractiveShell, names: list[str], note: _Note | None) -> Callable[[Run], None]:
    def begin(run: Run) -> None:
        if note is not None:
            note.erase()
        shell.push(dict.fromkeys(names, run))

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
