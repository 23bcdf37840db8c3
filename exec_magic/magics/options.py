"""The options of `%%sandbox`, declared once: parser, help, completion and README come from here."""

from __future__ import annotations

import argparse
import shlex
import typing
from collections.abc import Callable
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
    """One option of `%%sandbox`; without `metavar` it is a switch."""

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
_HELP = {
    "nargs": "?",
    "const": "everyday",
    "choices": ("everyday", "all"),
    "metavar": "all",
    "help": "shows the everyday options, or all",
}


def declared(function: _Function) -> _Function:
    """Decorate a magic with all options; its docstring becomes the whole help."""
    for option in reversed(OPTIONS):
        function = argument(*option.flags, **option.keywords)(function)
    function = argument("-h", "--help", **_HELP)(function)
    decorated: _Function = magic_arguments("%sandbox")(function)
    decorated.parser.allow_abbrev = False  # type: ignore[attr-defined]
    return decorated


def limits_of(given: argparse.Namespace) -> config.Asked:
    """Return the limits among the options on a line."""
    return typing.cast("config.Asked", {name: getattr(given, name, None) for name in config.LIMITS})


def words(line: str) -> list[str]:
    """Split a magic's line as a shell does, quotes removed; raises UsageError."""
    try:
        return shlex.split(line)
    except ValueError as error:
        raise UsageError(f"{line!r}: {str(error).lower()}") from None


def parse(magic: Any, line: str) -> argparse.Namespace:
    """Return the options on the line of a `declared` magic; raises UsageError, in one line."""
    given: argparse.Namespace
    try:
        given, rest = magic.parser.parse_known_args(words(line))
    except UsageError as error:
        raise UsageError(str(error).removeprefix("argument ")) from None
    for word in rest:
        if word != "--":
            raise UsageError(_stray(word))
    return given


def names(*, with_value: bool = False) -> list[str]:
    """Return every option's names, long ones first; `with_value` those that take a value."""
    shown = [option for option in OPTIONS if option.metavar or not with_value]
    longs, shorts = [o.long for o in shown], [o.short for o in shown if o.short]
    return [*longs, *shorts] if with_value else [*longs, "--help", *shorts, "-h"]


def help_text(level: str = "everyday") -> str:
    """Return the options as plain text, in groups; `level` is `everyday` or `all`."""
    text = ["%%sandbox [options]", "", "Everyday:", *_lines(is_everyday=True)]
    if level == "all":
        return "\n".join([*text, "", "The rest:", *_lines(is_everyday=False)])
    return "\n".join([*text, "", "-h all shows all."])


def options_table() -> str:
    """Return the options as the Markdown table that README.md contains."""
    rows = [f"| `{o.title}` | {o.meaning} | {o.default} |" for o in OPTIONS]
    return "\n".join(["| option | meaning | default |", "|---|---|---|", *rows])


def _lines(*, is_everyday: bool) -> list[str]:
    shown = [option for option in OPTIONS if option.is_everyday == is_everyday]
    texts = [(o.title, f"{o.meaning} (default: {o.default})".replace("`", "")) for o in shown]
    return [f"  {title:<20}  {about}" for title, about in texts]


def _stray(word: str) -> str:
    if word.startswith("-"):
        known = ", ".join("/".join(option.flags) for option in OPTIONS)
        return f"%%sandbox has no option {word}; there are {known}, -h/--help"
    return f"%%sandbox takes options only; {word!r} is none (the code stands below the line)"
