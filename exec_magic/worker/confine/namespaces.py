"""PID and mount namespaces: a run sees and signals only its own processes, and none survives.

Two levels. The server is pid 1 of a namespace made by the guardian: when it dies, so does all
that it forked. Each run has a namespace below that, with a pid 1 that `inits.py` makes.
Real root needs no user namespace; anybody else gets one that maps the user to the same ids.
"""

from __future__ import annotations

import os

from exec_magic.worker.confine import libc

#: What the server needs after its exec: mount /proc, look at its runs, end them.
_KEPT = (libc.CAP_KILL, libc.CAP_SYS_PTRACE, libc.CAP_SYS_ADMIN)


def available() -> bool:
    """Try the whole sequence once in a throw-away child: sysctls and profiles mislead."""
    child = os.fork()
    if not child:
        status = 1
        try:
            unshare_processes()
            status = _try_inside()
        except OSError:
            pass  # the exit status says it: this machine has no such namespaces
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1] == 0


def _try_inside() -> int:
    inner = os.fork()
    if not inner:
        status = 1
        try:
            enter_as_first()
            status = 0
        except OSError:
            pass  # as above
        finally:
            os._exit(status)
    return 0 if os.waitpid(inner, 0)[1] == 0 else 1


def unshare_processes() -> None:
    """Make the caller's next child pid 1 of a new PID namespace.

    The caller must have one thread: the kernel refuses a user namespace otherwise (EINVAL).
    """
    # Read before unshare: afterwards both are 65534, and the maps would be refused (EPERM).
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0:
        libc.unshare(libc.CLONE_NEWPID)
        return
    libc.unshare(libc.CLONE_NEWUSER | libc.CLONE_NEWPID)
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", "{0} {0} 1".format(uid))
    _write("/proc/self/gid_map", "{0} {0} 1".format(gid))


def enter_as_first() -> None:
    """As pid 1 of the new namespace: see only what belongs to it, and keep that across exec."""
    libc.unshare(libc.CLONE_NEWNS)
    libc.mount("none", "/", None, libc.MS_REC | libc.MS_SLAVE)
    _mount_proc()
    if os.geteuid() != 0:
        # exec as an ordinary user drops all capabilities but the ambient ones.
        wanted = sum(1 << number for number in _KEPT)
        libc.capset(wanted)
        for number in _KEPT:
            libc.prctl(libc.PR_CAP_AMBIENT, libc.PR_CAP_AMBIENT_RAISE, number)


def fork_inside(init: int) -> int:
    """Fork a child into the PID namespace whose pid 1 is `init`; as os.fork().

    It is a child of the caller, which so learns its exact wait status.
    """
    descriptor = os.open("/proc/{}/ns/pid".format(init), os.O_RDONLY | os.O_CLOEXEC)
    try:
        libc.setns(descriptor, libc.CLONE_NEWPID)
    finally:
        os.close(descriptor)
    return os.fork()


def enter_run() -> None:
    """In the run's process, before any of the user's code: its own /proc and /dev/shm."""
    libc.unshare(libc.CLONE_NEWNS)
    _mount_proc()
    # What a run leaves in shared memory (semaphores, joblib's arrays) goes with it.
    libc.mount("tmpfs", "/dev/shm", "tmpfs", libc.MS_NOSUID | libc.MS_NODEV, "mode=1777")  # noqa: S108
    if os.geteuid() != 0:
        libc.prctl(libc.PR_CAP_AMBIENT, libc.PR_CAP_AMBIENT_CLEAR_ALL)
        libc.capset(0)


def _mount_proc() -> None:
    flags = libc.MS_NOSUID | libc.MS_NODEV | libc.MS_NOEXEC
    libc.mount("proc", "/proc", "proc", flags)


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
