"""Runs and their samples as DataFrames.

Nullable dtypes throughout: what could not be measured is `NA`, never 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from exec_magic.model import Record, Sample
from exec_magic.quantities import rates

#: The columns of `runs`, in order; labels follow.
_RUNS = {
    "name": "string",
    "state": "string",
    "reason": "string",
    "walltime": "Float64",
    "cputime": "Float64",
    "memory": "Int64",
    "memory_limit": "Int64",
    "exit_code": "Int64",
    "attempts": "Int64",
    "cached": "boolean",
    "started": "datetime64[ns, UTC]",
    "backend": "string",
    "session": "string",
    "code_hash": "string",
}
_USAGE = {
    "time": "Float64",
    "cpu_percent": "Float64",
    "cputime": "Float64",
    "memory": "Int64",
    "processes": "Int64",
    "threads": "Int64",
    "read_bytes": "Int64",
    "write_bytes": "Int64",
}
_UNITS = {
    "walltime": "seconds",
    "cputime": "seconds",
    "memory": "bytes",
    "memory_limit": "bytes",
    "started": "UTC",
    "time": "seconds since the run's start",
    "cpu_percent": "percent of one CPU",
    "read_bytes": "bytes",
    "write_bytes": "bytes",
}


def runs(records: Sequence[Record]) -> pd.DataFrame:
    """Return a row per run, in the records' order; then a column per label."""
    rows = [row(record) for record in records]
    frame = _frame(rows, _RUNS)
    for label in dict.fromkeys(name for each in rows for name in each if name not in _RUNS):
        values = pd.Series([each.get(label) for each in rows], dtype="object")
        frame[label] = values.convert_dtypes()
    return frame


def row(record: Record) -> dict[str, Any]:
    """Return one run's row as plain values; None for what is not known.

    A label that bears a column's name becomes `label_NAME`.
    """
    started = record.started
    values = {
        "name": record.name,
        "state": record.state,
        "reason": record.reason,
        "walltime": record.figures.walltime,
        "cputime": record.figures.cputime,
        "memory": record.figures.memory,
        "memory_limit": record.limits.memory,
        "exit_code": record.exit_code,
        "attempts": record.attempts,
        "cached": record.cached,
        "started": None if started is None else datetime.fromtimestamp(started, UTC),
        "backend": record.backend,
        "session": record.session,
        "code_hash": record.code_hash,
    }
    labels = {str(name): value for name, value in record.labels.items()}
    return values | {f"label_{k}" if k in _RUNS else k: value for k, value in labels.items()}


def usage(samples: Sequence[Sample]) -> pd.DataFrame:
    """Return a row per sample; `cpu_percent` is of one CPU, since the sample before."""
    shares = rates([s.time for s in samples], [s.cputime for s in samples])
    rows = [
        {**vars(sample), "cpu_percent": None if share is None else 100 * share}
        for sample, share in zip(samples, shares, strict=True)
    ]
    return _frame(rows, _USAGE)


def _frame(rows: Sequence[dict[str, Any]], columns: dict[str, str]) -> pd.DataFrame:
    series = {
        name: pd.Series([row[name] for row in rows], dtype=dtype) for name, dtype in columns.items()
    }
    frame = pd.DataFrame(series)
    frame.attrs["units"] = {name: _UNITS[name] for name in columns if name in _UNITS}
    return frame
