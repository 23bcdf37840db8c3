"""The magics for IPython; importing this costs no pandas and no engine."""

from __future__ import annotations

import threading
import types
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic import (
    Magics,
    line_cell_magic,
    magics_class,
    needs_local_scope,
    no_var_expand,
)
from traitlets import TraitType, observe

from exec_magic import config
from exec_magic.errors import BadOption, Unavailable
from exec_magic.magics import complete, manage, options

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


class Setting(TraitType[Any, Any]):
    """A setting of the schema as a trait; None where the user has set nothing."""

    def validate(self, obj: object, value: object) -> object:  # noqa: ARG002 - TraitType's signature
        """Return the value as the user wrote it."""
        try:
            config.parse(str(self.name), value, f"ExecMagics.{self.name}")
        except BadOption as error:
            raise UsageError(str(error)) from None
        return value

    def from_string(self, s: str) -> str:
        """Take what stands on a command line as it is."""
        return s


_traits = {
    name: Setting(None, allow_none=True, help=config.meaning(name)).tag(config=True)
    for name in config.NAMES
}
# The traits come from the schema, so that nothing is written twice.
_Configured: Any = types.new_class(
    "Configured", (Magics,), exec_body=lambda body: body.update(_traits)
)


@magics_class
class ExecMagics(_Configured):  # type: ignore[misc]
    """The magics; `%config ExecMagics.timeout = "5m"` sets what no option on the line says."""

    @line_cell_magic
    @options.declared(options.SANDBOX)
    def sandbox(self, line: str, cell: str | None = None) -> Any:
        """Run the cell's body in a fresh sandbox and wait: `%%sandbox [options]`.

        The body is IPython syntax; nothing in it is expanded. It cannot end the kernel, whatever
        it does. `%sandbox VERB` looks at runs and ends them: runs, show, usage, cancel, wait.
        """
        if cell is None:
            return manage.manage(line)
        given = options.parse(self.sandbox, line)
        if given.help:
            print(options.help_text(given.help))  # noqa: T201 - help is printed
            return None
        from exec_magic.magics.cell import run_cell

        return run_cell(self.shell, given, cell)

    @no_var_expand
    @needs_local_scope
    @line_cell_magic
    @options.declared(options.EXEC)
    def exec(self, line: str, cell: str | None = None, local_ns: Any = None) -> Any:
        """Run a command in a sandbox and wait: `%exec [options] command …`; return its Run.

        The command goes to a shell exactly as it stands; only the options are expanded. With
        `%%exec [options]` the body is the script of a shell, or of `--interpreter`. `-q`: the line
        has no value, and so shows no record; `-n` binds the Run.
        """
        from exec_magic.magics.command import run_command

        return run_command(self.exec, self.shell, line, cell, local_ns or {})

    @observe(*config.NAMES)
    def _configure(self, change: Any) -> None:
        config.configure(change.name, change.new)


def register(shell: InteractiveShell) -> None:
    """Add the magics and their completion to a shell.

    Raises UsageError, in one line, where a setting is not allowed.
    """
    shell.register_magics(ExecMagics(shell=shell))
    shell.Completer.custom_matchers.append(complete.matcher)
    try:
        if config.load().preload == "at load":
            start_ahead(str(shell.colors))
    except BadOption as error:
        unregister(shell)
        raise UsageError(str(error)) from None


def unregister(shell: InteractiveShell) -> None:
    """Take away what `register` added."""
    shell.Completer.custom_matchers.remove(complete.matcher)
    shell.configurables.remove(shell.magics_manager.registry.pop("ExecMagics"))
    for table in shell.magics_manager.magics.values():
        del table["sandbox"], table["exec"]
    for name in config.NAMES:
        config.configure(name, None)


def start_ahead(colors: str) -> None:
    """Start the sandbox server on a thread of its own, so that nobody waits for it."""

    def start() -> None:
        from exec_magic import session

        with suppress(Unavailable):  # the first run says so, where it can be read
            session.current().executor.start(colors)

    threading.Thread(target=start, name="exec_magic start", daemon=True).start()
