"""The model: frozen values for the objects of a fleet.

Rules of this package:

1. A class here is a value: frozen, compared by content, copied and pickled as
   usual. It never reads, checks or changes anything.
2. An invalid document must be representable, so that a rule can report it: a
   negative weight or an empty namespace is stored, not refused.
3. Defaults are resolved here, once: ``None`` means "taken from the child's
   address" or "absent", never "look the default up elsewhere". In a health check
   ``0`` and ``""`` mean unset.
4. Durations are ``int`` nanoseconds. No repr shows a header's value, or a user
   or password in an address.
5. ``origin`` is the place an object was read from; it takes no part in comparison.

The behaviour follows the Uplink reference of Traefik Hub.
"""

from __future__ import annotations

from uplinks.model._checks import (
    DEFAULT_INTERVAL,
    DEFAULT_TIMEOUT,
    Header,
    HealthCheck,
    PassiveHealthCheck,
)
from uplinks.model._clusters import (
    Child,
    ChildConfig,
    Cluster,
    Fleet,
    ParentConfig,
    StaticConfig,
    UplinkEntryPoint,
)
from uplinks.model._objects import (
    MAX_WEIGHT,
    UPLINKS_ANNOTATION,
    Failover,
    IngressRoute,
    OtherObject,
    Route,
    ServiceReference,
    TraefikService,
    Uplink,
    Weighted,
    written_references,
)
from uplinks.model._services import (
    Advertisement,
    ChildService,
    Services,
    WeightedChild,
    WeightedService,
    share_passive_check,
)
from uplinks.model._transport import (
    ClientCertificate,
    ForwardingTimeouts,
    ServersTransport,
    Spiffe,
)

__all__ = [
    "DEFAULT_INTERVAL",
    "DEFAULT_TIMEOUT",
    "MAX_WEIGHT",
    "UPLINKS_ANNOTATION",
    "Advertisement",
    "Child",
    "ChildConfig",
    "ChildService",
    "ClientCertificate",
    "Cluster",
    "Failover",
    "Fleet",
    "ForwardingTimeouts",
    "Header",
    "HealthCheck",
    "IngressRoute",
    "OtherObject",
    "ParentConfig",
    "PassiveHealthCheck",
    "Resource",
    "Route",
    "ServersTransport",
    "ServiceReference",
    "Services",
    "Spiffe",
    "StaticConfig",
    "TraefikService",
    "Uplink",
    "UplinkEntryPoint",
    "Weighted",
    "WeightedChild",
    "WeightedService",
    "share_passive_check",
    "written_references",
]

Resource = Uplink | IngressRoute | TraefikService | StaticConfig | OtherObject
"""Every kind of object that is read from a manifest."""
