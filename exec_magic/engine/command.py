"""From a Command to the words that are executed, and all that can be known wrong beforehand."""

from __future__ import annotations

import builtins
import keyword
import os
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import msgspec

from exec_magic.engine import guard
from exec_magic.errors import BadCommand
from exec_magic.model import Command

#: Linux takes no longer word: MAX_ARG_STRLEN in linux/binfmts.h, its NUL included.
LONGEST_WORD = 128 * 1024 - 1
#: What a shell of Bourne's kin needs no program for: reserved words and builtin commands.
_BUILTINS = frozenset(
    "if then elif else fi time for in until while do done case esac coproc select function "
    ". : [ [[ alias bg bind break builtin caller cd command compgen complete compopt continue "
    "declare dirs disown echo enable eval exec exit export false fc fg getopts hash help history "
    "jobs kill let local logout mapfile popd printf pushd pwd read readarray readonly return set "
    "shift shopt source suspend test times trap true type typeset ulimit umask unalias unset "
    "wait".split()
)
_KNOWN_SHELLS = frozenset({"sh", "bash", "dash"})
#: A first word that no shell would change: everything else is the shell's to understand.
_PLAIN = re.compile(r"[\w./+@%:,-]+(?=\s|[|<>]|$)(?!\s*\()", re.ASCII)
#: After a program that is missing a shell goes on: `no-such || echo none`.
_GOES_ON = re.compile(r"[;&\n]|\|\|")
#: `print(1)`, `os.getcwd()`: in a shell's grammar wrong, but for a definition, `f() { …; }`.
_CALL = re.compile(r"([A-Za-z_][\w.]*)\s*\((?!\s*\)\s*[\n{(])", re.ASCII)


def argv(command: Command) -> list[str]:
    """Return program and arguments, the program as yet to be found in PATH."""
    words = list(command.words)
    match command.how:
        case "shell" if _is_too_long(words[0]):
            return shlex.split(command.interpreter or "")
        case "shell":
            return [*shlex.split(command.interpreter or ""), "-c", words[0]]
        case "script" if command.interpreter is not None:
            return [*shlex.split(command.interpreter), os.path.expanduser(words[0]), *words[1:]]  # noqa: PTH111 - a Path drops `./`
        case "script":
            return [str(folder(command) / os.path.expanduser(words[0])), *words[1:]]  # noqa: PTH111 - as above
        case "aws":
            # Options given twice: the last counts, so that the user may ask for another form.
            return ["aws", *words[:2], "--output", "json", *words[2:]]
        case _:
            return words


def stdin(command: Command) -> bytes | None:
    """Return what the command reads; None: nothing."""
    if command.how == "shell" and _is_too_long(command.words[0]):
        return os.fsencode(command.words[0])
    return command.stdin


def folder(command: Command) -> Path:
    """Return the folder that the command starts in."""
    return Path.cwd() / Path(command.cwd or "").expanduser()


def document(command: Command, stdout: str) -> Any:
    """Return the JSON that a call of AWS answered; None where it is none."""
    if command.how != "aws":
        return None
    try:
        return msgspec.json.decode(stdout)
    except (msgspec.DecodeError, RecursionError):
        return None


def check(command: Command, *, is_guarded: bool) -> None:
    """Raise BadCommand, in one line, where the command cannot be run as it stands.

    `is_guarded`: also where it looks like one of the well-known accidents.
    """
    _check_words(command)
    _check_folder(folder(command))
    words = argv(command)
    if command.how == "script":
        _check_script(folder(command) / words[-len(command.words)], command)
    if command.how != "script" or command.interpreter is not None:
        _check_program(words[0], folder(command))
    if command.how == "shell" and Path(words[0]).name in _KNOWN_SHELLS:
        _check_line(command.words[0].strip(), folder(command))
    if is_guarded:
        guard.check(words, stdin(command))


def _check_words(command: Command) -> None:
    words: list[object] = [*command.words, command.interpreter or "", command.cwd or ""]
    for word in words:
        if not isinstance(word, str):
            raise BadCommand(f"the command's word {word!r} is no text; {str(word)!r} would be")
        if "\0" in word or not _is_encodable(word):
            what = "a NUL byte" if "\0" in word else "half a character"
            raise BadCommand(f"{_short(word)} has {what}, which no command can be given")
    if not "".join(command.words[:1]).strip():
        raise BadCommand("the command is empty; there must be a program to run")
    if command.interpreter is not None:
        _check_interpreter(command.interpreter)
    for word in command.words:
        if _is_too_long(word) and (command.how != "shell" or command.stdin is not None):
            size = f"{len(os.fsencode(word)) >> 10} kB"
            raise BadCommand(f"a word of {size} is more than the system's 128 kB; use a file")


def _check_interpreter(interpreter: str) -> None:
    try:
        if shlex.split(interpreter):
            return
    except ValueError:
        pass  # an open quotation
    raise BadCommand(f"{interpreter!r} names no program to run the command; bash would")


def _check_folder(place: Path) -> None:
    if not place.is_dir():
        kind = "no folder" if place.exists() else "missing"
        raise BadCommand(f"--cwd {str(place)!r} is {kind}; it takes a folder that exists")
    if not os.access(place, os.X_OK):
        raise BadCommand(f"--cwd {str(place)!r} may not be entered by this user")


def _check_script(file: Path, command: Command) -> None:
    name = f"the script {command.words[0]!r}"
    if not file.exists():
        raise BadCommand(f"{name} is missing; looked for {file}")
    if file.is_dir():
        raise BadCommand(f"{name} is a folder; it takes a file")
    if not os.access(file, os.R_OK):
        raise BadCommand(f"{name} may not be read by this user")
    if command.interpreter is None and not os.access(file, os.X_OK):
        raise BadCommand(f"{name} is not executable; chmod +x does it, or --interpreter runs it")


def _check_program(program: str, place: Path, hint: str = "") -> None:
    if "/" not in program:
        searched = os.environ.get("PATH", os.defpath)
        if shutil.which(program, path=searched) is None:
            raise BadCommand(f"no program is named {_short(program)} in PATH {searched}{hint}")
        return
    path = place / program
    if not path.exists():
        raise BadCommand(f"the program {program!r} is missing; looked for {path}{hint}")
    if path.is_dir():
        raise BadCommand(f"{program!r} is a folder, no program")
    if not os.access(path, os.X_OK):
        raise BadCommand(f"{program!r} is not executable; chmod +x does it, --script FILE runs it")


def _check_line(line: str, place: Path) -> None:
    """Find a first word that is certainly no program: a typing error, or Python."""
    call = _CALL.match(line)
    if call is not None and call[1] not in _BUILTINS:
        raise BadCommand(f"no program is named {_short(line)}; for Python use %%sandbox")
    plain = _PLAIN.match(line)
    if plain is None or _GOES_ON.search(line) or plain[0] in _BUILTINS or _may_define(plain[0]):
        return
    is_python = keyword.iskeyword(plain[0]) or hasattr(builtins, plain[0])
    _check_program(plain[0], place, "; for Python use %%sandbox" if is_python else "")


def _may_define(name: str) -> bool:
    """Tell whether a shell gets functions from the environment."""
    return bool({"BASH_ENV", "ENV", f"BASH_FUNC_{name}%%"} & os.environ.keys())


def _is_encodable(word: str) -> bool:
    try:
        os.fsencode(word)
    except UnicodeEncodeError:
        return False
    return True


def _is_too_long(word: str) -> bool:
    return len(os.fsencode(word)) > LONGEST_WORD


def _short(text: str) -> str:
    line = text.splitlines()[0] if text.splitlines() else text
    return repr(line if len(line) <= 60 else f"{line[:59]}…")
