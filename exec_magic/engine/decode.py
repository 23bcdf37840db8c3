"""The trust gate: the only file that reads what a run sends, with strict types and sizes.

A run that sends anything else is believed no further: `ProtocolError`, and its run is ended.
"""

from __future__ import annotations

import codecs
import re
from typing import Any, Literal

import msgspec

from exec_magic import wire
from exec_magic.errors import ProtocolError
from exec_magic.model import CodeError, OutputDict

_ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")


class _Frame(msgspec.Struct, tag_field="type", forbid_unknown_fields=True):
    pass


class _Stream(_Frame, tag="stream"):
    name: Literal["stdout", "stderr"]
    text: str


class _Display(_Frame, tag="display_data"):
    data: dict[str, Any]
    metadata: dict[str, Any]
    transient: dict[str, Any]


class _Update(_Frame, tag="update_display_data"):
    data: dict[str, Any]
    metadata: dict[str, Any]
    transient: dict[str, Any]


class _Result(_Frame, tag="execute_result"):
    data: dict[str, Any]
    metadata: dict[str, Any]
    execution_count: int


class _Clear(_Frame, tag="clear_output"):
    wait: bool


class _Error(_Frame, tag="error"):
    ename: str
    evalue: str
    traceback: list[str]
    line: int | None


class End(_Frame, tag="end"):
    """The run's own word that its code has ended."""

    completed: bool


_decoder = msgspec.json.Decoder(
    _Stream | _Display | _Update | _Result | _Clear | _Error | End, strict=True
)


class Decoder:
    """Turns the bytes of one run's socket into outputs."""

    def __init__(self) -> None:
        """Begin with no bytes."""
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[OutputDict | CodeError | End]:
        """Return what the bytes so far complete, in order.

        An error is told twice: as the output it is in a notebook, and as a CodeError.
        Raises ProtocolError where the bytes are no frame of ours.
        """
        self._buffer += data
        told: list[OutputDict | CodeError | End] = []
        start = 0
        while len(self._buffer) - start >= wire.HEAD.size:
            head, tail = wire.HEAD.unpack_from(self._buffer, start)
            if head > wire.MAX_HEAD or tail:
                raise ProtocolError(f"a frame of {head} + {tail} bytes; {wire.MAX_HEAD} + 0 may be")
            end = start + wire.HEAD.size + head
            if end > len(self._buffer):
                break
            told += _outputs(bytes(self._buffer[start + wire.HEAD.size : end]))
            start = end
        del self._buffer[:start]
        return told


class TextDecoder:
    """Turns the bytes of one of the run's pipes into stream outputs."""

    def __init__(self, name: Literal["stdout", "stderr"]) -> None:
        """`name` is the stream's."""
        self._name = name
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, data: bytes) -> list[OutputDict]:
        """Return the text so far as an output; empty bytes end the stream."""
        text = self._decoder.decode(data, final=not data)
        return [stream(self._name, text)] if text else []


def stream(name: str, text: str) -> OutputDict:
    """Return text as nbformat's output."""
    return {"output_type": "stream", "name": name, "text": text}


def _outputs(body: bytes) -> list[OutputDict | CodeError | End]:
    try:
        frame = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolError(f"a frame that is none: {error}") from error
    match frame:
        case _Stream():
            return [stream(frame.name, frame.text)]
        case _Display():
            return [_display("display_data", frame)]
        case _Update():
            return [_display("update_display_data", frame)]
        case _Result():
            count = {"execution_count": frame.execution_count}
            return [{**_bundle("execute_result", frame), **count}]
        case _Clear():
            return [{"output_type": "clear_output", "wait": frame.wait}]
        case _Error():
            return _error(frame)
        case _:
            return [frame]


def _error(frame: _Error) -> list[OutputDict | CodeError | End]:
    text = plain("\n".join(frame.traceback))
    shown = {"ename": frame.ename, "evalue": frame.evalue, "traceback": frame.traceback}
    error = CodeError(frame.ename, plain(frame.evalue), text, frame.line)
    return [{"output_type": "error", **shown}, error]


def _display(kind: str, frame: _Display | _Update) -> OutputDict:
    display_id = frame.transient.get("display_id")
    transient = {"display_id": display_id} if isinstance(display_id, str) else {}
    return {**_bundle(kind, frame), "transient": transient}


def _bundle(kind: str, frame: _Display | _Update | _Result) -> OutputDict:
    return {"output_type": kind, "data": frame.data, "metadata": frame.metadata}


def plain(text: str) -> str:
    """Return text without ANSI's escape sequences."""
    return _ANSI.sub("", text)
