"""`python -m exec_magic demo`: a tour in the terminal, real cells on real data."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from exec_magic import session
from exec_magic.model import Reason, State

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


@dataclass(frozen=True)
class Step:
    """A cell, what is said before it, and how its run is to end; state None: it starts none."""

    words: str
    cell: str
    state: State | None = None
    reason: Reason = ""


TOUR = (
    Step("Load the magics, and let the shell have a variable.", "%load_ext exec_magic"),
    Step("", 'precious = "three hours of work"'),
    Step(
        "A cell that works: it runs in a process of its own and shows what any cell shows.",
        """%%sandbox -n works
import pandas as pd
from importlib.resources import files

penguins = pd.read_csv(files("exec_magic") / "data" / "penguins.csv")
print(len(penguins), "penguins of the Palmer Archipelago")
penguins.groupby("species")[["flipper_length_mm", "body_mass_g"]].mean().round(1)""",
        "completed",
    ),
    Step(
        "A cell that eats all memory is stopped at its limit.",
        """%%sandbox -n hungry -m 500M
import pandas as pd
from importlib.resources import files

penguins = pd.read_csv(files("exec_magic") / "data" / "penguins.csv")
draws = []
while True:
    draws.append(penguins.sample(frac=100, replace=True))""",
        "stopped",
        "memory",
    ),
    Step(
        "A cell that never ends is stopped as well.",
        """%%sandbox -n endless -t 2s
print("counting")
while True:
    pass""",
        "stopped",
        "walltime",
    ),
    Step(
        "A cell that crashes the interpreter takes nothing else with it.",
        """%%sandbox -n crash
import ctypes

ctypes.string_at(0)""",
        "failed",
    ),
    Step("The shell is still there, and so is its variable.", "precious"),
    Step(
        "Every run has left its figures: seconds and bytes.",
        """runs = %sandbox runs
runs[["name", "state", "reason", "walltime", "memory", "memory_limit"]]""",
    ),
)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks; return the exit code."""
    parser = _Parser(prog="python -m exec_magic", description="Run notebook cells in a sandbox.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("demo", help="a tour in this terminal, on data that comes with the package")
    parser.parse_args(arguments)
    return demo()


def demo() -> int:
    """Run the tour; return 0 where every run ended as it should, else 1."""
    with _shell() as shell:
        wrong = [step for step in TOUR if not _is_as_expected(shell, step)]
    for step in wrong:
        header = step.cell.splitlines()[0]
        print(f"not as expected: {header} should have ended {step.state or 'without error'}")
    return 1 if wrong else 0


def _is_as_expected(shell: InteractiveShell, step: Step) -> bool:
    if step.words:
        print(f"\n# {step.words}\n")
    print(_echo(shell.execution_count, step.cell), flush=True)
    before = session.current().last
    result = shell.run_cell(step.cell, store_history=True)
    run = session.current().last
    if step.state is None:
        return bool(result.success)
    return (
        run is not None
        and run is not before
        and (run.state, run.reason) == (step.state, step.reason)
    )


def _echo(count: int, cell: str) -> str:
    """Return a cell as a terminal shows it when it is typed."""
    prompt = f"In [{count}]: "
    return prompt + cell.replace("\n", f"\n{'...: '.rjust(len(prompt))}")


@contextmanager
def _shell() -> Iterator[InteractiveShell]:
    """Provide the process's IPython shell, as in a terminal but without a history or a profile."""
    from IPython.terminal.interactiveshell import TerminalInteractiveShell
    from traitlets.config import Config

    with tempfile.TemporaryDirectory() as folder:
        shell = TerminalInteractiveShell.instance(
            config=Config({"HistoryManager": {"enabled": False}}),
            ipython_dir=folder,
            simple_prompt=True,
        )
        if not sys.stdout.isatty():
            shell.colors = "nocolor"
        try:
            yield shell
        finally:
            session.close()
            TerminalInteractiveShell.clear_instance()


if __name__ == "__main__":
    sys.exit(main())
