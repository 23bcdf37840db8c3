"""The one schema of all settings, and its layers.

Later wins: the defaults here; `EXEC_MAGIC_TIMEOUT` and its like in the environment; what the user
configured (`%config ExecMagics.timeout = "5m"`, `c.ExecMagics.timeout`; the magics hand it to
`configure`); the option on the line.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
import typing
from typing import Annotated, Any, Literal

import msgspec

from exec_magic import quantities
from exec_magic.errors import BadOption
from exec_magic.model import Bytes, Limits, PastMaxOutput, Seconds

PREFIX = "EXEC_MAGIC_"
#: Where nobody is there to interrupt a cell that never ends.
UNWATCHED_TIMEOUT: Seconds = 600.0

_DURATION = {"allowed": quantities.DURATIONS, "parse": quantities.parse_duration}
_SIZE = {"allowed": quantities.SIZES, "parse": quantities.parse_size}
_COUNT = {"allowed": quantities.COUNTS, "parse": quantities.parse_count}
_CPUS = {"allowed": quantities.CPUS, "parse": quantities.parse_cpus}


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What can be configured, each with its meaning, what it may be, and its default."""

    timeout: Annotated[
        Seconds | None,
        msgspec.Meta(
            description="wall time of a run; none in an interactive front end, 10 min elsewhere",
            extra=_DURATION,
        ),
    ] = None
    memory: Annotated[
        Bytes | None,
        msgspec.Meta(
            description="memory of a run's whole tree; else runs share one budget", extra=_SIZE
        ),
    ] = None
    cpu_time: Annotated[
        Seconds | None,
        msgspec.Meta(description="CPU time of a run's whole tree", extra=_DURATION),
    ] = None
    cpus: Annotated[
        float | None,
        msgspec.Meta(description="CPUs' worth of time that a run's tree may use", extra=_CPUS),
    ] = None
    processes: Annotated[
        int | None,
        msgspec.Meta(description="processes and threads of a run's tree", extra=_COUNT),
    ] = None
    max_output: Annotated[
        Bytes, msgspec.Meta(description="what a run may show in all", extra=_SIZE)
    ] = Limits().max_output
    past_max_output: Annotated[
        PastMaxOutput,
        msgspec.Meta(description="what happens past max_output: the middle goes, or the run"),
    ] = "truncate"
    summary: Annotated[
        Literal["full", "stable"],
        msgspec.Meta(description="'stable' leaves every figure that varies out of the record"),
    ] = "full"
    guard: Annotated[
        Literal["on", "off"],
        msgspec.Meta(description="whether commands such as rm -rf / are refused, as accidents"),
    ] = "on"
    preload: Annotated[
        Literal["first run", "at load"],
        msgspec.Meta(description="when the sandbox server starts"),
    ] = "first run"


_configured: dict[str, Any] = {}
_TYPES = typing.get_type_hints(Settings, include_extras=True)
NAMES: tuple[str, ...] = Settings.__struct_fields__
LIMITS: tuple[str, ...] = tuple(field.name for field in dataclasses.fields(Limits))


def meaning(name: str) -> str:
    """Return in words what a setting does and what it may be."""
    return f"{_meta(name).description}: {_allowed(name)}"


def parse(name: str, value: object, source: str) -> Any:
    """Return a setting's value from what somebody wrote, `source` says where.

    Raises BadOption, in one line.
    """
    read = (_meta(name).extra or {}).get("parse")
    try:
        if read is not None:
            return read(value)
        return msgspec.convert(value, _TYPES[name], strict=True)
    except ValueError:
        raise BadOption(f"{source}: {value!r} is not allowed; it takes {_allowed(name)}") from None


def configure(name: str, value: object) -> None:
    """Set the user's own layer for this process; None takes a setting back.

    Raises BadOption, in one line.
    """
    if value is None:
        _configured.pop(name, None)
    else:
        _configured[name] = parse(name, value, f"ExecMagics.{name}")


def load() -> Settings:
    """Return the settings in force.

    Raises BadOption, in one line, for a variable or value that is not allowed.
    """
    return Settings(**{**_environment(), **_configured})


class Asked(typing.TypedDict, total=False):
    """Limits as somebody asks for them; None, like nothing, leaves the configured one."""

    timeout: str | float | None
    memory: str | float | None
    cpu_time: str | float | None
    cpus: str | float | None
    processes: str | int | None
    max_output: str | float | None
    past_max_output: PastMaxOutput | None


def resolve_limits(asked: Asked, *, is_interactive: bool) -> Limits:
    """Return a run's limits: what was asked for, else what is configured, else the default.

    `is_interactive`: somebody is there who can interrupt. Raises BadOption, in one line, and
    TypeError for a limit that there is not.
    """
    settings = load()
    values = {name: getattr(settings, name) for name in LIMITS}
    for name, value in asked.items():
        if name not in LIMITS:
            raise TypeError(f"{name!r} is no limit; there are: {', '.join(LIMITS)}")
        if value is not None:
            values[name] = parse(name, value, name)
    if values["timeout"] is None and not is_interactive:
        values["timeout"] = UNWATCHED_TIMEOUT
    return Limits(**values)


def _environment() -> dict[str, Any]:
    known = {PREFIX + name.upper(): name for name in NAMES}
    found = {variable: text for variable, text in os.environ.items() if variable.startswith(PREFIX)}
    for variable in sorted(found.keys() - known.keys()):
        nearest = difflib.get_close_matches(variable, known, n=1, cutoff=0) or sorted(known)
        raise BadOption(f"{variable}: there is no such setting; the nearest is {nearest[0]}")
    return {
        known[variable]: parse(known[variable], text, variable)
        for variable, text in found.items()
        if text
    }


def _meta(name: str) -> msgspec.Meta:
    meta: msgspec.Meta = typing.get_args(_TYPES[name])[1]
    return meta


def _allowed(name: str) -> str:
    words = (_meta(name).extra or {}).get("allowed")
    choices = typing.get_args(typing.get_args(_TYPES[name])[0])
    return str(words) if words else " or ".join(map(repr, choices))
