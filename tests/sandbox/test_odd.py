"""What a cell finds around it is what any cell finds, and odd endings are told as what they are."""

from __future__ import annotations

import pytest

import exec_magic as em

pytestmark = pytest.mark.usefixtures("warm_session")


def test_nothing_of_the_warm_up_is_seen() -> None:
    """A run's history, names, last error and arguments hold nothing from before its own code."""
    run = em.run(
        "import sys\n"
        "print(len(In), Out, hasattr(sys, 'last_traceback'), sys.argv[1:])\n"
        "print('numpy' in globals(), 'pd' in globals(), '_' in globals())"
    )
    assert run.stdout == "2 {} False []\nFalse False False\n"


def test_main_module_is_complete() -> None:
    """`__main__` has what every main module has."""
    names = "__name__ __doc__ __package__ __loader__ __spec__ __builtins__"
    run = em.run(f"import sys\nprint([n for n in '{names}'.split() if n not in globals()])")
    assert run.stdout == "[]\n"


def test_text_from_many_threads_is_whole() -> None:
    """Lines that threads print at once are not torn, and none is lost."""
    run = em.run(
        "import threading\n"
        "def tell(n):\n"
        "    for _ in range(300): print(f'{n}' * 40 + '\\n', end='')\n"
        "threads = [threading.Thread(target=tell, args=(n,)) for n in range(8)]\n"
        "for thread in threads: thread.start()\n"
        "for thread in threads: thread.join()"
    )
    expected = sorted(f"{n}" * 40 for n in range(8) for _ in range(300))
    assert sorted(run.stdout.split()) == expected


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("exec('1 +')", "SyntaxError"),
        ("import asyncio\nasync def f(): raise OSError('x')\nawait f()", "OSError"),
        ("%run /nowhere.py", "Exception"),
        ("raise BaseException('x')", "BaseException"),
        ("raise GeneratorExit", "GeneratorExit"),
    ],
)
def test_exceptions_of_every_kind(code: str, error: str) -> None:
    """Whatever is raised, the run has failed and says what it was."""
    run = em.run(code)
    assert run.state == "failed"
    assert run.error is not None
    assert run.error.name == error
    assert run.message.startswith(f"failed: {error}")


@pytest.mark.parametrize(
    ("code", "state", "message"),
    [
        ("exit()", "completed", "completed"),
        ("raise SystemExit", "completed", "completed"),
        ("import sys\nsys.exit('because')", "failed", "failed: exit code 1"),
        ("import sys\nasync def f(): sys.exit(3)\nawait f()", "failed", "failed: exit code 3"),
    ],
)
def test_exits_of_every_kind(code: str, state: str, message: str) -> None:
    """SystemExit is an end, not an error: its code decides."""
    run = em.run(code)
    assert (run.state, run.message) == (state, message)
    assert run.error is None


def test_exit_handlers_run() -> None:
    """What was registered with atexit runs, is shown, and cannot spoil a completed run."""
    run = em.run("import atexit\natexit.register(print, 'bye')\natexit.register(lambda: 1 / 0)")
    assert run.state == "completed"
    assert run.stdout == "bye\n"
    assert "ZeroDivisionError" in run.stderr


def test_standard_input_is_empty() -> None:
    """Reading standard input ends at once; asking a question raises."""
    assert em.run("import sys\nprint(repr(sys.stdin.read()))").stdout == "''\n"
    assert em.run("input('name? ')").state == "failed"


@pytest.mark.parametrize("code", ["", "# nothing", "\n\n", "pass;"])
def test_empty_cells(code: str) -> None:
    """A cell without a statement completes."""
    run = em.run(code)
    assert (run.state, run.outputs) == ("completed", [])
