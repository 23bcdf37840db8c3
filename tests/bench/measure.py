"""Measures a cell in a sandbox and in what people use instead; prints a report.

Run by `test_bench.py` in a process of its own: some of the peers fork or re-import their parent.
Every figure is the median of warm rounds unless its line says `once`.
"""

from __future__ import annotations

import contextlib
import functools
import io
import multiprocessing
import os
import platform
import statistics
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

NOTHING = "pass"
PANDAS = (
    "import numpy as np\nimport pandas as pd\n"
    "frame = pd.DataFrame({'key': np.arange(1000) % 7, 'value': np.arange(1000.0)})\n"
    "frame.groupby('key')['value'].mean().sum()"
)
ROUNDS = 40
#: Between two rounds, so that what waits ready can be made ready again.
THINKING_S = 0.06
IN_FLIGHT = 8


def work(code: str) -> Any:
    """Run a cell's code with plain Python and return the value of its last line."""
    *body, last = code.splitlines()
    scope: dict[str, Any] = {}
    exec("\n".join(body), scope)  # noqa: S102  the peers' way of running a cell
    return None if last == "pass" else eval(last, scope)  # noqa: S307


def median_ms(measure: Callable[[], float], rounds: int = ROUNDS) -> float:
    """Return the median of what `measure` returns in seconds, in milliseconds."""
    found = []
    for _ in range(rounds + 3):
        time.sleep(THINKING_S)
        found.append(measure())
    return statistics.median(found[3:]) * 1000


def timed(action: Callable[[], object]) -> float:
    """Return how many seconds an action takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def sandbox(code: str, *, is_busy: bool = False) -> str:
    """Measure answer and resolved run; `is_busy`: what waited ready was taken just before."""
    import exec_magic as em

    answers, resolved = [], []
    for _ in range(ROUNDS + 3):
        time.sleep(THINKING_S)
        others = [em.submit("import time\ntime.sleep(0.05)") for _ in range(2 if is_busy else 0)]
        stamps = em.submit(code).wait().stamps
        answers.append(stamps["answered"] - stamps["submitted"])
        resolved.append(stamps["resolved"] - stamps["submitted"])
        for other in others:
            other.wait()
    answer, end = (statistics.median(values[3:]) * 1000 for values in (answers, resolved))
    return f"{answer:.2f} / {end:.2f}"


def script_magic(code: str) -> float:
    """Measure `%%python`, IPython's script magic: a new interpreter for every cell."""
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    with contextlib.redirect_stdout(io.StringIO()):
        return median_ms(
            lambda: timed(lambda: shell.run_cell_magic("python", "", code)), ROUNDS // 4
        )


def fresh_pool(code: str) -> float:
    """Measure a ProcessPoolExecutor made for one call, its process started with `spawn`."""

    def call() -> None:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            pool.submit(work, code).result()

    return median_ms(lambda: timed(call), ROUNDS // 4)


def reused_pebble(code: str) -> float:
    """Measure a pebble worker that serves every call: no new process, no isolation of calls."""
    import pebble

    context = multiprocessing.get_context("spawn")
    with pebble.ProcessPool(max_workers=1, context=context) as pool:
        return median_ms(lambda: timed(lambda: pool.schedule(work, args=[code]).result()))


def ipyparallel_engine(codes: list[str]) -> list[float]:
    """Measure one ipyparallel engine that serves every call, without isolation of calls."""
    import ipyparallel

    logging = io.StringIO()
    with contextlib.redirect_stderr(logging), contextlib.redirect_stdout(logging):
        cluster = ipyparallel.Cluster(n=1, log_level=50, controller_ip="127.0.0.1")
        client = cluster.start_and_connect_sync(activate=False)
        try:
            view = client[0]

            def call(code: str) -> float:
                return timed(lambda: view.apply_sync(work, code))

            return [median_ms(functools.partial(call, code)) for code in codes]
        finally:
            client.close()
            cluster.stop_cluster_sync()


def throughput() -> float:
    """Return fresh sandboxes per second, eight at a time."""
    import exec_magic as em

    count = 400
    going = deque(em.submit(NOTHING) for _ in range(IN_FLIGHT))
    start = time.perf_counter()
    for _ in range(count):
        going.popleft().wait()
        going.append(em.submit(NOTHING))
    elapsed = time.perf_counter() - start
    for run in going:
        run.wait()
    return count / elapsed


def first_run() -> tuple[float, float]:
    """Return the seconds of `%load_ext` and of the first run after it, in a new process."""
    code = (
        "import time\n"
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance()\n"
        "start = time.perf_counter()\n"
        "shell.run_line_magic('load_ext', 'exec_magic')\n"
        "loaded = time.perf_counter()\n"
        "shell.run_cell_magic('sandbox', '-q', 'pass')\n"
        "print('took', loaded - start, time.perf_counter() - loaded)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=120
    )
    words = done.stdout.rsplit("took", 1)[1].split()
    return float(words[0]), float(words[1])


def through_magic() -> tuple[float, float]:
    """Return milliseconds of an empty cell and of an empty `%%sandbox` cell in a shell."""
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    shell.run_line_magic("load_ext", "exec_magic")
    cells = ("pass", "%%sandbox\npass")

    def run(cell: str) -> float:
        return timed(lambda: shell.run_cell(cell))

    empty, boxed = (median_ms(functools.partial(run, cell)) for cell in cells)
    return empty, boxed


def main() -> None:
    """Measure and print."""
    firsts = [first_run() for _ in range(3)]
    # Before any IPython shell is made here: it takes the name __main__, which pickle looks up.
    peers: dict[str, list[float]] = {
        "fresh ProcessPoolExecutor": [fresh_pool(code) for code in (NOTHING, PANDAS)],
        "reused pebble worker": [reused_pebble(code) for code in (NOTHING, PANDAS)],
        "ipyparallel engine": ipyparallel_engine([NOTHING, PANDAS]),
        "%%python": [script_magic(code) for code in (NOTHING, PANDAS)],
    }
    rows = [
        ("no-op cell, warm", sandbox(NOTHING), "1 / 4", 0),
        ("small pandas cell, warm, IPython semantics", sandbox(PANDAS), "3 / -", 1),
        ("the same, forked on demand", sandbox(PANDAS, is_busy=True), "15 / -", 1),
    ]
    print(f"\n{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print("milliseconds, medians; ours: answer / resolved run; peers: the result is here\n")
    header = ["", "exec_magic", "target", *peers]
    table = [header]
    for title, ours, target, column in rows:
        table.append([title, ours, target, *(f"{times[column]:.2f}" for times in peers.values())])
    widths = [max(len(row[index]) for row in table) for index in range(len(header))]
    for row in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))
    empty, boxed = through_magic()
    load, first = (statistics.median(values) for values in zip(*firsts, strict=True))
    print(f"\nthrough %%sandbox, over an empty cell: {boxed - empty:.2f} ms (target 6)")
    print(f"%load_ext: {load * 1000:.1f} ms (target 50)")
    print(f"first run after it, server's start included: {first:.2f} s (target 1.5)")
    print(f"fresh sandboxes per second, {IN_FLIGHT} at a time: {throughput():.0f} (target 200)")


if __name__ == "__main__":
    main()
