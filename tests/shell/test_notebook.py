"""A cell in a sandbox looks and behaves as any cell of a notebook."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from rig.kernel import CellResult, Kernel, uncoloured


def _sandbox(kernel: Kernel, body: str, options: str = "") -> CellResult:
    return kernel.run_cell(f"%%sandbox {options}\n{body}")


def test_output_is_live(kernel: Kernel, home: Path) -> None:
    """A line is shown while the cell that printed it still runs."""
    flag = home / "go_on"
    body = (
        "import pathlib, time\n"
        "print('first')\n"
        f"while not pathlib.Path({str(flag)!r}).exists():\n"
        "    time.sleep(0.005)\n"
        "print('second')"
    )
    start = time.monotonic()
    request = kernel.submit(f"%%sandbox\n{body}")
    shown = []
    for message in kernel.messages(request):
        shown.append(message)
        if message.get("text", "").startswith("first"):
            flag.touch()  # the cell cannot end before this
            break
    result = kernel.finish(request, start, shown=shown)
    assert result.stream("stdout") == "first\nsecond\n"


def test_output_is_in_order(kernel: Kernel) -> None:
    """Text, errors' text and displays arrive in the order in which the code made them."""
    body = (
        "import sys\n"
        "for number in range(5):\n"
        "    print('out', number)\n"
        "    print('err', number, file=sys.stderr)\n"
        "    display(number)"
    )
    expected = "".join(f"out {n}\nerr {n}\n{n}" for n in range(5))
    assert _sandbox(kernel, body).text.startswith(expected)


def test_output_below_python_is_shown(kernel: Kernel) -> None:
    """What C code and subprocesses write to descriptors 1 and 2 is shown too."""
    body = "import os\nos.write(1, b'from below\\n')\nos.write(2, b'and beside\\n')\n!echo a child"
    result = _sandbox(kernel, body)
    assert "from below\n" in result.stream("stdout")
    assert "a child" in result.stream("stdout")
    assert "and beside\n" in result.stream("stderr")


def test_text_that_is_no_unicode(kernel: Kernel) -> None:
    """Bytes and surrogates that are no text are shown somehow and break nothing."""
    result = _sandbox(kernel, "import os\nos.write(1, b'\\xff\\xfe\\n')\nprint('\\udc80 end')")
    assert result.status == "ok"
    assert "end" in result.stream("stdout")


def test_split_characters_are_put_together(kernel: Kernel) -> None:
    """A character whose bytes are written one by one arrives whole."""
    result = _sandbox(kernel, "import os\nfor b in 'ä€😀'.encode():\n    os.write(1, bytes([b]))")
    assert result.stream("stdout") == "ä€😀"


def test_rich_display(kernel: Kernel) -> None:
    """HTML, Markdown and images come through as they do from any cell."""
    body = (
        "from IPython.display import HTML, Markdown, display\n"
        "display(HTML('<b>bold</b>'))\n"
        "display(Markdown('**bold**'))"
    )
    result = _sandbox(kernel, body)
    assert "<b>bold</b>" in result.data("text/html")
    assert result.data("text/markdown") == ["**bold**"]


def test_last_expression_is_shown(kernel: Kernel) -> None:
    """The last expression is shown, a DataFrame as a table."""
    result = _sandbox(kernel, "import pandas as pd\npd.DataFrame({'colour': ['red']})")
    assert any("<table" in html and "red" in html for html in result.data("text/html"))
    assert kernel.value("em.last.text").endswith("red")


def test_semicolon_silences_the_last_expression(kernel: Kernel) -> None:
    """A trailing semicolon silences the last expression, and only that."""
    result = _sandbox(kernel, "print('kept')\n6 * 7;")
    assert result.stream("stdout") == "kept\n"
    assert "42" not in result.text


def test_displays_can_be_updated(kernel: Kernel) -> None:
    """A display handle updates its display, and clear_output reaches the notebook."""
    body = (
        "from IPython.display import clear_output, display\n"
        "handle = display('one', display_id=True)\n"
        "handle.update('two')\n"
        "clear_output(wait=True)\n"
        "print('three')"
    )
    shown = _sandbox(kernel, body).outputs
    kinds = [output["type"] for output in shown]
    assert kinds[:4] == ["display_data", "update_display_data", "clear_output", "stream"]
    assert shown[0]["transient"]["display_id"] == shown[1]["transient"]["display_id"]


def test_matplotlib_figure(kernel: Kernel) -> None:
    """A figure that is drawn and not shown appears at the end of the cell, as a PNG."""
    result = _sandbox(kernel, "import matplotlib.pyplot as plt\nplt.plot([1, 3, 2]);")
    assert len(result.data("image/png")) == 1
    assert kernel.value("em.last.images[0][:4].hex()") == "89504e47"


def test_top_level_await(kernel: Kernel) -> None:
    """A cell may await."""
    body = "import asyncio\nawait asyncio.sleep(0)\nprint('awaited')"
    assert _sandbox(kernel, body).stream("stdout") == "awaited\n"


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ("%%time\nprint('timed')", "Wall time"),
        ("%timeit -n1 -r1 pass", "1 loop"),
        ("!echo from a shell", "from a shell"),
        ("files = !echo one\nprint(files)", "['one']"),
        ("%%bash\necho from bash", "from bash"),
        ("x = 1\nx?", "Type:"),
    ],
)
def test_magics_in_the_body(kernel: Kernel, body: str, shown: str) -> None:
    """Magics and IPython's syntax work in the body."""
    result = _sandbox(kernel, body)
    assert result.status == "ok"
    assert shown in result.text


def test_body_is_not_expanded(kernel: Kernel) -> None:
    """Braces and dollars in the body stay as they are."""
    kernel.run_cell("name = 'expanded'")
    assert _sandbox(kernel, "print('{name} $name')").stream("stdout") == "{name} $name\n"


def test_tqdm(kernel: Kernel) -> None:
    """A progress bar reaches its end on stderr."""
    result = _sandbox(kernel, "from tqdm.auto import tqdm\nfor _ in tqdm(range(3)):\n    pass")
    assert result.status == "ok"
    assert "100%" in result.text


def test_warnings(kernel: Kernel) -> None:
    """A warning is shown on stderr with the cell's own line."""
    result = _sandbox(kernel, "import warnings\nwarnings.warn('careful')")
    assert "UserWarning: careful" in result.stream("stderr")


def test_traceback_has_the_cell_and_its_line(kernel: Kernel) -> None:
    """A traceback names the notebook's own cell and line, and only the user's frames."""
    result = _sandbox(kernel, "one = 1\n\n\none / 0")
    traceback = uncoloured("\n".join(result.errors[0]["traceback"]))
    assert f"Cell In[{result.reply['execution_count']}], line 5" in traceback
    assert "ZeroDivisionError: division by zero" in traceback
    assert "exec_magic" not in traceback
    assert kernel.value("[em.last.error.name, em.last.error.message, em.last.error.line]") == [
        "ZeroDivisionError",
        "division by zero",
        5,
    ]
    assert "\x1b" not in kernel.value("em.last.error.traceback")


def test_line_counts_what_stands_above_the_magic(kernel: Kernel) -> None:
    """Empty lines and comments above the magic's line count, as the notebook counts them."""
    result = kernel.run_cell("# a comment\n\n%%sandbox\n1 / 0")
    if result.reply.get("ename") == "SandboxError":
        assert "line 4" in uncoloured("\n".join(result.errors[0]["traceback"]))
    else:  # IPython takes a cell magic on the first line only
        assert result.status == "error"
    result = kernel.run_cell("\n\n%%sandbox\n1 / 0")
    assert "line 4" in uncoloured("\n".join(result.errors[0]["traceback"]))


def test_chained_traceback(kernel: Kernel) -> None:
    """Both exceptions of a chain are shown."""
    body = (
        "try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    raise ValueError('no') from error"
    )
    traceback = uncoloured("\n".join(_sandbox(kernel, body).errors[0]["traceback"]))
    assert "ZeroDivisionError: division by zero" in traceback
    assert "direct cause" in traceback
    assert "ValueError: no" in traceback


def test_syntax_the_compiler_warns_of(kernel: Kernel) -> None:
    """A body that only draws a SyntaxWarning runs."""
    assert _sandbox(kernel, "print(1 is 1)").status == "ok"


def test_failure_ends_the_cell_in_one_line(kernel: Kernel) -> None:
    """After the code's own traceback the cell ends with one line, not with a second traceback."""
    result = _sandbox(kernel, "1 / 0")
    assert result.reply["ename"] == "SandboxError"
    assert len("\n".join(result.reply["traceback"]).splitlines()) == 1
    kernel.run_cell(
        "try:\n    get_ipython().run_cell_magic('sandbox', '', '1 / 0')\n"
        "except em.SandboxError as error:\n    caught = error.run.state"
    )
    assert kernel.value("caught") == "failed"


def test_failure_stops_what_follows(kernel: Kernel) -> None:
    """Run All stops at a cell that failed."""
    first, second = kernel.submit("%%sandbox\n1 / 0"), kernel.submit("late = 1")
    assert kernel.finish(first, 0).status == "error"
    assert kernel.reply(second)["status"] == "aborted"


def test_no_raise_error(kernel: Kernel) -> None:
    """With --no-raise-error a failure and a limit end the cell as if all were well."""
    for body, options, state in [
        ("1 / 0", "", "failed"),
        ("while True: pass", "-t 0.3", "stopped"),
    ]:
        result = _sandbox(kernel, body, f"--no-raise-error {options}")
        assert result.status == "ok"
        assert not result.errors
        assert kernel.value("em.last.state") == state
    assert "ZeroDivisionError" in _sandbox(kernel, "1 / 0", "--no-raise-error").text


@pytest.mark.parametrize("body", ["print(1)", "1 / 0"])
def test_name_binds_the_run(kernel: Kernel, body: str) -> None:
    """-n binds the run to a name, whatever its end; an earlier one stays as NAME@1."""
    _sandbox(kernel, body, "-n fit --no-raise-error")
    assert kernel.value("[fit.name, fit is em.last, type(fit).__name__]") == ["fit", True, "Run"]


def test_waiting_cell_returns_nothing(kernel: Kernel) -> None:
    """A waiting cell has no value of its own: its last expression is shown, no Out is made."""
    kernel.run_cell("'before'")
    _sandbox(kernel, "'inside'")
    assert kernel.value("_") == "before"


def test_quiet_shows_no_record(kernel: Kernel) -> None:
    """A failing run shows its record, with -q it does not."""
    loud = _sandbox(kernel, "while True: pass", "-t 0.3s")
    assert any("time limit" in html for html in loud.data("text/html"))
    quiet = _sandbox(kernel, "while True: pass", "-t 0.3s -q")
    assert not quiet.data("text/html")


def test_short_run_shows_no_record(kernel: Kernel) -> None:
    """A run under half a second with nothing to say shows only what it printed."""
    kinds = [output["type"] for output in _sandbox(kernel, "print(1)").outputs]
    assert kinds == ["stream"]


def test_input_is_refused_in_words(kernel: Kernel) -> None:
    """`input()` raises at once instead of waiting for an answer that cannot come."""
    result = _sandbox(kernel, "input('name? ')")
    assert result.reply["ename"] == "SandboxError"
    assert result.errors[0]["ename"] in {"StdinNotImplementedError", "EOFError", "RuntimeError"}


def test_runs_are_listed(kernel: Kernel) -> None:
    """The table of runs has a row for each, newest last."""
    _sandbox(kernel, "pass", "-n listed")
    result = kernel.run_cell("%sandbox runs")
    assert any("listed" in html for html in result.data("text/html"))
    assert kernel.value("list(em.runs()['name'])")[-1] == "listed"
