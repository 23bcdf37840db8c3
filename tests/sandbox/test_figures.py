"""The figures of a run are the operating system's, of the whole tree, and honest.

Each test runs with PID and mount namespaces, where they can be had, and plainly.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import exec_magic as em
from exec_magic import model
from exec_magic.session import Session
from rig.machine import has_namespaces

MB = 1 << 20


@pytest.fixture(scope="module", params=[True, False], ids=["namespaced", "plain"])
def session(request: pytest.FixtureRequest) -> Iterator[Session]:
    """Provide a session of one of the two kinds."""
    if request.param and not has_namespaces():
        pytest.skip("no PID and mount namespaces here")
    session = Session(is_namespaced=request.param)
    session.submit(model.Cell("pass")).wait(60)
    server = session.executor.server
    assert server is not None
    assert server.is_namespaced == request.param
    yield session
    session.close()


def _run(session: Session, code: str, **limits: float) -> em.Run:
    allowed = model.Limits(timeout=limits.get("timeout"), memory=_whole(limits.get("memory")))
    return session.submit(model.Cell(code), limits=allowed).wait(60)


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


def _memory(run: em.Run) -> float:
    memory = run.record().figures.memory
    assert memory is not None
    return memory / MB


def test_nothing_uses_next_to_nothing(session: Session) -> None:
    """What a run was handed (interpreter, pandas) is not counted."""
    run = _run(session, "pass")
    assert _memory(run) < 30
    assert 0 < (run.record().figures.walltime or 0) < 5


def test_memory_of_one_process(session: Session) -> None:
    """The peak is what the code held at most, also for a moment only."""
    run = _run(session, "import numpy as np\nnp.ones(25 * 2**20)\nNone")
    assert 195 < _memory(run) < 240


def test_memory_of_the_whole_tree(session: Session) -> None:
    """Memory of child processes is counted, shared pages once."""
    code = (
        "import os, time, numpy as np\n"
        "kept = np.ones(12 * 2**20)\n"
        "ready, done = os.pipe()\n"
        "for _ in range(2):\n"
        "    if not os.fork():\n"
        "        mine = np.ones(12 * 2**20)\n"
        "        os.write(done, b'x')\n"
        "        time.sleep(0.6)\n"
        "        os._exit(0)\n"
        "os.read(ready, 1); os.read(ready, 1)\n"
        "os.wait(); os.wait()"
    )
    assert 280 < _memory(_run(session, code)) < 340


@pytest.mark.parametrize(
    "code",
    [
        "kept = []\nwhile True: kept.append(bytearray(4_000_000))",
        """
import mmap
kept = []
while True:
    kept.append(mmap.mmap(-1, 4_000_000))
    kept[-1].write(bytes(4_000_000))
""",
        """
import os, time
for _ in range(4):
    if not os.fork():
        kept = b'x' * 90_000_000
        break
time.sleep(20)
""",
    ],
    ids=["bytes", "shared-map", "four-processes"],
)
def test_memory_limit_holds(session: Session, code: str) -> None:
    """Memory of every kind that processes map counts, and the run is stopped for it."""
    run = _run(session, code, memory=300 * MB, timeout=10)
    assert (run.state, run.reason) == ("stopped", "memory"), run.message
    assert 290 < _memory(run) < 700


def test_cputime_of_the_whole_tree(session: Session) -> None:
    """CPU time of children, waited for or not, is counted."""
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    code = (
        f"import os\n{burn}\n"
        "if not os.fork():\n"
        "    end = time.process_time() + 0.3\n"
        "    while time.process_time() < end: pass\n"
        "    os._exit(0)\n"
        "os.wait()"
    )
    cputime = _run(session, code).record().figures.cputime
    assert cputime is not None
    assert 0.5 < cputime < 1.0


def test_cputime_leaves_out_what_was_before(session: Session) -> None:
    """A run that does nothing has used next to no CPU time, warm-up and start not counted."""
    cputime = _run(session, "pass").record().figures.cputime
    assert cputime is not None
    assert cputime < 0.1


def test_walltime_limit(session: Session) -> None:
    """The time limit is kept closely, and the wall time says so."""
    run = _run(session, "while True: pass", timeout=0.5)
    walltime = run.record().figures.walltime
    assert (run.state, run.reason) == ("stopped", "walltime")
    assert walltime is not None
    assert 0.5 <= walltime < 1.5


def test_samples(session: Session) -> None:
    """A run has some ten samples a second, in order, that show what it held."""
    run = _run(session, "kept = bytearray(100_000_000)\nimport time\ntime.sleep(1)")
    samples = run.samples
    walltime = run.record().figures.walltime or 0  # a busy machine takes its time
    assert 2 <= len(samples) <= 2 + walltime / 0.09
    assert [sample.time for sample in samples] == sorted(sample.time for sample in samples)
    assert samples[-1].memory > 90 * MB
    assert samples[-1].processes == 1
    assert next(iter(run.usage.columns)) == "time"
    assert len(run.usage) == len(samples)


def test_what_was_not_measured_is_missing(session: Session) -> None:
    """A figure that could not be had is missing, never 0."""
    _run(session, "pass")
    table = session.runs()
    assert table["memory_limit"].isna().iloc[-1]
    assert table["memory"].notna().iloc[-1]
    assert table.attrs["units"]["memory"] == "B" or "byte" in table.attrs["units"]["memory"]
