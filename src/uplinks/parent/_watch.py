"""Which child services are watched together, and whether they are up.

Rules of this file:

1. Services with one address, one transport, one check and one passive check are one
   `Endpoint`: it is probed once, and what is learned holds for all of them.
2. A service without any check is not watched, and up.
3. An endpoint that replaces another at the same address takes over what is
   known of it: only a changed address makes a target unknown again.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from uplinks.health import Event, Health, HealthPolicy
from uplinks.model import ChildService, HealthCheck, PassiveHealthCheck, ServersTransport

__all__ = ["Endpoint", "Watch"]


@frozen(cache_hash=True)
class Endpoint:
    """What is watched: an address, and the checks that decide whether it is up.

    Raises: ValueError for a check whose interval or time-out, or a passive one
    whose window or number of attempts, is not above 0.

    >>> Endpoint("https://eu.example.com:9443", HealthCheck(path="/health")).url
    'https://eu.example.com:9443'
    """

    url: str
    check: HealthCheck | None = field(default=None)
    passive: PassiveHealthCheck | None = None
    servers_transport: ServersTransport | None = None

    @check.validator
    def _times(self, _: object, check: HealthCheck | None) -> None:
        if check is not None and min(check.interval, check.unhealthy_interval, check.timeout) <= 0:
            raise ValueError("a check's intervals and its time-out must be above 0")

    def __attrs_post_init__(self) -> None:
        passive = self.passive
        if passive is not None and min(passive.failure_window, passive.max_failed_attempts) <= 0:
            raise ValueError("a passive check's window and attempts must be above 0")

    @classmethod
    def of(cls, service: ChildService) -> Endpoint:
        """Give what is watched for a child service. Raises: as the constructor.

        >>> Endpoint.of(ChildService("api-eu@multicluster", "api", "eu", "https://eu")).url
        'https://eu'
        """
        return cls(
            service.url,
            service.health_check,
            service.passive_health_check,
            service.servers_transport,
        )


def _endpoint(service: object) -> Endpoint | None:
    """Give what watches a service: ``None`` for one without checks, or for no child service."""
    if not isinstance(service, ChildService):
        return None
    check, passive = service.health_check, service.passive_health_check
    return None if check is None and passive is None else Endpoint.of(service)


class Watch:
    """The endpoints of all child services over one health machine.

    Complexity: what is looked up is O(1); a change is O(services changed · log n).
    """

    def __init__(self, policy: HealthPolicy, salt: int) -> None:
        self.health = Health(policy, salt=salt)
        self._endpoints: dict[str, Endpoint] = {}
        self._users: dict[Endpoint, dict[str, None]] = {}

    def services(self, endpoint: Endpoint) -> tuple[str, ...]:
        """Name the services at an endpoint, in the order in which they came."""
        return tuple(self._users.get(endpoint, ()))

    def endpoint(self, name: str) -> Endpoint | None:
        """Give the endpoint of a service; ``None`` for one that nothing watches."""
        return self._endpoints.get(name)

    def is_up(self, name: str) -> bool:
        """Tell whether a service is up as far as its checks know."""
        endpoint = self._endpoints.get(name)
        return endpoint is None or self.health.is_up(endpoint)

    def plan(
        self, before: Mapping[str, object], after: Mapping[str, object]
    ) -> dict[str, Endpoint | None]:
        """Tell the endpoints of services that get another one. Raises: ValueError."""
        plan: dict[str, Endpoint | None] = {}
        for name in dict.fromkeys((*before, *after)):
            if before.get(name) == after.get(name):
                continue
            endpoint = _endpoint(after.get(name))
            if endpoint != self._endpoints.get(name):
                plan[name] = endpoint
        return plan

    def follow(self, plan: Mapping[str, Endpoint | None], now: int) -> list[Event]:
        """Move services to other endpoints, with what is known of them."""
        events: list[Event] = []
        left, origins = self._move(plan)
        heirs: dict[Endpoint, Endpoint] = {}
        for new, origin in origins.items():
            self._users[new] = {}
            events += self._begin(new, origin, heirs, now)
        for name, endpoint in plan.items():
            if endpoint is not None:
                self._users[endpoint][name] = None
        for old in left:
            if old in self._users and not self._users[old]:
                del self._users[old]
                events += self.health.remove(old, now)
        return events

    def _move(
        self, plan: Mapping[str, Endpoint | None]
    ) -> tuple[list[Endpoint], dict[Endpoint, Endpoint | None]]:
        """Tell who was left, and who is new: each with one it may take over from."""
        left: list[Endpoint] = []
        origins: dict[Endpoint, Endpoint | None] = {}
        for name, endpoint in plan.items():
            old = self._endpoints.pop(name, None)
            if old is not None:
                del self._users[old][name]
                left.append(old)
            if endpoint is None:
                continue
            self._endpoints[name] = endpoint
            if endpoint in self._users:
                self._users[endpoint][name] = None
            elif old is not None and old.url == endpoint.url:
                origins[endpoint] = origins.get(endpoint) or old
            else:
                origins.setdefault(endpoint, None)
        return left, origins

    def _begin(
        self,
        endpoint: Endpoint,
        origin: Endpoint | None,
        heirs: dict[Endpoint, Endpoint],
        now: int,
    ) -> list[Event]:
        """Watch an endpoint: as a new one, or in the place of one at the same address."""
        check, passive = endpoint.check, endpoint.passive
        if origin is None:
            return self.health.add(endpoint, check, passive, now)
        if origin in heirs or self._users[origin]:
            like = heirs.get(origin, origin)
            return self.health.add(endpoint, check, passive, now, like=like)
        # Nobody asks the old question any more: its record goes on with the new one.
        del self._users[origin]
        heirs[origin] = endpoint
        self.health.rename(origin, endpoint)
        return self.health.reconfigure(endpoint, check, passive, now)
