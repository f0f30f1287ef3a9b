"""The law of the JSON Schema: it refuses what `check_manifests` calls an error, no more, no less.

The exceptions are those that its description names. Nothing of the kind is drawn, but for
what depends on other objects, whose codes are left out.
"""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from uplinks.durations import parse_duration
from uplinks.errors import InvalidDuration
from uplinks.parsing import check_manifests
from uplinks.schema import json_schema, unstructure
from uplinks.testing import strategies

VALIDATOR = Draft7Validator(json_schema())

# A mode for which a plug-in may have a prober.
NOT_SAID = {"UPL204"}

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-2, 70_000)
    | st.sampled_from([2**31 - 1, 2**31, 9_223_372_036, 9_223_372_037])
    | st.sampled_from(
        ["", "a", "A", "/", "//a", "/a b", "/%2", "/%20", "http", "h2c", "GET", "G T"]
    )
    | st.sampled_from(["1m30s", "-1s", "-0s", "+1", "1d", ".5s", ".s", "5.", "a..b", "a-", "a\n"])
    | st.sampled_from(["_a.b", "[::1]", "[:::]", "a:0", "a:65536", "a:080", "a" * 64, "a." * 131])
    | st.text("ab0-_./%:[]~\\\n\té ", max_size=5)
    | st.sampled_from([0.5, 1.5])
)
VALUES = SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(
    st.sampled_from(["a", "path", "name", "A b", "weight", "interval"]), SCALARS, max_size=2
)  # fmt: skip

FIELDS = [
    *("name", "namespace", "annotations", "nmae", "weight", "exposeName", "entryPoints"),
    *("healthCheck", "passiveHealthCheck", "path", "scheme", "method", "status", "port"),
    *("interval", "unhealthyInterval", "timeout", "hostname", "followRedirects", "headers"),
    *("failureWindow", "maxFailedAttempts", "Host", "TE", "transfer-Encoding", "X-Host"),
]


@st.composite
def documents(draw: st.DrawFn) -> Any:
    """Write a valid Uplink, and spoil up to two places in it, or add there."""
    tree: dict[str, Any] = unstructure(draw(strategies.uplinks()))
    tree = copy.deepcopy(tree)
    for _ in range(draw(st.integers(0, 2))):
        node: Any = tree
        for _ in range(draw(st.integers(1, 3))):
            below = [key for key, item in node.items() if isinstance(item, dict) and item]
            if not below:
                break
            node = node[draw(st.sampled_from(sorted(below)))]
        known = ["metadata", "spec", "status", "sepc"] if node is tree else FIELDS
        name = draw(st.sampled_from([*node, *known]))
        if name not in {"apiVersion", "kind"}:
            node[name] = draw(VALUES)
    return tree


def codes(tree: Any) -> set[str]:
    """The codes of errors that are about this one object."""
    return {d.code for d in check_manifests(json.dumps(tree)).errors} - NOT_SAID


@given(documents())
@example({"apiVersion": "hub.traefik.io/v1alpha1", "kind": "Uplink", "metadata": None})
@example({"apiVersion": "hub.traefik.io/v1alpha1", "kind": "Uplink"})
def test_it_refuses_exactly_what_is_an_error(tree: Any) -> None:
    refused = [error.message for error in VALIDATOR.iter_errors(tree)]

    assert bool(refused) == bool(codes(tree)), (refused, codes(tree))


@given(st.text("0159.-+nuµμmsh \n", max_size=8))
def test_it_reads_durations_as_we_do(text: str) -> None:
    fields = json_schema()["properties"]["spec"]["properties"]["healthCheck"]["properties"]
    try:
        valid = parse_duration(text) >= 0
    except InvalidDuration:
        valid = False

    assert Draft7Validator(fields["interval"]).is_valid(text) == valid
