"""Commands through the Python API, with namespaces and without."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import exec_magic as em
from exec_magic.model import Command, Limits
from exec_magic.session import Session
from rig.machine import has_namespaces

#: Children that the server keeps forked ahead, each with three descriptors of ours.
STOCK = 2


@pytest.fixture(scope="module", params=["namespaced", "plain"])
def started(request: pytest.FixtureRequest) -> Iterator[Session]:
    """Provide a session of either kind in which a run has ended already."""
    if request.param == "namespaced" and not has_namespaces():
        pytest.skip("no PID and mount namespaces here")
    session = Session(is_namespaced=request.param == "namespaced")
    session.submit(Command.exec("true")).wait(60)
    _wait_for_stock(session)
    yield session
    session.close()


@pytest.fixture
def sessions(started: Session) -> Iterator[Session]:
    """Provide the session; every test begins and ends with as many children forked ahead."""
    yield started
    _wait_for_stock(started)


def _wait_for_stock(session: Session) -> None:
    deadline = time.monotonic() + 10
    while len(session.executor._stock) < STOCK and time.monotonic() < deadline:
        time.sleep(0.01)


def _end(session: Session, task: Command, limits: Limits = Limits(timeout=60)) -> em.Run:
    return session.submit(task, limits=limits).wait(60)


def test_environment_folder_and_input(
    sessions: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command has the caller's environment as it is, the folder it asks for, and its input."""
    monkeypatch.setenv("MINE", "päd \udcff")
    env = _end(sessions, Command.exec("env", "-0"))
    names = {entry.partition("=")[0] for entry in env.stdout.split("\0")} - {""}
    assert names == set(os.environ)
    assert "MINE=päd \ufffd" in env.stdout
    assert _end(sessions, Command.exec("pwd", "-P", cwd=str(tmp_path))).stdout == f"{tmp_path}\n"
    assert _end(sessions, Command.exec("cat", stdin="a\0b")).stdout == "a\0b"
    assert _end(sessions, Command.exec("cat")).stdout == ""


def test_words_are_not_read_by_a_shell(sessions: Session) -> None:
    """Without a shell every word arrives as it is."""
    words = ("%s|", "$HOME", "a b", "", "*", "\udcff", "-x")
    assert _end(sessions, Command.exec("printf", *words)).stdout == "$HOME|a b||*|\ufffd|-x|"


def test_descriptors_are_three(sessions: Session) -> None:
    """A command holds its input and the two pipes, nothing of ours."""
    listed = _end(sessions, Command.shell("echo /proc/$$/fd/*")).stdout.split()
    assert {Path(path).name for path in listed} - {"255", "3"} == {"0", "1", "2"}


def test_result_is_the_values(sessions: Session) -> None:
    """`result()` gives the values, and raises SandboxError unless the exit code is 0."""
    assert _end(sessions, Command.exec("true")).result() == {}
    with pytest.raises(em.SandboxError, match=r"^failed: exit code 7$"):
        _end(sessions, Command.shell("exit 7")).result()


def test_aws_answers_a_document(
    sessions: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call of AWS asks for JSON, and the run's value is what that says."""
    aws = tmp_path / "aws"
    aws.write_text('#!/bin/sh\necho "{\\"words\\": \\"$*\\"}"\n', encoding="utf-8")
    aws.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    run = _end(sessions, Command.aws("sqs", "list-queues", "--max-items", "3"))
    assert run.values == {"json": {"words": "sqs list-queues --output json --max-items 3"}}
    assert run.result() == run.values
    aws.write_text("#!/bin/sh\necho text\n", encoding="utf-8")
    assert _end(sessions, Command.aws("s3", "ls")).values == {}


def test_what_the_system_cannot_execute(sessions: Session, tmp_path: Path) -> None:
    """A file that the system refuses ends as in a shell: exit code 126, and why on stderr."""
    odd = tmp_path / "odd"
    odd.write_bytes(b"\x7fELF nothing")
    odd.chmod(0o755)
    run = _end(sessions, Command.exec(str(odd)))
    assert (run.state, run.exit_code) == ("failed", 126)
    assert run.stderr == f"{odd}: Exec format error\n"


def test_memory_is_the_commands(sessions: Session) -> None:
    """A command's peak is its own memory, and its limit holds for that."""
    holds = "import time; held = bytes([1]) * 200_000_000; time.sleep(0.5)"
    run = _end(sessions, Command.exec("python3", "-c", holds))
    assert run.state == "completed"
    assert 200e6 <= run.stats["memory"] < 225e6
    stopped = _end(sessions, Command.exec("python3", "-c", holds), Limits(60, 150 << 20))
    assert stopped.state in {"stopped", "failed"}
    assert stopped.reason == "memory" or "MemoryError" in stopped.stderr


def test_cputime_is_the_commands(sessions: Session) -> None:
    """CPU time counts the command and all that it waited for."""
    burn = "import time\nwhile time.process_time() < 0.5: pass"
    run = _end(sessions, Command.shell(f"for i in 1 2; do python3 -c '{burn}'; done"))
    assert 1.0 <= run.stats["cputime"] < 2.0


def test_stubborn_command_is_killed(sessions: Session) -> None:
    """A command that heeds no signal is killed within the time that every run is given."""
    run = sessions.submit(Command.shell("trap '' INT TERM; echo up; while :; do sleep 9; done"))
    while not run.stdout:
        time.sleep(0.01)
    asked = time.monotonic()
    assert run.cancel()
    run.wait(10)
    assert time.monotonic() - asked < 2
    assert (run.state, run.signal) == ("cancelled", signal.SIGKILL)


def test_what_is_no_task() -> None:
    """What is neither a cell's text nor a Command is a TypeError that names its kind."""
    with pytest.raises(TypeError, match="not int"):
        em.run(3)  # type: ignore[arg-type]


def test_record_and_report(sessions: Session) -> None:
    """Record, report and JSON of a command name what was run."""
    run = _end(sessions, Command.shell("echo hi"))
    assert run.to_dict()["code"] == "echo hi"
    assert "hi" in run.report()
    other = _end(sessions, Command.shell("echo ho"))
    assert run.stats["code_hash"] != other.stats["code_hash"]
