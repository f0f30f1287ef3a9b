"""What an excerpt shows of a line, and what it hides."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uplinks import check_manifests
from uplinks.cli.masking import hidden

SECRET = "s3cr3t"  # noqa: S105 - it is none


def shown(line: str, path: str = "$", own: str = "") -> str:
    """Show a line of which `own` is what a diagnostic at `path` is about."""
    start = line.index(own) if own else len(line)
    for begin, end in reversed(hidden(line, start, start + len(own), path)):
        line = f"{line[:begin]}***{line[end:]}"
    return line


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        # A line that the parser could not read keeps its structure and its fields.
        ("\tweight: 5", "\tweight: 5"),
        ("  weight:5", "  weight:5"),
        ('  exposeName: "api', '  exposeName: "***'),
        ("  entryPoints: [a, b}", "  entryPoints: [***, ***}"),
        ("   interval: 1m30s: x", "   interval: ***: ***"),
        ("  interval: 1m30s", "  interval: 1m30s"),
        ("  - name: api", "  - name: ***"),
        ("spec:", "spec:"),
        ("  wieght: 5", "  wieght: ***"),
        ("  Authorization: >-", "  ***: >-"),
        ("   Bearer s3cr3t", "   ***"),
        ("-----BEGIN PRIVATE KEY-----", "***"),
        ("s3cr3t: weight", "***: ***"),
        ("s3cr3t weight: 5", "*** weight: 5"),
        ("weight: s3cr3t", "weight: ***"),
        ("weight: 12345678901", "weight: ***"),
        ("port: 5s3cr3t", "port: ***"),
        ("{path: s3cr3t, a: 's3cr3t' }", "{path: ***, ***: '***' }"),
        ("a: *s3cr3t", "***: ***"),
        ("weight: 5 # s3cr3t weight: 7", "weight: 5 # ***"),
        ("weight: 5 # uplinks: ignore[UPL104] s3cr3t", "weight: 5 # uplinks: ignore[UPL104] ***"),
    ],
)
def test_punctuation_and_known_fields_are_shown(line: str, expected: str) -> None:
    assert shown(line) == expected


@pytest.mark.parametrize(
    ("line", "path", "own"),
    [
        ("  weight: ten", "$.spec.weight", "ten"),
        ("  'weight' : \"ten\"", "$.spec.weight", '"ten"'),
        ("  sticky: {}", "$.spec.sticky", "sticky"),
        ("  method: 'GET /'", "$.spec.healthCheck.method", "method"),
        ("    - multiclsuter", "$.spec.entryPoints[0]", "multiclsuter"),
        (
            "      address: https://eu:9",
            "$.hub.providers.multicluster.children.eu.address",
            "address",
        ),
        ("  match: Host(`a`) && Path(`/b`)", "$.spec.routes[0].match", "Host(`a`) && Path(`/b`)"),
        (
            "    hub.traefik.io/router.uplinks: a, b",
            '$.metadata.annotations["hub.traefik.io/router.uplinks"]',
            "a, b",
        ),
        ("  - name: a@multicluster", "$.spec.rules[0].backendRefs[0].name", "a@multicluster"),
        ("  name: a#b", "$.items[3].metadata.name", "a#b"),
        ("  exposeName: API", "$.items[0].spec.exposeName", "API"),
    ],
)
def test_a_diagnostic_s_own_key_and_value_are_shown(line: str, path: str, own: str) -> None:
    assert shown(line, path, own) == line


@pytest.mark.parametrize(
    ("line", "path", "own"),
    [
        ("    X-Token: s3cr3t", '$.spec.healthCheck.headers["X-Token"]', "s3cr3t"),
        ("    X-Token: s3cr3t", '$.spec.healthCheck.headers["X-Token"]', "X-Token"),
        ("    name: s3cr3t", "$.spec.healthCheck.headers.name", "s3cr3t"),
        ("    name: s3cr3t", "$.spec.healthCheck.headers.name", "name"),
        ("    s3cr3t: x", '$.spec.healthCheck.headers["***"]', "s3cr3t"),
        ("    Bearer s3cr3t: x", '$.spec["Bearer s3cr3t"]', "Bearer s3cr3t"),
        ("  heders: s3cr3t", "$.spec.healthCheck.heders", "s3cr3t"),
        ("  healthCheck: s3cr3t", "$.spec.healthCheck", "s3cr3t"),
        ("  healthCheck: s3cr3t", "$.spec.healthCheck.path", "s3cr3t"),
        ("  name: {password: s3cr3t}", "$.metadata.name", "{password: s3cr3t}"),
        ("  password: s3cr3t", "$.metadata.name", "password: s3cr3t"),
        ("  - s3cr3t", "$.metadata.name", "- s3cr3t"),
        ("  name: &s3cr3t x", "$.metadata.name", "&s3cr3t x"),
        ("  name: !s3cr3t x", "$.metadata.name", "!s3cr3t x"),
        ("  weight: 5 s3cr3t", "$.spec.weight", "5 s3cr3t"),
        ("  path: /h?token=s3cr3t", "$.spec.healthCheck.path", "/h?token=s3cr3t"),
        ("  match: Header(`X`, `s3cr3t`)", "$.spec.routes[0].match", "Header(`X`, `s3cr3t`)"),
        ("  match: Query(`X`, `s3cr3t`)", "$.spec.routes[0].match", "match"),
        ("  eu: s3cr3t@eu", "$.hub.providers.multicluster.children.eu", "s3cr3t@eu"),
        ("  address: s3cr3t", "$.hub.providers.multicluster.children.address", "s3cr3t"),
        (
            "  address: https://me:s3cr3t@eu",
            "$.hub.providers.multicluster.children.eu.address",
            "https://me:s3cr3t@eu",
        ),
        ("  hostname: me:s3cr3t@eu", "$.spec.healthCheck.hostname", "me:s3cr3t@eu"),
        ("  other: s3cr3t", "$.metadata.annotations.other", "s3cr3t"),
        ("  name: s3cr3t", "$.data.name", "s3cr3t"),
        ("  name: s3cr3t", "$.spec.name", "name"),
        ("  kind: s3cr3t", "$.spec.kind", "kind"),
    ],
)
def test_a_secret_is_hidden(line: str, path: str, own: str) -> None:
    assert SECRET not in shown(line, path, own)


@given(
    st.text(alphabet="#'\"|>[]{}:,-? \tab&*!%\\`@é", max_size=60)
    | st.lists(st.sampled_from(["weight", ":", " ", "5", "{", "s3cr3t", ",", "#", '"'])).map(
        "".join
    ),
    st.integers(0, 60),
    st.integers(0, 60),
    st.sampled_from(
        ["$", "$.spec.weight", "$.metadata.name", '$.spec["a"]', "$.spec.entryPoints[0]"]
    ),
)
def test_ranges_are_sorted_and_disjoint(line: str, start: int, length: int, path: str) -> None:
    ranges = hidden(line, start, start + length, path)

    assert all(0 <= begin < end <= len(line) for begin, end in ranges)
    assert all(a[1] < b[0] for a, b in pairwise(ranges))


@pytest.mark.parametrize(
    "fields",
    [
        "Bearer s3cr3t: x",
        "{Bearer s3cr3t}",
        "timeout: 3s\n      - Bearer s3cr3t",
        "port: 80\n      - Bearer s3cr3t",
        "method: GET\n      - Bearer s3cr3t",
        "mode: http\n      - Bearer s3cr3t",
        "scheme: http\n      - Bearer s3cr3t",
        "path: /h\n      - Bearer s3cr3t",
        "hostname: eu\n      - Bearer s3cr3t",
        "followRedirects: yes\n      Bearer s3cr3t",
    ],
)
def test_no_message_shows_a_header_that_became_a_key_or_a_value(fields: str) -> None:
    text = (
        "apiVersion: hub.traefik.io/v1alpha1\nkind: Uplink\nmetadata: {name: a, namespace: b}\n"
        f"spec:\n  healthCheck:\n    {fields}\n"
    )

    found = check_manifests(text).diagnostics

    assert found
    assert SECRET not in repr(found)
