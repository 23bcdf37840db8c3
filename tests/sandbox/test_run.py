"""A `Run` is a Future: it can be waited for, awaited, cancelled, and keeps what was shown."""

from __future__ import annotations

import asyncio
import concurrent.futures
import json
import multiprocessing
import queue
import threading

import nbformat
import pytest

import exec_magic as em
from exec_magic import model, session
from exec_magic.session import Session

pytestmark = pytest.mark.usefixtures("warm_session")

_FOR_EVER = "print('up', flush=True)\nimport time\ntime.sleep(600)"


def _submit_and_see(code: str, own: Session) -> tuple[em.Run, queue.SimpleQueue[model.Event]]:
    """Start a run; return it, with its further events, once it has shown something."""
    events: queue.SimpleQueue[model.Event] = queue.SimpleQueue()
    run = own.submit(model.Cell(code), listener=events.put)
    while not isinstance(events.get(timeout=30), model.Output):
        pass
    return run, events


@pytest.fixture
def own() -> Session:
    """Return the process's session, with its server up."""
    return session.current()


def test_result_of_a_completed_run() -> None:
    """`result()` gives the values brought back, none yet; there is no exception."""
    run = em.run("print(1)\n6 * 7")
    assert (run.state, run.reason, run.exit_code, run.signal) == ("completed", "", 0, None)
    assert run.result() == {}
    assert run.exception() is None
    assert (run.stdout, run.stderr, run.text) == ("1\n", "", "42")


def test_result_of_a_failed_run() -> None:
    """`result()` raises SandboxError, which holds the run and says in one line what happened."""
    run = em.run("1 / 0")
    with pytest.raises(em.SandboxError, match="ZeroDivisionError: division by zero") as caught:
        run.result()
    assert caught.value.run is run
    assert run.error is not None
    assert (run.error.name, run.error.line) == ("ZeroDivisionError", 1)


def test_cancel_a_running_run(own: Session) -> None:
    """`cancel()` ends running work; then the Future is cancelled and its callbacks are told."""
    run, _ = _submit_and_see(_FOR_EVER, own)
    told: queue.SimpleQueue[concurrent.futures.Future[object]] = queue.SimpleQueue()
    run.add_done_callback(told.put)
    assert run.running()
    assert run.cancel()
    assert told.get(timeout=5) is run
    assert (run.state, run.cancelled(), run.done()) == ("cancelled", True, True)
    with pytest.raises(concurrent.futures.CancelledError):
        run.result()
    assert not run.cancel()
    assert run.stdout == "up\n"


def test_waiters_of_every_kind_are_told_of_a_cancel(own: Session) -> None:
    """`wait`, `as_completed` and `await` all return once a run is cancelled."""
    run, _ = _submit_and_see(_FOR_EVER, own)
    threading.Timer(0.05, run.cancel).start()
    assert next(concurrent.futures.as_completed([run], timeout=5)) is run
    assert run.wait(1) is run


def test_await_gives_the_run_however_it_ended() -> None:
    """`await run` gives the run, completed or failed, and several go on at a time."""

    async def gather() -> list[em.Run]:
        return list(await asyncio.gather(*(em.submit(code) for code in ("1", "1 / 0"))))

    assert [run.state for run in asyncio.run(gather())] == ["completed", "failed"]


def test_wait_has_a_timeout(own: Session) -> None:
    """`wait` raises TimeoutError when the run goes on, and the run goes on."""
    run, _ = _submit_and_see(_FOR_EVER, own)
    with pytest.raises(TimeoutError, match=run.name):
        run.wait(0.01)
    assert run.state == "running"
    run.cancel()
    run.wait(5)


def test_callback_that_raises_or_blocks_harms_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    """A callback that raises is reported; one that waits for another run does not block it."""
    seen: queue.SimpleQueue[str] = queue.SimpleQueue()

    def fail(_: object) -> None:
        raise ValueError("mine")

    def run_another(_: object) -> None:
        seen.put(em.run("print(2)").stdout)

    first = em.submit("1")
    first.add_done_callback(fail)
    first.add_done_callback(run_another)
    assert seen.get(timeout=20) == "2\n"
    assert "mine" in capsys.readouterr().err


def test_events_come_in_order(own: Session) -> None:
    """A listener is told of the start, the output and the end, in this order and once each."""
    events: queue.SimpleQueue[model.Event] = queue.SimpleQueue()
    own.submit(model.Cell("print(1)"), listener=events.put).wait(30)
    kinds: list[type[model.Event]] = []
    while not kinds or kinds[-1] is not model.Finished:
        kinds.append(type(events.get(timeout=5)))
    assert [kind for kind in kinds if kind is not model.Usage] == [
        model.Started,
        model.Output,
        model.Finished,
    ]


def test_outputs_are_valid_nbformat() -> None:
    """What `outputs` holds can be stored in a notebook."""
    run = em.run("print('a')\ndisplay(1)\nimport matplotlib.pyplot as plt\nplt.plot([1])\n1 / 0")
    cell = nbformat.v4.new_code_cell(outputs=[nbformat.from_dict(out) for out in run.outputs])  # type: ignore[no-untyped-call]
    nbformat.validate(nbformat.v4.new_notebook(cells=[cell]))  # type: ignore[no-untyped-call]
    assert [out["output_type"] for out in run.outputs][:2] == ["stream", "display_data"]


def test_to_dict_and_report() -> None:
    """`to_dict` is JSON; `report` is text, of a long output head and tail."""
    run = em.run(
        "print('first')\nprint('x' * 50_000)\nprint('last')\n1 / 0", labels={"student": "a17"}
    )
    said = json.loads(json.dumps(run.to_dict()))
    assert (said["state"], said["labels"]) == ("failed", {"student": "a17"})
    report = run.report(max_chars=2_000)
    assert len(report) < 2_200
    assert "ZeroDivisionError" in report
    assert "\x1b" not in report


def test_names() -> None:
    """Runs are numbered; a name may be used again, and labels are columns of the table."""
    em.run("1", name="fit", labels={"grade": 5})
    second = em.run("2", name="fit")
    assert em.last is second
    table = em.runs()
    assert list(table["name"])[-2:] == ["fit", "fit"]
    assert table["grade"].iloc[-2] == 5
    assert table["state"].iloc[-1] == "completed"


def test_forty_at_once() -> None:
    """Far more runs at once than there are children waiting, each with its own output."""
    runs = [em.submit(f"print({number})") for number in range(40)]
    assert [run.wait(60).stdout for run in runs] == [f"{number}\n" for number in range(40)]


def test_threads_may_submit_at_once() -> None:
    """Runs may be started from many threads."""
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(lambda number: em.run(f"print({number})"), range(24)))
    assert [run.stdout for run in runs] == [f"{number}\n" for number in range(24)]


def test_much_output() -> None:
    """A hundred thousand lines come whole and in order."""
    run = em.run("for number in range(100_000):\n    print(number)", timeout=60)
    assert run.stdout.split() == [str(number) for number in range(100_000)]


def test_big_code_and_big_display() -> None:
    """Code and a display of several megabytes pass."""
    run = em.run(f"text = {'x' * 4_000_000!r}\nprint(len(text))\ntext", timeout=60)
    assert run.stdout == "4000000\n"
    assert run.text == repr("x" * 4_000_000)


def test_fork_of_the_kernel_process_has_a_session_of_its_own(own: Session) -> None:
    """A forked child of this process can run cells, and ends nothing here when it exits."""
    run, _ = _submit_and_see(_FOR_EVER, own)
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()

    def child() -> None:
        answers.put(em.run("print(6 * 7)").stdout)
        session.close()

    process = context.Process(target=child)
    process.start()
    process.join(60)
    assert process.exitcode == 0
    assert answers.get() == "42\n"
    answers.close()
    process.close()
    assert run.state == "running"
    run.cancel()
    run.wait(5)
