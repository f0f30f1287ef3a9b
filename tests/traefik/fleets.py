"""Fleets on loopback: manifests on the disk, and what `uplinks materialize` writes of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from uplinks.cli import main
from uplinks.render import dump

STATIC = {
    "hub": {
        "uplinkEntryPoints": {"multicluster": {"address": ":9443", "asDefault": True}},
        "providers": {"multicluster": {}},
    }
}


def uplink(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "hub.traefik.io/v1alpha1",
        "kind": "Uplink",
        "metadata": {"name": name, "namespace": "apps"},
        "spec": spec,
    }


def advertised(name: str, *uplinks: str, match: str = "PathPrefix(`/`)") -> dict[str, Any]:
    """Declare a child's router to a service of its own name."""
    return {
        "apiVersion": "traefik.io/v1alpha1",
        "kind": "IngressRoute",
        "metadata": {
            "name": name,
            "namespace": "apps",
            "annotations": {"hub.traefik.io/router.uplinks": ",".join(uplinks)},
        },
        "spec": {
            "routes": [{"match": match, "kind": "Rule", "services": [{"name": name, "port": 80}]}]
        },
    }


def route(name: str, match: str, *services: str) -> dict[str, Any]:
    """Declare a parent's router, on the entry point ``web``."""
    references = [{"name": service, "kind": "TraefikService"} for service in services]
    return {
        "apiVersion": "traefik.io/v1alpha1",
        "kind": "IngressRoute",
        "metadata": {"name": name, "namespace": "apps"},
        "spec": {
            "entryPoints": ["web"],
            "routes": [{"match": match, "kind": "Rule", "services": references}],
        },
    }


def write_fleet(
    root: Path,
    children: Mapping[str, Any],
    uplinks: Mapping[str, list[dict[str, Any]]],
    parent: list[dict[str, Any]],
) -> Path:
    """Write a fleet: ``children`` as the parent lists them, and what each declares."""
    hub = {"hub": {"providers": {"multicluster": {"children": children}}}}
    _write(root / "parent", [hub, *parent])
    for name, objects in uplinks.items():
        _write(root / "children" / name, [STATIC, *objects])
    return root


def _write(folder: Path, documents: list[dict[str, Any]]) -> None:
    folder.mkdir(parents=True)
    text = "---\n".join(dump(document) for document in documents)
    (folder / "all.yaml").write_text(text, "utf-8")


def materialize(fleet: Path, *arguments: str, to: Path) -> None:
    """Let the command line write a file."""
    to.parent.mkdir(parents=True, exist_ok=True)
    written = main(["materialize", str(fleet), *arguments, f"--output={to}"])
    assert written == 0


def write_own(folder: Path, **http: Any) -> None:
    """Write what a cluster has of its own, beside what is generated."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "own.yml").write_text(dump({"http": http}), "utf-8")
