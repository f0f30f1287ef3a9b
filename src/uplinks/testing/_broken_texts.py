"""What can be wrong with a text, each alone: edits of manifests that have no error.

Rules of this file:

1. A spoil is of one uplink's tree, of the tree of one router that references
   it, or is more text after both.
2. It makes one finding with its code, and errors of its code only.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, Final, TypeAlias

from attrs import frozen

from uplinks.model import MAX_WEIGHT, UPLINKS_ANNOTATION

__all__ = ["SPOILS", "Part", "Spoil"]

Change: TypeAlias = Callable[[dict[str, Any]], object]


class Part(Enum):
    """What is spoilt."""

    UPLINK = "uplink"
    ROUTER = "router"
    TEXT = "text"


@frozen
class Spoil:
    """One thing to make wrong: a change of a tree, or more text."""

    code: str
    part: Part
    change: Change = lambda _: None
    more: str = ""


def _uplink(code: str, change: Change) -> Spoil:
    return Spoil(code, Part.UPLINK, change)


def _router(code: str, change: Change) -> Spoil:
    return Spoil(code, Part.ROUTER, change)


def _text(code: str, *documents: str) -> Spoil:
    return Spoil(code, Part.TEXT, more="".join(f"\n---\n{text}" for text in documents))


def _spec(**fields: object) -> Change:
    return lambda tree: tree.setdefault("spec", {}).update(fields)


def _meta(**fields: object) -> Change:
    return lambda tree: tree["metadata"].update(fields)


def _check(**fields: object) -> Change:
    return _spec(healthCheck={"path": "/", **fields})


def _with_an_empty_name(tree: dict[str, Any]) -> None:
    tree["metadata"]["annotations"][UPLINKS_ANNOTATION] += ","


_TWICE: Final = (
    "{apiVersion: hub.traefik.io/v1alpha1, kind: Uplink, metadata: {name: %s, namespace: %s}}"
)

SPOILS: Final[tuple[Spoil, ...]] = (
    _text("UPL001", "a: ["),
    _text("UPL002", "a: 1\na: 2"),
    _text("UPL003", "a: *a"),
    _text("UPL004", "a: " + "[" * 100 + "]" * 100),
    _uplink("UPL005", _spec(wieght=1)),
    _uplink("UPL006", _spec(weight="heavy")),
    _uplink("UPL006", lambda tree: tree.update(spec=[])),
    _router("UPL007", _spec(routes=[{"kind": "Rule"}])),
    _text("UPL008", "apiVersion: hub.traefik.io/v1alpha1\nkind: Uplnik"),
    _text("UPL009", "apiVersion: v1\nkind: X\nspec: {weight: 012}"),
    _text("UPL010", *[_TWICE % ("declared-twice", "namespace-of-its-own")] * 2),
    _uplink("UPL101", _meta(name="Not_A_Name")),
    _uplink("UPL102", _meta(namespace="Not_A_Name")),
    _uplink("UPL103", _spec(weight=-1)),
    _uplink("UPL105", _spec(weight=MAX_WEIGHT + 1)),
    _uplink("UPL106", _spec(exposeName="Not_A_Name")),
    _uplink("UPL201", _check(interval="1d")),
    _uplink("UPL202", _check(timeout="-1s")),
    _uplink("UPL204", _check(mode="ping")),
    _uplink("UPL205", _check(scheme="ftp")),
    _uplink("UPL206", _check(method="NOT VALID")),
    _uplink("UPL207", _check(status=99)),
    _uplink("UPL208", _check(port=65_536)),
    _uplink("UPL209", _check(path="no/slash")),
    _uplink("UPL211", _check(headers={"Content-Length": "0"})),
    _uplink("UPL212", _check(headers={"Not A Name": "a"})),
    _uplink("UPL213", _check(hostname="a b")),
    _uplink("UPL217", _spec(passiveHealthCheck={"maxFailedAttempts": -1})),
    _router("UPL301", _spec(entryPoints=["websecure"])),
    _router("UPL302", _spec(tls={})),
    _router("UPL305", _with_an_empty_name),
    _router("UPL306", _spec(routes=[])),
    _router("UPL315", _meta(name="")),
)
