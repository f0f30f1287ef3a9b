"""Which child services are watched together, and whether they are up.

Services with one address, one transport and the same checks share one `Endpoint`:
it is probed once, and the result holds for all of them. A service without any
check is not watched, and up. An endpoint that replaces another at the same
address takes over its state.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import frozen

from uplinks.addresses import server
from uplinks.health import Bounded, Event, Health, HealthPolicy, State, check_times
from uplinks.model import ChildService, HealthCheck, PassiveHealthCheck, ServersTransport
from uplinks.parent._offers import Change

__all__ = ["Endpoint", "Watch"]


@frozen(cache_hash=True)
class Endpoint:
    """What is watched: an address, and the checks that decide whether it is up.

    Raises: ValueError for a check whose times, or whose number of attempts, are
    not above 0.

    >>> Endpoint("https://eu.example.com:9443", HealthCheck(path="/health")).url
    'https://eu.example.com:9443'
    """

    url: str
    check: HealthCheck | None = None
    passive: PassiveHealthCheck | None = None
    servers_transport: ServersTransport | None = None

    def __attrs_post_init__(self) -> None:
        check_times(self.check, self.passive)

    @classmethod
    def of(cls, service: ChildService, policy: HealthPolicy | None = None) -> Endpoint:
        """Return the endpoint of a child service, with its check in the bounds of a policy.

        Raises: as the constructor.

        >>> Endpoint.of(ChildService("api-eu@multicluster", "api", "eu", "https://eu")).url
        'https://eu'
        """
        check = service.health_check
        check_times(check, None)  # before a bound hides what is wrong
        return cls(
            server(service.url),
            check if check is None or policy is None else policy.bounded(check),
            service.passive_health_check,
            service.servers_transport,
        )


class Watch:
    """The endpoints of all child services over one health machine.

    Complexity: a look-up is O(1), a change O(services changed · log n).
    """

    def __init__(self, policy: HealthPolicy, salt: int) -> None:
        self.health = Health(policy, salt=salt)
        self._policy = policy
        self._endpoints: dict[str, Endpoint] = {}
        self._users: dict[Endpoint, dict[str, None]] = {}

    def services(self, endpoint: Endpoint) -> tuple[str, ...]:
        """Return the names of the services at an endpoint, in the order they were added."""
        return tuple(self._users.get(endpoint, ()))

    def endpoint(self, name: str) -> Endpoint | None:
        """Return the endpoint of a service; ``None`` for one that is not watched."""
        return self._endpoints.get(name)

    def is_up(self, name: str) -> bool:
        """Return whether a service is up by its checks."""
        endpoint = self._endpoints.get(name)
        return endpoint is None or self.health.is_up(endpoint)

    def ejected_at(self, name: str) -> int | None:
        """Return when (ns) requests took a service down; ``None`` if they did not."""
        endpoint = self._endpoints.get(name)
        return None if endpoint is None else self.health.ejected_at(endpoint)

    def describe(self, name: str) -> dict[str, Any] | None:
        """Describe the state of a service's checks; ``None`` for one that is not watched."""
        endpoint = self._endpoints.get(name)
        return None if endpoint is None else self.health.describe(endpoint)

    def unknown(self) -> int:
        """Count the endpoints that their active check has not judged yet."""
        state = self.health.state
        return sum(e.check is not None and state(e) is State.UNKNOWN for e in self._users)

    def plan(self, change: Change) -> dict[str, Endpoint | None]:
        """Return the services that get another endpoint, with it. Raises: ValueError."""
        plan: dict[str, Endpoint | None] = {}
        for old, new in change.pairs():
            if new is not None:
                service = new.service
                checked = service.health_check or service.passive_health_check
                plan[service.name] = Endpoint.of(service, self._policy) if checked else None
            elif old is not None:
                plan.setdefault(old.service.name, None)
        endpoints = self._endpoints
        return {
            name: endpoint for name, endpoint in plan.items() if endpoint != endpoints.get(name)
        }

    def apply(self, plan: Mapping[str, Endpoint | None], now: int) -> list[Event]:
        """Move services to other endpoints, which take over the state at their address."""
        origins: dict[Endpoint, Endpoint | None] = {}  # of new endpoints: one to take over from
        left: list[Endpoint] = []
        for name, endpoint in plan.items():
            old = self._endpoints.pop(name, None)
            if old is not None:
                del self._users[old][name]
                left.append(old)
            if endpoint is None:
                continue
            self._endpoints[name] = endpoint
            if endpoint not in self._users:
                self._users[endpoint] = {}
                origins[endpoint] = None
            self._users[endpoint][name] = None
            if endpoint in origins and old is not None and old.url == endpoint.url:
                origins[endpoint] = origins[endpoint] or old
        return [*self._start(origins, now), *self._stop(left, now)]

    def bounded(self, change: Change, plan: Mapping[str, Endpoint | None], now: int) -> list[Event]:
        """Return an event for each new endpoint whose check has other times than were asked for."""
        asked: dict[Endpoint, HealthCheck] = {}
        for offer in change.after.values():
            endpoint, check = plan.get(offer.service.name), offer.service.health_check
            if endpoint is not None and check is not None and endpoint.check != check:
                asked.setdefault(endpoint, check)
        return [
            Bounded(endpoint, check, endpoint.check, now)
            for endpoint, check in asked.items()
            if endpoint.check is not None
        ]

    def _start(self, origins: Mapping[Endpoint, Endpoint | None], now: int) -> list[Event]:
        events: list[Event] = []
        heirs: dict[Endpoint, Endpoint] = {}
        for endpoint, origin in origins.items():
            check, passive = endpoint.check, endpoint.passive
            if origin is None:
                events += self.health.add(endpoint, check, passive, now)
            elif origin in heirs or self._users[origin]:
                like = heirs.get(origin, origin)
                events += self.health.add(endpoint, check, passive, now, like=like)
            else:
                # No service uses the old one any more: its whole record goes on.
                heirs[origin] = endpoint
                del self._users[origin]
                self.health.rename(origin, endpoint)
                events += self.health.reconfigure(endpoint, check, passive, now)
        return events

    def _stop(self, left: Iterable[Endpoint], now: int) -> list[Event]:
        events: list[Event] = []
        for endpoint in left:
            if not self._users.get(endpoint, True):
                del self._users[endpoint]
                events += self.health.remove(endpoint, now)
        return events
