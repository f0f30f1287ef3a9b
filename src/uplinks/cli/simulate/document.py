"""Simulations as JSON: times in nanoseconds, shares as numbers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import attrs

from uplinks.cli.simulate.telling import Named, times_down
from uplinks.simulate import Failure, Simulation, Window

__all__ = ["written"]


def written(runs: Sequence[Named]) -> str:
    """Write one simulation, or with ``runs`` those that are compared."""
    first = runs[0].run.scenario
    head = {
        "service": first.service,
        "duration": first.duration,
        "rate": str(first.rate),
        "requests": runs[0].run.requests,
    }
    if len(runs) == 1:
        data = {**head, **_run(runs[0].run)}
    else:
        data = {**head, "runs": [{"name": each.name, **_run(each.run)} for each in runs]}
    return json.dumps(data, indent=2, default=str) + "\n"


def _run(run: Simulation) -> dict[str, Any]:
    return {
        "policy": attrs.asdict(run.scenario.policy),
        "scheduler": run.scenario.scheduler,
        "failed": run.failed,
        "unserved": run.unserved,
        "probes": run.probes,
        "timesDown": times_down(run),
        "boundsKept": run.kept,
        "phases": [_window(phase) for phase in run.phases],
        "failures": [_failure(failure) for failure in run.failures],
        "transitions": [
            {
                "child": change.child,
                "services": list(change.services),
                "at": change.at,
                "before": change.before.value,
                "after": change.after.value,
                "cause": change.cause.value,
                "reason": change.reason,
            }
            for change in run.changes
        ],
        "overloads": [
            {"at": each.at, "effectiveInterval": each.effective_interval} for each in run.overloads
        ],
        "windows": [_window(window) for window in run.windows],
    }


def _window(window: Window) -> dict[str, Any]:
    known = window.condition
    return {
        "begins": window.begins,
        "ends": window.ends,
        "out": sorted(known.out),
        "slow": sorted(known.slow),
        "down": sorted(known.down),
        "requests": window.requests,
        "failed": window.failures,
        "unserved": window.unserved,
        "shares": [
            {
                "child": share.child,
                "requests": share.requests,
                "failed": share.failures,
                "share": float(share.share),
                "ideal": float(share.ideal),
            }
            for share in window.shares
        ],
    }


def _failure(failure: Failure) -> dict[str, Any]:
    return {
        "child": failure.child,
        "services": list(failure.services),
        "begins": failure.begins,
        "ends": failure.ends,
        "noticed": failure.noticed,
        "detection": failure.detection,
        "detectionBound": failure.detection_bound,
        "recovered": failure.recovered,
        "recovery": failure.recovery,
        "recoveryBound": failure.recovery_bound,
        "kept": failure.kept,
    }
