"""Simulations as JSON: times in nanoseconds, shares as numbers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import attrs

from uplinks.cli.simulate.wording import NamedRun, count_times_down
from uplinks.simulate import ENGINES, ChildTransition, Failure, Simulation, Window

__all__ = ["format_json"]


def format_json(runs: Sequence[NamedRun]) -> str:
    """Format one simulation, or several that are compared under ``runs``."""
    first = runs[0].run
    head = {
        "service": first.scenario.service,
        "duration": first.scenario.duration,
        "rate": str(first.scenario.rate),
        "requests": first.requests,
    }
    if len(runs) == 1:
        data = {**head, **_run(first)}
    else:
        data = {**head, "runs": [{"name": each.name, **_run(each.run)} for each in runs]}
    return json.dumps(data, indent=2, default=str) + "\n"


def _run(run: Simulation) -> dict[str, Any]:
    scenario, is_traefik = run.scenario, run.scenario.engine != ENGINES[0]
    return {
        "engine": scenario.engine,
        "notes": list(run.notes),
        "policy": None if is_traefik else attrs.asdict(scenario.policy),
        "scheduler": "edf" if is_traefik else scenario.scheduler,
        "failed": run.failed,
        "unserved": run.unserved,
        "probes": run.probes,
        "timesDown": count_times_down(run),
        "withinBounds": run.within_bounds,
        "phases": [_window(phase) for phase in run.phases],
        "failures": [_failure(failure) for failure in run.failures],
        "transitions": [_transition(transition) for transition in run.transitions],
        "overloads": [
            {"at": each.at, "effectiveInterval": each.effective_interval} for each in run.overloads
        ],
        "windows": [_window(window) for window in run.windows],
    }


def _window(window: Window) -> dict[str, Any]:
    return {
        "start": window.start,
        "end": window.end,
        "failing": sorted(window.state.failing),
        "slow": sorted(window.state.slow),
        "down": sorted(window.state.down),
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
        "start": failure.start,
        "end": failure.end,
        "detectedAt": failure.detected_at,
        "detection": failure.detection,
        "detectionBound": failure.detection_bound,
        "recoveredAt": failure.recovered_at,
        "recovery": failure.recovery,
        "recoveryBound": failure.recovery_bound,
        "withinBounds": failure.within_bounds,
    }


def _transition(transition: ChildTransition) -> dict[str, Any]:
    return {
        "child": transition.child,
        "services": list(transition.services),
        "at": transition.at,
        "before": transition.before.value,
        "after": transition.after.value,
        "cause": transition.cause.value,
        "reason": transition.reason,
    }
