"""Which provider loads the rendered configuration, and the names it uses there."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, Literal

from attrs import field, frozen
from attrs.validators import in_

from uplinks import naming
from uplinks.errors import InvalidName

__all__ = ["KUBERNETES", "TraefikOptions"]

KUBERNETES: Final = "kubernetescrd"

# Narrower than an HTTP token: the name stands between backticks in router rules.
_HEADER: Final = re.compile(r"[A-Za-z][-A-Za-z0-9]*")
_PROVIDER: Final = re.compile(r"[A-Za-z][-A-Za-z0-9]*")


def _matches(pattern: re.Pattern[str], kind: str) -> Callable[[Any, Any, str], None]:
    def check(_instance: Any, _attribute: Any, value: str) -> None:
        if pattern.fullmatch(value) is None:
            reason = "only letters, digits and '-' are allowed, with a letter first"
            raise InvalidName(kind, value, reason)

    return check


@frozen
class TraefikOptions:
    """How Traefik loads the output.

    ``provider`` is the one that reads the output, ``file`` or ``http``.
    ``own_provider`` is the one that has the cluster's own services and
    middlewares; references to them get its suffix. ``uplink_header`` is the
    request header that tells a child which uplink a request is for.

    Raises: ValueError for another provider; InvalidName for a malformed name.

    >>> TraefikOptions(provider="http")
    TraefikOptions(provider='http', own_provider='kubernetescrd', uplink_header='X-Uplink')
    """

    provider: Literal["file", "http"] = field(default="file", validator=in_(("file", "http")))
    own_provider: str = field(default=KUBERNETES, validator=_matches(_PROVIDER, "provider"))
    uplink_header: str = field(default="X-Uplink", validator=_matches(_HEADER, "uplink header"))

    def qualify(self, name: str) -> str:
        """Name something that the output itself defines."""
        return f"{name}@{self.provider}"

    def own(self, namespace: str, name: str) -> str:
        """Name something of the cluster's own, as Traefik's Kubernetes provider does.

        >>> TraefikOptions().own("apps", "rate_limit")
        'apps-rate-limit@kubernetescrd'
        """
        joined = f"{namespace}-{name}" if namespace else name
        return f"{naming.normalize(joined)}@{self.own_provider}"
