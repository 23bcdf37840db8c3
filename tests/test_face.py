"""The package's face: the names that users may rely on."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import exec_magic as em

FACE = ast.parse(Path(em.__file__).read_text(encoding="utf-8"))
HOOKS = {"load_ipython_extension", "unload_ipython_extension"}


def defined() -> set[str]:
    """Return the public names that the face's file defines, itself or by their homes."""
    functions = {node.name for node in FACE.body if isinstance(node, ast.FunctionDef)}
    homes: dict[str, Any] = em._HOMES
    declared = {
        node.target.id
        for node in FACE.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    return {name for name in functions | set(homes) | declared if not name.startswith("_")} - HOOKS


def for_type_checkers() -> set[str]:
    """Return the names of ours that the face imports for type checkers."""
    block = next(node for node in FACE.body if isinstance(node, ast.If))
    return {
        alias.name
        for node in block.body
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("exec_magic.")
        for alias in node.names
    }


def test_all_is_what_is_exported() -> None:
    """`__all__` names what the face defines, no more and no less, in order."""
    assert set(em.__all__) == defined()
    assert em.__all__ == sorted(em.__all__)


def test_type_checkers_see_the_same() -> None:
    """What is imported lazily is declared for type checkers too."""
    assert for_type_checkers() == set(em._HOMES)


@pytest.mark.parametrize("name", em.__all__)
def test_every_name_resolves(name: str) -> None:
    """Every name of `__all__` is there when asked for."""
    getattr(em, name)


def test_unknown_name_is_an_attribute_error() -> None:
    """A name that there is not is an AttributeError, so `hasattr` works."""
    assert not hasattr(em, "no_such_name")


def test_version_is_written_once() -> None:
    """The version stands in the face; the changelog's newest entry is of that version."""
    root = Path(em.__file__).parents[1]
    changelog = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## \[?(\d+\.\d+\.\d+)", changelog, re.MULTILINE)
    assert newest is not None
    assert newest[1] == em.__version__


def test_star_import_works() -> None:
    """`from exec_magic import *` gives every public name."""
    program = (
        "from exec_magic import *; import exec_magic; print(*exec_magic.__all__ - globals().keys())"
    )
    program = program.replace("exec_magic.__all__ -", "set(exec_magic.__all__) -")
    done = subprocess.run(
        [sys.executable, "-c", program],
        check=True, capture_output=True, text=True, timeout=30, cwd=Path(em.__file__).parents[1],
    )  # fmt: skip
    assert done.stdout.strip() == ""
