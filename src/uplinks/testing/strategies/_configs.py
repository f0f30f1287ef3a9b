"""How parents and children are configured."""

from __future__ import annotations

from functools import cache

import attrs
from hypothesis import strategies as st

from uplinks.model import (
    Child,
    ChildConfig,
    ClientCertificate,
    ForwardingTimeouts,
    ParentConfig,
    ServersTransport,
    Spiffe,
    StaticConfig,
    UplinkEntryPoint,
)
from uplinks.testing.strategies._objects import (
    addresses,
    child_names,
    durations,
    entry_point_names,
    labels,
    ports,
)

__all__ = ["child_configs", "entry_points", "parent_configs", "static_configs", "transports"]


@cache
def entry_points() -> st.SearchStrategy[UplinkEntryPoint]:
    """Entry points of a child."""
    return st.builds(
        UplinkEntryPoint,
        address=ports.map(":{}".format),
        as_default=st.booleans(),
        rest=st.sampled_from([{}, {"http": {"tls": {}}}]),
    )


@cache
def transports() -> st.SearchStrategy[ServersTransport]:
    """How a parent connects to a child, every field set or not."""
    files = labels.map("/tls/{}.pem".format)
    return st.builds(
        ServersTransport,
        server_name=st.none() | labels.map("{}.example.com".format),
        insecure_skip_verify=st.booleans(),
        root_cas=st.lists(files, max_size=2),
        certificates=st.lists(st.builds(ClientCertificate, files, files), max_size=1),
        min_version=st.none() | st.just("VersionTLS12"),
        max_version=st.none() | st.just("VersionTLS13"),
        max_idle_conns_per_host=st.integers(1, 500),
        disable_http2=st.booleans(),
        spiffe=st.none() | st.builds(Spiffe, trust_domain=labels),
        forwarding_timeouts=st.builds(ForwardingTimeouts, dial_timeout=durations),
    )


@cache
@st.composite
def child_configs(draw: st.DrawFn) -> ChildConfig:
    """Children that expose the API their parent polls, with a default entry point."""
    points = draw(st.dictionaries(entry_point_names, entry_points(), max_size=2))
    default = attrs.evolve(draw(entry_points()), as_default=True)
    return ChildConfig({**points, "multicluster": default}, multicluster=True)


@cache
def _listed(least: int, most: int) -> st.SearchStrategy[dict[str, Child]]:
    """Children as a parent lists them, each with an address of its own."""
    rest = st.sampled_from([{}, {"x": 1}])
    child = st.builds(Child, addresses, st.none() | transports(), rest=rest)
    return st.lists(
        st.tuples(child_names, child),
        min_size=least,
        max_size=most,
        unique_by=(lambda pair: pair[0], lambda pair: pair[1].address),
    ).map(dict)


@cache
def parent_configs(least: int = 0, most: int = 3) -> st.SearchStrategy[ParentConfig]:
    """Parents over so many children with drawn names, each child with an address of its own."""
    polls = st.sampled_from(["5s", "10s", "1500ms"])
    rest = st.sampled_from([{}, {"brandNew": 1}])
    listed = _listed(least, most)
    return st.builds(ParentConfig, listed, poll_interval=polls, poll_timeout=polls, rest=rest)


@cache
def static_configs() -> st.SearchStrategy[StaticConfig]:
    """Static configurations of a child, of a parent, and of one that is both."""
    child, parent = child_configs(), parent_configs()
    return (
        st.builds(StaticConfig, child=child)
        | st.builds(StaticConfig, parent=parent)
        | st.builds(StaticConfig, child=child, parent=parent)
    )
