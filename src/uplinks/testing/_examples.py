"""The examples on the rules' pages, each as a whole fleet.

An example is an overlay. This file lays it over a small fleet without any finding:

- The parent lists every child of the fleet. The example needs no other child than
  ``child-1`` unless it names one.
- Each child has one default uplink entry point and declares the uplink
  ``api-workload`` in the namespace ``apps``.

In an example, a comment such as ``# parent`` or ``# child-2`` on the first line of a
document says which cluster it and the documents below it belong to; the first one
belongs to ``child-1``. A document that starts with ``hub:`` replaces the static
configuration of its cluster. One that starts with ``spec:`` is the rest of an uplink,
and the uplinks of an example replace the uplink of that child. One that starts with
``metadata:`` is a part of a router with one route. A line that ends with a
comment of codes, ``# UPL103``, is reported with these codes, and no other line is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Final

from attrs import evolve

from uplinks import rules
from uplinks.model import Child, Fleet, ParentConfig
from uplinks.parsing import make_cluster, make_fleet, parse_manifests

__all__ = [
    "PARENT",
    "WITHOUT_EXAMPLES",
    "beside",
    "codes",
    "files",
    "fleet",
    "fleet_of",
    "marks",
    "text_of",
]

WITHOUT_EXAMPLES: Final = frozenset({"UPL011", "UPL012", "UPL013", "UPL014", "UPL015", "UPL018"})
"""Codes about missing files, suppressions and a child's document, which no manifest shows."""

PARENT: Final = "parent"

_PLACE: Final = re.compile(r"# (parent|child\S*)\n")
_MARK: Final = re.compile(r"# (UPL\d{3}(?: UPL\d{3})*)$")

_STATIC: Final = """\
hub:
  uplinkEntryPoints:
    multicluster:
      address: ":9443"
      asDefault: true
  providers:
    multicluster: {}
"""
_UPLINK: Final = """\
apiVersion: hub.traefik.io/v1alpha1
kind: Uplink
metadata:
  name: NAME
  namespace: apps
"""
_ROUTER: Final = """\
apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata:
  name: NAME
  namespace: apps
"""
_ROUTES: Final = """\
  routes:
    - match: PathPrefix(`/api`)
      kind: Rule
      services: [{name: api, port: 8080}]
"""


def codes() -> tuple[str, ...]:
    """Return every code that has examples, sorted."""
    return tuple(code for code in rules.codes() if code not in WITHOUT_EXAMPLES)


def files(code: str, *, bad: bool) -> dict[str, str]:
    """Lay the bad or the good example of a code over the base fleet.

    Return the text of each file by its path in a fleet folder.
    """
    entry = rules.find(code)
    clusters = _by_cluster(entry.bad if bad else entry.good)
    children = [name for name in clusters if name != PARENT]
    found = {}
    for cluster, documents in clusters.items():
        folder = PARENT if cluster == PARENT else f"children/{cluster}"
        static = [text for text in documents if text.startswith("hub:")]
        objects = [text for text in documents if not text.startswith("hub:")]
        if cluster == PARENT:
            static = static or [_listing(children)]
        else:
            static = static or [_STATIC]
            objects = _completed(objects)
        found[f"{folder}/traefik.yaml"] = "---\n".join(static)
        if objects:
            found[f"{folder}/apps.yaml"] = "---\n".join(objects)
    return found


def _by_cluster(example: str) -> dict[str, list[str]]:
    """Split an example into documents by cluster, the parent and ``child-1`` included."""
    clusters: dict[str, list[str]] = {PARENT: [], "child-1": []}
    cluster = "child-1"
    for text in f"{example.rstrip()}\n".split("---\n"):
        place = _PLACE.match(text)
        if place is not None:
            cluster = place[1]
        clusters.setdefault(cluster, []).append(text[place.end() :] if place else text)
    return clusters


def _completed(documents: list[str]) -> list[str]:
    """Complete the documents of a child; if none is an uplink, declare one."""
    uplinks, routers = _names("api-workload"), _names("api")
    completed = []
    for text in documents:
        if text.startswith("spec:"):
            completed.append(_UPLINK.replace("NAME", next(uplinks)) + text)
        elif text.startswith("metadata:"):
            completed.append(_router(text, next(routers)))
        else:
            completed.append(text)
    if any("kind: Uplink\n" in text for text in completed):
        return completed
    return [_UPLINK.replace("NAME", next(uplinks)), *completed]


def _names(name: str) -> Iterator[str]:
    return (f"{name}-{number}" if number else name for number in count())


def _router(metadata: str, name: str) -> str:
    text = metadata.replace("metadata:\n", _ROUTER.replace("NAME", name), 1)
    if "  routes:" in text:
        return text
    return text + ("" if "\nspec:" in text else "spec:\n") + _ROUTES


def _listing(children: list[str]) -> str:
    lines = ["hub:", "  providers:", "    multicluster:", "      children:"]
    for name in children:
        lines += [f"        {name}:", f"          address: https://{name}.example.com:9443"]
    return "\n".join(lines) + "\n"


def marks(texts: Mapping[str, str]) -> Iterator[tuple[str, int, str]]:
    """Find the marked lines: file, line number, code. One for each code of a line."""
    for file, text in texts.items():
        for number, line in enumerate(text.splitlines(), start=1):
            found = _MARK.search(line)
            for code in found[1].split() if found else ():
                yield file, number, code


def fleet_of(texts: Mapping[str, str]) -> Fleet:
    """Read a fleet from the texts of its files."""
    clusters: dict[str, list[str]] = {}
    for file in texts:
        *_, cluster, _ = file.split("/")
        clusters.setdefault(cluster, []).append(file)
    made = {
        name: make_cluster(name, [parse_manifests(texts[f], f, name) for f in found])
        for name, found in clusters.items()
    }
    return make_fleet(made.pop(PARENT), made.values())


def fleet(code: str, *, bad: bool) -> Fleet:
    """Read the fleet of a code's bad or good example."""
    return fleet_of(files(code, bad=bad))


def beside(one: Fleet, other: Fleet) -> Fleet:
    """Join two fleets under one parent. They must not share a name."""
    parents = (one.parent, other.parent)
    configs = [parent.parent_config or ParentConfig() for parent in parents]
    listed: dict[str, Child] = {**configs[0].children, **configs[1].children}
    joined = evolve(
        one.parent,
        uplinks=[uplink for parent in parents for uplink in parent.uplinks],
        routers=[router for parent in parents for router in parent.routers],
        traefik_services=[each for parent in parents for each in parent.traefik_services],
        parent_config=evolve(configs[1], children=listed),
        diagnostics=[each for parent in parents for each in parent.diagnostics],
        others=[other for parent in parents for other in parent.others],
    )
    return Fleet(joined, {**one.children, **other.children})


def text_of(code: str) -> str:
    """Join the files of one cluster in which the bad example of a code is marked."""
    texts = files(code, bad=True)
    marked = min(file for file, _, found in marks(texts) if found == code)
    folder = marked.rpartition("/")[0]
    return "---\n".join(text for file, text in texts.items() if file.startswith(f"{folder}/"))
