"""Runs and samples become tables in which nothing that was not measured is a number."""

from __future__ import annotations

import dataclasses
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exec_magic.history import frames
from exec_magic.model import Figures, Limits, Record, Sample

RUNS = (
    "name state reason walltime cputime memory memory_limit exit_code attempts cached started "
    "backend session code_hash"
).split()
USAGE = "time cpu_percent cputime memory processes threads read_bytes write_bytes".split()
RECORD = Record(
    name="fit",
    id="0",
    state="completed",
    reason="",
    message="completed",
    figures=Figures(1.5, 0.5, 2**20),
    limits=Limits(memory=2**30),
    started=0.0,
    exit_code=0,
    signal=None,
    error=None,
    code_hash="abc",
    labels={},
    protections=(),
)


def _record(**changes: Any) -> Record:
    return dataclasses.replace(RECORD, **changes)


def test_columns_of_runs() -> None:
    """The columns stand in the documented order, labels after them, with units."""
    table = frames.runs([RECORD, _record(labels={"student": "a17", "points": 3})])
    assert list(table.columns) == [*RUNS, "student", "points"]
    assert table.attrs["units"]["walltime"] == "seconds"
    assert table.attrs["units"]["memory"] == "bytes"
    assert table.loc[1, "student"] == "a17"
    assert table["points"].isna()[0]
    assert table.loc[0, "started"] == pd.Timestamp(0, tz="UTC")
    assert list(table.index) == [0, 1]


def test_not_measured_is_missing() -> None:
    """What was not measured is NA, never 0, and sums go on."""
    table = frames.runs([_record(figures=Figures(), exit_code=None, started=None), RECORD])
    for column in ("walltime", "cputime", "memory", "exit_code", "started", "session"):
        assert table[column].isna()[0], column
    assert table["memory"].sum() == 2**20


def test_no_runs() -> None:
    """Without runs the table has its columns and types all the same."""
    table = frames.runs([])
    assert list(table.columns) == RUNS
    assert table.dtypes.equals(frames.runs([RECORD]).dtypes)
    assert list(frames.usage([]).columns) == USAGE


def test_label_does_not_hide_a_column() -> None:
    """A label that bears a column's name gets another one."""
    table = frames.runs([_record(labels={"state": "open", 1: 2})])
    assert table.loc[0, "state"] == "completed"
    assert table.loc[0, "label_state"] == "open"
    assert table.loc[0, "1"] == 2


def test_row_is_plain() -> None:
    """A row has the table's columns with plain values, None where not known."""
    row = frames.row(_record(figures=Figures()))
    assert list(row) == RUNS
    assert row["memory"] is None
    assert row["memory_limit"] == 2**30


def test_usage() -> None:
    """CPU is a percentage of one since the sample before."""
    samples = [Sample(1.0, 0.5, 10, 1, 2, None, None), Sample(2.0, 2.5, 20, 2, 3, 4, 5)]
    table = frames.usage(samples)
    assert list(table.columns) == USAGE
    assert list(table["cpu_percent"]) == [50.0, 200.0]
    assert table["read_bytes"].isna()[0]
    assert table.loc[1, "write_bytes"] == 5
    assert "cpu_percent" in table.attrs["units"]


@given(st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text()))
def test_any_labels(labels: dict[str, Any]) -> None:
    """Any labels give a table that has them all."""
    table = frames.runs([_record(labels=labels), RECORD])
    assert table.shape == (2, len(RUNS) + len(labels))


@pytest.mark.parametrize("limit", [None, 2**30])
def test_plot(limit: int | None) -> None:
    """The plot has memory and CPU, and the limit where there is one."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    from exec_magic.display.plot import plot

    samples = [Sample(t / 10, t / 20, t << 20, 1, 1, 0, 0) for t in range(20)]
    axes = plot(_record(limits=Limits(memory=limit)), samples)
    legend = axes.get_legend()
    assert legend is not None
    names = [text.get_text() for text in legend.get_texts()]
    assert names == ["memory", *(["limit 1.0 GB"] if limit else []), "CPU"]
    plot(RECORD, [])
    plt.close("all")
