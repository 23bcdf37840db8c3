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


def encode(head: object, tail: bytes = b"", *, is_unicode: bool = False) -> bytes:
    """Return the frame of a JSON-able object and a binary tail.

    Text that is no Unicode (lone surrogates, as in odd file names) travels as JSON escapes, which
    strict decoders refuse; with `is_unicode` it is replaced by question marks.
    """
    if is_unicode:
        text = json.dumps(head, separators=(",", ":"), ensure_ascii=False)
    else:
        text = json.dumps(head, separators=(",", ":"))
    body = text.encode("utf-8", "replace")
    return HEAD.pack(len(body), len(tail)) + body + tail
