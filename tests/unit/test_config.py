"""One schema, its layers, and mistakes in one line."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from exec_magic import config
from exec_magic.errors import BadOption
from exec_magic.model import Limits


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in config.NAMES:
        monkeypatch.delenv(config.PREFIX + name.upper(), raising=False)
    yield
    for name in config.NAMES:
        config.configure(name, None)


def test_defaults() -> None:
    """Where nobody says anything, there is no limit but for 10 minutes where nobody watches."""
    assert config.resolve_limits({}, is_interactive=True) == Limits(None, None)
    assert config.resolve_limits({}, is_interactive=False) == Limits(600.0, None)
    assert (config.load().summary, config.load().preload) == ("full", "first run")


def test_later_layers_win(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment beats the default, configuration the environment, the line everything."""
    monkeypatch.setenv("EXEC_MAGIC_TIMEOUT", "5m")
    monkeypatch.setenv("EXEC_MAGIC_MEMORY", "1G")
    assert config.resolve_limits({}, is_interactive=True) == Limits(300.0, 1 << 30)
    config.configure("timeout", "1m")
    assert config.resolve_limits({}, is_interactive=True) == Limits(60.0, 1 << 30)
    assert config.resolve_limits({"timeout": "2s", "memory": 4096}, is_interactive=False) == Limits(
        2.0, 4096
    )
    config.configure("timeout", None)
    assert config.load().timeout == 300


def test_empty_variable_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty variable is as good as none."""
    monkeypatch.setenv("EXEC_MAGIC_MEMORY", "")
    assert config.load().memory is None


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("timeout", "soon", "5m"),
        ("timeout", 0, "5m"),
        ("timeout", True, "5m"),
        ("timeout", ["5m"], "5m"),
        ("memory", "-1G", "512M"),
        ("memory", "lots\nof it", "512M"),
        ("summary", "short", "'full' or 'stable'"),
        ("preload", 1, "'first run' or 'at load'"),
    ],
)
def test_wrong_value_is_one_line(name: str, value: object, allowed: str) -> None:
    """A wrong value is named in one line with its setting and what is allowed."""
    with pytest.raises(BadOption) as caught:
        config.configure(name, value)
    text = str(caught.value)
    assert f"ExecMagics.{name}: {value!r}" in text
    assert allowed in text
    assert len(text.splitlines()) == 1


def test_wrong_variable_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong value in the environment names the variable."""
    monkeypatch.setenv("EXEC_MAGIC_TIMEOUT", "soon")
    with pytest.raises(BadOption, match=r"^EXEC_MAGIC_TIMEOUT: 'soon' is not allowed; .*5m"):
        config.load()


def test_unknown_variable_names_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that is no setting is a mistake, and the nearest known one is named."""
    monkeypatch.setenv("EXEC_MAGIC_TIMOUT", "5")
    with pytest.raises(BadOption, match=r"^EXEC_MAGIC_TIMOUT: .* EXEC_MAGIC_TIMEOUT$"):
        config.load()


def test_limits_name_the_keyword() -> None:
    """A wrong limit in a call names the keyword."""
    with pytest.raises(BadOption, match=r"^memory: 'lots'"):
        config.resolve_limits({"memory": "lots"}, is_interactive=False)


def test_every_setting_says_what_it_is() -> None:
    """Every setting has a meaning that ends with what is allowed."""
    for name in config.NAMES:
        assert ": " in config.meaning(name)
