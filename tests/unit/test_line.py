"""The line of `%exec`: our options are read, and of the command not a character is changed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.error import UsageError

from exec_magic.magics import ExecMagics, complete, options
from exec_magic.magics.line import split

_VALUES = st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,5}", fullmatch=True)
_FLAGS = st.sampled_from(options.EXEC.names(with_value=True))
_PAIRS = st.builds(lambda flag, value: f"{flag} {value}", _FLAGS, _VALUES)
_LONG = st.sampled_from([o.long for o in options.EXEC.options if o.metavar])
_JOINED = st.builds(lambda flag, value: f"{flag}='{value} {value}'", _LONG, _VALUES)
_OPTIONS = st.lists(
    st.sampled_from(["-q", "--quiet", "--no-raise-error"]) | _PAIRS | _JOINED, max_size=4
).map(" ".join)
_STARTS = st.sampled_from(["ls", "'", '"', "$x", "{y}", "\\", "|", "é"])


@given(_OPTIONS, _STARTS, st.text(max_size=40))
def test_rest_is_what_was_typed(typed: str, start: str, more: str) -> None:
    """After any options the rest is the command, character by character."""
    command = start + more
    found, rest = split(f"{typed} {command}", options.EXEC)
    assert (found.strip(), rest) == (typed, command)


@given(_OPTIONS, st.text(max_size=40).filter(lambda text: text == text.lstrip()))
def test_rest_after_two_dashes(typed: str, command: str) -> None:
    """After `--` anything is the command, dashes at its start too."""
    assert split(f"{typed} -- {command}", options.EXEC) == (typed, command)


@given(st.text(max_size=60))
def test_nothing_is_lost(line: str) -> None:
    """Any line is cut in two with only space, or `--`, lost between."""
    found, rest = split(line, options.EXEC)
    assert line.startswith(found)
    assert line.endswith(rest)
    assert line[len(found) : len(line) - len(rest)].strip() in {"", "--"}


@pytest.mark.parametrize(
    ("line", "typed", "rest"),
    [
        ("ls -l", "", "ls -l"),
        ("-n fit ls -n x", "-n fit ", "ls -n x"),
        ("-nfit ls", "-nfit ", "ls"),
        ("-qn fit ls", "-qn fit ", "ls"),
        ("-qnfoon ls", "-qnfoon ", "ls"),
        ("--memory=2G ls", "--memory=2G ", "ls"),
        ("-m '2 G' ls", "-m '2 G' ", "ls"),
        ("-m {sizes['a b']} ls", "-m {sizes['a b']} ", "ls"),
        ("-q  - x", "-q", "- x"),
        ("-h all", "-h all", ""),
        ("-h ls", "-h ", "ls"),
        ("--nonsense ls", "--nonsense ", "ls"),
        ("-q -- --version 'a", "-q", "--version 'a"),
        ('-q echo "open', "-q ", 'echo "open'),
        ("", "", ""),
    ],
)
def test_split(line: str, typed: str, rest: str) -> None:
    """Options end at the first word that is none, or at `--`."""
    found, command = split(line, options.EXEC)
    assert (found.strip(), command) == (typed.strip(), rest)


def test_unknown_option_is_named() -> None:
    """A word with a dash that is no option of ours is one line that names it and all there are."""
    typed, _ = split("--nonsense ls", options.EXEC)
    with pytest.raises(UsageError, match=r"^%exec has no option --nonsense; .*--interpreter"):
        options.parse(ExecMagics.exec, typed, options.EXEC)


def test_help_is_the_declaration() -> None:
    """Docstring and help name every option of the exec magics."""
    for option in options.EXEC.options:
        assert option.long in str(ExecMagics.exec.__doc__)
        assert option.title in options.help_text("all", options.EXEC)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("%exec --sc", ["--script"]),
        ("%%exec --int", ["--interpreter"]),
        ("%exec -q --pr", ["--processes", "--proc"]),
        ("%exec ls --all", None),
        ("%exec l", None),
        ("%exec --cwd ", None),
        ("%%exec -n ", []),
    ],
)
def test_completion(line: str, found: list[str] | None) -> None:
    """Tab offers our options before the command, and leaves the command to IPython."""
    assert complete.candidates(line) == found
