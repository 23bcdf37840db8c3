"""Sizes and durations, read from what a user types and written for people.

Sizes are binary (`1K` is 1024 bytes) whatever suffix is used, as in `docker run --memory`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise

_SIZE = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[kmgtp]?)i?b?", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_DURATION = re.compile(
    r"(?:(?P<d>\d+(?:\.\d+)?)\s*d)?\s*(?:(?P<h>\d+(?:\.\d+)?)\s*h)?\s*"
    r"(?:(?P<m>\d+(?:\.\d+)?)\s*m(?:in)?)?\s*(?:(?P<s>\d+(?:\.\d+)?)\s*s?)?",
    re.IGNORECASE,
)
_SECONDS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}

SIZES = "a size above zero such as 512M, 1.5G or 2GiB (a bare number is bytes)"
COUNTS = "a whole number above zero"
CPUS = "a number of CPUs such as 1 or 0.5, at least 0.01"
DURATIONS = "a duration above zero such as 30s, 5m or 1h30m (a bare number is seconds)"


def parse_size(text: str | float) -> int:
    """Return the bytes that `text` names.

    Raises ValueError where it is no size or not above zero.
    """
    match = _SIZE.fullmatch(_written(text))
    size = float(match["number"]) * 1024 ** _POWERS[match["unit"].lower()] if match else 0.0
    if not 1 <= size < math.inf:
        raise ValueError(text)
    return int(size)


def parse_duration(text: str | float) -> float:
    """Return the seconds that `text` names.

    Raises ValueError where it is no duration or not above zero.
    """
    match = _DURATION.fullmatch(_written(text))
    parts = match.groupdict() if match else {}
    seconds = sum(float(value) * _SECONDS[unit] for unit, value in parts.items() if value)
    if not 0 < seconds < math.inf:
        raise ValueError(text)
    return seconds


def parse_count(text: str | float) -> int:
    """Return the whole number that `text` names.

    Raises ValueError where it is none or not above zero.
    """
    count = int(str(text).strip())
    if count <= 0:
        raise ValueError(text)
    return count


def parse_cpus(text: str | float) -> float:
    """Return the number of CPUs, also a part of one, that `text` names.

    Raises ValueError where it is none, or below a hundredth (the kernel's least quota is 1 ms).
    """
    cpus = float(str(text).strip())
    if not 0.01 <= cpus < 1e6:
        raise ValueError(text)
    return cpus


def format_size(size: float) -> str:
    """Return bytes as people read them: `512 MB`, `1.5 GB`."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.1f} GB" if size < 1000 else f"{size / 1024:.1f} TB"


def format_duration(seconds: float) -> str:
    """Return seconds as people read them: `12 ms`, `3.2 s`, `4 min 10 s`, `1 h 5 min`."""
    if seconds < 0.1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def rates(times: Sequence[float], totals: Sequence[float]) -> list[float | None]:
    """Return how fast a growing total grew before each of `times`, per second; both start at 0.

    None where no time had passed.
    """
    pairs = list(zip([0.0, *times], [0.0, *totals], strict=True))
    return [
        (total - earlier_total) / (time - earlier) if time > earlier else None
        for (earlier, earlier_total), (time, total) in pairwise(pairs)
    ]


def _written(text: str | float) -> str:
    """Return a quantity as a user would write it: a large or small number without exponent."""
    if isinstance(text, float) and math.isfinite(text):
        return format(Decimal(repr(text)), "f")
    return str(text).strip()
