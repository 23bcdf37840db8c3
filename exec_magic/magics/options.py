"""The options of the magics, declared once: parser, help, completion and README come from here."""

from __future__ import annotations

import argparse
import shlex
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from IPython.core.error import UsageError
from IPython.core.magic_arguments import argument, magic_arguments

from exec_magic import config
from exec_magic.errors import BadOption

_Function = TypeVar("_Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class Option:
    """One option of a magic; without `metavar` it is a switch."""

    short: str | None
    long: str
    metavar: str | None
    meaning: str
    default: str
    is_everyday: bool = True
    read: Callable[[str], Any] = str

    @property
    def flags(self) -> tuple[str, ...]:
        """The option's names, shortest first."""
        return (self.short, self.long) if self.short else (self.long,)

    @property
    def title(self) -> str:
        """The option as help and README name it."""
        return " ".join(filter(None, ["/".join(self.flags), self.metavar]))

    @property
    def keywords(self) -> dict[str, Any]:
        """What argparse wants to know."""
        about = f"{self.meaning} (default: {self.default})".replace("%", "%%")
        if self.metavar is None:
            return {"action": "store_true", "help": about}
        return {"metavar": self.metavar, "type": self.read, "help": about}


def _setting(name: str, text: str) -> Any:
    try:
        return config.parse(name, text, f"--{name.replace('_', '-')}")
    except BadOption as error:
        raise UsageError(str(error)) from None


OPTIONS = (
    Option(
        "-n",
        "--name",
        "NAME",
        "names the run and binds the `Run` to NAME at its start, whatever its end",
        "`run1`, `run2`, …, bound to nothing",
    ),
    Option(
        "-t",
        "--timeout",
        "T",
        "wall time: `30s`, `5m`, `1h30m`; a bare number is seconds",
        "none in an interactive front end, 10 min elsewhere",
        read=partial(_setting, "timeout"),
    ),
    Option(
        "-m",
        "--memory",
        "SIZE",
        "memory of the run's whole tree: `512M`, `1.5G`; a bare number is bytes",
        "shares one budget with all runs that have none: 75 % of what is available",
        read=partial(_setting, "memory"),
    ),
    Option(
        None,
        "--cpu-time",
        "T",
        "CPU time of the run's whole tree",
        "none",
        is_everyday=False,
        read=partial(_setting, "cpu_time"),
    ),
    Option(
        None,
        "--cpus",
        "N",
        "CPUs' worth of time that the tree may use: `1`, `0.5`",
        "all that the notebook has",
        is_everyday=False,
        read=partial(_setting, "cpus"),
    ),
    Option(
        None,
        "--processes",
        "N",
        "processes and threads at once",
        "512, or 64 per CPU where that is more",
        is_everyday=False,
        read=partial(_setting, "processes"),
    ),
    Option(
        None,
        "--max-output",
        "SIZE",
        "what the run may show in all; past that its middle is left out",
        "10 MB",
        is_everyday=False,
        read=partial(_setting, "max_output"),
    ),
    Option("-q", "--quiet", None, "shows no record at the end", "shown"),
    Option(
        None,
        "--no-raise-error",
        None,
        "a run that fails or is stopped does not fail the cell; an interrupt still does",
        "the cell ends with `SandboxError`",
        is_everyday=False,
    ),
)
#: What the exec magics have besides.
EXEC_ONLY = (
    Option(
        None,
        "--shell",
        "SHELL",
        "the shell that runs the command: `sh`, `'bash -e'`",
        "`bash`, as `%%bash`",
    ),
    Option(
        None,
        "--interpreter",
        "PROGRAM",
        "what runs the script instead of a shell; a body is what it reads: `python3`, `perl`",
        "the shell; a file runs by itself",
    ),
    Option(
        None,
        "--script",
        "FILE",
        "runs a file; what follows on the line are its arguments",
        "the command on the line, or the cell's body",
    ),
    Option(None, "--cwd", "DIR", "the folder that the command starts in", "the notebook's"),
    Option(
        None,
        "--stdin",
        "NAME",
        "the variable, text or bytes, that the command reads",
        "it reads nothing",
    ),
    Option(
        None,
        "--out",
        "NAME",
        "the variable in which to store stdout, which is not shown then",
        "shown",
        is_everyday=False,
    ),
    Option(
        None,
        "--err",
        "NAME",
        "the variable in which to store stderr, which is not shown then",
        "shown",
        is_everyday=False,
    ),
    Option(
        None,
        "--proc",
        "NAME",
        "the variable in which to store the `Run`, in the place of `%%bash`'s process",
        "bound to nothing",
        is_everyday=False,
    ),
)


@dataclass(frozen=True)
class Family:
    """The options of one magic."""

    title: str
    usage: str
    options: tuple[Option, ...]
    #: What is said of a word that is no option.
    no_words: str

    def names(self, *, with_value: bool = False) -> list[str]:
        """Return every option's names, long ones first; `with_value` those that take a value."""
        shown = [option for option in self.options if option.metavar or not with_value]
        longs, shorts = [o.long for o in shown], [o.short for o in shown if o.short]
        return [*longs, *shorts] if with_value else [*longs, "--help", *shorts, "-h"]


SANDBOX = Family(
    "%%sandbox",
    "%%sandbox [options]",
    OPTIONS,
    "%%sandbox takes options only; {!r} is none (the code stands below the line)",
)
EXEC = Family(
    "%exec",
    "%exec [options] command …, or %%exec [options] and a script below the line",
    OPTIONS + EXEC_ONLY,
    "%%exec takes options only; {!r} is none (the script stands below the line)",
)
_HELP = {
    "nargs": "?",
    "const": "everyday",
    "choices": ("everyday", "all"),
    "metavar": "all",
    "help": "shows the everyday options, or all",
}


def declared(family: Family) -> Callable[[_Function], _Function]:
    """Decorate a magic with all its options; its docstring becomes the whole help."""

    def decorate(function: _Function) -> _Function:
        for option in reversed(family.options):
            function = argument(*option.flags, **option.keywords)(function)
        function = argument("-h", "--help", **_HELP)(function)
        decorated: _Function = magic_arguments(f"%{family.title.lstrip('%')}")(function)
        decorated.parser.allow_abbrev = False  # type: ignore[attr-defined]
        return decorated

    return decorate


def limits_of(given: argparse.Namespace) -> config.Asked:
    """Return the limits among the options on a line."""
    return typing.cast("config.Asked", {name: getattr(given, name, None) for name in config.LIMITS})


def words(line: str) -> list[str]:
    """Split a magic's line as a shell does, quotes removed; raises UsageError."""
    try:
        return shlex.split(line)
    except ValueError as error:
        raise UsageError(f"{line!r}: {str(error).lower()}") from None


def parse(magic: Any, line: str, family: Family = SANDBOX) -> argparse.Namespace:
    """Return the options on the line of a `declared` magic; raises UsageError, in one line."""
    given: argparse.Namespace
    try:
        given, rest = magic.parser.parse_known_args(words(line))
    except UsageError as error:
        raise UsageError(str(error).removeprefix("argument ")) from None
    for word in rest:
        if word != "--":
            raise UsageError(_stray(word, family))
    return given


def help_text(level: str = "everyday", family: Family = SANDBOX) -> str:
    """Return the options as plain text, in groups; `level` is `everyday` or `all`."""
    text = [family.usage, "", "Everyday:", *_lines(family, is_everyday=True)]
    if level == "all":
        return "\n".join([*text, "", "The rest:", *_lines(family, is_everyday=False)])
    return "\n".join([*text, "", "-h all shows all."])


def options_table(options: Sequence[Option] = OPTIONS) -> str:
    """Return options as a Markdown table, as README.md contains it."""
    rows = [f"| `{o.title}` | {o.meaning} | {o.default} |" for o in options]
    return "\n".join(["| option | meaning | default |", "|---|---|---|", *rows])


def _lines(family: Family, *, is_everyday: bool) -> list[str]:
    shown = [option for option in family.options if option.is_everyday == is_everyday]
    texts = [(o.title, f"{o.meaning} (default: {o.default})".replace("`", "")) for o in shown]
    return [f"  {title:<22}  {about}" for title, about in texts]


def _stray(word: str, family: Family) -> str:
    if word.startswith("-"):
        known = ", ".join("/".join(option.flags) for option in family.options)
        return f"{family.title} has no option {word}; there are {known}, -h/--help"
    return family.no_words.format(word)
