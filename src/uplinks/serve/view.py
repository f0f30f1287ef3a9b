"""The state of a live parent as plain data, for people and programs.

Nothing here is a secret: values of headers, user information in addresses and
certificates are left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import nsmallest
from typing import Any, Final

from uplinks.addresses import without_userinfo
from uplinks.diagnostics import Diagnostic, Report
from uplinks.serve.live import Live

__all__ = ["MOST_FINDINGS", "describe", "findings"]

MOST_FINDINGS: Final = 1_000


def describe(
    live: Live,
    now: int,
    report: Report,
    *,
    match: str = "",
    most: int | None = None,
) -> dict[str, Any]:
    """Describe a live parent, with at most so many uplinks whose name has ``match``.

    ``report`` are the findings to show. Times are nanoseconds of the clock that
    ``now`` is from. ``services`` and ``targets`` are as in `Parent.state`.

    Complexity: O(uplinks) for the choice, then O(what is chosen).
    """
    names = live.parent.uplinks
    chosen = [name for name in names if match in name] if match else names
    shown = sorted(chosen) if most is None else nsmallest(most, chosen)
    state = live.parent.state(shown)
    return {
        "now": now,
        "version": live.version,
        "ready": live.ready,
        "uplinks": len(names),
        "matching": len(chosen),
        "shown": len(shown),
        "document": None
        if live.traefik is None
        else {"bytes": live.traefik.size, "etag": live.traefik.etag},
        "parent": live.own.describe(),
        "children": _children(live),
        "services": state["services"],
        "targets": state["targets"],
        "refused": [
            {"child": child, "uplink": name, "instead": list(rival)}
            for (child, name), rival in sorted(live.claims.refused.items())[:MOST_FINDINGS]
        ],
        "lanes": live.history.lanes(most),
        "events": live.history.events(),
        "findings": findings(report),
    }


def _children(live: Live) -> dict[str, Any]:
    refused = [child for child, _ in live.claims.refused]
    return {
        name: {
            "address": without_userinfo(live.parent.config.children[name].address),
            "uplinks": len(live.claims.offers.get(name, ())) - refused.count(name),
            **state.describe(),
        }
        for name, state in live.sources.items()
    }


def findings(report: Iterable[Diagnostic]) -> list[dict[str, Any]]:
    """Describe diagnostics, the worst first; of very many only the first."""
    listed = sorted(report, key=lambda each: (each.severity.rank, each.sort_key))
    return [each.describe() for each in listed[:MOST_FINDINGS]]
