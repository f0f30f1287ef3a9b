"""Mutate seed inputs at random, reproducibly and without coverage feedback."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

__all__ = ["TOKENS", "mutate"]

TOKENS = (
    *(b"\0", b"\n", b"\r\n", b"\t", b" ", b":", b": ", b",", b"-", b"- ", b"--- \n", b"...", b"#"),
    *(b"{", b"}", b"[", b"]", b"&a ", b"*a", b"<<: ", b"!!str ", b"|\n", b">\n", b"? ", b"'", b'"'),
    *(b"\\", b"%", b"@", b"//", b"..", b"\xff", b"\xc2\x85", b"\xe2\x80\xa8", b"\xef\xbb\xbf"),
    *(b"null", b"~", b"yes", b"012", b"1:30", b"1_0", b".inf", b"1e9", b"9" * 30, b"-1", b"0x1"),
    *(b"spec", b"weight", b"healthCheck", b"exposeName", b"headers", b"hub", b"kind", b"List"),
    *(b"items", b"1h", b"ns", b"\xc2\xb5s", b"https://", b"multicluster", b"a" * 300),
)


def mutate(seeds: Sequence[bytes], count: int, seed: int) -> Iterator[bytes]:
    """Yield the seeds, then ``count`` inputs made by one to eight changes of a seed."""
    yield from seeds
    chance = random.Random(seed)
    for _ in range(count):
        data = bytearray(chance.choice(seeds))
        for _ in range(chance.randint(1, 8)):
            at = chance.randint(0, len(data))
            to = min(len(data), at + chance.choice((0, 1, 1, 2, 8, 40)))
            other = chance.choice(seeds)
            cut = chance.randint(0, len(other))
            data[at:to] = chance.choice(
                (b"", bytes([chance.randrange(256)]), chance.choice(TOKENS), data[at:to] * 2,
                 other[cut : cut + 40])
            )  # fmt: skip
        yield bytes(data)
