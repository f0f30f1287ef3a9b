"""How much of one text is read."""

from __future__ import annotations

from attrs import frozen

__all__ = ["Limits"]


@frozen
class Limits:
    """The limits of one text. Exceeding one ends the reading with ``UPL004``.

    ``size``: bytes (of the UTF-8 form if the text is a ``str``).
    ``depth``: nesting of mappings and lists.
    ``nodes``: keys, scalars, mappings and lists. Beyond the first 25,000 at most one
    per 6 bytes.
    ``documents``: documents, including empty ones. Beyond the first 1,000 at most
    one per 64 bytes.
    ``key``: code points of one key; YAML's own limit for keys without ``?``.
    ``directives``: ``%TAG`` lines (libyaml compares each with all others).
    ``findings``: diagnostics.

    >>> Limits().depth
    100
    """

    size: int = 16 * 2**20
    depth: int = 100
    nodes: int = 300_000
    documents: int = 50_000
    key: int = 1024
    directives: int = 100
    findings: int = 1000

    def nodes_in(self, size: int) -> int:
        """Give the limit of nodes for text of ``size`` bytes.

        The densest JSON of a fleet has one node per 7 bytes.

        >>> Limits().nodes_in(1_000_000), Limits().nodes_in(16_000_000)
        (191666, 300000)
        """
        return min(self.nodes, 25_000 + size // 6)

    def documents_in(self, size: int) -> int:
        """Give the limit of documents for text of ``size`` bytes: an object takes over 64.

        >>> Limits().documents_in(1_000_000), Limits().documents_in(16_000_000)
        (16625, 50000)
        """
        return min(self.documents, 1000 + size // 64)
