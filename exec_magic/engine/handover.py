"""The frame that makes a waiting child the notebook's: it goes to that child only."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from exec_magic.engine import command
from exec_magic.engine.launcher import cpus, search_path
from exec_magic.model import Cell, Command, Spec


def order(spec: Spec) -> dict[str, Any]:
    """Return the frame's head: what to run, and what the notebook's process has."""
    environ = dict(os.environ)
    match spec.task:
        case Command() as task:
            cwd = str(command.folder(task))
            return {"argv": command.argv(task), "cwd": cwd, "environ": environ}
        case Cell() as task:
            return {
                "code": task.code,
                "execution_count": task.execution_count,
                "header_lines": task.header_lines,
                "colors": task.colors,
                "cwd": str(Path.cwd()),
                "environ": environ,
                "path": search_path(),
                "cpus": max(1, min(cpus(), round(spec.limits.cpus or cpus()))),
            }


def stdin(spec: Spec) -> int | None:
    """Return a descriptor of what a command reads, which the caller closes; None: nothing."""
    data = command.stdin(spec.task) if isinstance(spec.task, Command) else None
    if data is None:
        return None
    try:
        # Not a memfd if it can be helped: the run's memory would seem to hold it.
        with tempfile.TemporaryFile() as file:
            return _filled(os.dup(file.fileno()), data)
    except OSError:  # the temporary folder is full or missing
        return _filled(os.memfd_create("stdin"), data)


def _filled(descriptor: int, data: bytes) -> int:
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(data)
        os.lseek(descriptor, 0, os.SEEK_SET)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
