"""The live parent: updates of sources in, documents out. No I/O and no clock.

Rules of this file:

1. Time is an argument, in nanoseconds of a monotonic clock.
2. The parent is amended, never rebuilt, so health and schedules are kept.
3. What a child says changes only what that child offers. A snapshot with errors
   changes nothing but the state of its source.
4. A change costs what it changes. Rendering is put off, and may be done in steps.
5. Whatever is published was complete at one moment, and is not published before the
   sources have answered: a proxy would take services away that are only not known yet.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from attrs import frozen

from uplinks.adapters.sources import Failure, Snapshot
from uplinks.diagnostics import Diagnostic, Report
from uplinks.errors import UnknownChild, UplinksError
from uplinks.health import Event, HealthPolicy, Transition
from uplinks.model import Cluster, Fleet, ParentConfig, Services
from uplinks.naming import nearest
from uplinks.parent import Endpoint, Parent
from uplinks.render import TraefikOptions, uplink_references
from uplinks.serve.claims import Amendment, Claims
from uplinks.serve.document import Body, Document, EndpointsDocument, TraefikDocument
from uplinks.serve.history import History
from uplinks.serve.reading import PARENT, Reading, SourceState, read
from uplinks.services import materialize

__all__ = ["Live", "LiveOptions"]

_SECOND: Final = 1_000_000_000


@frozen
class LiveOptions:
    """How a live parent decides. Times are nanoseconds.

    - ``grace``: how long a child that suddenly offers nothing keeps what it offered.
    - ``patience``: how long the first documents wait for sources that do not answer,
      and then for first probes.
    - ``endpoints``: whether Envoy's endpoints are rendered, too.
    """

    grace: int = 60 * _SECOND
    patience: int = 10 * _SECOND
    endpoints: bool = False
    traefik: TraefikOptions = TraefikOptions(provider="http")


_DEFAULTS = LiveOptions()


class Live:
    """A parent that follows its sources, and the documents made of it.

    ``cluster`` are the parent's own manifests, which list the children.

    Pass each update of a source to `receive`, each event of the parent to
    `on_event`; call `expire` when `next_wakeup` says, and `render` after each
    change.

    Law: once all is rendered, `traefik` reads as `to_traefik` of what is served; it
    depends on the last good snapshot of each source and on health, not on any order.

    >>> import json
    >>> from uplinks.model import Child, ChildConfig, Uplink, UplinkEntryPoint
    >>> config = ParentConfig({"eu": Child("https://192.0.2.1:9443")})
    >>> live = Live(Cluster("parent", parent_config=config), now=0)
    >>> entry = ChildConfig({"up": UplinkEntryPoint(":9443", as_default=True)}, multicluster=True)
    >>> live.receive("eu", Snapshot(Cluster("eu", [Uplink("api", "apps")], child_config=entry)), 1)
    >>> live.render()
    True
    >>> sorted(json.loads(bytes(live.traefik))["http"]["services"])
    ['apps-api', 'apps-api-eu']
    """

    def __init__(
        self,
        cluster: Cluster,
        now: int,
        options: LiveOptions = _DEFAULTS,
        *,
        policy: HealthPolicy | None = None,
        start: int = 0,
    ) -> None:
        config = cluster.parent_config or ParentConfig()
        self.options: Final = options
        self.parent: Final = Parent(config, policy=policy, start=start)
        self.cluster = cluster
        """The parent's own manifests, as they are served."""
        self.sources: dict[str, SourceState] = {child: SourceState() for child in config.children}
        self.own: Final = SourceState(has_answered=True, read_at=now)
        """The state of the parent's own source."""
        self.claims: Final = Claims(config.children)
        self.history: Final = History()
        self.ready = False
        """Whether the documents may be published."""
        self.traefik: Body | None = None
        self.version = 0
        """How often anything that `state` shows has changed."""
        self._readings: dict[str, Reading] = {}
        self._emptied: dict[str, int] = {}  # children that offer nothing, since when
        self._started = now
        self._heard_at: int | None = None  # when every source had answered or timed out
        self._now = now
        self._dirty: dict[str, set[str] | None] = {}  # services to render, or all of an uplink
        self._traefik: Final = TraefikDocument(options.traefik)
        self._documents: Final[list[Document]] = [self._traefik]
        self.endpoints: Final = EndpointsDocument() if options.endpoints else None
        """Envoy's EDS files, if they are wanted. Write none before the parent is `ready`."""
        if self.endpoints is not None:
            self._documents.append(self.endpoints)
        self._referred = uplink_references(cluster)
        self._own_is_stale = True

    # Sources

    def receive(self, child: str, update: Snapshot | Failure | Reading, now: int) -> None:
        """Take what a child's source says.

        Complexity: O(what the child offers) to find what has changed, then O(that);
        a `Snapshot` is read first, which costs O(n log n).
        Raises: UnknownChild for a child that is not listed.
        """
        if child not in self.sources:
            raise UnknownChild(child, nearest(child, self.sources))
        reading = read(update)
        self.expire(now)
        state = self.sources[child]
        if isinstance(reading, Reading):
            self._readings[child] = reading
        if isinstance(reading, Failure):
            state.fail(reading.reason, now)
        elif not reading.report.ok:
            state.fail(_summary(reading.report.errors), now)
        elif not reading.offer and self.claims.offers.get(child):
            state.succeed(now)
            self._set_emptied(child, self._emptied.get(child, now))
        else:
            state.succeed(now)
            self._set_emptied(child, None)
            self._offer(child, reading, now)
        self.expire(now)

    def receive_parent(self, update: Snapshot | Failure | Reading, now: int) -> None:
        """Take what the parent's own source says: its children, routers and services.

        Manifests with errors, or without a list of children, change nothing.
        Complexity: O(children), O(all offers) when the list of children changes.
        """
        reading = read(update, "parent")
        self.expire(now)
        if isinstance(reading, Failure):
            self.own.fail(reading.reason, now)
            return
        self._readings[PARENT] = reading
        config = reading.cluster.parent_config
        if not reading.report.ok or config is None:
            problem = _summary(reading.report.errors) or "the manifests list no children"
            self.own.fail(problem, now)
            return
        try:
            materialize(config, {})  # refuses bad addresses
        except UplinksError as problem:
            self.own.fail(str(problem), now)
            return
        self.own.succeed(now)
        self._relist(config, now)
        self.cluster = reading.cluster
        self._referred = uplink_references(reading.cluster)
        self._own_is_stale = True

    def _offer(self, child: str, reading: Reading, now: int) -> None:
        """Serve what a child offers now; if it cannot be served, serve what it offered."""
        old = self.claims.offers.get(child, {}).copy()
        amendments = self.claims.replace(child, {ad.uplink_name: ad for ad in reading.offer})
        try:
            self._amend(amendments, now)
        except (UplinksError, ValueError) as problem:
            self._amend(self.claims.replace(child, old), now)
            self.sources[child].fail(str(problem), now)

    def _amend(self, amendments: Iterable[Amendment], now: int) -> None:
        for each in amendments:
            self.parent.amend(each.child, each.changed, gone=each.gone, now=now)
            touched = (*(ad.uplink_name for ad in each.changed), *each.gone)
            self._dirty.update(dict.fromkeys(touched))

    def _relist(self, config: ParentConfig, now: int) -> None:
        old = self.parent.config.children
        moved = [child for child in old if config.children.get(child) != old[child]]
        for child in moved:
            self._dirty.update(dict.fromkeys(self.claims.offers.get(child, ())))
        if tuple(old) == tuple(config.children):
            self.parent.reload(config, now)
            return
        less: list[Amendment] = []
        more: list[Amendment] = []
        for each in self.claims.relist(config.children):
            (more if each.changed else less).append(each)
        self._amend(less, now)
        self.parent.reload(config, now)
        self._amend(more, now)
        self.sources = {c: self.sources.get(c) or SourceState() for c in config.children}
        for child in moved:
            if child not in config.children:
                self._readings.pop(child, None)
                self._emptied.pop(child, None)

    def _set_emptied(self, child: str, at: int | None) -> None:
        self.sources[child].emptied_at = at
        self._emptied.pop(child, None)
        if at is not None:
            self._emptied[child] = at

    # Time and health

    def expire(self, now: int) -> None:
        """Let happen what is over at ``now``: grace and patience."""
        self._now = now = max(now, self._now)
        self.version += 1
        for child in [c for c, at in self._emptied.items() if now >= at + self.options.grace]:
            self._set_emptied(child, None)
            self._amend(self.claims.replace(child, {}), now)
        if not self.ready:
            self._update_readiness(now)

    def _update_readiness(self, now: int) -> None:
        patience = self.options.patience
        if self._heard_at is None and (
            all(state.has_answered for state in self.sources.values())
            or now >= self._started + patience
        ):
            self._heard_at = now
        self.ready = self._heard_at is not None and (
            self.parent.unknown == 0 or now >= self._heard_at + patience
        )

    def next_wakeup(self) -> int | None:
        """Return when (ns) to call `expire` again; ``None``: not before something changes."""
        times = [at + self.options.grace for at in self._emptied.values()]
        if not self.ready:
            since = self._started if self._heard_at is None else self._heard_at
            times.append(since + self.options.patience)
        return min(times, default=None)

    def on_event(self, event: Event) -> None:
        """Take an event of the parent. Complexity: O(services at the endpoint)."""
        self.version += 1
        if isinstance(event, Transition) and isinstance(event.target, Endpoint):
            names = self.parent.services_at(event.target)
            uplinks = set()
            for name in names:
                uplink = self.parent.uplink_of(name)
                if uplink is None:
                    continue
                uplinks.add(uplink)
                known = self._dirty.setdefault(uplink, set())
                if known is not None:
                    known.add(name)
            self.history.add(event, uplinks)

    def fleet(self) -> Fleet:
        """Return all clusters as their sources said last, also those with errors."""
        own = self._readings.get(PARENT)
        children = {c: r.cluster for c, r in self._readings.items() if c != PARENT}
        return Fleet(self.cluster if own is None else own.cluster, children)

    def reports(self) -> list[Report]:
        """Return what each source's last snapshot was reported for, on its own."""
        return [reading.report for _, reading in sorted(self._readings.items())]

    # Documents

    def render(self, most: int | None = None) -> bool:
        """Render what has changed, at most so many uplinks; publish when all is rendered.

        Returns whether all is rendered.
        Complexity: O(what has changed), and O(uplinks) to publish a change.
        """
        if not self.ready:
            self._update_readiness(self._now)
        left = len(self._dirty) if most is None else most
        changed = bool(self._dirty) or self._own_is_stale
        while self._dirty and left > 0:
            left -= 1
            uplink, names = self._dirty.popitem()
            services = self.parent.services_of(uplink)
            down = {each.name for each in services.direct if not self.parent.is_up(each.name)}
            only = None if names is None else names | {each.name for each in services.weighted}
            for document in self._documents:
                document.update(uplink, services, down, only)
            if self.endpoints is not None and not self._referred.isdisjoint(services):
                self._own_is_stale = True  # a composed cluster has endpoints of its own
        if self._dirty:
            return False
        if self._own_is_stale or self._traefik.own_is_stale:
            self._render_own()
        if self.ready and (changed or self.traefik is None):
            self.traefik = self._traefik.body()
        return True

    def _render_own(self) -> None:
        """Render the parent's own routers and services over those that they refer to."""
        found = map(self.parent.uplink_of, self._referred)
        parts = [self.parent.services_of(each) for each in {*found} if each is not None]
        services = Services({name: part[name] for part in parts for name in part})
        down = {each.name for each in services.direct if not self.parent.is_up(each.name)}
        for document in self._documents:
            document.update_own(self.cluster, services, down)
        self._own_is_stale = False


def _summary(errors: tuple[Diagnostic, ...]) -> str:
    """Say in one line what is wrong: the first error, and how many others there are."""
    if not errors:
        return ""
    others = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return f"{errors[0]}{others}"
