"""Runs a notebook cell's body in an IPython shell whose outputs leave as frames.

The shell is made once, in the server; every run is a fork that uses it. It starts no thread and
touches no file: no history, no profile folder. Imported only at preload, since it needs IPython.
"""

from __future__ import annotations

import atexit
import base64
import builtins
import json
import os
import sys
import threading
import traceback
import warnings
from contextlib import nullcontext

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.profiledir import ProfileDir
from traitlets import Any as AnyTrait
from traitlets import Type
from traitlets.config import Config

from exec_magic.worker.output import Channel, Stream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

    from IPython.core.interactiveshell import ExecutionResult
    from threadpoolctl import ThreadpoolController

#: Touches what a first pandas cell touches, so that a waiting child has its pages already.
WARM_UP = """\
import numpy, pandas
_ = pandas.DataFrame({"a": numpy.arange(10) % 3, "b": numpy.arange(10.0)})
repr(_.merge(_, on="a"))
_.groupby("a").b.mean().to_frame()
"""
#: What every main module has besides its name.
_MAIN = ("__doc__", "__package__", "__loader__", "__spec__")
#: The first traceback costs 134 ms, later ones 20: format one ahead.
WARM_UP_ERROR = "def f():\n    return 1 / 0\nf()\n"


def _channel(part: DisplayHook | DisplayPublisher) -> Channel:
    channel: Channel = part.shell.channel  # type: ignore[union-attr]  # always inside our Shell
    return channel


class _Hook(DisplayHook):
    def start_displayhook(self) -> None:
        self._frame = {"type": "execute_result", "data": {}, "metadata": {}}

    def write_output_prompt(self) -> None:
        self._frame["execution_count"] = self.prompt_count

    def write_format_data(
        self, format_dict: dict[str, Any], md_dict: dict[str, Any] | None = None
    ) -> None:
        self._frame["data"] = _jsonable(format_dict)
        self._frame["metadata"] = md_dict or {}

    def finish_displayhook(self) -> None:
        if self._frame["data"]:
            _channel(self).send(self._frame)


class _Publisher(DisplayPublisher):
    def publish(
        self,
        data: dict[str, Any],
        metadata: dict[str, Any] | None = None,
        source: object = None,
        *,
        transient: dict[str, Any] | None = None,
        update: bool = False,
        **_: object,
    ) -> None:
        kind = "update_display_data" if update else "display_data"
        frame = {"type": kind, "data": _jsonable(data), "metadata": metadata or {}}
        _channel(self).send({**frame, "transient": transient or {}})

    def clear_output(self, wait: bool = False) -> None:
        _channel(self).send({"type": "clear_output", "wait": bool(wait)})


class _NoFolder(ProfileDir):
    """A profile folder that is never made."""

    def check_dirs(self) -> None:
        pass

    def _location_changed(self, change: object) -> None:
        pass


class Shell(InteractiveShell):
    """IPython without a terminal, a kernel, threads or files."""

    displayhook_class = Type(_Hook)
    display_pub_class = Type(_Publisher)
    channel = AnyTrait()
    autoindent = False
    _is_exit = False

    def init_ipython_dir(self, ipython_dir: str) -> None:
        pass

    def init_profile_dir(self, profile_dir: object) -> None:
        self.profile_dir = _NoFolder(location="/nonexistent")

    def init_virtualenv(self) -> None:
        pass

    def init_logstart(self) -> None:
        pass

    def init_io(self) -> None:
        pass

    def _tee(self, channel: str) -> nullcontext[None]:  # type: ignore[override]
        """Keep no copy of what is printed: IPython's would hold all of it in the run's memory."""
        return nullcontext()

    def _format_exception_for_storage(self, *_: Any, **__: Any) -> dict[str, Any]:
        """Keep no copy of errors either; IPython's fails at one that cannot be printed."""
        return {}

    def enable_gui(self, gui: str | None = None) -> None:
        """Do nothing: there is no window system in a sandbox."""

    def ask_exit(self) -> None:
        """End the run: `exit` and `quit`."""
        raise SystemExit(0)

    def execute(self, body: str) -> ExecutionResult:
        """Run a cell as a notebook does."""
        return self.run_cell(body, store_history=True)  # type: ignore[no-any-return, no-untyped-call]

    def clean(self) -> None:
        """Forget what the warm-up has left: names, history, the last error."""
        main = {name: self.user_ns.get(name) for name in _MAIN}
        self.reset(new_session=False)  # type: ignore[no-untyped-call]
        self.user_ns.update(main)  # multiprocessing's spawn looks for them
        self.execution_count = 1
        history = self.history_manager
        if history is not None:
            history.input_hist_parsed[:] = history.input_hist_raw[:] = [""]
            history._i00 = history._i = history._ii = history._iii = ""  # noqa: SLF001 - no other way
        for name in ("last_type", "last_value", "last_traceback", "last_exc"):
            sys.__dict__.pop(name, None)
        sys.argv[:] = [""]

    def showtraceback(self, exc_tuple: Any = None, *args: Any, **kwargs: Any) -> None:
        """Show the traceback, but for SystemExit: that is an end, not an error."""
        kind = exc_tuple[0] if exc_tuple else sys.exc_info()[0]
        if kind is not None and issubclass(kind, SystemExit):
            return
        shown: Any = exc_tuple or sys.exc_info()
        _leave_out_handler(shown[2])
        # IPython prints groups itself, past us, and fails at what cannot be printed.
        if _has_group(shown[1]) or _text(shown[1]) is None:
            frames = shown[2] and shown[2].tb_next  # the first is IPython's own
            lines = traceback.format_exception(shown[0], shown[1], frames)
            self._showtraceback(shown[0], shown[1], lines)
        else:
            super().showtraceback(exc_tuple, *args, **kwargs)

    def _showtraceback(self, etype: type, evalue: BaseException, stb: list[str]) -> None:
        frame = {"type": "error", "ename": etype.__name__, "evalue": _text(evalue) or ""}
        line = _line_in_cell(evalue)
        self.channel.send({**frame, "traceback": [str(part) for part in stb], "line": line})


def make_shell(channel: Channel, colors: str) -> Shell:
    """Return the shell; called once, in the server."""
    config = Config()
    config.HistoryManager.enabled = False  # else a thread and a SQLite file
    config.HistoryManager.hist_file = ":memory:"
    config.InteractiveShell.colors = colors
    config.InteractiveShell.cache_size = 0
    config.Completer.use_jedi = False
    shell = Shell.instance(config=config, channel=channel)
    formatter = shell.display_formatter
    if formatter is not None:
        formatter.active_types = formatter.format_types
    # IPython warns "To exit: use 'exit', 'quit', or Ctrl-D." after each SystemExit.
    warnings.filterwarnings("ignore", message="To exit: use 'exit'")
    # What is registered so far is the server's: IPython's would take the streams away.
    atexit._clear()  # noqa: SLF001 - the only way
    return shell


def take_streams(channel: Channel) -> None:
    """Make the run's streams Python's; in the server they stay the log's."""
    sys.stdout = Stream("stdout", channel, 1)
    sys.stderr = Stream("stderr", channel, 2)


def run(shell: Shell, order: dict[str, Any]) -> int:
    """Run the cell of a hand-over frame, tell its end, and return the exit code."""
    if shell.colors != order["colors"]:
        shell.colors = order["colors"]
    shell.execution_count = order["execution_count"]
    body = order["code"]
    if not body.lstrip().startswith("%%"):
        # IPython strips blank lines, so the lines above the body are made comments: tracebacks
        # then count as the notebook does.
        body = "# %%sandbox\n" * order["header_lines"] + body
    result = shell.execute(body)
    code, is_completed = _verdict(result)
    shell.channel.send({"type": "end", "completed": is_completed})
    try:
        # As at the end of a script: wait for the user's threads, then call exit handlers.
        threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001 - as Python's own exit
        atexit._run_exitfuncs()  # noqa: SLF001 - as above
    finally:
        shell.channel.flush()
    return code


def _verdict(result: ExecutionResult) -> tuple[int, bool]:
    """Return the exit code and whether the cell completed; raising is no exit code."""
    error = result.error_before_exec or result.error_in_exec
    if isinstance(error, SystemExit):
        if error.code is None or isinstance(error.code, int):
            return (error.code or 0) & 255, not error.code
        sys.stderr.write("{}\n".format(error.code))
        return 1, False
    return 0, error is None


def _text(error: BaseException) -> str | None:
    """Return what an exception says; None where it fails even at that."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - the user's code: it may raise anything
        return None


def _has_group(error: BaseException | None) -> bool:
    """Tell whether an exception, or one that it arose from, is a group (Python 3.11)."""
    group = getattr(builtins, "BaseExceptionGroup", ())
    while error is not None:
        if isinstance(error, group):
            return True
        error = error.__context__
    return False


def _leave_out_handler(frames: TracebackType | None) -> None:
    """Cut our signal handler off a traceback: the code was interrupted where it was called."""
    handler = Channel.interrupt.__code__
    while frames is not None and frames.tb_next is not None:
        if frames.tb_next.tb_frame.f_code is handler:
            frames.tb_next = None
        frames = frames.tb_next


def _line_in_cell(error: BaseException) -> int | None:
    """Return the last line of the notebook's cell that the traceback passes through."""
    if isinstance(error, SyntaxError) and "ipython-input" in str(error.filename):
        return error.lineno
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__, limit=None)
        if "ipython-input" in frame.filename
    ]
    return lines[-1] if lines else None


def _jsonable(data: dict[str, Any]) -> dict[str, Any]:
    """Return a MIME bundle with bytes in base64, as nbformat stores it."""
    return {
        kind: base64.b64encode(value).decode() if isinstance(value, bytes) else value
        for kind, value in data.items()
    }


def rehearse(shell: Shell, controller: ThreadpoolController) -> None:
    """Do once, unseen, what a run will do, so that the child has the memory pages it takes."""
    here: dict[str, Any] = {"cwd": os.getcwd(), "environ": dict(os.environ), "path": sys.path[:]}
    here["cpus"] = len(os.sched_getaffinity(0))
    hand_over(shell, json.loads(json.dumps(here)), controller)
    shell.execute(WARM_UP)
    shell.clean()
    shell.channel.flush()


def reseed() -> None:
    """Draw fresh random numbers: every fork has the server's state, and would draw the same."""
    for name in ("numpy", "torch"):
        module = sys.modules.get(name)
        if module is not None:
            (module.random if name == "numpy" else module).seed()


def hand_over(shell: Shell, order: dict[str, Any], controller: ThreadpoolController) -> None:
    """Take on the notebook's folder, environment, path and threads."""
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["environ"])
    sys.path[:] = order["path"]
    for library in controller.lib_controllers:
        if library.num_threads != order["cpus"]:  # setting it may start them, which takes time
            library.set_num_threads(order["cpus"])
    arrow = sys.modules.get("pyarrow")
    if arrow is not None:
        arrow.set_cpu_count(order["cpus"])
