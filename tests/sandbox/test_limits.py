"""Every limit holds for the whole tree, by whichever mechanism this machine has."""

from __future__ import annotations

import pytest

import exec_magic as em
from exec_magic import session

pytestmark = pytest.mark.usefixtures("warm_session")

_BURN = "def burn(): \n    while True: pass\n"
_CHILDREN = (
    "import multiprocessing\n" + _BURN + "context = multiprocessing.get_context('fork')\n"
    "workers = [context.Process(target=burn) for _ in range(4)]\n"
    "for worker in workers: worker.start()\n"
    "for worker in workers: worker.join()\n"
)
_DAEMON = (
    "import os, time\n" + _BURN + "if not os.fork():\n"
    "    os.setsid()\n"
    "    if not os.fork(): burn()\n"
    "    os._exit(0)\n"
    "os.wait()\n"
    "time.sleep(60)\n"
)


def needs(controller: str) -> None:
    """Skip where this machine has no such cgroup for us."""
    em.run("pass")
    server = session.current().executor.server
    assert server is not None
    if controller not in server.controllers:
        pytest.skip(f"no {controller} cgroup that this user may use")


@pytest.mark.parametrize(
    "code", [_BURN + "burn()", _CHILDREN, _DAEMON], ids="one four daemon".split()
)
def test_cpu_time(code: str) -> None:
    """CPU time is that of all processes, children that have died and daemons included."""
    run = em.run(code, cpu_time=1, timeout=30)
    assert (run.state, run.reason) == ("stopped", "cputime"), run.message
    assert "CPU time limit 1.0 s reached" in run.message
    assert 0.97 < run.stats["cputime"] < 2  # a busy machine looks late


def test_cpus() -> None:
    """A fraction of a CPU is what the tree gets, however many processes it has."""
    needs("cpu")
    run = em.run(_CHILDREN, cpus=0.5, timeout=2)
    assert run.reason == "walltime"
    assert 0 < run.stats["cputime"] < 1.4


def test_processes() -> None:
    """Past the number nothing more starts, and the record names the option."""
    needs("pids")
    code = (
        "import threading, time\n"
        "for _ in range(50): threading.Thread(target=time.sleep, args=(9,)).start()"
    )
    run = em.run(code, processes=20, timeout=30)
    assert run.state == "failed"
    assert run.error is not None
    assert run.error.name == "RuntimeError"
    assert run.hints == (
        "a process or thread was refused at the limit of 20; --processes raises it",
    )


def test_limit_that_cannot_be_enforced_is_an_error() -> None:
    """Where no cgroup can hold a limit, asking for it starts nothing."""
    em.run("pass")
    server = session.current().executor.server
    assert server is not None
    if server.controllers:
        pytest.skip("this machine has cgroups for us")
    with pytest.raises(em.Unavailable, match="--processes 20 cannot be enforced here"):
        em.run("pass", processes=20)


def test_output_is_cut_in_the_middle() -> None:
    """Head and tail stay, and what is between them is counted."""
    run = em.run("for i in range(100_000): print(i)", max_output="20k")
    assert run.state == "completed"
    assert run.stdout.startswith("0\n1\n2\n")
    assert run.stdout.endswith("99998\n99999\n")
    assert "left out: the limit is 20 kB; --max-output raises it" in run.stderr
    assert len(run.stdout) <= 20 << 10


def test_output_can_be_a_limit_that_stops() -> None:
    """With `fail` the run is stopped where it shows too much."""
    run = em.run("while True: print('more')", max_output="20k", past_max_output="fail")
    assert (run.state, run.reason) == ("stopped", "output-size")
    assert run.stdout.startswith("more\nmore\n")


@pytest.mark.parametrize(
    "code",
    [
        "print('x' * (200 << 20))",
        "import os\nfor _ in range(200): os.write(1, b'x' * (1 << 20))",
        "import subprocess\nsubprocess.run(['head', '-c', '200M', '/dev/zero'])",
    ],
    ids=["one line", "descriptor", "subprocess"],
)
def test_output_without_end_is_bounded(code: str) -> None:
    """Whatever is written, and by whom, no more than the limit is kept."""
    run = em.run(code, timeout=60)
    assert run.state == "completed"
    assert len(run.stdout) <= 10 << 20
    assert "left out" in run.stderr
