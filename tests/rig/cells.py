"""The cells in `tests/cells`: a line that says what the cell does, then TOML that says how it ends.

state, message (a regular expression for all of it)           always there
reason, error (the exception's name)                          default: none
exit_code, signal                                             default: any
options      what stands on the line after %%sandbox
stdout       a regular expression that is found in it
outputs      mime types that are shown
lock         a file in the working folder that processes of the run lock while they live
needs        a module that the kernel's Python must have
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "cells"


@dataclass(frozen=True)
class Case:
    """One cell and how its run is expected to end."""

    title: str
    code: str
    state: str
    message: str
    reason: str = ""
    exit_code: int | None = None
    signal: int | None = None
    error: str | None = None
    options: str = ""
    stdout: str = ""
    outputs: tuple[str, ...] = ()
    lock: str | None = None
    needs: str | None = None

    def source(self, *options: str) -> str:
        """Return the notebook's cell."""
        return f"%%sandbox {' '.join([*options, self.options])}\n{self.code}"


def load(name: str) -> Case:
    """Return the cell of one file, by its name without `.py`."""
    code = (FOLDER / f"{name}.py").read_text(encoding="utf-8")
    lines = code.splitlines()
    end = next(index for index, line in enumerate(lines) if not line.startswith("#"))
    title, *header = [line.removeprefix("#").strip() for line in lines[:end]]
    return Case(title=title, code=code, **tomllib.loads("\n".join(header)))


def names() -> list[str]:
    """Return the names of all cells."""
    return sorted(path.stem for path in FOLDER.glob("*.py"))
