"""The stop button ends any cell in a sandbox, and nothing else."""

from __future__ import annotations

import time

import pytest

from rig.kernel import Kernel


@pytest.mark.parametrize(
    "loop",
    [
        "while True: pass",
        "import itertools\nsum(itertools.repeat(0))",
        "import time\ntime.sleep(600)",
        "import subprocess\nsubprocess.run(['sleep', '600'])",
        "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
    ],
    ids=["python", "in-c", "sleep", "subprocess", "stubborn"],
)
def test_interrupt(kernel: Kernel, loop: str) -> None:
    """The stop button ends any cell within three seconds, keeps what it showed, and the kernel."""
    kernel.run_cell("keepsake = ['mine']")
    request = kernel.submit(f"%%sandbox\nprint('going', flush=True)\n{loop}")
    shown = []
    for message in kernel.messages(request):
        shown.append(message)
        if message.get("text", "").startswith("going"):
            break
    pressed = time.monotonic()
    kernel.interrupt()
    result = kernel.finish(request, pressed, shown=shown)
    assert result.seconds < 3
    assert result.status == "error"
    assert result.reply["ename"] in {"KeyboardInterrupt", "Interrupted"}
    assert result.stream("stdout") == "going\n"
    assert "Channel.interrupt" not in result.text
    assert kernel.value("[em.last.state, em.last.reason, keepsake]") == ["cancelled", "", ["mine"]]
    assert kernel.run_cell("%%sandbox\nprint(1)").stream("stdout") == "1\n"


def test_interrupt_twice(kernel: Kernel) -> None:
    """Pressing the stop button again while a stubborn cell is being ended leaves nothing behind."""
    loop = "while True:\n    try:\n        while True: pass\n    except BaseException: pass"
    request = kernel.submit(f"%%sandbox\nprint('going')\n{loop}")
    next(kernel.messages(request))
    kernel.interrupt()
    time.sleep(0.2)  # in the middle of the 1 s that the run is given to end
    kernel.interrupt()
    assert kernel.finish(request, 0).status == "error"
    assert kernel.value("em.last.wait(5).state") == "cancelled"


def test_interrupt_is_not_covered_by_no_raise_error(kernel: Kernel) -> None:
    """--no-raise-error covers everything but the interrupt."""
    request = kernel.submit("%%sandbox --no-raise-error\nprint('going')\nwhile True: pass")
    next(kernel.messages(request))
    kernel.interrupt()
    assert kernel.finish(request, 0).status == "error"
