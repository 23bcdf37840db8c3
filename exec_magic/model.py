"""Frozen values that the rooms hand to one another, and the protocols between them.

Units: durations and points in time are seconds (`Seconds`), sizes are bytes (`Bytes`);
points in time are of the monotonic clock unless a name says `started` (seconds since the epoch).
"""

from __future__ import annotations

import functools
import hashlib
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol, TypeAlias

Seconds: TypeAlias = float
Bytes: TypeAlias = int

State = Literal[
    "queued", "running", "completed", "failed", "stopped", "cancelled", "skipped", "lost"
]
#: BenchExec's words, see https://github.com/sosy-lab/benchexec/blob/main/doc/run-results.md
Reason = Literal["", "walltime", "cputime", "memory", "output-size", "killed"]
#: What happens to output past its limit: the middle is left out, or the run is stopped.
PastMaxOutput = Literal["truncate", "fail"]
FINAL: frozenset[State] = frozenset(
    {"completed", "failed", "stopped", "cancelled", "skipped", "lost"}
)

#: An output of a cell as nbformat 4 stores it, or one of Jupyter's two messages that change
#: earlier outputs (`update_display_data`, `clear_output`).
OutputDict: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Limits:
    """What a run may use; None: no limit of its own."""

    timeout: Seconds | None = None
    memory: Bytes | None = None
    #: CPU time of the whole tree.
    cpu_time: Seconds | None = None
    #: CPUs' worth of time the tree may use.
    cpus: float | None = None
    #: Processes and threads at once.
    processes: int | None = None
    #: Of all that is shown: text in UTF-8, data of displays.
    max_output: Bytes = 10 << 20
    past_max_output: PastMaxOutput = "truncate"


@dataclass(frozen=True)
class Cell:
    """A notebook cell's body, IPython syntax."""

    code: str
    #: The number in `Cell In[7]`.
    execution_count: int = 1
    #: Lines of the notebook's cell above the body (the magic's own line).
    header_lines: int = 0
    #: IPython's colour theme for tracebacks.
    colors: str = "nocolor"


#: What a command reads is data, not code, where it is more than a script.
_LONGEST_SHOWN = 64 << 10


@dataclass(frozen=True)
class Command:
    """A program with its arguments, or a line for a shell; made by one of the four below.

    Words are not expanded; `shell` and `interpreter` are split as a shell does (`bash -e`).
    `cwd` is the folder it starts in, else the notebook's; `stdin` what it reads, else nothing.
    """

    how: Literal["shell", "exec", "script", "aws"]
    #: The shell's line alone; program or file and arguments; aws's service, command, arguments.
    words: tuple[str, ...]
    #: The shell, or what runs a script; None: the file runs by itself.
    interpreter: str | None = None
    cwd: str | None = None
    stdin: bytes | None = field(default=None, repr=False)
    #: IPython's colour theme for the cells that come after, where this starts the server.
    colors: str = "nocolor"

    @classmethod
    def shell(
        cls, line: str, *, shell: str = "bash", cwd: str | None = None, stdin: str | bytes = b""
    ) -> Command:
        """Return a line, or several, for a shell: `Command.shell("ls | wc -l")`."""
        return cls("shell", (line,), shell, cwd, _encoded(stdin))

    @classmethod
    def exec(cls, *words: str, cwd: str | None = None, stdin: str | bytes = b"") -> Command:
        """Return a program and its arguments, without a shell: `Command.exec("git", "status")`."""
        return cls("exec", words, None, cwd, _encoded(stdin))

    @classmethod
    def script(
        cls,
        file: str,
        *arguments: str,
        interpreter: str | None = None,
        cwd: str | None = None,
        stdin: str | bytes = b"",
    ) -> Command:
        """Return a script and its arguments: `Command.script("job.R", interpreter="Rscript")`.

        Without an interpreter the file has to be executable.
        """
        return cls("script", (file, *arguments), interpreter, cwd, _encoded(stdin))

    @classmethod
    def aws(cls, service: str, command: str, *arguments: str, cwd: str | None = None) -> Command:
        """Return a call of AWS's command line, asked for JSON: `Command.aws("sqs", "list-queues")`.

        The document that it answers is `run.values["json"]`; there is none where it answers text.
        """
        return cls("aws", (service, command, *arguments), None, cwd)

    @functools.cached_property
    def code(self) -> str:
        """The command as one would type it, with what it reads after it."""
        typed = self.words[0] if self.how == "shell" else shlex.join(self.words)
        whole = (
            typed if self.how in {"shell", "exec"} else f"{self.interpreter or self.how} {typed}"
        )
        if self.stdin is None:
            return whole
        if len(self.stdin) > _LONGEST_SHOWN:
            digest = hashlib.sha256(self.stdin).hexdigest()
            return f"{whole}\n({len(self.stdin)} bytes, SHA-256 {digest})"
        return f"{whole}\n{self.stdin.decode(errors='replace')}"


def _encoded(text: str | bytes) -> bytes | None:
    return (text.encode(errors="surrogateescape") if isinstance(text, str) else bytes(text)) or None


@dataclass(frozen=True)
class Spec:
    """Everything that says what a run does, fixed at submission."""

    task: Cell | Command
    name: str
    limits: Limits = Limits()
    labels: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class CodeError:
    """The exception that ended the user's code, without ANSI colours."""

    name: str
    message: str
    traceback: str
    #: Line of the notebook's cell, where the traceback passes through it.
    line: int | None = None


@dataclass(frozen=True)
class Sample:
    """One look at a run's process tree; figures of the whole tree since hand-over."""

    #: Seconds since the run's start.
    time: Seconds
    cputime: Seconds
    memory: Bytes
    processes: int
    threads: int
    #: None where the operating system does not tell.
    read_bytes: Bytes | None
    write_bytes: Bytes | None


@dataclass(frozen=True)
class Figures:
    """What a run used in all; None: could not be measured."""

    walltime: Seconds | None = None
    cputime: Seconds | None = None
    #: Peak of anonymous and shared memory of the tree above what it was handed.
    memory: Bytes | None = None
    #: The cgroup's own peak, page cache included.
    memory_charged: Bytes | None = None


@dataclass(frozen=True)
class Facts:
    """What the operating system and our clocks say about a run that has ended."""

    #: Exit code, where the process ended by itself; else None.
    exit_code: int | None
    #: Signal number that ended the process, else None.
    signal: int | None
    figures: Figures
    #: The limit that we enforced, or "" where none was.
    limit: Literal["", "walltime", "cputime", "memory", "output-size"] = ""
    #: The memory limit was the budget that runs without a limit of their own share.
    is_shared_budget: bool = False
    is_cancelled: bool = False
    #: We ended what still went on some time after the end frame.
    is_overdue: bool = False
    #: A new process or thread was refused at the limit of processes.
    is_refused_processes: bool = False


@dataclass(frozen=True)
class Story:
    """What the run itself told: untrusted, and never more than its own account."""

    #: The end frame came.
    is_finished: bool = False
    #: It said that the code had completed.
    is_completed: bool = False
    error: CodeError | None = None
    #: The run sent bytes that are no frame.
    is_garbled: bool = False


@dataclass(frozen=True)
class Completed:
    """The code ran to its end, by its own account and with exit code 0."""

    state: ClassVar[State] = "completed"
    reason: ClassVar[Reason] = ""
    message: str = "completed"


@dataclass(frozen=True)
class Failed:
    """The code raised, exited with another code than 0, or its process died."""

    state: ClassVar[State] = "failed"
    message: str
    reason: Reason = ""


@dataclass(frozen=True)
class Stopped:
    """A limit ended the run."""

    state: ClassVar[State] = "stopped"
    message: str
    reason: Reason


@dataclass(frozen=True)
class Cancelled:
    """The user ended the run."""

    state: ClassVar[State] = "cancelled"
    reason: ClassVar[Reason] = ""
    message: str = "cancelled"


@dataclass(frozen=True)
class Lost:
    """Our side failed; nothing is known of the user's code."""

    state: ClassVar[State] = "lost"
    reason: ClassVar[Reason] = ""
    message: str = "lost: the sandbox server died; run it again"


Outcome: TypeAlias = Completed | Failed | Stopped | Cancelled | Lost


@dataclass(frozen=True)
class Record:
    """One run as it stands: what tables and records are drawn from."""

    name: str
    id: str
    state: State
    reason: Reason
    #: One line in words: `completed`, `stopped: memory limit 2.0 GB reached after 3.2 s …`.
    message: str
    figures: Figures
    limits: Limits
    #: Seconds since the epoch; None while queued.
    started: Seconds | None
    exit_code: int | None
    signal: int | None
    error: CodeError | None
    code_hash: str
    labels: Mapping[str, Any]
    #: Protections that were active, in words.
    protections: tuple[str, ...]
    hints: tuple[str, ...] = ()
    attempts: int = 1
    cached: bool = False
    backend: str = "local"
    session: str | None = None
    #: What runs without a memory limit of their own share; 0 while unknown.
    budget: Bytes = 0


@dataclass(frozen=True)
class Started:
    """The run's code begins."""

    run: str


@dataclass(frozen=True)
class Output:
    """The run showed something."""

    run: str
    output: OutputDict


@dataclass(frozen=True)
class Usage:
    """A look at what the run uses."""

    run: str
    sample: Sample


@dataclass(frozen=True)
class Finished:
    """The run has ended and its process tree is gone."""

    run: str
    outcome: Outcome


Event: TypeAlias = Started | Output | Usage | Finished


class Listener(Protocol):
    """Whoever wants to know what happens to a run.

    Called on the engine's thread, in order; it returns at once and never raises.
    """

    def __call__(self, event: Event, /) -> None: ...


class View(Protocol):
    """How a run is shown; given to the engine by `session`, so that the engine knows no pandas."""

    def usage(self, samples: list[Sample]) -> Any: ...  # a pandas DataFrame
    def row(self, record: Record) -> dict[str, Any]: ...  # a row of runs()
    def mimebundle(self, record: Record, samples: list[Sample]) -> dict[str, str]: ...
    def plot(self, record: Record, samples: list[Sample]) -> Any: ...  # a matplotlib Axes
