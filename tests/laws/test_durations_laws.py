"""The laws of durations."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import example, given
from hypothesis import strategies as st

from uplinks.durations import format_duration, parse_duration
from uplinks.errors import InvalidDuration

NANOSECONDS = st.integers(min_value=-(2**63), max_value=2**63 - 1)
UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9}


@given(NANOSECONDS)
@example(2**63 - 1)
@example(-(2**63))
def test_what_is_written_is_read_back(nanoseconds: int) -> None:
    assert parse_duration(format_duration(nanoseconds)) == nanoseconds


@given(st.integers(min_value=-9_223_372_036, max_value=9_223_372_036))
def test_an_integer_and_its_text_and_its_seconds_agree(seconds: int) -> None:
    assert parse_duration(seconds) == seconds * 10**9
    assert parse_duration(str(seconds)) == seconds * 10**9
    assert parse_duration(f"{seconds}s") == seconds * 10**9


@given(
    st.integers(min_value=0, max_value=10**6),
    st.text("0123456789", max_size=9),
    st.sampled_from(sorted(UNITS)),
)
def test_a_decimal_is_cut_to_whole_nanoseconds(whole: int, fraction: str, unit: str) -> None:
    exact = Decimal(f"{whole}.{fraction or '0'}") * UNITS[unit]

    assert parse_duration(f"{whole}.{fraction}{unit}") == int(exact)


@given(st.lists(st.tuples(st.integers(0, 10**5), st.sampled_from(sorted(UNITS))), min_size=1))
def test_terms_add_up_in_any_order(terms: list[tuple[int, str]]) -> None:
    expected = sum(count * UNITS[unit] for count, unit in terms)

    assert parse_duration("".join(f"{count}{unit}" for count, unit in terms)) == expected
    assert parse_duration("".join(f"{count}{unit}" for count, unit in terms[::-1])) == expected


@given(st.text(max_size=8) | st.text("0123456789.smhnuµ+-d ", max_size=12))
def test_a_text_is_a_duration_in_64_bits_or_invalid(text: str) -> None:
    try:
        nanoseconds = parse_duration(text)
    except InvalidDuration as error:
        assert error.got == text  # noqa: PT017 - both ends are fine, nothing else is
    else:
        assert -(2**63) <= nanoseconds < 2**63
