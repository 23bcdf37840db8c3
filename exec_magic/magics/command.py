"""`%exec` and `%%exec`: parse, run, show."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.utils.text import DollarFormatter

from exec_magic.errors import Interrupted, SandboxError
from exec_magic.magics import options, waiting
from exec_magic.magics.line import split
from exec_magic.magics.shell import is_whole_cell
from exec_magic.model import Command

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from exec_magic.engine.run import Run


def run_command(
    magic: Any, shell: InteractiveShell, line: str, body: str | None, scope: Mapping[str, Any]
) -> Run | None:
    """Run what a line, or a cell's body, says, and wait; return the Run of a line.

    Only the options are expanded, with the names in `scope` and the notebook's.
    Raises UsageError before anything starts, Unavailable, Interrupted; and SandboxError unless
    the run completed or `--no-raise-error` was given.
    """
    typed, rest = split(line, options.EXEC)
    given = options.parse(magic, _expanded(typed, {**shell.user_ns, **scope}), options.EXEC)
    if given.help:
        print(options.help_text(given.help, options.EXEC))  # noqa: T201 - help is printed
        return None
    if body is not None and rest:
        raise UsageError(options.EXEC.no_words.format(rest.split()[0]))
    command = dataclasses.replace(
        _command(given, rest if body is None else body, is_body=body is not None),
        cwd=given.cwd,
        colors=str(shell.colors),
    )
    if given.stdin is not None:
        command = _with_stdin(command, given.stdin, {**shell.user_ns, **scope})
    return _attend(shell, command, given, body)


def _expanded(text: str, names: Mapping[str, Any]) -> str:
    """Return text with `{x}` and `$x` replaced, as IPython does; as it is where that fails."""
    try:
        return DollarFormatter().vformat(text, (), names)
    except Exception:  # noqa: BLE001 - the user's expressions; IPython lets such text go too
        return text


def _command(given: argparse.Namespace, text: str, *, is_body: bool) -> Command:
    if given.shell is not None and given.interpreter is not None:
        raise UsageError("--shell and --interpreter: one of the two runs the command")
    interpreter = given.interpreter or given.shell
    if given.script is not None:
        if is_body:
            raise UsageError(f"--script {given.script}: %exec takes it, without a body below")
        return Command.script(given.script, *options.words(text), interpreter=interpreter)
    if given.interpreter is None:
        return Command.shell(text, shell=given.shell or "bash")
    if given.stdin is not None:
        raise UsageError("--stdin and --interpreter: it reads the script; --script FILE leaves it")
    if not text.strip():
        return Command.shell("", shell=given.interpreter)  # empty, and so refused
    words = options.words(given.interpreter)
    return Command.exec(*words, stdin=text if text.endswith("\n") else f"{text}\n")


def _with_stdin(command: Command, name: str, names: Mapping[str, Any]) -> Command:
    if name not in names:
        raise UsageError(f"--stdin {name}: the notebook has no variable of that name")
    value = names[name]
    if not isinstance(value, str | bytes | bytearray | memoryview):
        raise UsageError(f"--stdin {name}: {type(value).__name__} is neither text nor bytes")
    data = value.encode(errors="surrogateescape") if isinstance(value, str) else bytes(value)
    return dataclasses.replace(command, stdin=data)


def _attend(
    shell: InteractiveShell, command: Command, given: argparse.Namespace, body: str | None
) -> Run | None:
    from exec_magic import session

    stored = {"stdout": given.out, "stderr": given.err}
    waiting.check_names({"--out": given.out, "--err": given.err})
    hidden = frozenset(stream for stream, name in stored.items() if name is not None)
    is_body = body is not None
    run, is_raising = None, not given.no_raise_error
    try:
        run = waiting.attend(
            shell,
            command,
            given,
            # The Run that a line returns is shown by the notebook, as its record: not twice.
            shows=session.Shows(record=is_body and not given.quiet, hidden=hidden),
            bind={"--name": given.name, "--proc": given.proc},
            is_whole_cell=is_whole_cell(shell, "%%exec" if is_body else "%exec", body or ""),
        )
    except Interrupted as error:
        run, is_raising = error.run, True
        raise
    finally:
        if run is not None:
            _store(shell, run, stored)
            if is_raising and run.state != "completed" and not (is_body or given.quiet):
                session.current().show_record(run)
    if is_raising and run.state != "completed":
        raise SandboxError(run.message, run)
    return None if is_body or given.quiet else run


def _store(shell: InteractiveShell, run: Run, stored: Mapping[str, str | None]) -> None:
    texts = {name: getattr(run, stream) for stream, name in stored.items() if name is not None}
    shell.push(texts)
