"""A mistake on the line or in the body is one line of text, and nothing has started."""

from __future__ import annotations

import pytest

from rig.kernel import Kernel
from rig.leftovers import below

_LINES = {
    "unknown option": ("%%sandbox --nonsense 3\npass", "--nonsense"),
    "abbreviated option": ("%%sandbox --mem 3G\npass", "--mem"),
    "later option": ("%%sandbox --net none\npass", "--net"),
    "word too many": ("%%sandbox left over\npass", "left"),
    "no size": ("%%sandbox -m lots\npass", "lots"),
    "zero size": ("%%sandbox -m 0\npass", "0"),
    "negative size": ("%%sandbox --memory=-1G\npass", "-1G"),
    "no time": ("%%sandbox -t soon\npass", "soon"),
    "zero time": ("%%sandbox -t 0s\npass", "0s"),
    "negative time": ("%%sandbox --timeout=-5\npass", "-5"),
    "endless time": ("%%sandbox --timeout inf\npass", "inf"),
    "no identifier": ("%%sandbox -n 1fit\npass", "1fit"),
    "keyword": ("%%sandbox -n class\npass", "class"),
    "missing value": ("%%sandbox -m\npass", "-m"),
    "does not compile": ("%%sandbox\npass\nfor x in", "line 3: for x in"),
    "no command": ("%exec", "empty"),
    "no program": ("%exec no-such-program", "PATH"),
    "no shell's": ("%exec print(1)", "%%sandbox"),
    "no folder": ("%exec --cwd /no/such ls", "/no/such"),
    "an accident": ("%%exec\ntrue\nmkfs.none /dev/null", "guard"),
    "unknown verb": ("%sandbox nonsense", "nonsense"),
    "unknown run": ("%sandbox show nobody", "nobody"),
}


@pytest.mark.parametrize("mistake", _LINES)
def test_mistake_is_one_line_and_starts_nothing(cold_kernel: Kernel, mistake: str) -> None:
    """The mistake is named in one line, and there is no process beside the kernel."""
    cell, named = _LINES[mistake]
    result = cold_kernel.run_cell(cell)
    assert result.status == "error"
    assert named in result.text
    assert len(result.text.strip().splitlines()) == 1, result.text
    assert not below(cold_kernel.pid)


@pytest.mark.parametrize(
    "call",
    [
        "em.run('pass', memory='lots')",
        "em.run('pass', memory=0)",
        "em.run('pass', timeout=-1)",
        "em.submit('pass', timeout='soon')",
        "em.submit('pass', name='1fit')",
        "em.run('for x in')",
        "em.run(em.Command.exec())",
        "em.submit(em.Command.exec('no-such-program'))",
        "em.submit(em.Command.shell('ls', cwd='/no/such'))",
    ],
)
def test_mistake_in_a_call_starts_nothing(cold_kernel: Kernel, call: str) -> None:
    """The same mistakes in the Python API raise an error of ours with one line of text."""
    cell = (
        f"import exec_magic as em\ntry:\n    {call}\n"
        "except em.ExecMagicError as error:\n    text = str(error)"
    )
    assert cold_kernel.run_cell(cell).status == "ok"
    assert len(cold_kernel.value("text").splitlines()) == 1
    assert not below(cold_kernel.pid)


def test_loading_starts_nothing(cold_kernel: Kernel) -> None:
    """Loading the extension imports no pandas, starts no thread and no process."""
    heavy = "{'pandas', 'pyarrow', 'matplotlib'} & set(__import__('sys').modules)"
    assert cold_kernel.value(f"sorted({heavy})") == []
    assert not below(cold_kernel.pid)
