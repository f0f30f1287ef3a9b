"""Rules about the headers that a probe sends (UPL211, UPL212, UPL214).

No message shows the value of a header or an invalid name, because either can be a
credential.

Source: reference page, "Health Check Fields"; RFC 9110.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from attrs import evolve

from uplinks import addresses, grammar
from uplinks.diagnostics import Diagnostic, Related, Severity
from uplinks.errors import quote
from uplinks.model import Cluster, Fleet
from uplinks.rules._rule import rule
from uplinks.rules.health_check import checked_uplinks

__all__ = ["header_of_the_probe", "invalid_header", "plain_credential"]

# Words, and pairs of words, by which a header's name suggests a credential.
_CREDENTIALS: Final = re.compile(
    r"(?:^|[-_])(?:authorization|auth|cookie|credentials?|password|secret|token|apikey|"
    r"(?:api|access|private)[-_]key)(?:$|[-_])",
    re.IGNORECASE,
)


@rule(
    "UPL211",
    name="header-of-the-probe",
    severity=Severity.ERROR,
    scope="manifests",
    reads=("uplinks",),
)
def header_of_the_probe(cluster: Cluster) -> Iterator[Diagnostic]:
    """Refuse a header that the probe sets itself.

    ## What it checks

    `headers` of `spec.healthCheck` contains none of `Connection`, `Content-Length`,
    `Expect`, `Host`, `Keep-Alive`, `Proxy-Connection`, `TE`, `Trailer`,
    `Transfer-Encoding` and `Upgrade`, in upper or lower case.

    ## Why

    These headers frame the request or belong to one connection. A client drops some
    of them silently; others change the meaning of the request. Use `hostname` instead
    of `Host`.

    ## Bad

    ```yaml
    spec:
      healthCheck:
        path: /health
        headers:
          Host: example.com # UPL211
          content-length: "0" # UPL211
          Transfer-Encoding: chunked # UPL211
          CONNECTION: close # UPL211
    ```

    ## Good

    ```yaml
    spec:
      healthCheck:
        path: /health
        hostname: example.com
        headers:
          User-Agent: probe
          Authorization: Bearer token123
    ```

    ## Source

    Uplink reference, "Health Check Fields"; RFC 9110, sections 7.2 and 7.6.1.
    """
    for uplink, check in checked_uplinks(cluster):
        for header in check.headers:
            if grammar.is_owned_header(header.name):
                yield header_of_the_probe.at(
                    uplink.origin.locate("spec", "healthCheck", "headers", header.name, key=True),
                    f"healthCheck.headers of uplink {uplink.owner} must not contain {header.name}, "
                    "which the probe sets itself; remove it",
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
    r"""Require valid names and values of health-check headers.

    ## What it checks

    The names in `headers` of `spec.healthCheck` are HTTP tokens: letters, digits and
    ``!#$%&'*+-.^_`|~``. The values contain no control character except tabs: no line
    break, not even at the end, and no NUL.

    ## Why

    A line break ends the header, and the text after it becomes another header or
    another request. Proxies reject it, so the child counts as down. The message shows
    neither the value nor an invalid name, because either can be a credential.

    ## Bad

    ```yaml
    spec:
      healthCheck:
        path: /health
        headers:
          X Y: a # UPL212
          "": b # UPL212
          "A\r\nB": c # UPL212
          Authorization: "Bearer\r\nX: y" # UPL212
          X-Nul: "a\0b" # UPL212
    ---
    spec:
      healthCheck:
        path: /health
        headers:
          X-Token: | # UPL212
            token123
    ```

    ## Good

    ```yaml
    spec:
      healthCheck:
        path: /health
        headers:
          X-Empty: ""
          X-Tab: "a\tb"
          X-Name: Zoë
    ```

    ## Source

    Uplink reference, "Health Check Fields"; RFC 9110, sections 5.1 and 5.5.
    """
    for uplink, check in checked_uplinks(cluster):
        path = ("spec", "healthCheck", "headers")
        for position, header in enumerate(check.headers, start=1):
            if not grammar.is_token(header.name):
                where = uplink.origin.locate(*path, header.name, key=True)
                yield invalid_header.at(
                    evolve(where, path=uplink.origin.locate(*path).path),
                    f"name of header {position} in healthCheck.headers of uplink {uplink.owner} is "
                    "invalid; use only letters, digits and !#$%&'*+-.^_`|~",
                )
            elif not grammar.is_header_value(header.value):
                yield invalid_header.at(
                    uplink.origin.locate(*path, header.name, key=True),
                    f"value of header {quote(header.name)} in healthCheck.headers of uplink "
                    f"{uplink.owner} contains a line break or another control character; remove it",
                )


@rule(
    "UPL214",
    name="plain-credential",
    severity=Severity.WARNING,
    scope="any",
    reads=("children", "children.uplinks", "parent.parent_config", "parent.uplinks"),
)
def plain_credential(subject: Cluster | Fleet) -> Iterator[Diagnostic]:
    """Warn about a credential sent over plain HTTP.

    ## What it checks

    If probes use plain HTTP, `headers` of `spec.healthCheck` contains no credential.
    Probes use plain HTTP if `scheme` is `http`, or if `scheme` is unset and the
    child's address starts with `http://`, which only the check of a fleet can tell. A
    header counts as a credential by its name: `Authorization`, `Cookie`, `X-Api-Key`,
    and names with words such as `token`, `secret` and `password`.

    ## Why

    Anyone on the network path can read the credential at every probe.

    ## Bad

    ```yaml
    # parent
    hub:
      providers:
        multicluster:
          children:
            child-1: {address: https://child-1.example.com:9443}
            child-2: {address: http://child2.example.com:9443} # UPL414
    ---
    # child-1
    spec:
      healthCheck:
        path: /health
        scheme: http
        headers:
          X-Health-Check: "true"
          Authorization: Bearer abc # UPL214
          X-Api-Key: abc # UPL214
    ---
    # child-2
    spec:
      healthCheck:
        path: /health
        headers:
          X-Health-Check: "true"
          X-Auth-Token: abc # UPL214
    ```

    ## Good

    ```yaml
    # child-1
    spec:
      healthCheck:
        path: /health
        scheme: https
        headers:
          X-Health-Check: "true"
          Authorization: Bearer abc
    ---
    # child-2
    spec:
      healthCheck:
        path: /health
        headers:
          X-Health-Check: "true"
          X-Auth-Token: abc
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
        related = None if where is None else Related(where, "the child's address, with plain http")
        yield from _plain_credentials(subject.children[name], related)


def _plain_credentials(cluster: Cluster, address: Related | None) -> Iterator[Diagnostic]:
    for uplink, check in checked_uplinks(cluster):
        locate = uplink.origin.locate
        if check.scheme == "http":
            why = Related(locate("spec", "healthCheck", "scheme"), "the scheme, plain http")
        elif check.scheme is None and address is not None:
            why = address
        else:
            continue
        for header in check.headers:
            name = header.name
            if grammar.is_token(name) and _CREDENTIALS.search(name) and check.mode != "grpc":
                yield plain_credential.at(
                    locate("spec", "healthCheck", "headers", name, key=True),
                    f"header {quote(name)} of uplink {uplink.owner} looks like a credential, and "
                    "probes send it over plain http; use https",
                    [why],
                )
