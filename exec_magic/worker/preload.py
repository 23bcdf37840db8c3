"""Fills the server with what runs need, so that a fork has it at once; starts no thread."""

from __future__ import annotations

import atexit
import gc
import importlib
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from threadpoolctl import ThreadpoolController

    from exec_magic.worker.cell import Shell

#: Imported always where installed; known to start no thread with the server's environment.
ALWAYS = ("numpy", "pandas", "matplotlib.pyplot", "matplotlib_inline.backend_inline")


class Refused(Exception):
    """The server cannot fork safely; the message names the module."""


def preload(names: list[str], colors: str) -> tuple[Shell, ThreadpoolController, list[str]]:
    """Import IPython's shell and the named modules; return shell, thread settings, what is in.

    Raises Refused where a thread runs afterwards: a fork would then hold locks for ever.
    """
    from exec_magic.worker import cell, output

    loaded = [name for name in ALWAYS if _import(name)]
    if not _is_single():
        raise Refused("one of {} starts a thread at import".format(", ".join(loaded)))
    # One that starts threads cannot be unloaded again: it is tried in a throw-away child.
    loaded += [name for name in names if _starts_no_thread(name) and _import(name)]
    shell = cell.make_shell(output.Channel(), colors)
    _draw_inline(shell)
    shell.execute(cell.WARM_UP)
    shell.execute(cell.WARM_UP_ERROR)
    shell.clean()
    controller = importlib.import_module("threadpoolctl").ThreadpoolController()
    _keep_exit_handlers()
    if not _is_single():
        raise Refused("the warm-up cell started a thread; its forks would hang")
    gc.collect()
    gc.freeze()
    return shell, controller, loaded


def _draw_inline(shell: Shell) -> None:
    """Let figures appear after the cell; matplotlib does it by itself only if imported later."""
    inline = sys.modules.get("matplotlib_inline.backend_inline")
    if inline is not None:
        inline._enable_matplotlib_integration()  # noqa: SLF001 - what its import calls


def _keep_exit_handlers() -> None:
    """Register again, for the runs, what makes an orderly end there."""
    for module, handler in (("logging", "shutdown"), ("multiprocessing.util", "_exit_function")):
        if module in sys.modules:
            atexit.register(getattr(sys.modules[module], handler))


def _is_single() -> bool:
    """Tell whether this process has one thread, once libraries that heed forks ended theirs."""
    if _threads() > 1:
        _in_child(lambda: True)
    return _threads() == 1


def _threads() -> int:
    """Return how many threads this process has, those of C libraries included."""
    return len(os.listdir("/proc/self/task"))


def _import(name: str) -> bool:
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    if name == "matplotlib.pyplot":
        importlib.import_module("matplotlib.font_manager").findfont("DejaVu Sans")
    return True


def _starts_no_thread(name: str) -> bool:
    return _in_child(lambda: _import(name) and _is_single())


def _in_child(is_so: Callable[[], bool]) -> bool:
    """Return what a question answers in a throw-away child; False where that dies of it."""
    child = os.fork()
    if not child:
        status = 1
        try:
            status = 0 if is_so() else 1
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1] == 0
