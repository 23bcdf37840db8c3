"""Sizes and durations are read as written, and written as people read them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exec_magic import quantities

_UNITS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


@given(
    number=st.integers(1, 10**6),
    unit=st.sampled_from(sorted(_UNITS)),
    rest=st.sampled_from(["", "b", "ib"]),
    is_upper=st.booleans(),
)
def test_sizes_are_binary(number: int, unit: str, rest: str, is_upper: bool) -> None:
    """Every spelling of a unit means the same power of 1024."""
    text = f"{number}{unit}{rest if unit or rest != 'ib' else ''}"
    expected = number * 1024 ** _UNITS[unit]
    assert quantities.parse_size(text.upper() if is_upper else text) == expected


@given(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99), st.integers(1, 99))
def test_durations_add_up(days: int, hours: int, minutes: int, seconds: int) -> None:
    """Days, hours, minutes and seconds are added, with or without spaces."""
    expected = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    assert quantities.parse_duration(f"{days}d{hours}h{minutes}m{seconds}s") == expected
    assert quantities.parse_duration(f"{days} d {hours} h {minutes} min {seconds} s") == expected


@given(st.floats(min_value=1e-9, max_value=1e300))
def test_numbers_are_seconds_and_bytes(number: float) -> None:
    """A bare number is itself, however large or small."""
    assert quantities.parse_duration(number) == pytest.approx(number)
    if number >= 1:
        assert quantities.parse_size(number) == pytest.approx(number, abs=1)


@given(st.integers(1, 10**15))
def test_what_is_written_can_be_read(size: int) -> None:
    """A size as we write it is read as nearly the same size."""
    assert quantities.parse_size(quantities.format_size(size)) == pytest.approx(size, rel=0.35)


@given(st.floats(min_value=0.1, max_value=10**7))
def test_written_durations_can_be_read(seconds: float) -> None:
    """A duration as we write it is read as nearly the same."""
    text = quantities.format_duration(seconds)
    assert quantities.parse_duration(text) == pytest.approx(seconds, abs=60, rel=0.5)


@given(st.text())
def test_no_text_does_more_than_raise(text: str) -> None:
    """Any text is a quantity above zero that is finite, or a ValueError."""
    for parse in (quantities.parse_size, quantities.parse_duration):
        try:
            value = parse(text)
        except ValueError:
            continue
        assert 0 < value < math.inf


@pytest.mark.parametrize(
    "text", ["", "0", "-1", "0s", "0M", "inf", "nan", "1x", "M", "1e3", "5 5", "9" * 400, "0.5b"]
)
def test_no_size(text: str) -> None:
    """Nothing, zero, negative, endless and unknown units are no sizes."""
    with pytest.raises(ValueError, match=r".*"):
        quantities.parse_size(text)


@pytest.mark.parametrize("text", ["", "0", "-1", "0s", "inf", "nan", "1x", "s", "9" * 400, "1m1h"])
def test_no_duration(text: str) -> None:
    """Nothing, zero, negative, endless, unknown units and a wrong order are no durations."""
    with pytest.raises(ValueError, match=r".*"):
        quantities.parse_duration(text)


@pytest.mark.parametrize("value", [True, False, math.inf, math.nan, -1, 0, -0.5])
def test_no_number(value: float) -> None:
    """A truth value is no number, and no number is endless or below zero."""
    for parse in (quantities.parse_size, quantities.parse_duration):
        with pytest.raises(ValueError, match=r".*"):
            parse(value)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (1, "1 B"),
        (1024, "1 kB"),
        (512 << 20, "512 MB"),
        (3 << 29, "1.5 GB"),
        (2 << 30, "2.0 GB"),
        (5 << 40, "5.0 TB"),
    ],
)
def test_sizes_for_people(size: int, text: str) -> None:
    """A size is written with the unit that fits."""
    assert quantities.format_size(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.012, "12 ms"),
        (0.3, "0.3 s"),
        (3.24, "3.2 s"),
        (99.96, "1 min 40 s"),
        (250, "4 min 10 s"),
        (3599.9, "1 h 0 min"),
        (3900, "1 h 5 min"),
    ],
)
def test_durations_for_people(seconds: float, text: str) -> None:
    """A duration is written with the units that fit."""
    assert quantities.format_duration(seconds) == text


def test_rates() -> None:
    """A rate is what was added, by the time that passed; without time there is none."""
    assert quantities.rates([1, 1, 3], [2, 2, 3]) == [2, None, 0.5]
    assert quantities.rates([], []) == []
