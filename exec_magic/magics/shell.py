"""What the magics ask the IPython shell about the cell that runs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


def is_watched(shell: InteractiveShell) -> bool:
    """Tell whether somebody is there who can interrupt: a terminal, or an interactive front end.

    nbclient, papermill and nbval say in their requests that nobody can be asked for input.
    """
    if hasattr(shell, "kernel"):
        return bool(_request(shell).get("allow_stdin", True))
    return sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()


def cell_number(shell: InteractiveShell) -> int:
    """Return the number in `In[7]` of the cell that runs.

    Newer versions of IPython count on before the cell, older ones after it; this property knows.
    """
    return int(shell.displayhook.prompt_count)


def header_lines(shell: InteractiveShell, body: str) -> int:
    """Return how many lines of the notebook's cell stand above the body; 1 where unknown."""
    cell = _cell(shell).rstrip()
    if not body.strip() or not cell.endswith(body.rstrip()):
        return 1  # the magic was called from code
    return max(1, len(cell.splitlines()) - len(body.rstrip().splitlines()))


def is_whole_cell(shell: InteractiveShell, magic: str, body: str) -> bool:
    """Tell whether the magic is all there is in the cell, so that nothing was shown before it."""
    cell = _cell(shell).strip()
    is_all = cell.endswith(body.rstrip()) if magic.startswith("%%") else "\n" not in cell
    return cell.startswith(magic) and is_all


def _cell(shell: InteractiveShell) -> str:
    """Return the cell as the user wrote it, as well as the shell tells."""
    if hasattr(shell, "kernel"):
        return str(_request(shell).get("code", ""))
    raw = shell.history_manager.input_hist_raw if shell.history_manager else []
    return str(raw[-1]) if raw else ""


def _request(shell: Any) -> dict[str, Any]:
    """Return what the front end asked the kernel for."""
    content: dict[str, Any] = shell.kernel.get_parent("shell").get("content", {})
    return content
