"""Runs notebook cells in a sandbox: limited, watched, and never the kernel's end.

In a notebook: `%load_ext exec_magic`, then `%%sandbox`. In Python: `run`, `submit`, `runs`.
"""

from __future__ import annotations

# Nothing is imported here: the worker, another program, imports this package too.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Unpack

    import pandas as pd
    from IPython.core.interactiveshell import InteractiveShell

    from exec_magic import config
    from exec_magic.engine.run import Run
    from exec_magic.errors import (
        BadBody,
        BadCommand,
        BadOption,
        ExecMagicError,
        Interrupted,
        SandboxError,
        Unavailable,
    )
    from exec_magic.model import Command

__version__ = "0.1.0"
__all__ = [
    "BadBody",
    "BadCommand",
    "BadOption",
    "Command",
    "ExecMagicError",
    "Interrupted",
    "Run",
    "SandboxError",
    "Unavailable",
    "last",
    "run",
    "runs",
    "submit",
]

last: Run | None

_HOMES = {
    "Run": "engine.run",
    "BadBody": "errors",
    "BadCommand": "errors",
    "BadOption": "errors",
    "Command": "model",
    "ExecMagicError": "errors",
    "Interrupted": "errors",
    "SandboxError": "errors",
    "Unavailable": "errors",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used; `last` is the newest run, or None."""
    import importlib

    if name == "last":
        return importlib.import_module("exec_magic.session").current().last
    if name not in _HOMES:
        raise AttributeError(f"module 'exec_magic' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"exec_magic.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def run(
    task: str | Command,
    *,
    name: str | None = None,
    labels: Mapping[str, Any] | None = None,
    show: bool = False,
    **limits: Unpack[config.Asked],
) -> Run:
    """Run a cell or a Command in a sandbox and wait; return the Run, however it ended.

    Limits: `memory` and `max_output` are sizes (`"512M"`, or bytes), `timeout` and `cpu_time`
    durations (`"5m"`, or seconds; `timeout` is 10 minutes unless given), `cpus` and `processes`
    numbers; `past_max_output` is `"truncate"` or `"fail"`. `labels` become columns of `runs()`.
    `show=True` shows output and record.
    Raises ExecMagicError (BadOption, BadBody, BadCommand, Unavailable) where nothing was started; a
    KeyboardInterrupt cancels the run and is raised when it has ended.
    """
    from exec_magic import session

    whole = session.task_of(task)
    return session.current().run(whole, name=name, asked=limits, labels=labels, is_shown=show)


def submit(
    task: str | Command,
    *,
    name: str | None = None,
    labels: Mapping[str, Any] | None = None,
    **limits: Unpack[config.Asked],
) -> Run:
    """Start a task in a sandbox and return its Run, a Future, at once; otherwise as `run`."""
    from exec_magic import config, session

    resolved = config.resolve_limits(limits, is_interactive=False)
    whole = session.task_of(task)
    return session.current().submit(whole, name=name, limits=resolved, labels=labels)


def runs() -> pd.DataFrame:
    """Return a DataFrame with a row per run of this process, newest last; units in `attrs`."""
    from exec_magic import session

    return session.current().runs()


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register the magics: `%load_ext exec_magic`."""
    from exec_magic import magics

    magics.register(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Take the magics away and end everything that was started: `%unload_ext exec_magic`."""
    import sys

    from exec_magic import magics

    magics.unregister(shell)
    if "exec_magic.session" in sys.modules:
        sys.modules["exec_magic.session"].close()
