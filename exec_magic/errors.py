"""Our own failures, and the one exception that stands for the user's code.

ExecMagicError                   something that we, not the user's code, could not do
├── BadOption (ValueError)       an option, keyword or setting has a value that is not allowed
├── BadBody (SyntaxError)        the cell's code does not compile; nothing was started
├── BadCommand (ValueError)      the command cannot be run as it stands; nothing was started
├── Unavailable                  this machine cannot give what was asked for
└── ProtocolError                the other end of a socket sent what is no frame

SandboxError                     a run ended other than `completed`; `.run` holds it
Interrupted (KeyboardInterrupt)  the user stopped a waiting cell; `.run` holds the run
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exec_magic.engine.run import Run


class ExecMagicError(Exception):
    """Base of every failure that is ours and never the user's code's."""


class BadOption(ExecMagicError, ValueError):
    """A value that is not allowed; the message names option, value and what is."""


class BadBody(ExecMagicError, SyntaxError):
    """The cell's code does not compile."""


class BadCommand(ExecMagicError, ValueError):
    """The command is empty, its program, script or folder missing, or it is an accident."""


class Unavailable(ExecMagicError):
    """This machine cannot give what was asked for; the message says what would help."""

    def _render_traceback_(self) -> list[str]:
        """Return IPython's traceback lines: the machine is at fault, no line of code."""
        return [f"{type(self).__name__}: {self}"]


class ProtocolError(ExecMagicError):
    """Bytes that are no frame of ours."""


class _Ended(BaseException):
    """Shared by the two exceptions that report how a run ended: one line, no second traceback."""

    def __init__(self, message: str, run: Run) -> None:
        """`message`: how it ended; `run`: the run."""
        super().__init__(message)
        self.run = run

    def _render_traceback_(self) -> list[str]:
        """Return IPython's traceback lines: the run's own traceback is on show already."""
        return [f"{type(self).__name__}: {self}"]


class SandboxError(_Ended, Exception):
    """The run ended other than `completed`."""


class Interrupted(_Ended, KeyboardInterrupt):
    """The user interrupted a waiting cell; its run was cancelled."""
