"""A guard against accidents: finds commands that nobody means. No security boundary.

It reads a command as a shell would, roughly: whoever wants to get past it can.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from exec_magic.errors import BadCommand

#: The system's own folders, with all that is in them.
_SYSTEM = frozenset(
    f"/{name}"
    for name in ("", *"bin boot dev etc home lib lib32 lib64 opt root sbin srv sys usr var".split())
)
_HOMES = frozenset({"~", "$HOME", "${HOME}"})
_SHELLS = frozenset("sh bash dash zsh ksh fish".split())
#: They run the command that follows them.
_PREFIXES = frozenset(
    "sudo doas env command exec nohup nice ionice time stdbuf setsid xargs then do else ! {".split()
)
_DISK = r"/dev/(?:[shv]d[a-z]|xvd[a-z]|nvme\d|mmcblk\d|mapper/|disk/|md\d|dm-\d)"
_FORK_BOMB = re.compile(
    r"(?<![\w:.])(?P<name>[\w:.]+)\s*\(\s*\)\s*\{\s*(?P=name)\s*\|\s*(?P=name)\s*&"
)
_TO_DISK = re.compile(rf">\s*['\"]?{_DISK}")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_SEPARATORS = frozenset("();&|<>\n")
#: Bytes of a script that are read: an accident is short.
_MOST = 1 << 20
#: `bash -c "rm -rf /"`, and one more within; deeper is nobody's accident.
_DEEPEST = 3


def check(words: Sequence[str], stdin: bytes | None) -> None:
    """Raise BadCommand where a command would destroy what nobody means to destroy."""
    found = _accident(list(words), _DEEPEST)
    # A shell without a script of its own reads it; else what comes there is data.
    is_script = all(re.fullmatch(r"-[^c]*", word) for word in words[1:])
    if found is None and stdin is not None and is_script and _name(words[0]) in _SHELLS:
        found = _in_script(stdin[:_MOST].decode(errors="replace"), _DEEPEST)
    if found is not None:
        raise BadCommand(
            f"{found}: stopped by the guard against accidents; "
            '%config ExecMagics.guard = "off" or EXEC_MAGIC_GUARD=off runs it'
        )


def _in_script(text: str, depth: int) -> str | None:
    """Return in words the first accident in a shell's script; None where there is none."""
    if _FORK_BOMB.search(text):
        return "a function that starts itself twice without end"
    if _TO_DISK.search(text):
        return "output written over a disk"
    accidents = (_accident(words, depth) for words in _commands(text))
    return next((accident for accident in accidents if accident is not None), None)


def _commands(text: str) -> Iterator[list[str]]:
    """Yield the words of each simple command, quotes removed."""
    for line in text.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="();&|<>")
        lexer.whitespace_split = True
        command: list[str] = []
        try:
            for word in lexer:
                if not set(word) <= _SEPARATORS:
                    command.append(word)
                    continue
                yield command
                command = []
        except ValueError:
            pass  # a quotation that goes on in the next line: text, no command
        yield command


def _accident(words: list[str], depth: int) -> str | None:
    while words and (words[0] in _PREFIXES or _ASSIGNMENT.match(words[0])):
        words = words[1:]
    if not words or not depth:
        return None
    name, arguments = _name(words[0]), words[1:]
    if name in _SHELLS:
        scripts = [text for flag, text in zip(words, arguments, strict=False) if flag == "-c"]
        return _in_script(scripts[0], depth - 1) if scripts else None
    return _known(name, arguments)


def _name(program: str) -> str:
    return PurePosixPath(program).name


def _known(name: str, arguments: list[str]) -> str | None:
    targets = [word for word in arguments if _is_vital(word)]
    flags = "".join(word for word in arguments if re.fullmatch(r"-\w+", word))
    is_recursive = "r" in flags.lower() or "--recursive" in arguments
    shown = shlex.join([name, *arguments])[:60]
    if name == "rm" and targets and is_recursive:
        return f"{shown!r} deletes a system or home folder"
    if name in {"chmod", "chown", "chgrp"} and targets and is_recursive and "~" not in targets:
        return f"{shown!r} changes all of a system or home folder"
    if name == "find" and targets and "-delete" in arguments:
        return f"{shown!r} deletes a system or home folder"
    if name.partition(".")[0] in {"mkfs", "mkswap", "wipefs"}:
        return f"{shown!r} formats a disk"
    if name in {"dd", "shred"} and any(re.match(rf"(?:of=)?{_DISK}", word) for word in arguments):
        return f"{shown!r} writes over a disk"
    if name in {"shutdown", "reboot", "halt", "poweroff"}:
        return f"{shown!r} ends the machine"
    return None


def _is_vital(word: str) -> bool:
    folder = word.rstrip("/.*")
    if word.startswith("/"):
        return (folder or "/") in _SYSTEM or re.fullmatch(r"/(?:home/\w+)", folder) is not None
    return folder in _HOMES
