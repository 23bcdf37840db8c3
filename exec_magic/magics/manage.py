"""`%sandbox VERB`: looks at runs and ends them. The verbs are declared once, in VERBS."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from exec_magic.errors import BadOption, SandboxError
from exec_magic.magics import options

if TYPE_CHECKING:
    from exec_magic.engine.run import Run


def manage(line: str) -> Any:
    """Do what a `%sandbox` line says; return the verb's value.

    Raises UsageError, in one line; SandboxError from `wait`.
    """
    verb, *names = options.words(line) or ["runs"]
    if verb in {"-h", "--help"}:
        print(help_text(), options.help_text("".join(names) or "everyday"), sep="\n\n")  # noqa: T201
        return None
    if verb not in VERBS:
        known = ", ".join(VERBS)
        raise UsageError(f"%sandbox has no verb {verb!r}; there are {known}; %%sandbox runs a cell")
    if len(names) > VERBS[verb].most:
        extra = names[VERBS[verb].most]
        raise UsageError(f"%sandbox {VERBS[verb].usage}: {extra!r} is too much")
    return VERBS[verb].act(_find(names) if VERBS[verb].most else [])


def help_text() -> str:
    """Return the verbs as plain text."""
    lines = [f"  {verb.usage:<16}  {verb.meaning}" for verb in VERBS.values()]
    return "\n".join(["%sandbox VERB; without a name, the newest run", "", *lines])


def _find(names: Sequence[str]) -> list[Run]:
    from exec_magic import session

    current = session.current()
    try:
        if names:
            return [current.find(name) for name in names]
    except BadOption as error:
        raise UsageError(str(error)) from None
    if current.last is None:
        raise UsageError("there are no runs yet; %%sandbox makes one")
    return [current.last]


def _runs(_: Sequence[Run]) -> Any:
    from exec_magic import session

    return session.current().runs()


def _show(runs: Sequence[Run]) -> None:
    from exec_magic import session

    session.current().replay(runs[0])


def _usage(runs: Sequence[Run]) -> Any:
    return runs[0].usage


def _cancel(runs: Sequence[Run]) -> None:
    is_cancelled = [run.cancel() for run in runs]
    for run, is_ours in zip(runs, is_cancelled, strict=True):
        run.wait()
        print(f"{run.name}: {run.message}{'' if is_ours else ' (had ended already)'}")  # noqa: T201


def _wait(runs: Sequence[Run]) -> None:
    for run in runs:
        run.wait()
    for run in runs:
        if run.state != "completed":
            raise SandboxError(f"{run.name}: {run.message}", run)


@dataclass(frozen=True)
class Verb:
    """What may follow `%sandbox`; `most` is the number of runs it takes."""

    usage: str
    meaning: str
    most: int
    act: Callable[[Sequence[Run]], Any]


_MANY = 1_000
VERBS = {
    "runs": Verb("runs", "the table of runs, a DataFrame", 0, _runs),
    "show": Verb("show [NAME]", "what a run showed, and its record", 1, _show),
    "usage": Verb("usage [NAME]", "CPU and memory over time, a DataFrame", 1, _usage),
    "cancel": Verb("cancel [NAME …]", "ends runs", _MANY, _cancel),
    "wait": Verb("wait [NAME …]", "waits for runs; fails if one did not complete", _MANY, _wait),
}
