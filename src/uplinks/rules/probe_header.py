"""Rules about the headers that a probe sends (UPL211, UPL212, UPL214).

No message shows a header's value or an invalid name: either may be a credential.

Source: reference page, "Health Check Fields"; RFC 9110.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from attrs import evolve

from uplinks import addresses, grammar
from uplinks.diagnostics import Diagnostic, Related, Severity
from uplinks.model import Cluster, Fleet, HealthCheck, Uplink
from uplinks.rules._rule import rule, shown

__all__ = ["header_of_the_probe", "invalid_header", "plain_credential"]

# The words, alone or in a pair, by which a header's name is that of a credential.
_CREDENTIALS: Final = re.compile(
    r"(?:^|[-_])(?:authorization|auth|cookie|credentials?|password|secret|token|apikey|"
    r"(?:api|access|private)[-_]key)(?:$|[-_])",
    re.IGNORECASE,
)


def _checked(cluster: Cluster) -> Iterator[tuple[Uplink, HealthCheck]]:
    for uplink in cluster.uplinks:
        if uplink.health_check is not None:
            yield uplink, uplink.health_check


@rule(
    "UPL211",
    name="header-of-the-probe",
    severity=Severity.ERROR,
    scope="manifests",
    reads=("uplinks",),
)
def header_of_the_probe(cluster: Cluster) -> Iterator[Diagnostic]:
    """Refuse a header that the probe itself writes.

    ## What it checks

    `headers` of `spec.healthCheck` has none of `Connection`, `Content-Length`,
    `Expect`, `Host`, `Keep-Alive`, `Proxy-Connection`, `TE`, `Trailer`,
    `Transfer-Encoding` and `Upgrade`, in any case.

    ## Why

    They frame the request or belong to one connection. Some are silently left
    out, others make the request another one. For `Host` there is `hostname`.

    ## Bad

    ```yaml
    spec:
      healthCheck:
        headers:
          Host: api.example.com
    ```

    ## Good

    ```yaml
    spec:
      healthCheck:
        hostname: api.example.com
    ```

    ## Source

    Uplink reference, "Health Check Fields"; RFC 9110, sections 7.2 and 7.6.1.
    """
    for uplink, check in _checked(cluster):
        for header in check.headers:
            if grammar.is_owned_header(header.name):
                yield header_of_the_probe.at(
                    uplink.origin.locate("spec", "healthCheck", "headers", header.name, key=True),
                    f"header {header.name} of uplink {uplink.owner} is written by the probe "
                    "itself; remove it",
                    suggestion="hostname" if header.name.lower() == "host" else None,
                )


@rule(
    "UPL212",
    name="probe-header",
    severity=Severity.ERROR,
    scope="manifests",
    reads=("uplinks",),
)
def invalid_header(cluster: Cluster) -> Iterator[Diagnostic]:
    """Require a valid name and value of each header of a health check.

    ## What it checks

    The names in `headers` of `spec.healthCheck` are tokens: letters, digits and
    ``!#$%&'*+-.^_`|~``. The values have no control characters but tabs: no line
    break, so none at the end either, and no NUL.

    ## Why

    A line break ends the header, and what follows is another one, or another
    request. No proxy sends it, and the child counts as down. Neither the value
    nor an invalid name is shown: either may be a credential.

    ## Bad

    ```yaml
    spec:
      healthCheck:
        headers:
          Authorization: |
            Bearer abc
    ```

    ## Good

    ```yaml
    spec:
      healthCheck:
        headers:
          Authorization: Bearer abc
    ```

    ## Source

    Uplink reference, "Health Check Fields"; RFC 9110, sections 5.1 and 5.5.
    """
    for uplink, check in _checked(cluster):
        path = ("spec", "healthCheck", "headers")
        for position, header in enumerate(check.headers, start=1):
            if not grammar.is_token(header.name):
                where = uplink.origin.locate(*path, header.name, key=True)
                yield invalid_header.at(
                    evolve(where, path=uplink.origin.locate(*path).path),
                    f"the name of header {position} of uplink {uplink.owner} must consist of "
                    "letters, digits and !#$%&'*+-.^_`|~",
                )
            elif not grammar.is_header_value(header.value):
                yield invalid_header.at(
                    uplink.origin.locate(*path, header.name, key=True),
                    f"the value of header {shown(header.name)} of uplink {uplink.owner} must not "
                    "contain a line break or another control character",
                )


@rule(
    "UPL214",
    name="plain-credential",
    severity=Severity.WARNING,
    scope="any",
    reads=("children", "children.uplinks", "parent.parent_config", "parent.uplinks"),
)
def plain_credential(subject: Cluster | Fleet) -> Iterator[Diagnostic]:
    """Warn of a credential that is sent over plain http.

    ## What it checks

    `headers` of `spec.healthCheck` has no header that looks like a credential
    (`Authorization`, `Cookie`, `X-Api-Key`, any name with `token`, `secret`,
    `password` and the like in it) when `scheme` is `http`, or when there is no
    `scheme` and the parent reaches the child at `http://`. Only a fleet shows
    the address.

    ## Why

    Anyone who can read the network traffic reads it, at every probe.

    ## Bad

    ```yaml
    spec:
      healthCheck:
        path: /health
        scheme: http
        headers:
          Authorization: Bearer abc
    ```

    ## Good

    ```yaml
    spec:
      healthCheck:
        path: /health
        scheme: https
        headers:
          Authorization: Bearer abc
    ```

    ## Source

    Uplink reference, "Health Check Fields"; RFC 6750, section 5.3.
    """
    if not isinstance(subject, Fleet):
        yield from _plain_credentials(subject, None)
        return
    yield from _plain_credentials(subject.parent, None)
    config = subject.parent.parent_config
    for name in sorted(subject.children):
        child = None if config is None else config.children.get(name)
        plain = config is not None and child is not None and addresses.is_plain(child.address)
        path = ("hub", "providers", "multicluster", "children", name, "address")
        where = config.origin.locate(*path) if plain and config is not None else None
        related = None if where is None else Related(where, "the child's address is plain http")
        yield from _plain_credentials(subject.children[name], related)


def _plain_credentials(cluster: Cluster, address: Related | None) -> Iterator[Diagnostic]:
    for uplink, check in _checked(cluster):
        locate = uplink.origin.locate
        if check.scheme == "http":
            why = Related(locate("spec", "healthCheck", "scheme"), "the scheme is plain http")
        elif check.scheme is None and address is not None:
            why = address
        else:
            continue
        for header in check.headers:
            name = header.name
            if grammar.is_token(name) and _CREDENTIALS.search(name) and check.mode != "grpc":
                yield plain_credential.at(
                    locate("spec", "healthCheck", "headers", name, key=True),
                    f"header {shown(name)} of uplink {uplink.owner} looks like a credential and "
                    "is sent over plain http; use https",
                    [why],
                )
