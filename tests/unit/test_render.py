"""The record as text and HTML."""

from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exec_magic.display import render
from exec_magic.model import Failed, Figures, Limits, Record, Sample, Stopped

GB = 2**30
RECORD = Record(
    name="fit",
    id="0",
    state="completed",
    reason="",
    message="completed",
    figures=Figures(3.2, 2.0, int(1.4 * GB)),
    limits=Limits(timeout=300),
    started=0.0,
    exit_code=0,
    signal=None,
    error=None,
    code_hash="c0de",
    labels={"student": "a17"},
    protections=("own PID namespace",),
    budget=9 * GB,
)
SAMPLES = [Sample(0.1, 0.1, 1, 3, 5, None, None)]
#: What JupyterLab leaves of a notebook that is not trusted.
KEPT = {"details", "summary", "table", "tr", "td", "meter", "span", "div", "code"}
MEMORY = Stopped(
    "stopped: memory limit 2.0 GB reached after 3.2 s (peak 2.0 GB); --memory raises it", "memory"
)


def _record(outcome: Stopped | Failed | None = None, **changes: Any) -> Record:
    if outcome is not None:
        changes |= {"state": outcome.state, "reason": outcome.reason, "message": outcome.message}
    return dataclasses.replace(RECORD, **changes)


def test_line() -> None:
    """A run that went well is one line of figures; units that differ are named."""
    assert render.line(RECORD) == "✓ 3.2 s · 1.4 of 9 GB"
    assert render.line(_record(figures=Figures(0.7, 1, 12 << 20))) == "✓ 0.7 s · 12 MB of 9 GB"
    limits = Limits(memory=2 * GB)
    assert render.line(_record(limits=limits)) == "✓ 3.2 s · 1.4 of 2 GB"
    assert render.line(_record(figures=Figures())) == "✓ completed"
    assert render.line(_record(budget=0)) == "✓ 3.2 s · 1.4 GB"


def test_reason_is_said() -> None:
    """A run that did not go well says why."""
    assert render.line(_record(MEMORY)).startswith("✗ 3.2 s · 1.4 of 9 GB · stopped: memory")
    assert "stopped: memory limit" in render.mimebundle(_record(MEMORY), [])["text/html"]


def test_hints_are_seen_unfolded() -> None:
    """A hint stands below the line, in text and HTML."""
    bundle = render.mimebundle(_record(MEMORY, hints=("--memory raises it",)), [])
    assert bundle["text/plain"].splitlines()[1] == "--memory raises it"
    assert bundle["text/html"].endswith("<div>--memory raises it</div>")


@pytest.mark.parametrize(
    "outcome",
    [
        None,
        MEMORY,
        Stopped(
            "stopped: the 8.9 GB that runs without --memory share were used up after 1 min 3 s, "
            "most of it by this run (peak 7.1 GB); --memory reserves its own",
            "memory",
        ),
        Failed("failed: ZeroDivisionError: division by zero"),
    ],
)
def test_stable_summary_has_no_figure_that_varies(outcome: Stopped | Failed | None) -> None:
    """Two runs of one cell have the same stable summary."""
    first = _record(outcome, limits=Limits(5.0, 2 * GB))
    second = dataclasses.replace(
        first,
        id="1",
        figures=Figures(9.9, 8.8, 7),
        budget=5 * GB,
        message=re.sub(r"3\.2 s|1 min 3 s", "45 ms", first.message)
        .replace("peak 2.0 GB", "peak 1.9 GB")
        .replace("peak 7.1 GB", "peak 912 MB")
        .replace("the 8.9 GB", "the 912 MB"),
        protections=(),
    )
    assert render.mimebundle(first, SAMPLES, "stable") == render.mimebundle(second, [], "stable")


@given(st.text(), st.text(), st.text())
def test_nothing_of_a_run_becomes_markup(message: str, label: str, hint: str) -> None:
    """Whatever a run says, only our own tags are there, and no character controls a terminal."""
    record = _record(Failed("failed: " + message), labels={label: message}, hints=(hint,))
    bundle = render.mimebundle(record, SAMPLES)
    tags = _Tags()
    tags.feed(bundle["text/html"])
    tags.close()
    assert tags.seen <= KEPT
    assert tags.attributes <= {"style", "value", "min", "max", "high", "optimum"}
    for text in bundle.values():
        assert all(char.isprintable() or char == "\n" for char in text)


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.attributes |= {name for name, _ in attrs}


def test_details() -> None:
    """The folded details hold figures against limits, protections, labels and the code's hash."""
    markup = render.mimebundle(RECORD, SAMPLES)["text/html"]
    for text in ("3.2 s of 5 min", "own PID namespace", "student=a17", "c0de", "at most 3, 5"):
        assert text in markup
    assert markup.count("<meter") == 2


@pytest.mark.parametrize(
    ("changes", "summary", "is_worth"),
    [
        ({"figures": Figures(0.4)}, "full", False),
        ({"figures": Figures(0.6)}, "full", True),
        ({"figures": Figures(0.4), "hints": ("a hint",)}, "full", True),
        ({"figures": Figures(0.1), "state": "failed"}, "full", True),
        ({"figures": Figures(0.6)}, "stable", False),
        ({"figures": Figures(0.1), "state": "failed"}, "stable", True),
    ],
)
def test_short_runs_show_no_record(
    changes: dict[str, Any], summary: render.Summary, is_worth: bool
) -> None:
    """A run under half a second with nothing to say shows none; a stable one never by its time."""
    assert render.is_worth_showing(_record(**changes), summary) is is_worth
