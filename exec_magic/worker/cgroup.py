"""Control groups: the kernel itself counts a run's tree and holds it to its limits.

Version 2 where it is delegated to us (or we are root), else version 1 where root may make groups;
else there are none, and `prepare` says so with an empty dict. The guardian makes one group and
removes it at the end with all that is in it; the server makes a group below it for each child.
Memory limits hold from the hand-over on: what the child holds by then is added to them.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: What is used where it is there; the first is what makes it worth the while.
PREFIX = "exec_magic-"
CONTROLLERS = ("memory", "pids", "cpu", "cpuacct")
#: The period of CPU limits, microseconds: the kernel's own default.
PERIOD = 100_000


def prepare() -> dict[str, str]:
    """Make our group in every hierarchy; return its folder by controller, `{}` where none may be.

    A folder is only returned when a process could be put below it. The groups bear the caller's
    pid; those of guardians that were killed are removed.
    """
    for make in (_prepare_version_2, _prepare_version_1):
        folders = make(PREFIX + str(os.getpid()))
        if folders and _is_usable(folders):
            for folder in set(folders.values()):
                sweep(os.path.dirname(folder))
            return folders
        discard(folders)
    return {}


def sweep(folder: str) -> None:
    """Remove the groups in `folder` whose guardian is dead."""
    for entry in os.listdir(folder):
        pid = entry[len(PREFIX) :]
        if entry.startswith(PREFIX) and pid.isdigit() and not os.path.exists("/proc/" + pid):
            discard({"": os.path.join(folder, entry)})


def discard(folders: dict[str, str]) -> None:
    """Remove our groups and those below; all processes in them are dead."""
    for folder in set(folders.values()):
        for entry in os.listdir(folder) if os.path.isdir(folder) else []:
            if os.path.isdir(os.path.join(folder, entry)):
                _remove(os.path.join(folder, entry))
        _remove(folder)


class Group:
    """The groups of one child, one in each hierarchy."""

    def __init__(self, folders: dict[str, str], number: int) -> None:
        """Make them; OSError where that fails."""
        self._is_version_2 = is_version_2(folders)
        self._folders = {name: os.path.join(path, str(number)) for name, path in folders.items()}
        for folder in set(self._folders.values()):
            os.mkdir(folder)
        self._base = self._charged_base = 0
        if self._is_version_2:
            self._write("memory", "memory.swap.max", 0)
            self._write("memory", "memory.oom.group", 1)

    def add(self, pid: int) -> None:
        """Put a process in; what it forks from now on is in too."""
        for folder in set(self._folders.values()):
            _write(os.path.join(folder, "cgroup.procs"), pid)

    def settle(self) -> None:
        """Take what is held now as nothing; what comes from now on counts."""
        self._base = self._held()
        name = "memory.current" if self._is_version_2 else "memory.usage_in_bytes"
        self._charged_base = int(self._read("memory", name))
        if not self._is_version_2:
            self._write("memory", "memory.max_usage_in_bytes", 0)

    def grown(self) -> int:
        """Return the peak of what was charged above what was charged at first."""
        return max(0, (self.charged() or 0) - self._charged_base)

    def memory(self) -> int:
        """Return anonymous and shared memory above what was held at first, in bytes."""
        return max(0, self._held() - self._base)

    def charged(self) -> int | None:
        """Return the peak of all memory charged to the group, page cache included."""
        name = "memory.peak" if self._is_version_2 else "memory.max_usage_in_bytes"
        try:
            return int(self._read("memory", name))
        except FileNotFoundError:
            return None  # version 2 before Linux 5.19

    def cputime(self) -> float | None:
        """Return the CPU seconds of all that ever was in the group; None where nobody counts."""
        if self._is_version_2:
            return self._count("memory", "cpu.stat", "usage_usec") / 1e6
        if "cpuacct" not in self._folders:
            return None
        return int(self._read("cpuacct", "cpuacct.usage")) / 1e9

    def limit_memory(self, size: int) -> None:
        """Hold the tree to `size` bytes above what it holds now."""
        name = "memory.current" if self._is_version_2 else "memory.usage_in_bytes"
        total = int(self._read("memory", name)) + size
        if self._is_version_2:
            self._write("memory", "memory.max", total)
            return
        self._write("memory", "memory.limit_in_bytes", total)
        try:
            self._write("memory", "memory.memsw.limit_in_bytes", total)
        except OSError:
            pass  # swap is not counted here, and without swap there is nothing to count

    def limit_processes(self, count: int) -> None:
        """Let no more than `count` processes and threads be in the tree."""
        self._write("pids", "pids.max", count)

    def limit_cpus(self, cpus: float) -> None:
        """Hold the tree to so many CPUs' time."""
        quota = int(cpus * PERIOD)
        if self._is_version_2:
            _write(os.path.join(self._folders["cpu"], "cpu.max"), "{} {}".format(quota, PERIOD))
            return
        self._write("cpu", "cpu.cfs_period_us", PERIOD)
        self._write("cpu", "cpu.cfs_quota_us", quota)

    def is_out_of_memory(self) -> bool:
        """Tell whether the kernel has killed a process of the tree at its memory limit."""
        name = "memory.events" if self._is_version_2 else "memory.oom_control"
        return self._count("memory", name, "oom_kill") > 0

    def processes_refused(self) -> bool:
        """Tell whether a fork was refused at the limit of processes."""
        if "pids" not in self._folders:
            return False
        return self._count("pids", "pids.events", "max") > 0

    def kill(self) -> bool:
        """Kill all that is in the group at once; return False where the kernel cannot."""
        try:
            self._write("memory", "cgroup.kill", 1)
        except OSError:
            return False  # version 1, or Linux before 5.14
        return True

    def remove(self) -> bool:
        """Remove the groups; return False while a process is still leaving them."""
        removed = [_remove(folder) for folder in set(self._folders.values())]
        return all(removed)

    def has(self, controller: str) -> bool:
        """Tell whether a controller is there."""
        return controller in self._folders

    def _held(self) -> int:
        names = ("anon", "shmem") if self._is_version_2 else ("total_rss", "total_shmem")
        return self._count("memory", "memory.stat", *names)

    def _count(self, controller: str, file: str, *names: str) -> int:
        """Return the sum of some of the numbers in a file of `name number` lines."""
        total = 0
        for line in self._read(controller, file).splitlines():
            name, _, value = line.partition(" ")
            if name in names:
                total += int(value)
        return total

    def _read(self, controller: str, name: str) -> str:
        return _read(os.path.join(self._folders[controller], name))

    def _write(self, controller: str, name: str, value: int) -> None:
        _write(os.path.join(self._folders[controller], name), value)


def is_version_2(folders: dict[str, str]) -> bool:
    """Tell whether all controllers share one hierarchy."""
    return len(set(folders.values())) == 1 and os.path.exists(
        os.path.join(folders["memory"], "cgroup.controllers")
    )


def _prepare_version_2(name: str) -> dict[str, str]:
    mount = _mounts().get("")
    if mount is None:
        return {}
    # A group with processes in it gives no controllers to groups below (but for the root's): then
    # one above it may, if it is ours to use.
    folder = os.path.normpath(mount + _own_paths().get("", "/"))
    while True:
        own = os.path.join(folder, name)
        found = _enable(folder, own)
        if found:
            return dict.fromkeys(found, own)
        if folder == mount or not folder.startswith(mount):
            return {}
        folder = os.path.dirname(folder)


def _enable(folder: str, own: str) -> list[str]:
    """Make `own` below `folder`, with memory and more controllers for groups below; else []."""
    try:
        os.mkdir(own)
    except OSError:
        return []
    try:
        if "memory" not in _read(os.path.join(own, "cgroup.controllers")).split():
            _give(folder)
        found = [name for name in CONTROLLERS if name in _give(own)]
        if "memory" in found:
            return found
    except OSError:
        pass  # not ours to give; the group above is tried
    _remove(own)
    return []


def _give(folder: str) -> list[str]:
    """Give groups below `folder` the controllers that it has; return those that they now have."""
    there = _read(os.path.join(folder, "cgroup.controllers")).split()
    control = os.path.join(folder, "cgroup.subtree_control")
    for name in CONTROLLERS:
        if name in there:
            _write(control, "+" + name)
    return _read(control).split()


def _prepare_version_1(name: str) -> dict[str, str]:
    mounts, own = _mounts(), _own_paths()
    folders: dict[str, str] = {}
    for controller in CONTROLLERS:
        if controller not in mounts:
            continue
        folder = os.path.normpath(mounts[controller] + own.get(controller, "/")) + "/" + name
        try:
            os.mkdir(folder)
        except FileExistsError:
            pass  # two controllers in one hierarchy
        except OSError:
            continue  # not ours to use
        folders[controller] = folder
    return folders if "memory" in folders else _discarded(folders)


def _discarded(folders: dict[str, str]) -> dict[str, str]:
    discard(folders)
    return {}


def _is_usable(folders: dict[str, str]) -> bool:
    """Try it: put a throw-away child into a group, for permissions to make one do not suffice."""
    child = os.fork()
    if not child:
        status = 1
        try:
            Group(folders, 0).add(os.getpid())
            status = 0
        except OSError:
            pass  # the status says it
        finally:
            os._exit(status)
    is_so = os.waitpid(child, 0)[1] == 0
    for folder in set(folders.values()):
        _remove(os.path.join(folder, "0"))
    return is_so


def _mounts() -> dict[str, str]:
    """Return where each version 1 controller is mounted, and under "" version 2."""
    found: dict[str, str] = {}
    for line in _read("/proc/self/mountinfo").splitlines():
        fields, _, kind = line.partition(" - ")
        name, _, options = kind.split(" ", 2)
        if name == "cgroup2":
            found.setdefault("", fields.split()[4])
        elif name == "cgroup":
            for controller in options.split(","):
                found.setdefault(controller, fields.split()[4])
    return found


def _own_paths() -> dict[str, str]:
    """Return the group this process is in, by controller; under "" that of version 2."""
    paths: dict[str, str] = {}
    for line in _read("/proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            paths[controller] = path
    return paths


def _read(path: str) -> str:
    with open(path) as file:
        return file.read()


def _write(path: str, value: Any) -> None:
    with open(path, "w") as file:
        file.write(str(value))


def _remove(folder: str) -> bool:
    try:
        os.rmdir(folder)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
