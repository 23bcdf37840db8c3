"""Tab: options after the magics, verbs after `%sandbox`, names of runs after a verb."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from IPython.core.completer import SimpleCompletion, context_matcher

from exec_magic.magics import options
from exec_magic.magics.line import split
from exec_magic.magics.manage import VERBS

FAMILIES = {"%%sandbox": options.SANDBOX, "%exec": options.EXEC, "%%exec": options.EXEC}


@context_matcher(identifier="exec_magic.sandbox", priority=200)  # type: ignore[untyped-decorator]
def matcher(context: Any) -> dict[str, Any]:
    """Answer IPython's completer; suppress its own guesses where the line is ours."""
    line = context.line_with_cursor[: context.cursor_position].lstrip()
    found = candidates(line, is_first=not context.full_text[: _start(context)].strip())
    if found is None:
        return {"completions": [], "suppress": False}
    return {
        "completions": [SimpleCompletion(text, type="param") for text in found],
        "matched_fragment": _word(line),
        "suppress": True,
        "ordered": True,
    }


def candidates(line: str, *, is_first: bool = True) -> list[str] | None:
    """Return what may complete a line up to the cursor; None where that is not ours to say.

    `is_first`: nothing stands above the line; a cell magic's line has to be the first.
    """
    magic, _, rest = line.partition(" ")
    if " " not in line:
        return None  # the magic's own name
    before = rest.split()[: -1 if _word(line) else None]
    is_command = magic == "%exec" and not _word(line).startswith("-")
    if is_command or not (is_first or magic in {"%sandbox", "%exec"}):
        return None
    known = _known(magic, before)
    return None if known is None else [text for text in known if text.startswith(_word(line))]


def _known(magic: str, before: list[str]) -> Iterable[str] | None:
    if magic in FAMILIES:
        return _options(FAMILIES[magic], before)
    if magic != "%sandbox":
        return None
    if not before:
        return VERBS
    return _runs() if before[0] in VERBS and VERBS[before[0]].most else []


def _options(family: options.Family, before: list[str]) -> list[str] | None:
    if split(" ".join(before), family)[1]:
        return None  # in the command: files and names are IPython's to complete
    is_value = bool(before) and before[-1] in family.names(with_value=True)
    if is_value and before[-1] in {"--cwd", "--script", "--stdin"}:
        return None  # as above
    return [] if is_value else family.names()


def _runs() -> list[str]:
    """Return the runs' names, newest first; without a session there are none."""
    session = sys.modules.get("exec_magic.session")
    names: list[str] = session.current().names() if session is not None else []
    return names[::-1]


def _word(line: str) -> str:
    """Return the word that the cursor ends."""
    return line[line.rfind(" ") + 1 :]


def _start(context: Any) -> int:
    """Return where the cursor's line starts in the whole text."""
    lines = context.full_text.split("\n")[: context.cursor_line]
    return sum(len(text) + 1 for text in lines)
