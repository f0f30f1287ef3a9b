"""Replies of gRPC health checks, byte by byte."""

from __future__ import annotations

import pytest

from uplinks.health_reply import InvalidReply, ServingStatus, read_status


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        (b"", "UNKNOWN"),
        (b"\x08\x00", "UNKNOWN"),
        (b"\x08\x01", "SERVING"),
        (b"\x08\x02", "NOT_SERVING"),
        (b"\x08\x03", "SERVICE_UNKNOWN"),
        (b"\x08\x63", "UNKNOWN"),
        (b"\x08\x81\x00", "SERVING"),  # longer than it need be
        (b"\x08\x02\x08\x01", "SERVING"),
        (b"\x12\x02ab\x08\x01", "SERVING"),
        (b"\x08\x01\x1d\x00\x00\x00\x00", "SERVING"),
        (b"\x08" + b"\xff" * 9 + b"\x01", "UNKNOWN"),
    ],
)
def test_a_reply_is_read(reply: bytes, status: str) -> None:
    assert read_status(reply) is ServingStatus[status]


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        (b"\x08", "too early"),
        (b"\x12\x05ab", "too early"),
        (b"\x11\x00", "too early"),
        (b"\x80", "too early"),
        (b"\x08" + b"\xff" * 10, "too long"),
        (b"\x0a\x01\x01", "not a number"),
        (b"\x0b", "not a number"),
        (b"\x13\x14", "unknown type"),
        (b"\x00\x01", "no valid number"),
    ],
)
def test_what_is_no_reply_is_refused(reply: bytes, problem: str) -> None:
    with pytest.raises(InvalidReply, match=problem):
        read_status(reply)
