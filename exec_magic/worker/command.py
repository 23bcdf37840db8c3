"""Makes a run's process the command: after that nothing of ours is left in it.

So no end frame can come; how the command ended is its exit status alone. Where it cannot be
executed the exit code is a shell's: 127 for a program that is missing, else 126.
"""

from __future__ import annotations

import os
import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: Python ignores or handles them, and what is ignored stays so across exec.
_OURS = (signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ)


def become(order: dict[str, Any], stdin: int | None) -> int:
    """Execute the command of a hand-over frame; return the exit code only where that fails.

    `stdin`: a descriptor of what it reads; None: nothing.
    """
    try:
        if stdin is not None:
            os.dup2(stdin, 0)
            os.close(stdin)
        os.chdir(order["cwd"])
        for number in _OURS:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        # The run's socket and its bell close by themselves: exec keeps 0, 1 and 2 alone.
        os.execvpe(order["argv"][0], order["argv"], order["environ"])  # noqa: S606 - so it is meant
    except OSError as error:
        name = os.fsdecode(error.filename or order["argv"][0])
        told = "{}: {}\n".format(name, error.strerror)
        os.write(2, told.encode("utf-8", "backslashreplace"))
        return 127 if isinstance(error, FileNotFoundError) else 126
