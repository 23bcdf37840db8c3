"""A run learns nothing of another run, nor of what the kernel process has already forgotten.

A secret is put together when a test runs, and whoever looks for it gets it in two halves: the
looker's own memory never holds it in one piece.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

import exec_magic as em
from rig.machine import environment

pytestmark = pytest.mark.usefixtures("warm_session")

_SEARCH = """
import os, sys
front, back = {front!r}.encode(), {back!r}.encode()
found, read = [], 0

def look(where, data):
    at = data.find(front)
    while at >= 0:
        if data.startswith(back, at + len(front)):
            found.append(where)
        at = data.find(front, at + 1)

for name in ("environ", "cmdline"):
    with open("/proc/self/" + name, "rb") as file:
        look(name, file.read())
with open("/proc/self/maps") as maps:
    lines = maps.readlines()
memory = os.open("/proc/self/mem", os.O_RDONLY)
for line in lines:
    start, end = (int(number, 16) for number in line.split()[0].split("-"))
    if "r" not in line.split()[1] or "[v" in line:
        continue
    for offset in range(start, end, 1 << 20):
        try:
            piece = os.pread(memory, min(end, offset + (1 << 20) + 256) - offset, offset)
        except OSError:
            continue
        look(line.strip(), piece)
        read += len(piece)
print(read, sorted(set(found)))
"""


def _search(front: str, back: str) -> tuple[int, str]:
    """Return how many bytes a run has read of itself, and where it found the secret."""
    run = em.run(_SEARCH.format(front=front, back=back), timeout=60)
    assert run.state == "completed", run.message
    read, _, found = run.stdout.partition(" ")
    return int(read), found.strip()


@pytest.fixture
def halves() -> tuple[str, str]:
    """Two halves of a new secret."""
    return secrets.token_hex(12), secrets.token_hex(12)


def test_search_finds_what_is_there(halves: tuple[str, str]) -> None:
    """The search itself works: a secret that the kernel process has in its environment now,
    and so hands to the run, is found."""
    os.environ["TEST_SECRET"] = "".join(halves)
    try:
        read, found = _search(*halves)
    finally:
        del os.environ["TEST_SECRET"]
    assert read > 1 << 20
    assert found != "[]"


def test_code_of_another_run(halves: tuple[str, str]) -> None:
    """A run cannot find the code, the values and the output of an earlier run."""
    secret = "".join(halves)
    for _ in range(5):
        earlier = em.run(f"kept = {secret!r} * 1000\nprint({secret!r})")
        assert earlier.stdout == secret + "\n"
    for _ in range(5):
        read, found = _search(*halves)
        assert read > 1 << 20
        assert found == "[]"


def test_code_of_a_run_going_on(halves: tuple[str, str]) -> None:
    """Nor that of a run which goes on beside it."""
    other = em.submit(f"kept = {''.join(halves)!r}\nimport time\ntime.sleep(600)")
    try:
        assert _search(*halves)[1] == "[]"
    finally:
        other.cancel()
        other.wait(10)


def test_environment_of_another_run(halves: tuple[str, str]) -> None:
    """A variable that the kernel process had while an earlier run went on is nowhere later."""
    os.environ["TEST_SECRET"] = "".join(halves)
    try:
        earlier = em.run("import os\nprint(os.environ['TEST_SECRET'])")
    finally:
        del os.environ["TEST_SECRET"]
    assert earlier.stdout == "".join(halves) + "\n"
    for _ in range(5):
        assert _search(*halves)[1] == "[]"
    gone = em.run("import os\nprint('TEST_SECRET' in os.environ)")
    assert gone.stdout == "False\n"


def test_environment_of_the_server(home: Path, halves: tuple[str, str]) -> None:
    """Neither guardian nor server has a variable of the kernel process, and what a run sees in
    /proc/self/environ is theirs."""
    code = (
        "import json, psutil, exec_magic as em\n"
        "run = em.run(\"print(open('/proc/self/environ').read())\")\n"
        "tree = psutil.Process().children(recursive=True)\n"
        "blocks = [open(f'/proc/{p.pid}/environ').read() for p in tree]\n"
        "print(json.dumps([len(blocks), 'SECRET' in run.stdout, 'SECRET' in ''.join(blocks)]))\n"
    )
    program = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(home, TEST_SECRET="SECRET" + "".join(halves)),
        cwd=home,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    count, in_run, in_blocks = json.loads(program.stdout)
    assert count >= 2
    assert not in_run
    assert not in_blocks


def test_run_has_the_kernels_environment() -> None:
    """In profile `open` the code acts as the user: it has the kernel process's variables."""
    os.environ["TEST_SETTING"] = "given"
    try:
        run = em.run("import os\nprint(os.environ['TEST_SETTING'])")
    finally:
        del os.environ["TEST_SETTING"]
    assert run.stdout == "given\n"


def test_runs_share_nothing() -> None:
    """What a run defines, imports or changes is gone in the next."""
    em.run("import sys, os, math\nmath.pi = 3\nleft = 1\nos.environ['LEFT'] = '1'\nos.chdir('/')")
    code = (
        "import math, os\n"
        "print(math.pi > 3, 'left' in globals(), 'LEFT' in os.environ, os.getcwd())"
    )
    assert em.run(code).stdout == f"True False False {Path.cwd()}\n"


def test_run_holds_no_descriptor_of_others() -> None:
    """A run has the standard three, its own two sockets and what it opened, none of others."""
    code = (
        "import json, os\nfolder = '/proc/self/fd/'\n"
        "print(json.dumps([os.readlink(folder + name) for name in os.listdir(folder)[:-1]]))"
    )
    other = em.submit("import time\ntime.sleep(600)")
    try:
        mine = json.loads(em.run(code).stdout)
    finally:
        other.cancel()
        other.wait(10)
    assert sum(target.startswith("socket:") for target in mine) <= 2
    assert len(mine) <= 6, mine
