"""What the README says is so: its commands, its options, its links."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from exec_magic.magics import options
from exec_magic.model import FINAL

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = dict(re.findall(r"<!-- command: (\w+) -->\n```bash\n(.*)\n```\n", README))


def test_there_are_two_commands_of_one_line() -> None:
    """A fresh machine needs two commands, each one line to copy."""
    assert set(COMMANDS) == {"demo", "tests"}


@pytest.mark.parametrize("name", COMMANDS)
def test_command_makes_its_own_environment(name: str) -> None:
    """A command works where pip refuses to install: it makes a virtual environment and uses it."""
    first, *rest = COMMANDS[name].split(" && ")
    assert first == "python3 -m venv .venv"
    assert all(step.startswith(".venv/bin/python -m ") for step in rest)


def test_first_command_ends_in_the_demo() -> None:
    """The first command installs the package and runs the tour."""
    assert COMMANDS["demo"].endswith("pip install -q . && .venv/bin/python -m exec_magic demo")


def test_second_command_ends_in_all_tests() -> None:
    """The second command runs pytest without a word more: `pytest` alone is all tests."""
    assert COMMANDS["tests"].endswith("&& .venv/bin/python -m pytest")


def test_ci_takes_the_commands_from_here() -> None:
    """`.ci/run` reads the commands from the README as they are."""
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    reader = script[script.index("readme_command() {") : script.index("install_missing()")]
    for name, command in COMMANDS.items():
        done = subprocess.run(
            ["bash", "-euc", f"{reader}\nreadme_command {name}"],
            check=True, capture_output=True, text=True, timeout=30, cwd=ROOT,
        )  # fmt: skip
        assert done.stdout == command + "\n"


def test_options_table_is_the_declaration() -> None:
    """The table of options is the one that the declaration makes."""
    table = README.partition("<!-- options:begin -->\n")[2].partition("<!-- options:end -->")[0]
    assert table.strip() == options.options_table().strip()


def test_table_of_the_exec_magics_is_the_declaration() -> None:
    """The table of what the exec magics have besides is the one that the declaration makes."""
    begin, end = "<!-- exec-options:begin -->\n", "<!-- exec-options:end -->"
    table = README.partition(begin)[2].partition(end)[0]
    assert table.strip() == options.options_table(options.EXEC_ONLY).strip()


def test_states_are_all_explained() -> None:
    """Every state that a run can end in now has its row."""
    states = set(re.findall(r"^\| `(\w+)`.* \| ", README, re.MULTILINE))
    not_yet = {"skipped"}
    assert states >= FINAL - not_yet


def test_links_lead_somewhere() -> None:
    """Every link to a file of the repository, and every one within the page, has a target."""
    headings = {
        re.sub(r"[^\w -]", "", line.lstrip("# ")).lower().replace(" ", "-")
        for line in README.splitlines()
        if line.startswith("#")
    }
    targets = re.findall(r"\]\(([^)\s]+)\)", README)
    here = [target for target in targets if "://" not in target]
    lost = [
        target
        for target in here
        if not (target[1:] in headings if target[0] == "#" else (ROOT / target).exists())
    ]
    assert here
    assert not lost
