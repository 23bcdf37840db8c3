"""Frames on the sockets between the kernel process and the worker; the whole of their format.

A frame is `HEAD` (two unsigned 32-bit little-endian lengths), a JSON object and a binary tail.
The control socket keeps message boundaries (SOCK_SEQPACKET): there a message is the JSON alone.
Python 3.9's syntax and standard library only, for the worker runs it too.
"""

from __future__ import annotations

import json
import struct

HEAD = struct.Struct("<II")
#: Larger heads or tails are refused unread: the sender lies, or is not ours.
MAX_HEAD = 64 << 20
MAX_TAIL = 1 << 30


def encode(head: object, tail: bytes = b"", *, is_strict: bool = False) -> bytes:
    """Return the frame of a JSON-able object and a binary tail.

    Text that is no Unicode (lone surrogates, as in odd file names) travels as JSON escapes, and
    NaN and infinity as JavaScript's words. Strict decoders refuse both: with `is_strict` they
    become question marks and null.
    """
    text = _strict(head) if is_strict else json.dumps(head, separators=(",", ":"))
    body = text.encode("utf-8", "replace")
    return HEAD.pack(len(body), len(tail)) + body + tail


def _strict(head: object) -> str:
    try:
        return json.dumps(head, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except ValueError:
        finite = json.loads(json.dumps(head), parse_constant=lambda _: None)
        return json.dumps(finite, separators=(",", ":"), ensure_ascii=False)
