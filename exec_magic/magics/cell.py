"""`%%sandbox`: parse, run, show."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from exec_magic.errors import SandboxError
from exec_magic.magics import waiting
from exec_magic.magics.shell import cell_number, header_lines, is_whole_cell
from exec_magic.model import Cell

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


def run_cell(shell: InteractiveShell, options: argparse.Namespace, body: str) -> None:
    """Run a cell's body in a sandbox and wait, showing what it shows.

    Raises UsageError before anything starts, Unavailable, Interrupted; and SandboxError unless
    the run completed or `--no-raise-error` was given.
    """
    from exec_magic.session import Shows  # the engine: loading the magics should not pay for it

    is_raising = not options.no_raise_error
    run = waiting.attend(
        shell,
        Cell(body, cell_number(shell), header_lines(shell, body), str(shell.colors)),
        options,
        shows=Shows(record=not options.quiet, errors_as_text=not is_raising),
        bind={"--name": options.name},
        is_whole_cell=is_whole_cell(shell, "%%sandbox", body),
    )
    if is_raising and run.state != "completed":
        raise SandboxError(run.message, run)
