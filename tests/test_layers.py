"""Who may import whom: every import in the package, read with `ast`, against one table."""

from __future__ import annotations

import ast
import functools
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "exec_magic"
FILES = sorted(PACKAGE.rglob("*.py"))

VALUES = frozenset({"model", "errors", "quantities"})
CONTRACT = VALUES | {"wire"}
KERNEL_SIDE = CONTRACT | {"config", "engine", "history", "display", "session"}

#: Room: (rooms it may import besides itself, libraries beside the standard one); None: any.
ROOMS: dict[str, tuple[frozenset[str], frozenset[str] | None]] = {
    "model": (frozenset(), frozenset({"msgspec"})),
    "errors": (frozenset(), frozenset()),
    "quantities": (frozenset(), frozenset()),
    "wire": (frozenset(), frozenset()),
    "config": (VALUES, frozenset({"msgspec", "platformdirs"})),
    "worker": (frozenset({"wire"}), frozenset({"IPython", "traitlets"})),
    "engine": (CONTRACT, frozenset({"msgspec", "psutil"})),
    "history": (VALUES, frozenset({"pandas"})),
    "display": (VALUES, frozenset({"IPython", "matplotlib"})),
    "session": (KERNEL_SIDE, frozenset({"IPython", "pandas"})),
    "magics": (VALUES | {"session", "config"}, frozenset({"IPython", "traitlets"})),
    "__main__": (VALUES | {"session", "config"}, frozenset({"IPython", "traitlets"})),
    "__init__": (KERNEL_SIDE | {"magics"}, None),
}
#: IPython's shell is the run's, and is imported when the server is filled: by these alone.
WITH_IPYTHON = {"exec_magic/worker/cell.py"}
#: Who names whom in annotations, though it may not import it.
TYPES_ONLY = {
    ("errors", "engine"),
    ("engine", "pandas"),
    ("magics", "engine"),
    ("worker", "threadpoolctl"),
    ("worker", "typing_extensions"),
}


@dataclass(frozen=True)
class Import:
    """One import statement's target."""

    #: Dotted name of a module.
    target: str
    #: It serves type checkers alone.
    is_for_types: bool
    #: It stands inside a function.
    is_inside: bool
    line: int


def room(module: str) -> str:
    """Return the room of a dotted module name of the package."""
    _, _, rest = module.partition(".")
    return rest.partition(".")[0] or "__init__"


def module_name(path: Path) -> str:
    """Return the dotted name of a file of the package."""
    parts = list(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@functools.cache
def imports(path: Path) -> list[Import]:
    """Return every import of a file, those inside functions included."""
    found: list[Import] = []
    _collect(ast.parse(path.read_text(encoding="utf-8")), found, for_types=False, inside=False)
    return found


def _collect(node: ast.AST, found: list[Import], *, for_types: bool, inside: bool) -> None:
    for child in ast.iter_child_nodes(node):
        targets: list[str] = []
        if isinstance(child, ast.Import):
            targets = [alias.name for alias in child.names]
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, "relative imports hide the room"
            targets = [_target(child.module or "", alias.name) for alias in child.names]
        found += [Import(target, for_types, inside, child.lineno) for target in targets]  # type: ignore[attr-defined]
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for part in child.body:
                _collect(ast.Module([part], []), found, for_types=True, inside=inside)
            for part in child.orelse:
                _collect(ast.Module([part], []), found, for_types=for_types, inside=inside)
            continue
        is_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
        _collect(child, found, for_types=for_types, inside=inside or is_function)


def _target(module: str, name: str) -> str:
    """Return `module.name` where that is a module of ours, else `module`."""
    path = PACKAGE.parent.joinpath(*module.split("."), name)
    if module.startswith("exec_magic") and (path.with_suffix(".py").exists() or path.is_dir()):
        return f"{module}.{name}"
    return module


def is_ours(target: str) -> bool:
    """Whether a module is of this package."""
    return target.partition(".")[0] == "exec_magic"


def by_name(path: Path) -> str:
    """Return a test's id."""
    return str(path.relative_to(PACKAGE.parent))


@pytest.mark.parametrize("path", FILES, ids=by_name)
def test_belongs_to_a_room(path: Path) -> None:
    """Every file of the package stands in a room of the table."""
    assert room(module_name(path)) in ROOMS


@pytest.mark.parametrize("path", FILES, ids=by_name)
def test_imports_what_its_room_may(path: Path) -> None:
    """A file imports only rooms below its own, and only its room's libraries."""
    own = room(module_name(path))
    rooms, libraries = ROOMS[own]
    wrong = []
    for found in imports(path):
        top = found.target.partition(".")[0]
        if is_ours(found.target):
            other = room(found.target)
            is_allowed = other in rooms | {own}
        else:
            other = top
            is_allowed = top in sys.stdlib_module_names or libraries is None or top in libraries
            if own == "worker" and top in (libraries or ()):
                is_allowed = by_name(path) in WITH_IPYTHON
        if not is_allowed and not (found.is_for_types and (own, other) in TYPES_ONLY):
            wrong.append(f"{by_name(path)}:{found.line} imports {found.target}")
    assert not wrong


@pytest.mark.parametrize("path", FILES, ids=by_name)
def test_kernel_side_keeps_out_of_the_worker(path: Path) -> None:
    """The kernel's side never imports the worker, another program: not even for its types."""
    if room(module_name(path)) == "worker":
        return
    targets = [found.target for found in imports(path)]
    assert not [target for target in targets if is_ours(target) and room(target) == "worker"]


def test_face_imports_nothing_when_imported() -> None:
    """The face imports inside functions only."""
    outside = [
        found
        for found in imports(PACKAGE / "__init__.py")
        if not found.is_inside and not found.is_for_types and found.target != "__future__"
    ]
    assert not outside


def test_no_circles() -> None:
    """No two files import each other, however far round; imports for types alone aside."""
    graph = {
        module_name(path): {
            found.target
            for found in imports(path)
            if is_ours(found.target) and not found.is_for_types
        }
        for path in FILES
    }
    circles = [f"{' -> '.join(circle)}" for circle in _circles(graph)]
    assert not circles


def _circles(graph: dict[str, set[str]]) -> list[list[str]]:
    found: list[list[str]] = []
    done: set[str] = set()

    def visit(module: str, road: list[str]) -> None:
        if module in road:
            found.append([*road[road.index(module) :], module])
        elif module not in done:
            for target in sorted(graph.get(module, ())):
                visit(target, [*road, module])
            done.add(module)

    for module in sorted(graph):
        visit(module, [])
    return found
