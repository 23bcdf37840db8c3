"""Where our control groups are: made by the guardian, removed by it with all that is in them.

Version 2 where it is delegated to us (or we are root), else version 1 where root may make groups;
else there are none, and `prepare` says so with an empty dict.
"""

from __future__ import annotations

import os

from exec_magic.worker.cgroup import Group, read, remove, write

PREFIX = "exec_magic-"
#: What is used where it is there; without the first it is not worth the while.
CONTROLLERS = ("memory", "pids", "cpu", "cpuacct")


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
                remove(os.path.join(folder, entry))
        remove(folder)


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
        if "memory" not in read(os.path.join(own, "cgroup.controllers")).split():
            _give(folder)
        found = [name for name in CONTROLLERS if name in _give(own)]
        if "memory" in found:
            return found
    except OSError:
        pass  # not ours to give; the group above is tried
    remove(own)
    return []


def _give(folder: str) -> list[str]:
    """Give groups below `folder` the controllers that it has; return those that they now have."""
    there = read(os.path.join(folder, "cgroup.controllers")).split()
    control = os.path.join(folder, "cgroup.subtree_control")
    for name in CONTROLLERS:
        if name in there:
            write(control, "+" + name)
    return read(control).split()


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
        remove(os.path.join(folder, "0"))
    return is_so


def _mounts() -> dict[str, str]:
    """Return where each version 1 controller is mounted, and under "" version 2."""
    found: dict[str, str] = {}
    for line in read("/proc/self/mountinfo").splitlines():
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
    for line in read("/proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            paths[controller] = path
    return paths
