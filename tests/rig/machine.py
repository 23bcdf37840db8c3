"""What kind of machine the tests run on, found by doing and without the package's own code."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def is_root() -> bool:
    """Whether the tests run as real root."""
    return os.geteuid() == 0


@functools.cache
def has_namespaces() -> bool:
    """Whether new PID and mount namespaces with a /proc of their own can be had."""
    as_user = [] if is_root() else ["--user", "--map-root-user"]
    command = ["unshare", *as_user, "--pid", "--mount", "--fork", "--mount-proc", "true"]
    try:
        done = subprocess.run(command, check=False, capture_output=True, timeout=20)
    except FileNotFoundError:
        return False
    return done.returncode == 0


def kinds() -> set[str]:
    """Return the words of `expected_skips.toml` that are true here."""
    return {
        "anywhere",
        "root" if is_root() else "user",
        "with-namespaces" if has_namespaces() else "without-namespaces",
    }


def environment(home: Path, **extra: str) -> dict[str, str]:
    """Return the environment of a fresh user with an empty home, for a program under test."""
    return {
        "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}",
        "LANG": "C.UTF-8",
        "HOME": str(home),
        "TMPDIR": tempfile.gettempdir(),
        "IPYTHONDIR": str(home / "ipython"),
        "JUPYTER_CONFIG_DIR": str(home / "jupyter"),
        "JUPYTER_DATA_DIR": str(home / "jupyter"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTER_PLATFORM_DIRS": "1",
        "PYTHONPATH": str(REPOSITORY),
        **extra,
    }
