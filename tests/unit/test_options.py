"""The options of `%%sandbox`, declared once."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.error import UsageError

from exec_magic.magics import ExecMagics, complete, options
from exec_magic.magics.manage import VERBS

MAGIC = ExecMagics.sandbox
FLAGS = {flag for option in options.OPTIONS for flag in option.flags}


def test_everything_on_one_line() -> None:
    """Options are read in any order, and quotes removed as a shell does."""
    given = options.parse(MAGIC, """-q --timeout='1h 30m' -n "fit" -m 2g --no-raise-error --""")
    assert (given.quiet, given.no_raise_error) == (True, True)
    assert (given.timeout, given.name, given.memory) == (5400.0, "fit", 2 << 30)


def test_nothing_on_the_line() -> None:
    """An empty line says nothing."""
    given = options.parse(MAGIC, "")
    assert vars(given) == {
        "help": None,
        "name": None,
        "timeout": None,
        "memory": None,
        "cpu_time": None,
        "cpus": None,
        "processes": None,
        "max_output": None,
        "quiet": False,
        "no_raise_error": False,
    }


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("--nonsense 3", "--nonsense"),
        ("--mem 3G", "--mem"),
        ("--no-raise", "--no-raise"),
        ("-x", "-x"),
        ("left over", "'left'"),
        ("-- -q", "-q"),
        ("-m", "-m/--memory"),
        ("-m lots", "'lots'"),
        ("-m 0", "--memory: '0' is not allowed; it takes a size"),
        ("--timeout=-5", "--timeout: '-5' is not allowed; it takes a duration"),
        ("-t soon", "'soon'"),
        ("--quiet=yes", "-q/--quiet"),
        ("-n 'open", "no closing quotation"),
        ("-h some", "'some'"),
    ],
)
def test_mistake_is_one_line(line: str, named: str) -> None:
    """A mistake is a UsageError of one line that names it."""
    with pytest.raises(UsageError) as caught:
        options.parse(MAGIC, line)
    assert named in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@given(st.lists(st.text(max_size=8) | st.sampled_from(sorted(FLAGS)), max_size=5))
def test_no_line_does_more_than_raise(words: list[str]) -> None:
    """Any words are options or a UsageError."""
    try:
        options.parse(MAGIC, shlex.join(words))
    except UsageError:
        pass


@given(st.text(min_size=1).filter(lambda text: not text.startswith("-")))
def test_values_arrive_as_quoted(name: str) -> None:
    """A quoted value arrives as it is."""
    assert options.parse(MAGIC, f"-n {shlex.quote(name)}").name == name


def test_help_is_the_declaration() -> None:
    """Docstring, both helps and the README's table name every option that they should."""
    everyday = options.help_text()
    for option in options.OPTIONS:
        assert option.long in str(MAGIC.__doc__)
        assert option.title in options.help_text("all")
        assert f"| `{option.title}` |" in options.options_table()
        assert (option.title in everyday) is option.is_everyday


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("%%sandbox", None),
        ("%%sandbox --me", ["--memory"]),
        ("%%sandbox -q --no", ["--no-raise-error"]),
        ("%%sandbox -n ", []),
        ("%%sandbox --zzz", []),
        ("%sandbox ca", ["cancel"]),
        ("%sandbox runs ", []),
        ("%sandbox nonsense ", []),
        ("%time x", None),
        ("sandbox ", None),
        ("", None),
    ],
)
def test_completion(line: str, found: list[str] | None) -> None:
    """Tab offers what can stand there, and is silent on lines that are not ours."""
    assert complete.candidates(line) == found


def test_completion_offers_everything() -> None:
    """After the magic's name all options are offered, after `%sandbox` all verbs."""
    assert set(complete.candidates("%%sandbox ") or []) == FLAGS | {"-h", "--help"}
    assert complete.candidates("%sandbox ") == list(VERBS)
    assert complete.candidates("%%sandbox ", is_first=False) is None
    assert complete.candidates("%sandbox ", is_first=False) == list(VERBS)
