"""The C library's calls that Python 3.9 to 3.11 has not got, each raising OSError.

Constants are those of the Linux headers `sched.h`, `sys/mount.h`, `sys/prctl.h` and
`linux/capability.h`; they are the same on x86-64 and aarch64.
"""

from __future__ import annotations

import ctypes
import os
import struct

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000

MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REC = 16384
MS_SLAVE = 1 << 19

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
PR_CAP_AMBIENT_CLEAR_ALL = 4

CAP_KILL = 5
CAP_SYS_PTRACE = 19
CAP_SYS_ADMIN = 21
_CAPABILITY_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mount.argtypes = [
    ctypes.c_char_p,
    ctypes.c_char_p,
    ctypes.c_char_p,
    ctypes.c_ulong,
    ctypes.c_char_p,
]
_libc.prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4


def _check(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, "{}: {}".format(what, os.strerror(number)))


def unshare(flags: int) -> None:
    """Leave the namespaces named by CLONE_NEW* flags for new ones."""
    _check(_libc.unshare(flags), "unshare")


def setns(descriptor: int, kind: int) -> None:
    """Enter the namespace behind a descriptor of /proc/PID/ns."""
    _check(_libc.setns(descriptor, kind), "setns")


def mount(source: str, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    """Attach a filesystem, or change how one is attached."""
    kind_bytes = kind.encode() if kind else None
    data_bytes = data.encode() if data else None
    result = _libc.mount(source.encode(), target.encode(), kind_bytes, flags, data_bytes)
    _check(result, "mount on " + target)


def prctl(option: int, first: int = 0, second: int = 0) -> None:
    """Change how the kernel treats this process."""
    _check(_libc.prctl(option, first, second, 0, 0), "prctl {}".format(option))


def capset(capabilities: int) -> None:
    """Make a bit set of capabilities the effective, permitted and inheritable ones."""
    header = struct.pack("Ii", _CAPABILITY_VERSION_3, 0)
    low, high = capabilities & 0xFFFFFFFF, capabilities >> 32
    data = struct.pack("6I", low, low, low, high, high, high)
    _check(_libc.capset(header, data), "capset")
