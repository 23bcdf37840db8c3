"""Whatever a run sends, the decoder returns outputs of known form or raises ProtocolError."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exec_magic import wire
from exec_magic.engine.decode import Decoder, End, TextDecoder, plain
from exec_magic.errors import ProtocolError
from exec_magic.model import CodeError

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_DATA = st.dictionaries(_TEXT, _TEXT | st.integers(-9, 9), max_size=2)
_FRAMES = st.one_of(
    st.fixed_dictionaries(
        {"type": st.just("stream"), "name": st.sampled_from(["stdout", "stderr"]), "text": _TEXT}
    ),
    st.fixed_dictionaries(
        {
            "type": st.sampled_from(["display_data", "update_display_data"]),
            "data": _DATA,
            "metadata": _DATA,
            "transient": st.fixed_dictionaries({"display_id": _TEXT}) | _DATA,
        }
    ),
    st.fixed_dictionaries(
        {
            "type": st.just("execute_result"),
            "data": _DATA,
            "metadata": _DATA,
            "execution_count": st.integers(0, 99),
        }
    ),
    st.fixed_dictionaries({"type": st.just("clear_output"), "wait": st.booleans()}),
    st.fixed_dictionaries(
        {
            "type": st.just("error"),
            "ename": _TEXT,
            "evalue": _TEXT,
            "traceback": st.lists(_TEXT, max_size=2),
            "line": st.none() | st.integers(1, 99),
        }
    ),
    st.fixed_dictionaries({"type": st.just("end"), "completed": st.booleans()}),
)


def _frame(**head: Any) -> bytes:
    return wire.encode(head)


@given(st.lists(st.binary(max_size=80)))
def test_random_bytes(pieces: list[bytes]) -> None:
    """Random bytes, in whatever pieces, raise nothing but ProtocolError."""
    decoder = Decoder()
    with contextlib.suppress(ProtocolError):
        for piece in pieces:
            decoder.feed(piece)


@given(st.binary(max_size=80), st.integers(0, 80))
def test_random_bytes_of_the_right_length(body: bytes, lie: int) -> None:
    """A frame with a random body, and one whose head is longer or shorter than it says, raise
    nothing but ProtocolError."""
    with contextlib.suppress(ProtocolError):
        Decoder().feed(wire.HEAD.pack(len(body), 0) + body)
    with contextlib.suppress(ProtocolError):
        Decoder().feed(wire.HEAD.pack(lie, 0) + body)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_json(value: object) -> None:
    """JSON that is no frame of ours, lone surrogates and NaN too, raises only ProtocolError."""
    with contextlib.suppress(ProtocolError):
        Decoder().feed(wire.encode(value))


@given(_FRAMES, st.text(max_size=9), _TEXT | st.integers() | st.none() | st.lists(st.none()))
def test_field_of_another_type_or_name(frame: dict[str, Any], key: str, value: object) -> None:
    """A frame with a field more, or of another type, is refused or of a known form."""
    known = {"stream", "display_data", "update_display_data", "execute_result", "clear_output"}
    for wrong in ({**frame, key: value}, {**frame, list(frame)[-1]: value}):
        with contextlib.suppress(ProtocolError):
            for told in Decoder().feed(wire.encode(wrong)):
                if isinstance(told, dict):
                    assert told["output_type"] in known | {"error"}


@given(st.lists(_FRAMES, max_size=6), st.integers(1, 7))
def test_pieces_do_not_matter(frames: list[dict[str, Any]], size: int) -> None:
    """Frames cut anywhere give what they give whole, in order."""
    data = b"".join(map(wire.encode, frames))
    whole = Decoder().feed(data)
    decoder = Decoder()
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    assert [told for piece in pieces for told in decoder.feed(piece)] == whole
    assert len(whole) == sum(2 if frame["type"] == "error" else 1 for frame in frames)


@pytest.mark.parametrize(
    "lengths",
    [(wire.MAX_HEAD + 1, 0), (2**32 - 1, 0), (2, 2**32 - 1), (2, 1)],
)
def test_lengths_out_of_all_measure(lengths: tuple[int, int]) -> None:
    """A frame that says it is too long is refused before its bytes have come."""
    with pytest.raises(ProtocolError):
        Decoder().feed(wire.HEAD.pack(*lengths))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'{"type": "stream"}',
        b'{"type": "stream", "name": "stdin", "text": ""}',
        b'{"type": "end", "completed": 1}',
        b'{"type": "end", "completed": true, "more": 1}',
        b'{"type": "clear_output", "wait": "yes"}',
        b'{"type": "stream", "name": "stdout", "text": "\xff"}',
        b'{"type": "display_data", "data": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b'{"type": "end", "completed": ' + b"9" * 10_000 + b"}",
    ],
    ids=lambda body: body[:24].decode("ascii", "replace"),
)
def test_wrong_frames(body: bytes) -> None:
    """A frame with a missing, an unknown or a wrong field raises ProtocolError."""
    with pytest.raises(ProtocolError):
        Decoder().feed(wire.HEAD.pack(len(body), 0) + body)


def test_outputs_are_those_of_nbformat() -> None:
    """Each kind of frame becomes the output that a notebook stores."""
    told = Decoder().feed(
        _frame(type="stream", name="stdout", text="a")
        + _frame(type="execute_result", data={"text/plain": "1"}, metadata={}, execution_count=3)
        + _frame(type="display_data", data={}, metadata={}, transient={"display_id": "d", "x": 1})
        + _frame(type="clear_output", wait=True)
        + _frame(type="end", completed=True)
    )
    assert told == [
        {"output_type": "stream", "name": "stdout", "text": "a"},
        {
            "output_type": "execute_result",
            "data": {"text/plain": "1"},
            "metadata": {},
            "execution_count": 3,
        },
        {
            "output_type": "display_data",
            "data": {},
            "metadata": {},
            "transient": {"display_id": "d"},
        },
        {"output_type": "clear_output", "wait": True},
        End(completed=True),
    ]


def test_error_is_told_twice() -> None:
    """An error is an output with its colours and a CodeError without."""
    lines = ["\x1b[31mTraceback\x1b[39m", "no"]
    output, error = Decoder().feed(
        _frame(type="error", ename="E", evalue="\x1b[1mno", traceback=lines, line=5)
    )
    assert isinstance(output, dict)
    assert output["traceback"] == lines
    assert error == CodeError("E", "no", "Traceback\nno", 5)


def test_lone_surrogates_are_text_still() -> None:
    """Text that is no Unicode, which `print` lets through, breaks nothing."""
    head = {"type": "stream", "name": "stdout", "text": "a\udc80b"}
    frame = wire.encode(head, is_strict=True)
    (output,) = Decoder().feed(frame)
    assert isinstance(output, dict)
    text = output["text"]
    assert (text[0], text[-1]) == ("a", "b")
    json.dumps(output).encode()
    text.encode()


@given(st.lists(st.binary(max_size=9)))
def test_bytes_of_a_pipe_become_text(pieces: list[bytes]) -> None:
    """Whatever the pieces, the text is that of all bytes together, and can be written."""
    decoder = TextDecoder("stderr")
    outputs = [out for piece in [*filter(None, pieces), b""] for out in decoder.feed(piece)]
    assert "".join(out["text"] for out in outputs) == b"".join(pieces).decode("utf-8", "replace")
    assert all(out["text"] and out["name"] == "stderr" for out in outputs)


def test_plain_text_has_no_colours() -> None:
    """Escape sequences go, text stays."""
    assert plain("\x1b[0;31mred\x1b[0m and \x1b[38;5;28mgreen\x1b[39m") == "red and green"
