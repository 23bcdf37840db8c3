"""What gets through of what a run shows."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from exec_magic.engine.allowance import Allowance
from exec_magic.model import OutputDict


def stream(text: str) -> OutputDict:
    """Return text as an output."""
    return {"output_type": "stream", "name": "stdout", "text": text}


def shown(texts: list[str], limit: int) -> tuple[str, list[OutputDict]]:
    """Return what of the texts is shown at once, and at the end."""
    allowance = Allowance(limit, "truncate")
    head = [output for text in texts for output in allowance.admit(stream(text))]
    return "".join(output["text"] for output in head), allowance.rest()


@given(st.lists(st.text(max_size=30), max_size=30), st.integers(2, 200))
def test_head_and_tail_are_the_texts_own(texts: list[str], limit: int) -> None:
    """What is shown is the beginning and the end of the text, never more than the limit; and all
    of it where that is enough."""
    whole = "".join(texts)
    head, rest = shown(texts, limit)
    is_cut = bool(rest) and "left out" in rest[0]["text"]
    tail = "".join(output["text"] for output in (rest[1:] if is_cut else rest))
    assert whole.startswith(head)
    assert whole.endswith(tail)
    assert len((head + tail).encode()) <= limit
    assert is_cut or head + tail == whole


def test_what_is_left_out_is_said_in_one_place() -> None:
    """Between head and tail stands how much is missing, and the option that raises the limit."""
    head, (marker, tail) = shown(["a" * 40, "b" * 1000], 100)
    assert head == "a" * 40 + "b" * 10
    assert "left out" in marker["text"]
    assert "--max-output" in marker["text"]
    assert set(tail["text"]) == {"b"}


def test_a_display_too_large_for_the_head_is_kept_or_counted() -> None:
    """A display is shown whole or not at all."""
    allowance = Allowance(100, "truncate")
    display: OutputDict = {"output_type": "display_data", "data": {"text/plain": "x" * 200}}
    assert allowance.admit(display) == []
    (marker,) = allowance.rest()
    assert "left out" in marker["text"]


def test_fail_keeps_all_of_the_limit_for_the_head() -> None:
    """With `fail` nothing follows the head."""
    allowance = Allowance(10, "fail")
    assert allowance.admit(stream("0123456789ab"))[0]["text"] == "0123456789"
    assert allowance.is_used_up
