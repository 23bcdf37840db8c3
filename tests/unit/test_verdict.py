"""Facts decide how a run ended; its own word decides only between completed and failed."""

from __future__ import annotations

import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exec_magic.engine.verdict import hints, judge
from exec_magic.model import CodeError, Facts, Figures, Limits, Outcome, Story

_FIGURES = Figures(walltime=3.2, cputime=1.0, memory=2 << 30)
_LIMITS = Limits(timeout=5, memory=2 << 30)
_ERROR = CodeError("ValueError", "no\nsecond line", "…", 3)
_FINISHED = Story(is_finished=True, is_completed=True)
_RAISED = Story(is_finished=True, error=_ERROR)


def _facts(exit_code: int | None = 0, number: int | None = None, **more: object) -> Facts:
    return Facts(exit_code, number, _FIGURES, **more)  # type: ignore[arg-type]


def _judge(facts: Facts, story: Story) -> Outcome:
    return judge(facts, story, _LIMITS, 6 << 30)


_TABLE = {
    "completed": (_facts(), _FINISHED, "completed", "", "completed"),
    "raised": (_facts(), _RAISED, "failed", "", "failed: ValueError: no"),
    "exit code": (_facts(3), _FINISHED, "failed", "", "failed: exit code 3"),
    "no end frame": (
        _facts(), Story(), "failed", "", "failed: ended without finishing (exit code 0)",
    ),
    "no end frame, code": (
        _facts(5), Story(), "failed", "", "failed: ended without finishing (exit code 5)",
    ),
    "walltime": (
        _facts(None, 9, limit="walltime"), Story(), "stopped", "walltime",
        "stopped: time limit 5.0 s reached; --timeout raises it",
    ),
    "memory": (
        _facts(None, 9, limit="memory"), Story(), "stopped", "memory",
        "stopped: memory limit 2.0 GB reached after 3.2 s (peak 2.0 GB); --memory raises it",
    ),
    "limit and finished": (
        _facts(0, None, limit="memory"), _FINISHED, "stopped", "memory",
        "stopped: memory limit 2.0 GB reached after 3.2 s (peak 2.0 GB); --memory raises it",
    ),
    "cancelled": (
        _facts(None, 2, is_cancelled=True), _RAISED, "cancelled", "", "cancelled",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", _TABLE)
def test_table(case: str) -> None:
    """Each combination of facts and story has its state, reason and message."""
    facts, story, state, reason, message = _TABLE[case]
    outcome = _judge(facts, story)
    assert (outcome.state, outcome.reason, outcome.message) == (state, reason, message)


@pytest.mark.parametrize("story", [Story(), _FINISHED, _RAISED], ids=["silent", "ended", "raised"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGABRT])
def test_signal_is_a_fact(number: signal.Signals, story: Story) -> None:
    """A process that died of a signal has failed, whatever it said before, and the signal is
    named; only one that somebody sent is `killed`."""
    outcome = _judge(_facts(None, number), story)
    assert outcome.state == "failed"
    assert number.name in outcome.message
    was_sent = number in {signal.SIGKILL, signal.SIGTERM}
    assert outcome.reason == ("killed" if was_sent else "")


@pytest.mark.parametrize(
    ("facts", "state", "message"),
    [
        (_facts(0), "completed", "completed"),
        (_facts(3), "failed", "failed: exit code 3"),
        (_facts(137), "failed", "failed: exit code 137 (SIGKILL ended a process of it)"),
        (_facts(255), "failed", "failed: exit code 255"),
        (_facts(None, 6), "failed", "failed: the process crashed: aborted (SIGABRT)"),
        (_facts(None, 9, is_cancelled=True), "cancelled", "cancelled"),
    ],
)
@pytest.mark.parametrize("story", [Story(), _FINISHED, _RAISED], ids=["silent", "ended", "raised"])
def test_command_ends_by_its_status(facts: Facts, state: str, message: str, story: Story) -> None:
    """How a command ended is its exit status alone, whatever came through the run's socket."""
    outcome = judge(facts, story, _LIMITS, 6 << 30, is_command=True)
    assert (outcome.state, outcome.message) == (state, message)


def test_shared_budget_names_its_option() -> None:
    """A run stopped for the shared budget is told what it was and what would help."""
    facts = _facts(None, 9, limit="memory", is_shared_budget=True)
    outcome = judge(facts, Story(), Limits(), 6 << 30)
    assert (outcome.state, outcome.reason) == ("stopped", "memory")
    for words in ("6.0 GB", "2.0 GB", "--memory"):
        assert words in outcome.message


_ANY_FACTS = st.builds(
    Facts,
    exit_code=st.none() | st.integers(0, 255),
    signal=st.none() | st.integers(1, 64),
    figures=st.just(_FIGURES),
    limit=st.sampled_from(["", "walltime", "memory"]),
    is_cancelled=st.booleans(),
)
_ANY_ERROR = st.builds(CodeError, st.text(), st.text(), st.text(), st.none())
_ANY_STORY = st.builds(Story, st.booleans(), st.booleans(), st.none() | _ANY_ERROR, st.booleans())


@given(_ANY_FACTS, _ANY_STORY)
def test_every_message_is_one_line(facts: Facts, story: Story) -> None:
    """Whatever came together, there is an outcome with a message of one line; a run completed
    only where it said so, exited with 0, and nobody ended it."""
    outcome = judge(facts, story, Limits(), 1 << 30)
    assert len(outcome.message.splitlines()) == 1
    assert outcome.message.startswith(outcome.state)
    if outcome.state == "completed":
        assert story == _FINISHED
        assert facts in {_facts(0), _facts(None)}


def test_memory_error_at_the_limit_is_hinted() -> None:
    """A MemoryError under a limit names the option that raises it."""
    story = Story(is_finished=True, error=CodeError("MemoryError", "", "", 1))
    (hint,) = hints(_judge(_facts(), story), _facts(), story, _LIMITS)
    assert "--memory" in hint


@pytest.mark.parametrize("separator", ["\n", "\r", "\r\n", "\x0b", "\x85", "\u2028"])
def test_message_of_an_odd_exception_is_one_line(separator: str) -> None:
    """Whatever ends a line in the exception's text ends the message too."""
    error = CodeError("E", f"one{separator}two", "", None)
    outcome = _judge(_facts(), Story(is_finished=True, error=error))
    assert outcome.message == "failed: E: one"
