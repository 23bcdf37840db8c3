"""Every cell in `tests/cells`, through a real kernel: how it ends, and what it does not touch."""

from __future__ import annotations

import fcntl
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from rig import cells
from rig.cells import Case
from rig.kernel import Kernel, notebook

_LAST = (
    "{'state': em.last.state, 'reason': em.last.reason, 'message': em.last.message,"
    " 'exit_code': em.last.exit_code, 'signal': em.last.signal, 'stdout': em.last.stdout,"
    " 'error': em.last.error and em.last.error.name,"
    " 'outputs': sorted({mime for o in em.last.outputs for mime in o.get('data', {})}),"
    " 'images': len(em.last.images), 'keepsake': keepsake}"
)


def _check(kernel: Kernel, case: Case, home: Path) -> None:
    """Run a cell and compare all that can be known of it with what is expected."""
    assert kernel.run_cell("keepsake = ['mine']").status == "ok"
    result = kernel.run_cell(case.source())
    if case.lock:
        _assert_unlocked(home / case.lock)
    last = kernel.value(_LAST)
    assert (last["state"], last["reason"]) == (case.state, case.reason), last
    assert re.fullmatch(case.message, last["message"]), last["message"]
    assert last["error"] == case.error, last
    for fact in ("exit_code", "signal"):
        assert getattr(case, fact) in {None, last[fact]}, last
    assert re.search(case.stdout, last["stdout"]), last["stdout"]
    assert set(case.outputs) <= set(last["outputs"]), last["outputs"]
    assert last["keepsake"] == ["mine"]
    assert result.status == ("ok" if case.state == "completed" else "error")
    if case.state != "completed":
        assert result.reply["ename"] == "SandboxError"
        assert result.reply["evalue"] == last["message"]


def _assert_unlocked(path: Path) -> None:
    """See that, as the run has ended for its waiter, every process with the lock has ended."""
    with path.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.parametrize("name", [name for name in cells.names() if not cells.load(name).needs])
def test_cell_ends_as_it_says(kernel: Kernel, home: Path, name: str) -> None:
    """The cell ends in the state, for the reason and with the message that its file names; the
    kernel lives, keeps its variables, and nothing is left of the run."""
    _check(kernel, cells.load(name), home)


def test_next_cell_works_after_all_that(kernel: Kernel) -> None:
    """A cell runs as ever after every hostile one."""
    assert kernel.run_cell("%%sandbox\nprint(6 * 7)").stream("stdout") == "42\n"


def test_random_numbers_differ(kernel: Kernel) -> None:
    """Twenty runs that print a random number print twenty different ones."""
    cell = cells.load("prints_a_random_number").source()
    drawn = {kernel.run_cell(cell).stream("stdout") for _ in range(20)}
    assert len(drawn) == 20


@pytest.fixture(scope="module")
def venv_kernel(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """Provide a kernel of a virtual environment that has an editable package of its own."""
    folder = tmp_path_factory.mktemp("venv")
    with notebook(home, str(_make_venv(folder))) as kernel:
        yield kernel


def _make_venv(folder: Path) -> Path:
    """Return the Python of a new environment that sees ours and has `tiny` as editable."""
    make = [sys.executable, "-m", "venv", "--without-pip", str(folder / "env")]
    subprocess.run(make, check=True, timeout=120)
    python = folder / "env" / "bin" / "python"
    purelib = sysconfig.get_path("purelib", vars={"base": str(folder / "env")})
    ours = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    Path(purelib, "ours.pth").write_text("\n".join(sorted(ours)), encoding="utf-8")
    source = folder / "src_of_tiny"
    (source / "tiny").mkdir(parents=True)
    (source / "tiny" / "__init__.py").write_text("VERSION = 1\n", encoding="utf-8")
    (source / "pyproject.toml").write_text(
        '[project]\nname = "tiny"\nversion = "1"\n'
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[tool.setuptools]\npackages = ["tiny"]\n',
        encoding="utf-8",
    )
    install = [
        str(python),
        "-m",
        "pip",
        "install",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
    ]
    subprocess.run([*install, "--quiet", "--editable", str(source)], check=True, timeout=120)
    return python


@pytest.mark.parametrize("name", ["imports_an_editable_package", "runs_joblib", "prints_and_plots"])
def test_cell_in_a_virtual_environment(venv_kernel: Kernel, home: Path, name: str) -> None:
    """What the kernel's virtual environment has, editable packages too, the sandbox has."""
    _check(venv_kernel, cells.load(name), home)
