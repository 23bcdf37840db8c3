"""Cuts the line of `%exec` in two: our options, and the command, of which nothing is touched."""

from __future__ import annotations

import re

from exec_magic.magics.options import Family

#: A word as a shell reads it; what stands in braces, IPython's `{x}`, belongs to one word.
_WORD = re.compile(
    r"""(?: [^\s'"\\{] | \\. | '[^']*' | "(?:[^"\\]|\\.)*" | \{[^{}]*\} | \{ | ['"\\] )+""",
    re.VERBOSE | re.DOTALL,
)
_SPACE = re.compile(r"\s*")


def split(line: str, family: Family) -> tuple[str, str]:
    """Return the part of the line that is options, and the rest exactly as it was typed.

    Options end at the first word that is none, or at `--`, which belongs to neither part. A word
    that begins with `-` is meant as an option, known or not. The space between is nobody's.
    """
    position = 0
    while word := _word(line, position):
        if word[0] == "--":
            return line[:position], line[_space(line, word.end()) :]
        if not word[0].startswith("-") or word[0] == "-":
            return line[:position], line[word.start() :]
        position = word.end()
        value = _word(line, position)
        if value is not None and _takes(word[0], value[0], family):
            position = value.end()
    return line, ""


def _word(line: str, position: int) -> re.Match[str] | None:
    return _WORD.match(line, _space(line, position))


def _space(line: str, position: int) -> int:
    match = _SPACE.match(line, position)
    return position if match is None else match.end()


def _takes(flag: str, value: str, family: Family) -> bool:
    """Tell whether an option, as typed, takes the next word as its value."""
    if flag in {"-h", "--help"}:
        return value in {"everyday", "all"}
    if flag.startswith("--"):
        return flag in family.names(with_value=True)
    # `-qn NAME`: switches may stand before the last of several; `-nNAME` has its value already.
    with_value = family.names(with_value=True)
    rest = flag[1:].lstrip("".join(name[1] for name in family.names() if name not in with_value))
    return f"-{rest}" in with_value
