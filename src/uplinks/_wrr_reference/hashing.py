"""Hashes that are the same in every process, for picks by key."""

from __future__ import annotations

__all__ = ["BITS", "mix", "stable_hash"]

BITS = (1 << 64) - 1
_DEEPEST = 20  # nested tuples


def mix(z: int) -> int:
    """Spread 64 bits over 64 bits; the output function of SplitMix64."""
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & BITS
    z = (z ^ z >> 27) * 0x94D049BB133111EB & BITS
    return z ^ z >> 31


def stable_hash(value: object) -> int:
    """Hash a key or a target, the same in every process; never 0."""
    return mix(_fold(value, 0xCBF29CE484222325, 0)) | 1


def _fold(value: object, state: int, depth: int) -> int:
    """FNV-1a over the type and the bytes."""
    if isinstance(value, tuple) and depth < _DEEPEST:
        state = _fold(b"(", state, depth)
        for item in value:
            state = _fold(item, state, depth + 1)
        return _fold(b")", state, depth)
    if isinstance(value, str):
        data = b"s" + value.encode()
    elif isinstance(value, bytes):
        data = b"b" + value
    elif isinstance(value, int):
        data = b"i" + hex(value).encode()
    else:
        raise TypeError(
            "a pick by key needs a key and targets that are strings, bytes, integers or tuples of "
            f"these, got {type(value).__name__}"
        )
    for byte in data:
        state = (state ^ byte) * 0x100000001B3 & BITS
    return (state ^ len(data)) * 0x100000001B3 & BITS
