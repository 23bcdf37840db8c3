"""How much of what a run shows gets through: the head as it comes, of the rest the tail."""

from __future__ import annotations

from collections import deque

import msgspec

from exec_magic.model import Bytes, OutputDict, PastMaxOutput
from exec_magic.quantities import format_size


class Allowance:
    """Lets outputs through up to a limit, and holds no more than the limit itself.

    With `truncate` half of the limit is for the head; the other half holds the newest outputs,
    which come at the end after a line that says what is missing. With `fail` all of it is for the
    head, and nothing follows.
    """

    def __init__(self, limit: Bytes, past: PastMaxOutput) -> None:
        """`limit` counts text in UTF-8 and the data of displays."""
        self.is_used_up = False
        self._limit = limit
        self._head = limit // 2 if past == "truncate" else limit
        self._tail_limit = limit - self._head
        self._tail: deque[tuple[OutputDict, Bytes]] = deque()
        self._tail_size = 0
        self._left_out = 0

    def admit(self, output: OutputDict) -> list[OutputDict]:
        """Return what may be shown now of the next output."""
        size = _size(output)
        if not self.is_used_up and size <= self._head:
            self._head -= size
            return [output]
        shown = []
        if not self.is_used_up and output["output_type"] == "stream":
            first, output = _cut(output, self._head)
            shown = [first] if first["text"] else []
            size = _size(output)
        self.is_used_up = True
        self._keep(output, size)
        return shown

    def rest(self) -> list[OutputDict]:
        """Return what is shown at the end: what was left out, in words, and the tail."""
        if not self._left_out:
            return [output for output, _ in self._tail]
        size = format_size(self._left_out)
        limit = format_size(self._limit)
        text = f"\n… {size} of output left out: the limit is {limit}; --max-output raises it …\n"
        marker = {"output_type": "stream", "name": "stderr", "text": text}
        return [marker, *(output for output, _ in self._tail)]

    def _keep(self, output: OutputDict, size: Bytes) -> None:
        self._tail.append((output, size))
        self._tail_size += size
        while (excess := self._tail_size - self._tail_limit) > 0:
            first, size = self._tail.popleft()
            kept = 0
            if first["output_type"] == "stream" and size > excess + 3:
                _, first = _cut(first, excess + 3)  # a character is 4 bytes at most
                kept = _size(first)
                self._tail.appendleft((first, kept))
            self._tail_size -= size - kept
            self._left_out += size - kept


def _size(output: OutputDict) -> Bytes:
    if output["output_type"] == "stream":
        return len(output["text"].encode())
    return len(msgspec.json.encode(output))


def _cut(output: OutputDict, size: Bytes) -> tuple[OutputDict, OutputDict]:
    """Return a stream output as two, the first of at most `size` bytes of whole characters."""
    data = output["text"].encode()
    first = data[:size].decode("utf-8", "ignore")
    return {**output, "text": first}, {**output, "text": output["text"][len(first) :]}
