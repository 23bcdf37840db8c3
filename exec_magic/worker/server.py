"""The sandbox server: forks runs ahead of need, sets and enforces their limits, tells facts.

Started by the guardian as `python -P …` with argv[1] the control socket (SOCK_SEQPACKET, one
JSON object a message), argv[2] `1` where it is pid 1 of a PID namespace, and argv[3] the folders
of its cgroups by controller, as JSON, and argv[4] a pipe that ends when the guardian dies. It holds
no user data: code, environment and inputs travel on the run's own socket.

From the kernel process:
    {"do": "setup", "path": […], "preload": […], "colors": str}   first, once
    {"do": "need", "count": n}      n runs wait: fork for them now, without a warm-up
    {"do": "take", "child": n, "run": id, "limits": {…}, "budget": bytes, "is_command": bool}
                                    limits: as in watch.py; budget: what all runs share that
                                    have no memory limit
    {"do": "cancel" | "end" | "stop" | "kill", "run": id}
                                    end: its end frame came; stop: it showed too much
To the kernel process:
    {"fact": "ready", "pid": n, "is_namespaced": bool, "preloaded": […],
     "groups": {…}} or
    {"fact": "broken", "message": str}
    {"fact": "child", "child": n}   with three descriptors: the run's socket, out, err
    {"fact": "gone", "child": n}    it died before it was taken
    {"fact": "refused", "run": id}  its child was dead when the order came: take another
    {"fact": "sample" | "ended", "run": id, …}   see watch.py
One thread, one loop, nothing that blocks. When the control socket closes it exits; the guardian
then kills what is left.
"""

from __future__ import annotations

import json
import os
import select
import socket
import sys
import time

from exec_magic.worker import hierarchy, reaping
from exec_magic.worker.confine import libc
from exec_magic.worker.inits import Inits
from exec_magic.worker.link import MAX_MESSAGE, Link
from exec_magic.worker.nursery import Nursery
from exec_magic.worker.watch import Watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from exec_magic.worker.nursery import Child

#: Children kept warm.
STOCK = 2
#: A fork competes with a run just taken for a core, and keeps the server from hearing its end.
REFILL_DELAY = 0.05
#: After a run's end, for the kernel process to hear of it first.
REFILL_AFTER_END = 0.001
#: Between two rounds of killing where there is no PID namespace.
ROUND = 0.001
#: For the killing of all runs.
END_TIMEOUT = 2.0
#: Epoll's longest wait.
IDLE = 60.0


def main() -> None:
    """Set up, then serve until the control socket closes."""
    control = socket.socket(fileno=int(sys.argv[1]))
    control.set_inheritable(False)
    is_namespaced = sys.argv[2] == "1"
    groups: dict[str, str] = json.loads(sys.argv[3])
    leash = int(sys.argv[4])
    if not is_namespaced:
        libc.prctl(libc.PR_SET_CHILD_SUBREAPER, 1)
    inits = Inits() if is_namespaced else None
    setup = json.loads(control.recv(MAX_MESSAGE))
    sys.path[:] = setup["path"]
    from exec_magic.worker import preload

    try:
        shell, controller, loaded = preload.preload(setup["preload"], setup["colors"])
    except preload.Refused as refusal:
        control.send(json.dumps({"fact": "broken", "message": str(refusal)}).encode())
        return
    from exec_magic.worker import child

    def live(descriptors: list[int], is_warm: bool) -> None:
        child.live(shell, controller, descriptors, is_namespaced, is_warm)

    server = Server(control, Nursery(live, inits, groups), inits)
    ready = {"fact": "ready", "pid": os.getpid(), "is_namespaced": is_namespaced}
    server.link.tell({**ready, "preloaded": loaded, "groups": groups})
    server.serve(leash)
    # The guardian would do it too, unless it is the one that died.
    reaping.kill_descendants(END_TIMEOUT)
    hierarchy.discard(groups)
    os._exit(0)


class Server:
    """The loop: which descriptors and moments to wait for, and what to do then."""

    def __init__(self, control: socket.socket, nursery: Nursery, inits: Inits | None) -> None:
        """Serve on a connected control socket."""
        self._epoll = select.epoll()
        self._handlers: dict[int, Callable[[], None]] = {}
        self.link = Link(control, self._epoll)
        self._handlers[self.link.fileno()] = self._obey
        self._nursery = nursery
        if inits is not None:
            self._listen(inits.fileno(), lambda: self._init_died(*inits.death()))
        self._bells: dict[int, socket.socket] = {}
        self._runs: dict[str, Watch] = {}
        self._watches: dict[int, Watch] = {}
        self._reaped: dict[int, float] = {}
        self._budget = 0
        self._waiting = 0
        self._needed = 0
        self._refill_at = 0.0

    def serve(self, leash: int) -> None:
        """Run until the kernel process closes the control socket or the guardian dies."""
        self._listen(leash, self.link.close)
        while not self.link.is_closed:
            timeout = max(0.0, self._next_moment() - time.monotonic())
            for descriptor, _ in self._epoll.poll(min(timeout, IDLE)):
                handler = self._handlers.get(descriptor)
                if handler is not None:
                    handler()
            self._act(time.monotonic())

    def _listen(self, descriptor: int, handler: Callable[[], None]) -> None:
        self._handlers[descriptor] = handler
        self._epoll.register(descriptor, select.EPOLLIN)

    def _ignore(self, descriptor: int) -> None:
        del self._handlers[descriptor]
        self._epoll.unregister(descriptor)

    def _obey(self) -> None:
        self.link.send_waiting()
        order = self.link.receive()
        if order is None:
            return
        verb, watch = order["do"], self._runs.get(order.get("run", ""))
        if verb == "need":
            self._needed = max(self._needed, order["count"])
        elif verb == "take":
            self._take(order)
        elif watch is None:
            pass  # it has ended meanwhile; the fact is on its way
        elif verb == "cancel":
            watch.cancel()
        elif verb == "end":
            watch.end_soon()
        elif verb == "stop":
            watch.stop("output-size")
        elif verb == "kill":
            watch.child.kill()

    def _take(self, order: dict[str, Any]) -> None:
        child = self._nursery.children.get(order["child"])
        if child is None or child.number in self._watches:
            self.link.tell({"fact": "refused", "run": order["run"]})
            return
        self._waiting -= 1
        self._needed = max(0, self._needed - 1)
        self._budget = order["budget"]
        watch = Watch(order["run"], child, order["limits"], is_command=order["is_command"])
        self._runs[watch.run] = self._watches[child.number] = watch
        _ring(self._bells[child.number], b"g")
        self._refill_at = time.monotonic() + REFILL_DELAY

    def _fork(self, *, is_warm: bool) -> None:
        child, bell, theirs = self._nursery.fork(is_warm=is_warm)
        self._waiting += 1
        self._bells[child.number] = bell
        self._listen(bell.fileno(), lambda: self._heard(child, bell, theirs))
        self._listen(child.pidfd, lambda: self._exited(child))

    def _heard(self, child: Child, bell: socket.socket, theirs: list[int]) -> None:
        watch = self._watches.get(child.number)
        sign = _hear(bell)
        if sign == b"r" and watch is None:
            child.settle()
            self.link.tell({"fact": "child", "child": child.number}, theirs)
            return
        # Once, at the end; what else comes is the user's code, which must not keep us busy.
        self._ignore(bell.fileno())
        if sign == b"e" and watch is not None:
            watch.look(time.monotonic(), is_last=True)
            _ring(bell, b"x")

    def _exited(self, child: Child) -> None:
        self._ignore(child.pidfd)
        _, status, used = os.wait4(child.pid, 0)
        watch = self._watches.get(child.number)
        if watch is None:
            self._waiting -= 1
            self.link.tell({"fact": "gone", "child": child.number})
            child.kill()
        else:
            watch.exited(status, used)
        if watch is None and not child.init:
            self._bury(child, 0.0)

    def _init_died(self, init: int, spent: float) -> None:
        """A run's namespace is gone, and so is all that was in it."""
        for child in list(self._nursery.children.values()):
            if child.init == init:
                self._bury(child, spent)

    def _bury(self, child: Child, reaped: float) -> None:
        """Report the end: nothing of the run is left."""
        del self._nursery.children[child.number]
        bell = self._bells.pop(child.number)
        if bell.fileno() in self._handlers:
            self._ignore(bell.fileno())
        bell.close()
        child.close()
        watch = self._watches.pop(child.number, None)
        if watch is not None:
            del self._runs[watch.run]
            self.link.tell(watch.ended(reaped))
            self._refill_at = min(self._refill_at, time.monotonic() + REFILL_AFTER_END)

    def _next_moment(self) -> float:
        moments = [watch.due() for watch in self._runs.values() if watch.status is None]
        if self._needed > self._waiting:
            return 0.0
        if not self._needed and self._waiting < STOCK:
            moments.append(self._refill_at)
        if any(watch.status is not None and not watch.child.init for watch in self._runs.values()):
            moments.append(time.monotonic() + ROUND)
        return min(moments, default=time.monotonic() + IDLE)

    def _act(self, now: float) -> None:
        for watch in list(self._runs.values()):
            if watch.status is None and now >= watch.due():
                sample = watch.act(now)
                if sample is not None:
                    self.link.tell(sample)
        self._share_budget()
        for number, seconds in self._nursery.reap_orphans().items():
            self._reaped[number] = self._reaped.get(number, 0.0) + seconds
        self._sweep()
        if self._needed > self._waiting:
            self._fork(is_warm=False)
        elif not self._needed and self._waiting < STOCK and now >= self._refill_at:
            self._fork(is_warm=True)

    def _share_budget(self) -> None:
        """Stop the run that holds most, once runs without a limit of their own hold too much."""
        sharing = [watch for watch in self._runs.values() if watch.memory_limit is None]
        sharing = [watch for watch in sharing if watch.status is None]
        held = sum(watch.memory for watch in sharing)
        if sharing and held > self._budget:
            largest = max(sharing, key=lambda watch: watch.memory)
            largest.stop("memory", is_shared_budget=True)
        for watch in sharing:
            watch.expect(self._budget - held)

    def _sweep(self) -> None:
        """Kill what runs without a PID namespace left behind, until nothing is left of them."""
        for child in list(self._nursery.children.values()):
            watch = self._watches.get(child.number)
            if child.init or watch is None or watch.status is None:
                continue
            if child.others():
                child.kill()
            else:
                self._bury(child, self._reaped.pop(child.number, 0.0))


def _hear(bell: socket.socket) -> bytes:
    """Return the next sign of a child, nothing where it has closed or broken its end."""
    try:
        return bell.recv(1)
    except OSError:
        return b""


def _ring(bell: socket.socket, sign: bytes) -> None:
    """Give a child a sign; one that is dying cannot take it, and its exit will be heard."""
    try:
        bell.send(sign)
    except OSError:
        pass  # as the docstring says
