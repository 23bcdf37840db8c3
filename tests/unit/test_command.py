"""Commands: what is executed, and what is refused in one line before anything starts."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exec_magic.engine import command
from exec_magic.engine.guard import check as guard
from exec_magic.errors import BadCommand
from exec_magic.model import Command


@pytest.mark.parametrize(
    ("task", "argv"),
    [
        (Command.shell("ls | wc -l"), ["bash", "-c", "ls | wc -l"]),
        (Command.shell("ls", shell="sh -e"), ["sh", "-e", "-c", "ls"]),
        (Command.exec("git", "log", "-1"), ["git", "log", "-1"]),
        (Command.script("job.R", "a", interpreter="Rscript"), ["Rscript", "job.R", "a"]),
        (Command.aws("s3api", "get", "--x"), ["aws", "s3api", "get", "--output", "json", "--x"]),
    ],
)
def test_words(task: Command, argv: list[str]) -> None:
    """Each kind of command has its words."""
    assert command.argv(task) == argv


def test_script_by_itself_is_a_path() -> None:
    """A script without an interpreter is a file of its folder, never a program of PATH."""
    assert command.argv(Command.script("job", "a", cwd="/srv")) == ["/srv/job", "a"]


def test_long_line_is_read_by_the_shell() -> None:
    """A line too long for a word reaches the shell as what it reads."""
    task = Command.shell("echo " + "x" * 200_000)
    assert command.argv(task) == ["bash"]
    assert command.stdin(task) == task.words[0].encode()


def test_code_tells_commands_apart() -> None:
    """What differs in words or input differs in code, from which the hash is made."""
    tasks = [
        Command.shell("a b"),
        Command.exec("a b"),
        Command.exec("a b", stdin="c"),
        Command.script("a b"),
        Command.script("a b", interpreter="c"),
        Command.aws("a", "b"),
    ]
    assert len({task.code for task in tasks}) == len(tasks)


@pytest.mark.parametrize(
    "task", [Command.shell("a"), Command.exec("b", "-c"), Command.aws("s", "t")]
)
def test_only_aws_answers_a_document(task: Command) -> None:
    """The answer of a call of AWS is its JSON; text that is none is no answer."""
    assert command.document(task, '{"a": [1]}') == ({"a": [1]} if task.how == "aws" else None)
    assert command.document(task, "no json") is None
    assert command.document(task, "[" * 100_000) is None


def _files(folder: Path) -> None:
    (folder / "plain.sh").write_text("echo\n", encoding="utf-8")
    (folder / "run.sh").write_text("#!/bin/sh\necho\n", encoding="utf-8")
    (folder / "run.sh").chmod(0o755)
    (folder / "folder").mkdir()


@pytest.mark.parametrize(
    ("task", "named"),
    [
        (Command.shell(""), "empty"),
        (Command.shell(" \n "), "empty"),
        (Command.exec(), "empty"),
        (Command.exec("echo", "a\0b"), "NUL"),
        (Command.exec("echo", "\ud800"), "half a character"),
        (Command.exec("echo", 3), "'3'"),  # type: ignore[arg-type]
        (Command.exec("echo", "x" * 200_000), "195 kB"),
        (Command.exec("no-such-program"), "in PATH /"),
        (Command.shell("no-such-program | cat"), "in PATH /"),
        (Command.shell("ls", shell="no-such-shell"), "no-such-shell"),
        (Command.shell("ls", shell="'open"), "'open"),
        (Command.shell("ls", shell=""), "bash would"),
        (Command.exec("./missing"), "missing"),
        (Command.exec("./plain.sh"), "not executable"),
        (Command.shell("./plain.sh | cat"), "not executable"),
        (Command.exec("./folder"), "a folder"),
        (Command.script("missing.sh"), "missing"),
        (Command.script("plain.sh"), "--interpreter"),
        (Command.script("folder", interpreter="bash"), "a folder"),
        (Command.script("plain.sh", interpreter="no-such"), "no-such"),
        (Command.shell("ls", cwd="/no/such"), "'/no/such' is missing"),
        (Command.shell("ls", cwd="plain.sh"), "no folder"),
        (Command.shell("print(1)"), "no program is named 'print(1)'; for Python use %%sandbox"),
        (Command.shell("os.listdir('.')"), "%%sandbox"),
        (Command.shell("print()"), "%%sandbox"),
        (Command.shell("def f():"), "%%sandbox"),
        (Command.shell("rm -rf /"), "guard"),
    ],
)
def test_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: Command, named: str
) -> None:
    """A command that cannot work is refused in one line that says what is wrong."""
    _files(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    with pytest.raises(BadCommand) as caught:
        command.check(task, is_guarded=True)
    assert named in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    "line",
    [
        "ls", "./run.sh", "X=1 no-such", "f() { ls; }; f", "f () (ls)", "if true; then ls; fi",
        "(ls)", "time (ls)", "! (ls)", "[ -e x ]", "cd /; ls", "~/x", "$PAGER x", "'my prog'",
        "a=(1 2)",
        "< x cat", "# a remark", "no-such || ls", "no-such; ls", "no-such 2>&1",
        "no-such\nls", "for i in 1 2; do echo $i; done", "cat<x", "ls|cat", "ls\nwc",
    ],
)  # fmt: skip
def test_line_that_a_shell_may_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    """What could mean something to a shell is the shell's to judge."""
    _files(tmp_path)
    monkeypatch.chdir(tmp_path)
    command.check(Command.shell(line), is_guarded=True)


def test_functions_of_the_environment_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function that bash takes from the environment needs no program."""
    monkeypatch.setenv("BASH_FUNC_mine%%", "() { ls; }")
    command.check(Command.shell("mine"), is_guarded=True)


@pytest.mark.parametrize(
    "line",
    [
        "rm -rf /", "rm -rf /*", "rm -fr ~", "rm -r -f $HOME/", "sudo rm -rf --no-preserve-root /",
        "cd x && rm -rf ~/*", 'rm -rf "$HOME"', "rm --recursive /usr", "/bin/rm -Rf /etc/",
        "rm -rf /home/me", "bash -c 'rm -rf /'", "X=1 nice rm -rf /var",
        "echo a; mkfs.ext4 /dev/sda1",
        "dd if=/dev/zero of=/dev/sda bs=1M", "cat x > /dev/nvme0n1", ":(){ :|:& };:",
        "bomb() { bomb | bomb & }; bomb", "chmod -R 777 /", "chown -R me /usr", "find / -delete",
        "if true; then rm -rf /; fi", "shutdown -h now", "rm -rf \\\n  /",
    ],
)  # fmt: skip
def test_accidents_are_stopped(line: str) -> None:
    """The well-known accidents are stopped, and the message says what switches the guard off."""
    with pytest.raises(BadCommand, match=r'ExecMagics.guard = "off"'):
        guard(["bash", "-c", line], None)
    with pytest.raises(BadCommand):
        guard(["bash"], line.encode())


@pytest.mark.parametrize(
    "line",
    [
        "rm -rf build", "rm -rf /tmp/x", "rm -rf ./*", "rm /etc", "rm -rf ~/build",
        "echo 'rm -rf /'",
        "grep -r 'rm -rf /' /etc", "ls -R /", "dd if=a of=b", "chmod -R u+w .", "find / -name x",
        "rm -rf $HOME/build/x", "cat x > /dev/null", "git commit -m 'mkfs: why'",
        "f() { ls | wc & }",
    ],
)  # fmt: skip
def test_daily_work_is_not_stopped(line: str) -> None:
    """Commands that only look like accidents run."""
    guard(["bash", "-c", line], None)


def test_guard_leaves_data_alone() -> None:
    """What a shell's command reads is data, whatever it says; what a bare shell reads is not."""
    guard(["bash", "-c", "cat"], b"rm -rf /")
    guard(["bash", "script.sh"], b"rm -rf /")
    guard(["cat"], b"rm -rf /")
    with pytest.raises(BadCommand):
        guard(["/bin/bash", "-e"], b"rm -rf /")


def test_guard_can_be_switched_off() -> None:
    """Without the guard nothing is read into the command."""
    command.check(Command.shell("rm -rf /"), is_guarded=False)


@given(st.text(max_size=200))
def test_guard_reads_any_text(text: str) -> None:
    """No text makes the guard do more than pass or refuse."""
    try:
        guard(["bash", "-c", text], text.encode(errors="replace"))
    except BadCommand:
        pass


@pytest.mark.parametrize(
    "text", ["x" * 200_000, "/" * 100_000 + "x", "x ()" * 50_000, "> " * 50_000]
)
def test_guard_is_quick(text: str) -> None:
    """A long script takes the guard no long time."""
    start = time.process_time()
    guard(["bash"], text.encode())
    assert time.process_time() - start < 5
