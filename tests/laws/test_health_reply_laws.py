"""A reply means the same to the reader and to a plain model; any bytes are read or refused."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from uplinks.health_reply import InvalidReply, ServingStatus, read_status


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def unknown_fields() -> st.SearchStrategy[bytes]:
    numbers = st.integers(2, (1 << 29) - 1)
    whole = st.integers(0, (1 << 64) - 1)
    return st.one_of(
        st.builds(lambda n, v: varint(n << 3) + varint(v), numbers, whole),
        st.builds(lambda n, b: varint(n << 3 | 1) + b, numbers, st.binary(min_size=8, max_size=8)),
        st.builds(lambda n, b: varint(n << 3 | 2) + varint(len(b)) + b, numbers, st.binary()),
        st.builds(lambda n, b: varint(n << 3 | 5) + b, numbers, st.binary(min_size=4, max_size=4)),
    )


STATUSES = st.integers(0, 5)


@given(st.lists(st.one_of(unknown_fields(), STATUSES)))
def test_the_last_status_counts_whatever_stands_around_it(fields: list[bytes | int]) -> None:
    reply = b"".join(f if isinstance(f, bytes) else b"\x08" + varint(f) for f in fields)
    last = next((f for f in reversed(fields) if isinstance(f, int)), 0)
    assert read_status(reply) == (last if last <= 3 else 0)


@given(st.lists(st.one_of(unknown_fields(), STATUSES), min_size=1), st.data())
def test_what_is_cut_off_within_a_field_is_refused(
    fields: list[bytes | int], data: st.DataObject
) -> None:
    parts = [f if isinstance(f, bytes) else b"\x08" + varint(f) for f in fields]
    cut = data.draw(st.integers(1, len(parts[-1]) - 1))
    reply = b"".join(parts[:-1]) + parts[-1][:cut]
    try:
        read_status(reply)
    except InvalidReply:
        return
    raise AssertionError(reply)


@given(st.binary(max_size=200))
def test_any_bytes_give_a_status_or_are_refused(reply: bytes) -> None:
    with suppress(InvalidReply):
        assert read_status(reply) in set(ServingStatus)
