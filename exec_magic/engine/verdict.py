"""From facts to an outcome in words; pure, and the only place that decides how a run ended."""

from __future__ import annotations

import signal

from exec_magic.model import (
    Bytes,
    Cancelled,
    Completed,
    Facts,
    Failed,
    Limits,
    Outcome,
    Reason,
    Stopped,
    Story,
)
from exec_magic.quantities import format_duration, format_size

#: Signals that somebody sends to end a process; others are faults of its own.
_SENT = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT})


def judge(
    facts: Facts, story: Story, limits: Limits, budget: Bytes, *, is_command: bool = False
) -> Outcome:
    """Return how the run ended.

    A cell's own word decides only between completed and failed, and only where its process
    exited with code 0. A command has no word of its own: its exit status says all.
    """
    if facts.is_cancelled:
        return Cancelled()
    if facts.limit:
        return _stopped(facts, limits, budget)
    if story.is_garbled:
        return Failed("failed: the run sent what is no output; it was ended")
    is_ours = facts.is_overdue and story.is_finished and not is_command
    if facts.signal is not None and not is_ours:
        return _died(facts.signal)
    if is_command:
        return _exited(facts.exit_code or 0)
    return _ended(facts, story)


def _exited(code: int) -> Outcome:
    if not code:
        return Completed()
    # How shells, which go on, tell of a process that they waited for.
    name = f" ({_name(code - 128)} ended a process of it)" if code - 128 in _KNOWN else ""
    return Failed(f"failed: exit code {code}{name}")


def _ended(facts: Facts, story: Story) -> Outcome:
    if story.error is not None:
        told = ": ".join(part for part in (story.error.name, story.error.message) if part)
        return Failed(f"failed: {_first_line(told)}")
    if not story.is_finished:
        return Failed(f"failed: ended without finishing (exit code {facts.exit_code})")
    if facts.exit_code:
        return Failed(f"failed: exit code {facts.exit_code}")
    if not story.is_completed:
        return Failed("failed: the code raised")
    return Completed()


def hints(outcome: Outcome, facts: Facts, story: Story, limits: Limits) -> tuple[str, ...]:
    """Return one line for each option that would have helped."""
    if facts.is_refused_processes and not isinstance(outcome, Completed):
        count = "" if limits.processes is None else f" of {limits.processes}"
        return (f"a process or thread was refused at the limit{count}; --processes raises it",)
    is_failed = isinstance(outcome, Failed) and story.error is not None
    name = story.error.name if is_failed and story.error else ""
    if name in {"MemoryError", "_ArrayMemoryError"} and limits.memory is not None:
        return (f"the memory limit is {format_size(limits.memory)}; --memory raises it",)
    return ()


def _stopped(facts: Facts, limits: Limits, budget: Bytes) -> Stopped:
    walltime, peak = facts.figures.walltime, facts.figures.memory
    after = "" if walltime is None else f" after {format_duration(walltime)}"
    if facts.limit == "walltime":
        limit = format_duration(limits.timeout or 0)
        return Stopped(f"stopped: time limit {limit} reached; --timeout raises it", "walltime")
    if facts.limit == "cputime":
        limit = format_duration(limits.cpu_time or 0)
        message = f"stopped: CPU time limit {limit} reached{after}; --cpu-time raises it"
        return Stopped(message, "cputime")
    if facts.limit == "output-size":
        limit = format_size(limits.max_output)
        message = f"stopped: output limit {limit} reached{after}; --max-output raises it"
        return Stopped(message, "output-size")
    held = "" if peak is None else f" (peak {format_size(peak)})"
    if facts.is_shared_budget:
        what = f"the {format_size(budget)} that runs without --memory share were used up{after}"
        message = f"stopped: {what}, most of it by this run{held}; --memory reserves its own"
        return Stopped(message, "memory")
    limit = format_size(limits.memory or 0)
    message = f"stopped: memory limit {limit} reached{after}{held}; --memory raises it"
    return Stopped(message, "memory")


def _died(number: int) -> Failed:
    name = _name(number)
    if number in _SENT:
        reason: Reason = "killed"
        who = "not sent by exec_magic"
        if number == signal.SIGKILL:
            who += ": by the code itself, by somebody else, or for want of memory on the machine"
        return Failed(f"failed: killed by {name}, {who}", reason)
    description = signal.strsignal(number) or "unknown"
    return Failed(f"failed: the process crashed: {description.lower()} ({name})")


def _name(number: int) -> str:
    return signal.Signals(number).name if number in _KNOWN else f"signal {number}"


_KNOWN = frozenset(int(known) for known in signal.Signals)


def _first_line(text: str) -> str:
    # str.splitlines also cuts at \r, \v, \x85 and \u2028, which would break the one line.
    line = next(iter(text.strip().splitlines()), "")
    return line if len(line) <= 200 else line[:199] + "…"
