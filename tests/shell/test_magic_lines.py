"""Lines of `%%sandbox` and `%sandbox` in a real IPython shell, before an engine that only plays."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import exec_magic
from exec_magic import config, magics, session
from exec_magic.errors import Interrupted, SandboxError, Unavailable
from exec_magic.magics import complete
from exec_magic.model import Cell, Failed, OutputDict, Stopped
from rig.player import Player

ERROR: OutputDict = {
    "output_type": "error",
    "ename": "ValueError",
    "evalue": "no",
    "traceback": ["ValueError: no"],
}
FAILED = Failed("failed: ValueError: no")


@pytest.fixture(scope="module")
def ipython(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InteractiveShell]:
    """The process's IPython shell."""
    modules = {name: sys.modules.get(name) for name in ("__main__",)}
    settings = Config()
    settings.HistoryManager.enabled = False
    settings.InteractiveShell.ipython_dir = str(tmp_path_factory.mktemp("ipython"))
    shell = InteractiveShell.instance(config=settings)
    yield shell
    InteractiveShell.clear_instance()
    sys.modules.update({name: module for name, module in modules.items() if module is not None})


@pytest.fixture
def shell(ipython: InteractiveShell) -> Iterator[InteractiveShell]:
    """The shell with our magics, as `%load_ext` adds and `%unload_ext` removes them."""
    ipython.run_line_magic("load_ext", "exec_magic")
    yield ipython
    ipython.run_line_magic("unload_ext", "exec_magic")


@pytest.fixture
def player(monkeypatch: pytest.MonkeyPatch) -> Iterator[Player]:
    """What plays in the engine's place."""
    played = session.Session()
    player = Player(played.view)
    monkeypatch.setattr(played, "executor", player)
    monkeypatch.setattr(session, "_current", played)
    yield player
    player.close()


def test_options_reach_the_run(shell: InteractiveShell, player: Player) -> None:
    """Name, limits and the cell's place in the notebook are in the spec; the Run is bound."""
    shell.user_ns["size"] = "2G"
    result = shell.run_cell("\n%%sandbox -n fit -t 5m -m {size}\nprint('{size}')\n", True)
    assert result.success
    [spec] = player.specs
    assert (spec.name, spec.limits.timeout, spec.limits.memory) == ("fit", 300, 2 << 30)
    assert spec.task.code == "print('{size}')\n"
    assert shell.user_ns["fit"] is session.current().last
    assert result.result is None


def test_body_knows_its_place(shell: InteractiveShell, player: Player) -> None:
    """The number of the cell and of the lines above the body are the notebook's."""
    first = shell.run_cell("%%sandbox\npass", store_history=True)
    shell.run_cell("get_ipython().run_cell_magic('sandbox', '', 'pass')", store_history=True)
    cells = [spec.task for spec in player.specs if isinstance(spec.task, Cell)]
    assert [cell.header_lines for cell in cells] == [1, 1]
    assert cells[0].execution_count == first.execution_count


def test_timeout_where_nobody_watches(
    shell: InteractiveShell, player: Player, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a terminal a run may take 10 minutes, with one as long as it likes."""
    shell.run_cell_magic("sandbox", "", "pass")
    for stream in (sys.stdin, sys.stdout):
        monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
    shell.run_cell_magic("sandbox", "", "pass")
    assert [spec.limits.timeout for spec in player.specs] == [600, None]


def test_configuration(shell: InteractiveShell, player: Player) -> None:
    """`%config` sets what no option says; a wrong value is refused and changes nothing."""
    shell.run_line_magic("config", "ExecMagics.memory = '1G'")
    shell.run_line_magic("config", "ExecMagics.memory")
    shell.run_cell_magic("sandbox", "", "pass")
    shell.run_cell_magic("sandbox", "-m 2G", "pass")
    assert [spec.limits.memory for spec in player.specs] == [1 << 30, 2 << 30]
    instance = shell.magics_manager.registry["ExecMagics"]
    with pytest.raises(UsageError, match=r"^ExecMagics.summary: 'long' is not allowed"):
        instance.summary = "long"
    assert config.load().summary == "full"


def test_failure_is_shown_then_raised(
    shell: InteractiveShell, player: Player, capsys: pytest.CaptureFixture[str]
) -> None:
    """A failure shows traceback and record, and ends the cell with one line that holds the run."""
    player.outputs, player.outcome = [ERROR], FAILED
    with pytest.raises(SandboxError, match=r"^failed: ValueError: no$") as caught:
        shell.run_cell_magic("sandbox", "", "pass")
    assert caught.value.run is session.current().last
    assert capsys.readouterr().out == "ValueError: no\n✗ 0.1 s · failed: ValueError: no\n"


def test_no_raise_error(
    shell: InteractiveShell, player: Player, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --no-raise-error the cell goes on, and the traceback is text on stderr."""
    player.outputs, player.outcome = [ERROR], FAILED
    assert shell.run_cell_magic("sandbox", "--no-raise-error", "pass") is None
    assert "ValueError: no\n" in capsys.readouterr().err


def test_quiet(shell: InteractiveShell, player: Player, capsys: pytest.CaptureFixture[str]) -> None:
    """-q leaves out the record, not the exception."""
    player.outcome = Stopped("stopped: time limit 1.0 s reached; --timeout raises it", "walltime")
    with pytest.raises(SandboxError, match="time limit"):
        shell.run_cell_magic("sandbox", "-q", "pass")
    assert capsys.readouterr().out == ""


def test_interrupt(
    shell: InteractiveShell, player: Player, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C cancels the run, shows what it showed, and raises even with --no-raise-error."""
    player.outputs = [{"output_type": "stream", "name": "stdout", "text": "partial"}]
    player.is_endless = True
    with pytest.raises(Interrupted) as caught:
        shell.run_cell_magic("sandbox", "-n stopped --no-raise-error", "pass")
    assert caught.value.run.state == "cancelled"
    assert shell.user_ns["stopped"] is caught.value.run
    assert capsys.readouterr().out == "partial\n✗ 0.1 s · cancelled\n"


@pytest.mark.usefixtures("player")
def test_late_interrupt_counts(shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Ctrl-C while the record of an ended run is drawn still stops what would follow."""

    def interrupt(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(session.Session, "_show_record", interrupt)
    with pytest.raises(Interrupted):
        shell.run_cell_magic("sandbox", "", "pass")


def test_slow_start_is_said_where_somebody_watches(
    shell: InteractiveShell,
    player: Player,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A slow start is said in a terminal and erased when it is over; nowhere else."""
    player.is_slow = True
    shell.run_cell("%%sandbox\npass", store_history=True)
    assert "starting" not in capsys.readouterr().err
    for stream in (sys.stdin, sys.stdout):
        monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
    shell.run_cell("%%sandbox\npass", store_history=True)
    shown = capsys.readouterr()
    assert "starting the sandbox server" in shown.err
    assert "\x1b[2K\r" in shown.out


def test_unavailable_is_one_line(
    shell: InteractiveShell, player: Player, capsys: pytest.CaptureFixture[str]
) -> None:
    """What this machine cannot do is said in one line, without a traceback."""
    player.failure = Unavailable("exec_magic needs Linux; this is another")
    assert not shell.run_cell("%%sandbox\npass").success
    assert capsys.readouterr().out == "Unavailable: exec_magic needs Linux; this is another\n"


@pytest.mark.parametrize(
    ("line", "body", "named"),
    [
        ("--nonsense", "pass", "--nonsense"),
        ("-n 1fit", "pass", "'1fit'"),
        ("-n class", "pass", "'class'"),
        ("-t never", "pass", "'never'"),
        ("", "one\nfor x in", "line 3: for x in"),
        ("", "\n\nfor x in", "line 4: for x in"),
        ("", "a\0b", "null"),
    ],
)
def test_mistake_starts_nothing(
    shell: InteractiveShell, player: Player, line: str, body: str, named: str
) -> None:
    """A mistake on the line or in the body is a one-line UsageError, and nothing has started."""
    with pytest.raises(UsageError) as caught:
        shell.run_cell_magic("sandbox", line, body)
    assert named in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert not player.specs
    assert not player.starts


def test_help_starts_nothing(
    shell: InteractiveShell, player: Player, capsys: pytest.CaptureFixture[str]
) -> None:
    """-h shows the everyday options, -h all all; the line magic's shows the verbs too."""
    shell.run_cell_magic("sandbox", "-h", "pass")
    assert "--no-raise-error" not in capsys.readouterr().out
    shell.run_cell_magic("sandbox", "-h all", "pass")
    assert "--no-raise-error" in capsys.readouterr().out
    shell.run_line_magic("sandbox", "-h")
    assert "cancel [NAME …]" in capsys.readouterr().out
    assert not player.starts


def test_verbs(shell: InteractiveShell, player: Player, capsys: pytest.CaptureFixture[str]) -> None:
    """The verbs find runs by name, or the newest; tables are returned."""
    player.outputs = [{"output_type": "stream", "name": "stdout", "text": "once\n"}]
    shell.run_cell_magic("sandbox", "-n fit", "pass")
    player.outputs, player.outcome = [ERROR], FAILED
    shell.run_cell_magic("sandbox", "-n fit -q --no-raise-error", "pass")
    assert list(shell.run_line_magic("sandbox", "")["state"]) == ["completed", "failed"]
    assert list(shell.run_line_magic("sandbox", "runs")["name"]) == ["fit", "fit"]
    assert len(shell.run_line_magic("sandbox", "usage fit@1")) == 0
    capsys.readouterr()
    shell.run_line_magic("sandbox", "show fit@1")
    assert capsys.readouterr().out == "once\n✓ 0.1 s\n"
    shell.run_line_magic("sandbox", "cancel")
    assert capsys.readouterr().out == "fit: failed: ValueError: no (had ended already)\n"
    assert shell.run_line_magic("sandbox", "wait fit@1") is None
    with pytest.raises(SandboxError, match=r"^fit: failed: ValueError: no$"):
        shell.run_line_magic("sandbox", "wait fit@1 fit")


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("nonsense", "nonsense"),
        ("show nobody", "nobody"),
        ("show one two", "two"),
        ("runs all", "all"),
        ("show", "no runs yet"),
        ("cancel 'open", "no closing quotation"),
    ],
)
def test_mistaken_verb(shell: InteractiveShell, player: Player, line: str, named: str) -> None:
    """A wrong verb, run or number of names is a one-line UsageError."""
    with pytest.raises(UsageError, match=named) as caught:
        shell.run_line_magic("sandbox", line)
    assert len(str(caught.value).splitlines()) == 1
    assert not player.starts


@pytest.mark.usefixtures("player")
def test_completion_in_the_shell(shell: InteractiveShell) -> None:
    """Tab gives options, verbs and names of runs, nothing else, and leaves the body alone."""
    shell.run_cell_magic("sandbox", "-n fit", "pass")

    def complete_at(text: str) -> list[str]:
        with provisionalcompleter():
            found = list(shell.Completer.completions(text, len(text)))
        return [completion.text for completion in found]

    assert complete_at("%%sandbox --ti") == ["--timeout"]
    assert complete_at("%sandbox ca") == ["cancel"]
    assert complete_at("x = 1\n%sandbox show ") == ["fit"]
    assert "fit" not in complete_at("%%sandbox\nprin")


def test_unloading_takes_all_away(ipython: InteractiveShell, player: Player) -> None:
    """After `%unload_ext` no magic, matcher, configurable or setting of ours is left."""
    before = (list(ipython.configurables), list(ipython.Completer.custom_matchers))
    ipython.run_line_magic("load_ext", "exec_magic")
    ipython.run_line_magic("config", "ExecMagics.timeout = 5")
    ipython.run_line_magic("unload_ext", "exec_magic")
    assert (ipython.configurables, ipython.Completer.custom_matchers) == before
    assert "ExecMagics" not in ipython.magics_manager.registry
    assert ipython.find_magic("sandbox") is None
    assert config.load().timeout is None
    assert not player.starts


def test_wrong_variable_at_load(
    ipython: InteractiveShell, monkeypatch: pytest.MonkeyPatch, player: Player
) -> None:
    """A wrong setting in the environment is one line at `%load_ext`, and nothing is registered."""
    monkeypatch.setenv("EXEC_MAGIC_MEMORY", "lots")
    with pytest.raises(UsageError, match=r"^EXEC_MAGIC_MEMORY: 'lots'"):
        exec_magic.load_ipython_extension(ipython)
    assert ipython.find_magic("sandbox") is None
    assert complete.matcher not in ipython.Completer.custom_matchers
    assert not player.starts


def test_preload(ipython: InteractiveShell, player: Player) -> None:
    """`preload = "at load"` starts the server at load, on a thread."""
    ipython.config.ExecMagics.preload = "at load"
    try:
        ipython.run_line_magic("load_ext", "exec_magic")
        _wait(lambda: bool(player.starts))
        ipython.run_line_magic("unload_ext", "exec_magic")
    finally:
        del ipython.config["ExecMagics"]


def _wait(is_so: Callable[[], bool]) -> None:
    deadline = threading.Event()
    for _ in range(500):
        if is_so():
            return
        deadline.wait(0.01)
    pytest.fail("it did not come")


def test_lazy_magics(ipython: InteractiveShell, player: Player) -> None:
    """IPython's lazy_magics load the extension at the first `%%sandbox`."""
    ipython.magics_manager.lazy_magics["sandbox"] = "exec_magic"
    try:
        ipython.run_cell_magic("sandbox", "-n lazily", "pass")
        assert player.specs[0].name == "lazily"
    finally:
        del ipython.magics_manager.lazy_magics["sandbox"]
        ipython.run_line_magic("unload_ext", "exec_magic")
    assert magics.complete.matcher not in ipython.Completer.custom_matchers
