"""`%exec` and `%%exec` through a real kernel: what a user types, sees and gets."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from rig.kernel import Kernel


def _run(kernel: Kernel, cell: str) -> str:
    """Run a cell that must go well; return all text of its stdout."""
    result = kernel.run_cell(cell)
    assert result.status == "ok", result.text
    return result.stream("stdout")


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("echo one | tr o 0", "0ne\n"),
        ("echo \"a  'b'  c\"  d", "a  'b'  c d\n"),
        ("echo 'a  \"b\"' \\$x \\\\", 'a  "b" $x \\\n'),
        ("x=7; echo $x ${x} $((x * 6)) {a,b} {x}", "7 7 42 a b {x}\n"),
        ('test "$HOME" = ~ && echo home', "home\n"),
        ("printf '%s\\n' päd 猫 '🐧'", "päd\n猫\n🐧\n"),
        ("printf 'a\\377b\\000c'", "a\ufffdb\0c"),
        ("-q -- echo -n dash", "dash"),
        ("--shell sh echo $0", "sh\n"),
        ("--shell 'bash -e' false; echo not", None),
        ("cat", ""),
        ("--cwd / pwd", "/\n"),
        ("--interpreter python3 print(6 * 7)", "42\n"),
        ("ls /proc/self/fd | wc -l", "4\n"),
        ("env | grep -c -e OPENBLAS_NUM_THREADS -e OMP_NUM_THREADS -e JE_ARROW || true", "0\n"),
        ("grep -c . /proc/self/status > /dev/null; yes | head -1", "y\n"),
    ],
)
def test_line_reaches_the_shell_as_typed(kernel: Kernel, command: str, shown: str | None) -> None:
    """The shell gets the line untouched, in the notebook's environment, and its output appears."""
    kernel.run_cell("x = 'the notebook\\'s'")
    result = kernel.run_cell(f"%exec {command}")
    assert result.status == ("error" if shown is None else "ok"), result.text
    assert result.stream("stdout") == (shown or "")


def test_line_gives_the_run(kernel: Kernel) -> None:
    """`r = %exec …` binds the Run, shows the output and nothing else; bare, its record follows."""
    bound = kernel.run_cell("r = %exec echo hi; exit 0")
    assert [output["type"] for output in bound.outputs] == ["stream"]
    assert kernel.value("[r.state, r.stdout, r.exit_code, r is em.last]") == [
        "completed", "hi\n", 0, True,
    ]  # fmt: skip
    bare = kernel.run_cell("%exec echo hi")
    assert [output["type"] for output in bare.outputs] == ["stream", "execute_result"]
    assert bare.data("text/plain")[0].startswith("✓")
    quiet = kernel.run_cell("%exec -q -n named echo hi")
    assert [output["type"] for output in quiet.outputs] == ["stream"]
    assert kernel.value("named.stdout") == "hi\n"


def test_options_are_expanded_and_the_command_is_not(kernel: Kernel) -> None:
    """`{x}` and `$x` before the command are the notebook's, in it the shell's."""
    kernel.run_cell("size, label = '2G', 'fit'")
    assert _run(kernel, "%exec -m {size} -n $label size=9; echo $size {size}") == "9 {size}\n"
    assert kernel.value("[fit.name, fit.stats['memory_limit']]") == ["fit", 2 << 30]
    kernel.run_cell("def f(name):\n    %exec -q -n {name} true")
    kernel.run_cell("f('local')")
    assert kernel.value("local.state") == "completed"


@pytest.mark.parametrize(
    ("command", "message", "exit_code", "number"),
    [
        ("false", "failed: exit code 1", 1, None),
        ("exit 42", "failed: exit code 42", 42, None),
        ("bash -c 'kill -SEGV $$'; exit $?", "failed: exit code 139 (SIGSEGV", 139, None),
        ("kill -TERM $$", "failed: killed by SIGTERM, not sent by exec_magic", None, 15),
        ("kill -ABRT $$", "failed: the process crashed: aborted (SIGABRT)", None, 6),
        ("true; no-such-program", "failed: exit code 127", 127, None),
    ],
)
def test_how_a_command_ends(
    kernel: Kernel, command: str, message: str, exit_code: int | None, number: int | None
) -> None:
    """An exit code but 0 and a signal are failures: record, one line, SandboxError."""
    result = kernel.run_cell(f"%exec {command}")
    assert (result.status, result.reply["ename"]) == ("error", "SandboxError")
    assert result.reply["evalue"].startswith(message)
    assert result.data("text/plain")[0].startswith("✗")
    told = kernel.value("[em.last.state, em.last.exit_code, em.last.signal]")
    assert told == ["failed", exit_code, number]
    passed = kernel.run_cell(f"%exec --no-raise-error {command}")
    assert passed.status == "ok"
    assert [o["type"] for o in passed.outputs if "data" in o] == ["execute_result"]


def test_limits_hold_for_commands(kernel: Kernel) -> None:
    """A command is stopped at its limits as a cell is."""
    result = kernel.run_cell("%exec -t 0.2 sleep 60")
    assert result.reply["evalue"].startswith("stopped: time limit 0.2 s reached")
    eats = "%exec -m 100M --interpreter python3 x = [bytes([1]) * 10_000_000 for _ in range(10**6)]"
    result = kernel.run_cell(eats)
    assert result.reply["evalue"].startswith("stopped: memory limit 100 MB reached")


def test_memory_is_the_commands_own(kernel: Kernel) -> None:
    """What the sandbox held before the command took its place is not taken off its figure."""
    held = "import time; held = bytes([1]) * 200_000_000; time.sleep(0.4)"
    _run(kernel, f"%exec -n holds --interpreter python3 {held}")
    assert 195e6 < kernel.value("holds.stats['memory']") < 230e6


def test_body_is_a_script(kernel: Kernel) -> None:
    """The body is a script of bash, or of another shell or interpreter; it can read nothing."""
    body = 'for i in 1 2\ndo echo $i\ndone\nread x; echo "[$x]" {y} $HOME >&2'
    result = kernel.run_cell(f"%%exec -n job\n{body}")
    assert result.stream("stdout") == "1\n2\n"
    assert result.stream("stderr").startswith("[] {y} /")
    assert kernel.value("job.stderr").startswith("[] {y} /")
    assert _run(kernel, "%%exec --shell sh\necho $0") == "sh\n"
    assert (
        _run(kernel, "%%exec --interpreter 'python3 -u'\nfor i in 1, 2:\n    print(i)") == "1\n2\n"
    )
    long = "x" * 200_000
    assert _run(kernel, f"%%exec\nx={long}\necho ${{#x}}") == "200000\n"


def test_out_err_proc(kernel: Kernel) -> None:
    """--out and --err store what is then not shown, however the command ends; --proc the Run."""
    cell = "%%exec --out o --err e --proc p\necho out\necho err >&2"
    assert kernel.run_cell(cell).outputs == []
    assert kernel.value("[o, e, p.state]") == ["out\n", "err\n", "completed"]
    failed = kernel.run_cell("%exec --out o echo first; echo second >&2; exit 3")
    assert failed.status == "error"
    assert failed.stream("stdout") == ""
    assert failed.stream("stderr") == "second\n"
    assert kernel.value("[o, e]") == ["first\n", "err\n"]


def test_stdin(kernel: Kernel) -> None:
    """--stdin gives a variable, text or bytes of any length, to the command."""
    kernel.run_cell("text, data = 'päd\\n', bytes(range(256)) * 200_000")
    assert _run(kernel, "%exec -q --stdin text cat") == "päd\n"
    assert _run(kernel, "%exec -q -m 20M --stdin data wc -c") == "51200000\n"
    assert _run(kernel, "%%exec --stdin text\nread x; echo got $x") == "got päd\n"


def test_script_in_a_file(kernel: Kernel, tmp_path: Path) -> None:
    """--script runs a file, by itself or with an interpreter, with the line's words."""
    script = tmp_path / "says what.sh"
    script.write_text('#!/bin/sh\nprintf "<%s>" "$@"\n', encoding="utf-8")
    line = f"--script '{script}' a 'b  c' \"$d\""
    assert _run(kernel, f"%exec -q --interpreter sh {line}") == "<a><b  c><$d>"
    script.chmod(0o755)
    assert _run(kernel, f"%exec -q {line}") == "<a><b  c><$d>"
    assert _run(kernel, f"%exec -q --cwd '{tmp_path}' --script 'says what.sh' x") == "<x>"


@pytest.mark.parametrize(
    ("cell", "named"),
    [
        ("%exec", "empty"),
        ("%exec -q", "empty"),
        ("%exec print(1)", "for Python use %%sandbox"),
        ("%exec no-such-program", "in PATH "),
        ("%exec /no/such", "/no/such"),
        ("%exec --nonsense ls", "--nonsense"),
        ("%exec --bg ls", "--bg"),
        ("%exec -m lots ls", "lots"),
        ("%exec -n 1fit ls", "--name '1fit'"),
        ("%exec --out class ls", "--out 'class'"),
        ("%exec --proc 1p ls", "--proc '1p'"),
        ("%exec --stdin nobody ls", "nobody"),
        ("number = 3\n%exec --stdin number ls", "int is neither text nor bytes"),
        ("%exec --cwd /no/such ls", "/no/such"),
        ("%exec --script /no/such", "/no/such"),
        ("%exec --script /etc/passwd", "not executable"),
        ("%exec --shell sh --interpreter python3 ls", "one of the two"),
        ("%exec --shell no-such-shell ls", "no-such-shell"),
        ("%exec true; mkfs.none /dev/null", "guard"),
        ("%exec --interpreter python3", "empty"),
        ("%exec --script x 'open", "closing quotation"),
        ("%%exec ls\nls", "'ls'"),
        ("%%exec --script x\nls", "--script x"),
        ("%%exec\n \n", "empty"),
        ("%%exec --interpreter python3 --stdin number\nls", "--stdin"),
    ],
)
def test_mistake_is_one_line_and_starts_nothing(kernel: Kernel, cell: str, named: str) -> None:
    """Whatever is wrong is said in one line, and no run is made."""
    before = kernel.value("len(em.runs())")
    result = kernel.run_cell(cell)
    assert result.status == "error"
    assert named in result.text
    assert len(result.text.strip().splitlines()) == 1, result.text
    assert kernel.value("len(em.runs())") == before


def test_guard_can_be_switched_off(kernel: Kernel) -> None:
    """What the guard refuses runs where the setting says so."""
    line = "%exec true; mkfs.none /dev/null"  # there is no such program: nothing can come of it
    kernel.run_cell("%config ExecMagics.guard = 'off'")
    result = kernel.run_cell(line)
    assert "guard" not in result.text
    assert "exit code 127" in result.text
    kernel.run_cell("%config ExecMagics.guard = None")
    assert "guard" in kernel.run_cell(line).text


@pytest.mark.parametrize(
    ("command", "most"),
    [
        ("echo up; sleep 100", 0.5),
        ("echo up; exec sleep 100", 0.5),
        ("echo up; sleep 100 & sleep 100 & wait", 0.5),
        ("trap '' INT; echo up; while :; do sleep 1; done", 2.0),
        ("trap '' INT TERM; echo up; while :; do sleep 1; done", 2.0),
    ],
    ids=["sleep", "exec", "jobs", "ignores-int", "ignores-term"],
)
def test_interrupt(kernel: Kernel, command: str, most: float) -> None:
    """The stop button ends a command at once, a stubborn one by SIGKILL; its output stays."""
    request = kernel.submit(f"%exec --no-raise-error --out o {command}; echo not")
    _wait_for_output(kernel)
    pressed = time.monotonic()
    kernel.interrupt()
    result = kernel.finish(request, pressed)
    assert result.seconds < most
    assert result.reply["ename"] in {"KeyboardInterrupt", "Interrupted"}
    assert kernel.value("[em.last.state, o]") == ["cancelled", "up\n"]


def _wait_for_output(kernel: Kernel) -> None:
    """Wait until the shell and what it started run: `up` is not shown, so they are looked for."""
    from rig.leftovers import below

    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if any(process.name() == "sleep" for process in below(kernel.pid)):
            return
        time.sleep(0.01)
    pytest.fail("the command did not start")


def test_background_processes_end_with_the_command(kernel: Kernel) -> None:
    """What a command leaves running, detached even, is gone when the cell is done."""
    from rig.leftovers import below

    _run(kernel, "%exec -q setsid sleep 300 & nohup sleep 300 & sleep 0.1")
    assert not [process for process in below(kernel.pid) if process.name() == "sleep"]


def test_python_exec_is_untouched(kernel: Kernel) -> None:
    """Python's own `exec` works as ever beside the magic."""
    kernel.run_cell("exec('y = 5')")
    assert kernel.value("y") == 5


def test_signals_are_as_in_a_shell(kernel: Kernel) -> None:
    """No signal is blocked or ignored when a command begins."""
    shown = _run(kernel, "%exec -q grep -e SigBlk -e SigIgn /proc/self/status")
    masks = [int(line.split()[1], 16) for line in shown.splitlines()]
    assert masks == [0, 0], [signal.Signals(n + 1) for n in range(31) if masks[1] >> n & 1]
