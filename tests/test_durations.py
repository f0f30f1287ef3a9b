"""Durations: the grammar of Traefik (seconds, else Go), and Go's way of writing."""

from __future__ import annotations

import pickle
import re
from datetime import timedelta
from typing import Any

import pytest
from attrs import evolve

from uplinks.durations import (
    Nanoseconds,
    format_duration,
    parse_duration,
    respell_duration,
    to_nanoseconds,
)
from uplinks.errors import InvalidDuration, UplinksError
from uplinks.model import HealthCheck

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (15, 15 * SECOND),
        (0, 0),
        (-5, -5 * SECOND),
        ("15", 15 * SECOND),
        ("+5", 5 * SECOND),
        ("-5", -5 * SECOND),
        ("007", 7 * SECOND),
        ("0", 0),
        ("-0", 0),
        ("9223372036", 9_223_372_036 * SECOND),
    ],
)
def test_an_integer_is_seconds(value: str | int, expected: int) -> None:
    assert parse_duration(value) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0s", 0),
        ("5s", 5 * SECOND),
        ("30s", 30 * SECOND),
        ("1478s", 1478 * SECOND),
        ("-5s", -5 * SECOND),
        ("+5s", 5 * SECOND),
        ("-0s", 0),
        ("5.0s", 5 * SECOND),
        ("5.6s", 5_600_000_000),
        ("5.s", 5 * SECOND),
        ("1.s", SECOND),
        (".5s", 500_000_000),
        ("-.5s", -500_000_000),
        ("1.0040s", 1_004_000_000),
        ("100.00100s", 100_001_000_000),
        ("10ns", 10),
        ("11us", 11_000),
        ("12\u00b5s", 12_000),
        ("12\u03bcs", 12_000),
        ("13ms", 13_000_000),
        ("14s", 14 * SECOND),
        ("15m", 15 * MINUTE),
        ("16h", 16 * HOUR),
        ("3h30m", 3 * HOUR + 30 * MINUTE),
        ("10.5s4m", 4 * MINUTE + 10_500_000_000),
        ("-2m3.4s", -(2 * MINUTE + 3_400_000_000)),
        ("1h2m3s4ms5us6ns", HOUR + 2 * MINUTE + 3 * SECOND + 4_005_006),
        ("39h9m14.425s", 39 * HOUR + 9 * MINUTE + 14_425_000_000),
        ("52763797000ns", 52_763_797_000),
        ("1m30s", 90 * SECOND),
        ("0.9ns", 0),
        ("1.9999ns", 1),
    ],
)
def test_everything_else_is_a_go_duration(text: str, expected: int) -> None:
    assert parse_duration(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Exact arithmetic would say one nanosecond less.
        ("0.3333333333333333333h", 20 * MINUTE),
        ("0.100000000000000000000h", 6 * MINUTE),
        ("0.830103483285477580700h", 49 * MINUTE + 48 * SECOND + 372_539_827),
        ("9007199254740993ns", 2**53 + 1),
        ("0." + "0" * 5000 + "1h", 0),
        ("0.5" + "0" * 5000 + "h", 30 * MINUTE),
        ("0.9223372036854775807h", 3_320_413_933_267),
        ("0.9223372036854775808h", 3_320_413_933_267),
        ("0.9223372036854775809h", 3_320_413_933_267),
    ],
)
def test_long_fractions_are_cut_where_go_cuts_them(text: str, expected: int) -> None:
    assert parse_duration(text) == expected


def test_the_whole_range_of_64_bits_is_allowed() -> None:
    assert parse_duration("9223372036854775807ns") == 2**63 - 1
    assert parse_duration("9223372036854775.807us") == 2**63 - 1
    assert parse_duration("9223372036s854ms775us807ns") == 2**63 - 1
    assert parse_duration("-9223372036854775808ns") == -(2**63)
    assert parse_duration("-2562047h47m16.854775808s") == -(2**63)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", "it is empty"),
        ("-", "it has no digits"),
        ("+", "it has no digits"),
        (".", "a digit is expected before ''"),
        (".s", "a digit is expected before 's'"),
        ("-.s", "a digit is expected before 's'"),
        ("s", "a digit is expected before 's'"),
        ("--5s", "a digit is expected before '-'"),
        (" 5s", "a digit is expected before ' '"),
        ("1.5", "a unit is missing: ns, us, ms, s, m or h"),
        ("1.", "a unit is missing: ns, us, ms, s, m or h"),
        ("1s5", "a unit is missing: ns, us, ms, s, m or h"),
        ("1..5s", "a unit is missing: ns, us, ms, s, m or h"),
        ("1d", "unknown unit 'd'"),
        ("10 s", "unknown unit ' s'"),
        ("10s ", "unknown unit 's '"),
        ("10s\n", "unknown unit 's\\n'"),
        ("5\n", "unknown unit '\\n'"),
        ("1S", "unknown unit 'S'"),
        ("1e3s", "unknown unit 'e'"),
        ("1_0", "unknown unit '_'"),
        ("0x10", "unknown unit 'x'"),
        ("1" + "x" * 30, "unknown unit '" + "x" * 20 + "…'"),
        ("\u0665s", "a digit is expected before '\u0665s'"),
        ("1\u0665s", "unknown unit '\u0665s'"),
        ("\uff15", "a digit is expected before '\uff15'"),
        (True, "a bool is neither an integer nor a string"),
        (1.0, "a float is neither an integer nor a string"),
        (None, "a NoneType is neither an integer nor a string"),
        (b"5s", "a bytes is neither an integer nor a string"),
    ],
)
def test_nothing_else_is_a_duration(value: str | int, reason: str) -> None:
    with pytest.raises(InvalidDuration) as caught:
        parse_duration(value)

    assert (caught.value.got, caught.value.reason) == (value, reason)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, UplinksError)


@pytest.mark.parametrize(
    "value",
    [
        9_223_372_037,
        -9_223_372_037,
        10**5000,
        "9223372037",
        "-9223372037",
        "9223372036854775808ns",
        "-9223372036854775809ns",
        "9223372036854775.808us",
        "9223372036854ms775us808ns",
        "3000000h",
        "99999999999999999999ns",
        "9" * 10_000_000,
        "-" + "9" * 10_000_000,
        "9" * 10_000_000 + "s",
    ],
    ids=lambda value: str(value)[:12] if isinstance(value, str) else value.bit_length(),
)
def test_what_leaves_64_bits_is_refused(value: str | int) -> None:
    with pytest.raises(InvalidDuration) as caught:
        parse_duration(value)

    assert caught.value.reason == "it does not fit into 64 bits of nanoseconds (about 292 years)"
    assert len(str(caught.value)) < 300


def test_millions_of_zeros_are_read_in_one_pass() -> None:
    assert parse_duration("0" * 10_000_000 + "7") == 7 * SECOND
    assert parse_duration("0." + "0" * 10_000_000 + "7s") == 0


@pytest.mark.parametrize(
    ("nanoseconds", "expected"),
    [
        (0, "0s"),
        (1, "1ns"),
        (1_100, "1.1\u00b5s"),
        (1_500, "1.5\u00b5s"),
        (2_200_000, "2.2ms"),
        (500_000_000, "500ms"),
        (999_999_999, "999.999999ms"),
        (1_500_000_000, "1.5s"),
        (3_300_000_000, "3.3s"),
        (90 * SECOND, "1m30s"),
        (MINUTE, "1m0s"),
        (4 * MINUTE + 5 * SECOND, "4m5s"),
        (4 * MINUTE + 5 * SECOND + 1_000_000, "4m5.001s"),
        (HOUR, "1h0m0s"),
        (5 * HOUR + 6 * MINUTE + 7_001_000_000, "5h6m7.001s"),
        (8 * MINUTE + 1, "8m0.000000001s"),
        (-90 * SECOND, "-1m30s"),
        (-1, "-1ns"),
        (2**63 - 1, "2562047h47m16.854775807s"),
        (-(2**63), "-2562047h47m16.854775808s"),
    ],
)
def test_durations_are_written_as_go_writes_them(nanoseconds: int, expected: str) -> None:
    assert format_duration(nanoseconds) == expected


@pytest.mark.parametrize("nanoseconds", [2**63, -(2**63) - 1])
def test_what_is_not_64_bits_is_not_written(nanoseconds: int) -> None:
    with pytest.raises(InvalidDuration):
        format_duration(nanoseconds)


@pytest.mark.parametrize("value", [1.5, 1.0, True, False, "1", None])
def test_only_an_int_is_written(value: Any) -> None:
    with pytest.raises(InvalidDuration, match="is not an int of nanoseconds"):
        format_duration(value)


# Durations given in Python


@pytest.mark.parametrize(
    ("value", "nanoseconds"),
    [
        ("5s", 5_000_000_000),
        ("500ms", 500_000_000),
        ("5", 5_000_000_000),
        (timedelta(days=1, microseconds=1), 86_400_000_001_000),
        (1_000_000, 1_000_000),
        (0, 0),
        (-1, -1),
        (Nanoseconds(3), 3),
    ],
)
def test_a_duration_may_be_a_string_a_timedelta_or_nanoseconds(
    value: Any, nanoseconds: int
) -> None:
    assert to_nanoseconds(value, "timeout") == nanoseconds


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        (5, ValueError, "timeout must be at least 1ms, got 5ns; for 5 seconds write '5s'"),
        ("10us", ValueError, "timeout must be at least 1ms, got 10µs"),
        (timedelta(microseconds=1), ValueError, "timeout must be at least 1ms, got 1µs"),
        (0.5, TypeError, "or integer nanoseconds, got 0.5"),
        (True, TypeError, "or integer nanoseconds, got True"),
        (None, TypeError, "or integer nanoseconds, got None"),
        ("1d", InvalidDuration, "unknown unit 'd'"),
        (2**63, InvalidDuration, "64 bits"),
        (timedelta.max, InvalidDuration, "64 bits"),
    ],
)
def test_a_value_that_is_no_duration_is_refused_with_its_field(
    value: Any, kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=re.escape(message)):
        to_nanoseconds(value, "timeout")


def test_exact_nanoseconds_survive_evolve_and_pickle() -> None:
    check = HealthCheck(interval=Nanoseconds(100_000))

    assert evolve(check, path="/other").interval == 100_000
    assert pickle.loads(pickle.dumps(check)) == check  # noqa: S301 - our own bytes


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("10 s", "10s"),
        (" 10s ", "10s"),
        ("1d", "24h"),
        ("2 days", "48h"),
        ("1 day 2 hours", "24h2h"),
        ("1h 30m", "1h30m"),
        ("1.5", "1.5s"),
        ("5 Minutes", "5m"),
        ("0.5 h", "0.5h"),
        ("30S", "30s"),
        ("100 MS", "100ms"),
        ("5 \u00b5s", "5\u00b5s"),
    ],
)
def test_a_duration_in_another_notation_is_respelt(text: str, meant: str) -> None:
    assert respell_duration(text) == meant
    parse_duration(meant)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "10s",
        "1.5d",
        "5M",
        "1w",
        "1m1",
        "1 2",
        "-5 s",
        "1.2.3",
        "soon",
        "9" * 30,
        "1" * 40 + "x",
    ],
)
def test_what_may_mean_something_else_is_not_respelt(text: str) -> None:
    assert respell_duration(text) is None
