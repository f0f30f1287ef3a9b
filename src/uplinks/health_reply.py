"""Decoder of the reply to a gRPC health check, without generated code.

The bytes are untrusted: they are decoded to the end or refused. Unknown fields are
skipped, as another version of the protocol may add them.

Source: ``grpc.health.v1.HealthCheckResponse`` of the gRPC health checking
protocol; the encoding of protocol buffers.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

__all__ = ["InvalidReply", "ServingStatus", "read_status"]

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_LONGEST: Final = 10  # bytes of a varint
_MORE: Final = 0x80  # set in each of its bytes but the last


class InvalidReply(ValueError):
    """The bytes are not a ``HealthCheckResponse``."""


class ServingStatus(IntEnum):
    """The status that a server reports. Only ``SERVING`` passes."""

    UNKNOWN = 0
    SERVING = 1
    NOT_SERVING = 2
    SERVICE_UNKNOWN = 3


def read_status(reply: bytes) -> ServingStatus:
    r"""Decode the status of a reply: the last one counts.

    A missing status and one with an unknown number are ``UNKNOWN``.

    Law: agrees with a plain model, and any bytes give a status or `InvalidReply`
    (``tests/laws/test_health_reply_laws.py``).
    Complexity: O(length). Raises: InvalidReply.

    >>> read_status(b"\x08\x01").name, read_status(b"").name
    ('SERVING', 'UNKNOWN')
    >>> read_status(b"\x08")
    Traceback (most recent call last):
    uplinks.health_reply.InvalidReply: it ends too early
    """
    status, at = 0, 0
    while at < len(reply):
        tag, at = _varint(reply, at)
        number, kind = tag >> 3, tag & 7
        if number == 0 or number >= 1 << 29:
            raise InvalidReply("a field has no valid number")
        if number == 1 and kind != _VARINT:
            raise InvalidReply("the status is not a number")
        if kind == _VARINT:
            value, at = _varint(reply, at)
            status = value if number == 1 else status
        elif kind == _LENGTH:
            length, at = _varint(reply, at)
            at += length
        elif kind in {_FIXED64, _FIXED32}:
            at += 8 if kind == _FIXED64 else 4
        else:
            raise InvalidReply("a field has an unknown type")
        if at > len(reply):
            raise InvalidReply("it ends too early")
    return ServingStatus(status) if status in set(ServingStatus) else ServingStatus.UNKNOWN


def _varint(reply: bytes, at: int) -> tuple[int, int]:
    value = 0
    for i, byte in enumerate(reply[at : at + _LONGEST]):
        value |= (byte & ~_MORE) << 7 * i
        if not byte & _MORE:
            return value & (1 << 64) - 1, at + i + 1
    whole = len(reply) - at >= _LONGEST
    raise InvalidReply("a number is too long" if whole else "it ends too early")
