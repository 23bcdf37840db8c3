"""How much memory the runs without a limit of their own share."""

from __future__ import annotations

import functools
import os
from pathlib import Path

import psutil

from exec_magic.model import Bytes
from exec_magic.quantities import parse_size

#: Of what is available when the first of them starts.
SHARE = 0.75
_ROOT = Path("/sys/fs/cgroup")
#: Limit and use, in cgroup v2 and v1.
_FILES = (
    ("memory.max", "memory.current"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes"),
)


def budget() -> Bytes:
    """Return the shared budget: a share of what machine, cgroup and MEM_LIMIT leave."""
    return int(SHARE * available())


def available() -> Bytes:
    """Return the memory that can still be used, the least of all that limits it.

    MEM_LIMIT is what JupyterHub and Binder set; what this process holds is taken off it.
    """
    least = _free()
    for limit_file, used_file in _cgroup_files():
        limit, used = _number(limit_file), _number(used_file)
        if limit is not None and used is not None:
            least = min(least, limit - used)
    stated = os.environ.get("MEM_LIMIT")
    if stated:
        try:
            least = min(least, parse_size(stated) - psutil.Process().memory_info().rss)
        except ValueError:
            pass  # `0`, JupyterHub's word for no limit
    return max(least, 0)


def _free() -> Bytes:
    # psutil.virtual_memory() computes much besides, and this is on every run's way.
    with open("/proc/meminfo") as file:  # noqa: PTH123 - pathlib costs more than the reading
        for line in file:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return int(psutil.virtual_memory().available)


@functools.cache
def _cgroup_files() -> list[tuple[str, str]]:
    """Return the limit and usage files of this process's memory cgroup and those above it."""
    folders = [_ROOT, _ROOT / "memory"]
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers in {"", "memory"}:
            place = (_ROOT / "memory" if controllers else _ROOT) / path.lstrip("/")
            folders += [place, *place.parents[: len(Path(path).parts) - 1]]
    pairs = [(folder / limit, folder / used) for folder in folders for limit, used in _FILES]
    return [(str(limit), str(used)) for limit, used in pairs if limit.exists() and used.exists()]


def _number(path: str) -> int | None:
    try:
        with open(path) as file:  # noqa: PTH123 - as above
            return int(file.read())
    except (OSError, ValueError):
        return None  # gone, or `max`
