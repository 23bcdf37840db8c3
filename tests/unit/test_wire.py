"""Frames are what both programs say they are."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from exec_magic import wire

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(VALUES, st.binary(max_size=50))
def test_frame_is_two_lengths_head_and_tail(value: object, tail: bytes) -> None:
    """A frame holds the lengths, the object as JSON and the tail, and nothing else."""
    frame = wire.encode(value, tail)
    head_size, tail_size = wire.HEAD.unpack_from(frame)
    head = frame[wire.HEAD.size : wire.HEAD.size + head_size]
    assert json.loads(head) == value
    assert frame[wire.HEAD.size + head_size :] == tail
    assert tail_size == len(tail)


def test_text_that_is_no_unicode_travels() -> None:
    """A lone surrogate, which UTF-8 cannot say, is sent as an escape."""
    frame = wire.encode({"text": "\udc80"})
    assert json.loads(frame[wire.HEAD.size :]) == {"text": "\udc80"}
    frame.decode("ascii")
