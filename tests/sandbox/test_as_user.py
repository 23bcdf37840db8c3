"""Everything works for an ordinary user too, where no cgroup can be had."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from rig.machine import REPOSITORY, environment, is_root

#: A number that no user of this machine has.
_UID = 65432

_PROGRAM = """
import json, os, signal
import psutil
import exec_magic as em

def look(run):
    return [run.state, run.reason, run.message, run.stdout]

results = {}
results["normal"] = look(em.run("import os\\nprint(os.getuid(), end='')"))
eat = "import numpy as np\\nkept = []\\nwhile True: kept.append(np.ones(2_000_000))"
results["memory"] = look(em.run(eat, memory="300M", timeout=60))
results["timeout"] = look(em.run("while True: pass", timeout=1))
results["killed"] = look(em.run("import os\\nos.kill(os.getpid(), 9)"))
run = em.submit("import time\\nprint('up', flush=True)\\ntime.sleep(600)")
guardian = next(c for c in psutil.Process().children() if "guardian" in " ".join(c.cmdline()))
(server,) = guardian.children()
os.kill(server.pid, signal.SIGKILL)
results["lost"] = look(run.wait(30))
results["after"] = look(em.run("print(6 * 7)"))
em.session.close()
results["left"] = len(psutil.Process().children(recursive=True))
print(json.dumps(results))
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what the program above saw as an ordinary user."""
    if not is_root():
        pytest.skip("is an ordinary user already: every other test says it")
    home = tmp_path_factory.mktemp("user")
    for folder in home.parents:
        if folder.stat().st_uid == 0 and len(folder.parts) > 2:
            folder.chmod(folder.stat().st_mode | 0o011)
    (home / "tmp").mkdir()
    for folder in (home, home / "tmp"):
        try:
            os.chown(folder, _UID, _UID)
        except OSError:  # root of a user namespace, who is alone in it
            pytest.skip("no other user can be had here")
    env = environment(home, TMPDIR=str(home / "tmp"))
    asked: dict[str, Any] = {"user": _UID, "group": _UID, "extra_groups": [], "env": env}
    probe = subprocess.run(
        [sys.executable, "-c", "import exec_magic, pandas"],
        check=False, capture_output=True, cwd=home, **asked,
    )  # fmt: skip
    if probe.returncode:
        pytest.skip(f"an ordinary user cannot read this Python or {REPOSITORY.name}")
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        check=True, stdout=subprocess.PIPE, text=True, timeout=100, cwd=home, **asked,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_normal_run(results: dict[str, Any]) -> None:
    """A run completes, and is the user's."""
    assert results["normal"] == ["completed", "", "completed", str(_UID)]


def test_memory_limit(results: dict[str, Any]) -> None:
    """A memory limit stops a run, by whichever means an ordinary user has."""
    state, reason, message, _ = results["memory"]
    assert (state, reason) == ("stopped", "memory"), message
    assert message.startswith("stopped: memory limit 300 MB reached")


def test_timeout(results: dict[str, Any]) -> None:
    """A time limit stops a run."""
    assert results["timeout"][:2] == ["stopped", "walltime"]


def test_killed(results: dict[str, Any]) -> None:
    """A run that kills itself has failed, by the operating system's own word."""
    assert results["killed"][:2] == ["failed", "killed"]


def test_lost_server(results: dict[str, Any]) -> None:
    """The server is killed: its run is lost, the next works."""
    assert results["lost"][0] == "lost"
    assert results["after"] == ["completed", "", "completed", "42\n"]


def test_nothing_is_left(results: dict[str, Any]) -> None:
    """After the session is closed there is no process below the user's."""
    assert results["left"] == 0
