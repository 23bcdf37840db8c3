"""Fixtures shared by all tests; `leftovers` looks after every one of them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

import exec_magic as em
from exec_magic import session as em_session
from rig import leftovers as rig_leftovers
from rig.kernel import Kernel, notebook
from rig.skips import Skips


def pytest_configure(config: pytest.Config) -> None:
    """Adopt orphans, so that none escapes `leftovers`, and watch the skips."""
    rig_leftovers.adopt_orphans()
    # A loaded machine is slow now and then; examples found once are written down as tests.
    settings.register_profile("tests", deadline=None, database=None)
    settings.load_profile("tests")
    config.pluginmanager.register(Skips())


@pytest.fixture(scope="session", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Provide a home and a temporary folder of the tests' own, shared by all of them.

    One for all, for matplotlib writes its font cache there once.
    """
    home = tmp_path_factory.mktemp("home")
    (home / "tmp").mkdir()
    before = os.environ.get("TMPDIR"), tempfile.tempdir
    os.environ["TMPDIR"] = tempfile.tempdir = str(home / "tmp")
    yield home
    tempfile.tempdir = before[1]
    if before[0] is None:
        del os.environ["TMPDIR"]
    else:
        os.environ["TMPDIR"] = before[0]


@pytest.fixture(autouse=True)
def leftovers(request: pytest.FixtureRequest) -> Iterator[None]:
    """No test leaves a process, cgroup, mount, temporary file or descriptor of ours behind."""
    before = rig_leftovers.Snapshot.take()
    yield
    # jupyter_client opens descriptors in this process, and keeps some.
    drives_a_kernel = any("kernel" in name for name in request.fixturenames)
    left = before.left(with_descriptors=not drives_a_kernel)
    assert not left, f"left behind: {left}"


@pytest.fixture
def session() -> Iterator[None]:
    """Provide the process's own session, closed after the test."""
    yield
    em_session.close()


@pytest.fixture(scope="module")
def warm_session() -> Iterator[None]:
    """Provide the process's own session, started before and closed after the module's tests."""
    em.run("pass", timeout=60)
    yield
    em_session.close()


@pytest.fixture(scope="module")
def cold_kernel(home: Path) -> Iterator[Kernel]:
    """Provide a kernel with the extension loaded, in which nothing has run yet."""
    with notebook(home, is_warm=False) as kernel:
        yield kernel


@pytest.fixture(scope="module")
def kernel(home: Path) -> Iterator[Kernel]:
    """Provide a kernel in which one cell has run already, so that the sandbox server is up."""
    with notebook(home) as kernel:
        yield kernel
