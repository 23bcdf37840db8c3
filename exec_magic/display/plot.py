"""A run's memory and CPU over time, drawn with matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from exec_magic.model import Record, Sample
from exec_magic.quantities import format_size, rates

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MEMORY = "tab:blue"
_CPU = "tab:orange"
_LIMIT = "tab:red"


def plot(record: Record, samples: Sequence[Sample]) -> Axes:
    """Draw memory (GB, left) and CPU (percent of one, right) over seconds; return the left Axes.

    Raises ImportError where matplotlib is not installed.
    """
    import matplotlib.pyplot as plt

    _, axes = plt.subplots(figsize=(7, 3), layout="constrained")
    times = [sample.time for sample in samples]
    memory = [sample.memory / 2**30 for sample in samples]
    axes.plot(times, memory, color=_MEMORY, label="memory")
    axes.fill_between(times, memory, color=_MEMORY, alpha=0.2)
    limit = record.limits.memory
    if limit is not None:
        name = f"limit {format_size(limit)}"
        axes.axhline(limit / 2**30, color=_LIMIT, linestyle="--", label=name)
    axes.set(title=f"{record.name}: {record.state}", xlabel="seconds", ylabel="memory, GB")
    axes.set_ylim(bottom=0)
    axes.set_xlim(left=0)
    _draw_cpu(axes, samples)
    return axes


def _draw_cpu(axes: Axes, samples: Sequence[Sample]) -> None:
    times = [sample.time for sample in samples]
    shares = rates(times, [sample.cputime for sample in samples])
    percent = [float("nan") if share is None else 100 * share for share in shares]
    right = axes.twinx()
    right.step(times, percent, where="pre", color=_CPU, linewidth=1, label="CPU")
    right.set_ylabel("CPU, percent of one")
    right.set_ylim(bottom=0)
    lines = [*axes.get_lines(), *right.get_lines()]
    axes.legend(lines, [str(line.get_label()) for line in lines], loc="best")
