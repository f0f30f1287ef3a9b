"""Located trees: what is shown of them."""

from __future__ import annotations

from uplinks.manifest import read
from uplinks.parsing import parse_manifests

TEXT = """\
apiVersion: hub.traefik.io/v1alpha1
kind: Uplink
metadata: {name: api, namespace: apps}
spec: {healthCheck: {headers: {Authorization: s3cr3t}}}
"""


def test_no_repr_shows_the_tree() -> None:
    reading, [uplink] = read(TEXT), parse_manifests(TEXT).resources

    assert reading.documents[0].root["metadata"]["name"] == "api"
    for shown in (reading, reading.documents, uplink.origin, uplink.origin.document, uplink):
        assert "s3cr3t" not in repr(shown)
