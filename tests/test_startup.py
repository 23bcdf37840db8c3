"""What each program has imported when it starts: the less, the sooner it is there."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from rig.machine import environment

PACKAGE = Path(__file__).parents[1] / "exec_magic"
WORKER = sorted([*(PACKAGE / "worker").rglob("*.py"), PACKAGE / "wire.py", PACKAGE / "__init__.py"])

#: `json`, `ctypes`, `os`, `select`, `signal` and `struct`, with what they import in turn.
_SHARED = (
    set(
        """
    __future__ _collections _collections_abc _ctypes _functools _json _operator _sre _stat _struct
    collections collections.abc copyreg ctypes ctypes._endian enum functools genericpath itertools
    json json.decoder json.encoder json.scanner keyword operator os os.path posixpath re
    re._casefix re._compiler re._constants re._parser reprlib select signal stat struct types
    """.split()
    )
    | {"exec_magic", "exec_magic.worker"}
    | {
        f"exec_magic.worker.{name}"
        for name in (
            "cgroup",
            "hierarchy",
            "reaping",
            "usage",
            "confine",
            "confine.libc",
            "confine.namespaces",
        )
    }
)
GUARDIAN = _SHARED | {"exec_magic.worker.guardian"}
#: `resource` and `socket`, with what they import in turn.
SERVER = (
    _SHARED
    | {"_socket", "array", "errno", "math", "resource", "selectors", "socket"}
    | {f"exec_magic.worker.{name}" for name in ("inits", "link", "nursery", "server", "watch")}
)
_LOOK = "import sys; before = set(sys.modules); import {}; print(*set(sys.modules) - before)"


def imported(module: str, *flags: str) -> set[str]:
    """Return what a fresh interpreter imports for a module beyond what it starts with."""
    place = f"import sys; sys.path.append({str(PACKAGE.parent)!r}); "
    command = [sys.executable, *flags, "-c", place + _LOOK.format(module)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30)
    return set(done.stdout.split())


def test_guardian_imports_the_lightest() -> None:
    """The guardian holds little beyond the interpreter: it stays for as long as the kernel."""
    assert imported("exec_magic.worker.guardian", "-I", "-S") <= GUARDIAN


def test_server_imports_little_before_preload() -> None:
    """The server has imported only what its own loop needs before it fills itself for the runs."""
    assert imported("exec_magic.worker.server", "-P") <= SERVER


def test_face_imports_nothing() -> None:
    """`import exec_magic` costs one small file: no module of ours and none of anybody else's."""
    assert imported("exec_magic", "-P") <= {"exec_magic", "__future__"}


def test_loading_the_extension_is_light(home: Path) -> None:
    """`%load_ext exec_magic` starts no process and no thread, and imports no pandas."""
    program = (
        "import json, sys, threading; from pathlib import Path\n"
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "from traitlets.config import Config\n"
        "shell = InteractiveShell(config=Config(HistoryManager={'enabled': False}))\n"
        "shell.run_line_magic('load_ext', 'exec_magic')\n"
        "children = Path('/proc/thread-self/children').read_text().split()\n"
        "heavy = {'pandas', 'numpy', 'matplotlib'} & set(sys.modules)\n"
        "print(json.dumps([list(heavy), threading.active_count(), children]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        check=True, capture_output=True, text=True, timeout=30, cwd=home, env=environment(home),
    )  # fmt: skip
    assert json.loads(done.stdout) == [[], 1, []]


@pytest.mark.parametrize("path", WORKER, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_worker_is_written_for_python_3_9(path: Path) -> None:
    """The worker and what it imports parse as Python 3.9, so that other interpreters can run it."""
    ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 9))
