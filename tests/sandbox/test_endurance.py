"""However many runs there were, kernel process, guardian and server stay as they were."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from rig.machine import environment

_PROGRAM = """
import json, os, sys, time
import psutil
import exec_magic as em

def look():
    me = psutil.Process()
    guardian = next(child for child in me.children() if "guardian" in " ".join(child.cmdline()))
    server = next(child for child in guardian.children() if "server" in " ".join(child.cmdline()))
    looks = {
        name: {
            "descriptors": process.num_fds(),
            "threads": process.num_threads(),
            "children": len(process.children()),
            "memory": anonymous(process.pid),
        }
        for name, process in (("kernel", me), ("guardian", guardian), ("server", server))
    }
    folders = [folder for folder, _, _ in os.walk("/sys/fs/cgroup")]
    looks["guardian"]["cgroups"] = sum(f"exec_magic-{guardian.pid}" in path for path in folders)
    return looks

def anonymous(pid):
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("RssAnon"))

def settled():
    # children that wait ready are replaced a moment after a run has ended
    last, now = None, look()
    while last != now:
        time.sleep(0.3)
        last, now = now, look()
    return now

looks = []
for number in range(int(sys.argv[1])):
    assert em.run("x = 1").state == "completed"
    if number + 1 == int(sys.argv[2]):
        looks.append(settled())
looks.append(settled())
print(json.dumps(looks))
"""
#: What the kernel process may keep of a run, for the table of runs.
_KEPT_BYTES = 10_000
_NOISE_BYTES = 2 << 20


def _endure(home: Path, runs: int, first: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(runs), str(first)],
        env=environment(home),
        cwd=home,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=300,
    )
    before, after = json.loads(done.stdout)
    for name, was in before.items():
        now = after[name]
        for what in was.keys() - {"memory"}:
            assert now[what] <= was[what], f"{what} of the {name}: {was[what]}, then {now[what]}"
        kept = _KEPT_BYTES * (runs - first) if name == "kernel" else 0
        grown = now["memory"] - was["memory"]
        assert grown <= kept + _NOISE_BYTES, f"the {name} grew by {grown} bytes"


def test_150_runs(home: Path) -> None:
    """150 runs leave descriptors, threads, children and memory where they were after 30."""
    _endure(home, 150, 30)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_2000_runs(home: Path) -> None:
    """2,000 runs leave descriptors, threads, children and memory where they were after 100."""
    _endure(home, 2000, 100)
