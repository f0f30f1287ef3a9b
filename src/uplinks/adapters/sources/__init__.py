"""Where clusters come from at run time.

A source yields everything it knows of one cluster, again after each change. It
never raises for bad data and never ends by itself: a snapshot with errors, or a
`Failure` while nothing can be read, leaves the decision to its consumer.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Protocol

from attrs import frozen

from uplinks.addresses import without_userinfo
from uplinks.errors import InvalidSource
from uplinks.model import Cluster, ParentConfig

if TYPE_CHECKING:
    from uplinks.adapters.tokens import Token

__all__ = ["Failure", "Snapshot", "Source", "source_of"]


@frozen
class Snapshot:
    """All that a source says of its cluster now; problems found are ``cluster.diagnostics``."""

    cluster: Cluster


@frozen
class Failure:
    """The source cannot be read now; its last snapshot is stale.

    ``reason`` is one line, without secrets.
    """

    reason: str


class Source(Protocol):
    """Where one cluster comes from."""

    @property
    def name(self) -> str:
        """What the source reads, for people: a path, a URL without user information, a context."""

    def updates(self) -> AsyncIterator[Snapshot | Failure]:
        """Yield the cluster as it is now, and again after each change.

        Closing the iterator releases all that it uses.
        """


def source_of(
    text: str,
    cluster: str = "",
    *,
    config: ParentConfig | None = None,
    token: Token | None = None,
) -> Source:
    """Make the source that a value of the command line names.

    - ``folder:PATH``: a folder or a file, watched.
    - ``context:NAME``: a context of the kubeconfig, watched; ``context:in-cluster`` is the
      cluster around this pod.
    - ``http://…`` or ``https://…``: a child's API, polled as ``config`` says, the parent's
      static configuration. It has the child's ``serversTransport`` below its name,
      ``cluster``. ``token`` is the child's bearer token.

    Raises: InvalidSource for any other value, MissingExtra.

    >>> source_of("folder:children/eu", "eu").name
    'children/eu'
    >>> source_of("context:eu", "eu").name
    'context:eu'
    """
    # Each kind of source is an extra of its own.
    kind, _, rest = text.partition(":")
    if kind == "folder" and rest:
        from uplinks.adapters.sources.folder import FolderSource  # noqa: PLC0415

        return FolderSource(rest, cluster)
    if kind == "context" and rest:
        from uplinks.adapters.sources.kubernetes import KubernetesSource  # noqa: PLC0415

        return KubernetesSource(rest, cluster)
    if kind.lower() in {"http", "https"}:
        from uplinks.adapters.sources.api import ApiSource  # noqa: PLC0415

        config = config or ParentConfig()
        child = config.children.get(cluster)
        return ApiSource(
            text,
            cluster,
            interval=config.poll_interval,
            timeout=config.poll_timeout,
            transport=None if child is None else child.servers_transport,
            token=token,
        )
    raise InvalidSource(without_userinfo(text), "must start with folder:, context: or https://")
