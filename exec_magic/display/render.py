"""A run's record as text and HTML; pure.

Only tags and inline styles that JupyterLab keeps in a notebook that is not trusted. Names,
labels and messages come from users and runs: all are escaped.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from typing import Literal

from exec_magic.model import Bytes, Record, Sample, Seconds
from exec_magic.quantities import format_duration, format_size

Summary = Literal["full", "stable"]

#: A run that took less and has nothing to say shows no record.
QUICK: Seconds = 0.5
_MARKS = {"completed": "✓", "queued": "…", "running": "…"}
_COLOURS = {"✓": "#2e7d32", "✗": "#d32f2f", "…": "#757575"}
#: The figures in the engine's own messages that differ from run to run.
_FIGURES = re.compile(r" after [\d.]+ [a-z]+(?: [\d.]+ [a-z]+)?| \(peak [\d.]+ \w+\)")
_BUDGET = re.compile(r"the [\d.]+ \w+ that runs without")


def is_worth_showing(record: Record, summary: Summary = "full") -> bool:
    """Tell whether the record says more than that a short run went well.

    A stable summary has no figures, so that there only the outcome can be worth it.
    """
    if record.state != "completed" or record.hints:
        return True
    walltime = record.figures.walltime
    return summary == "full" and not (walltime is not None and walltime < QUICK)


def line(record: Record, summary: Summary = "full") -> str:
    """Return the record in one line of text: `✓ 3.2 s · 1.4 of 9 GB`."""
    return f"{_mark(record)} {_headline(record, summary)}"


def mimebundle(
    record: Record, samples: Sequence[Sample], summary: Summary = "full"
) -> dict[str, str]:
    """Return the record as text and as HTML with its details folded."""
    mark = _mark(record)
    coloured = f'<span style="color:{_COLOURS[mark]};font-weight:bold">{mark}</span>'
    rows = "".join(
        f'<tr><td style="text-align:left">{name}</td><td style="text-align:left">{value}</td></tr>'
        for name, value in _details(record, samples, summary)
    )
    hints = "".join(f"<div>{_escape(hint)}</div>" for hint in record.hints)
    markup = (
        f"<details><summary>{coloured} {_escape(_headline(record, summary))}</summary>"
        f"<table>{rows}</table></details>{hints}"
    )
    text = "\n".join([line(record, summary), *map(_harmless, record.hints)])
    return {"text/plain": text, "text/html": markup}


def _mark(record: Record) -> str:
    return _MARKS.get(record.state, "✗")


def _headline(record: Record, summary: Summary) -> str:
    parts = [] if summary == "stable" else _figures(record)
    message = _harmless(record.message)
    if record.state != "completed" or not parts:
        parts.append(_steady(message) if summary == "stable" else message)
    return " · ".join(parts)


def _steady(message: str) -> str:
    if not message.startswith("stopped: "):
        return message  # the code's own words
    return _BUDGET.sub("the memory that runs without", _FIGURES.sub("", message))


def _figures(record: Record) -> list[str]:
    figures, limit = record.figures, record.limits.memory or record.budget
    parts = [] if figures.walltime is None else [format_duration(figures.walltime)]
    if figures.memory is not None:
        parts.append(_of(figures.memory, limit) if limit else format_size(figures.memory))
    return parts


def _of(size: Bytes, limit: Bytes) -> str:
    """Return `1.4 of 9 GB`, and `12 MB of 9 GB` where the units differ."""
    used, unit = format_size(size).split()
    whole, whole_unit = format_size(limit).split()
    used = used if unit == whole_unit else f"{used} {unit}"
    return f"{used} of {whole.removesuffix('.0')} {whole_unit}"


def _details(
    record: Record, samples: Sequence[Sample], summary: Summary
) -> Iterable[tuple[str, str]]:
    """Yield the rows of the table, escaped."""
    yield "run", f"{_escape(record.name)}, {record.state}"
    if summary == "full":
        yield from _measured(record, samples)
    elif record.limits.timeout is not None:
        yield "wall time", f"at most {format_duration(record.limits.timeout)}"
    if summary == "stable" and record.limits.memory is not None:
        yield "memory", f"at most {format_size(record.limits.memory)}"
    if record.exit_code:
        yield "exit code", str(record.exit_code)
    if record.signal is not None and record.state == "failed":  # else it was ours
        yield "signal", str(record.signal)
    if summary == "full":  # they are this machine's
        yield "protections", _escape(", ".join(record.protections) or "none besides the limits")
    if record.labels:
        labels = ", ".join(f"{name}={value}" for name, value in record.labels.items())
        yield "labels", _escape(labels)
    yield "code", f"<code>{_escape(record.code_hash)}</code>"


def _measured(record: Record, samples: Sequence[Sample]) -> Iterable[tuple[str, str]]:
    figures, limits = record.figures, record.limits
    if figures.walltime is not None:
        text = format_duration(figures.walltime)
        if limits.timeout is not None:
            meter = _meter(figures.walltime, limits.timeout)
            text += f" of {format_duration(limits.timeout)}{meter}"
        yield "wall time", text
    if figures.cputime is not None:
        yield "CPU time", format_duration(figures.cputime)
    if figures.memory is not None:
        limit = limits.memory or record.budget
        shared = " shared with other runs" if limits.memory is None else ""
        of = f" of {format_size(limit)}{shared}{_meter(figures.memory, limit)}" if limit else ""
        yield "memory, peak", format_size(figures.memory) + of
    if samples:
        most = max(sample.processes for sample in samples)
        threads = max(sample.threads for sample in samples)
        yield "processes, threads", f"at most {most}, {threads}"


def _meter(value: float, limit: float) -> str:
    share = min(value / limit, 1.0)
    return f' <meter min="0" max="1" high="0.9" optimum="0" value="{share:.3f}"></meter>'


def _escape(text: str) -> str:
    return html.escape(_harmless(text))


def _harmless(text: str) -> str:
    """Return text in one line, with every control character replaced."""
    spaced = " ".join(text.split())
    return "".join(char if char.isprintable() else "\ufffd" for char in spaced)
