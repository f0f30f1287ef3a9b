"""Simulations as one HTML page without scripts, external resources or meaning in pictures alone.

Rules of this file:

1. Every string from outside passes `_escape`.
2. Each picture is followed by the tables that it was drawn from.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from fractions import Fraction
from html import escape
from typing import Final

from uplinks.cli.console import printable
from uplinks.cli.findings import counted
from uplinks.cli.simulate import chart, style, wording
from uplinks.cli.simulate.wording import NamedRun, format_percent, format_seconds, format_time
from uplinks.durations import format_duration
from uplinks.simulate import Simulation

__all__ = ["render_page"]

MAX_ROWS: Final = 400
ONE_SCREEN: Final = 20  # rows
POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"

STYLE: Final = (
    ":root{color-scheme:light dark;--ink:#24292f;--dim:#59636e;--ground:#fff;--line:#d9dee3;"
    "--card:#f6f8fa;--good:#1a7f37;--bad:#b42318}"
    "@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--dim:#9aa4af;--ground:#0d1117;"
    "--line:#30363d;--card:#161b22;--good:#4ac26b;--bad:#ff8a70}}"
    "*{box-sizing:border-box}"
    "body{margin:0;background:var(--ground);color:var(--ink);"
    "font:16px/1.5 system-ui,-apple-system,'Segoe UI',sans-serif}"
    "main{max-width:1040px;margin:0 auto;padding:24px 20px 48px}"
    "h1{font-size:1.5rem;margin:0 0 4px;overflow-wrap:anywhere}"
    "h2{font-size:1.2rem;margin:36px 0 8px;overflow-wrap:anywhere}"
    "h3{font-size:1rem;margin:24px 0 8px}"
    "p{margin:4px 0 12px;color:var(--dim)}"
    ".cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;"
    "margin:16px 0;padding:0;list-style:none}"
    ".cards li{background:var(--card);border:1px solid var(--line);border-radius:8px;"
    "padding:10px 14px;color:var(--dim);font-size:.85rem}"
    ".cards b{display:block;color:var(--ink);font-size:1.35rem;font-weight:600}"
    ".cards .good b{color:var(--good)}.cards .bad b{color:var(--bad)}"
    "figure{margin:0}.chart{width:100%;height:auto;display:block}"
    ".narrow{display:none}"
    "@media (max-width:640px){main{padding:16px 12px 32px}"
    ".wide{display:none}.narrow{display:block}}"
    "@media print{.narrow{display:none}.wide{display:block}}"
    ".key{display:flex;flex-wrap:wrap;gap:4px 18px;padding:0;margin:8px 0;list-style:none;"
    "font-size:.85rem}.key li{overflow-wrap:anywhere}"
    ".key .chart{display:inline-block;width:14px;height:14px;vertical-align:-2px;margin-right:6px}"
    ".scroll{overflow-x:auto}"
    "table{border-collapse:collapse;font-size:.85rem;min-width:100%}"
    "th,td{padding:5px 8px;text-align:left;border-bottom:1px solid var(--line);"
    "white-space:nowrap}th{color:var(--dim);font-weight:600}"
    ".number{text-align:right;font-variant-numeric:tabular-nums}"
    ".keep{white-space:nowrap}"
    ".long{white-space:normal;overflow-wrap:anywhere;min-width:12rem}"
    "details{margin:12px 0}summary{cursor:pointer;font-weight:600}"
    "footer{margin-top:40px;color:var(--dim);font-size:.8rem}"
)

Cells = Sequence[str]


def render_page(runs: Sequence[NamedRun]) -> str:
    """Render the page of one simulation, or of several that are compared."""
    first = runs[0].run
    scenario = first.scenario
    service = _escape(scenario.service)
    summary = (
        f"{first.requests:,} requests in {format_duration(scenario.duration)}, "
        f"{wording.format_rate(scenario.rate)} a second, in virtual time"
    )
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        f"<title>Simulation of {service}</title><style>{STYLE}{style.STYLE}</style></head>",
        f"<body><main><h1>{service}</h1>",
        f"<p>{summary}, engine {scenario.engine}.</p>" if len(runs) == 1 else f"<p>{summary}.</p>",
    ]
    if len(runs) > 1:
        rows = [wording.row_of_comparison(each) for each in runs]
        parts.append("<h2>Comparison</h2>")
        parts.append(_table(wording.COMPARISON, rows, numbers=range(2, 10), long={0}))
    for i, each in enumerate(runs):
        if len(runs) == 1:
            parts += _run(each.run, i)
            continue
        name = _escape(each.name)
        parts.append(f'<section aria-labelledby="run{i}"><h2 id="run{i}">{name}</h2>')
        parts += [*_run(each.run, i), "</section>"]
    parts.append(
        "<footer><p>Bounds are those of the health checks plus the driver's lateness. "
        "A request fails when its child fails or when no target is eligible."
        "</p></footer></main></body></html>\n"
    )
    return "".join(parts)


def _run(run: Simulation, i: int) -> Iterable[str]:
    yield from (f"<p>{_escape(note)}</p>" for note in run.notes)
    yield _cards(run)
    yield '<figure><div class="wide">'
    yield chart.render_chart(run, 960, f"wide{i}")
    yield '</div><div class="narrow">'
    yield chart.render_chart(run, 400, f"narrow{i}")
    yield f"</div><figcaption>{_legend(run, i)}</figcaption></figure>"
    if run.failures:
        yield "<h3>Failures and their detection</h3>"
        rows = [wording.row_of_failure(each) for each in run.failures[:MAX_ROWS]]
        yield _table(wording.FAILURES, rows, numbers={2, 3, 5, 6}) + _rest(len(run.failures))
    phases = [row for phase in run.phases for row in wording.rows_of_phase(phase)]
    is_open = " open" if len(phases) <= ONE_SCREEN else ""
    yield f"<details{is_open}><summary>Requests by child</summary>"
    yield _table(wording.PHASES, phases[:MAX_ROWS], numbers={4, 5, 6, 7})
    yield f"{_rest(len(phases))}</details>"
    yield "<details><summary>State changes in the parent</summary>"
    transitions = [
        (
            format_time(t.at),
            t.child,
            t.before.value,
            t.after.value,
            f"{t.cause.value}: {t.reason}" if t.reason else t.cause.value,
        )
        for t in run.transitions[:MAX_ROWS]
    ]
    yield _table(("at", "child", "before", "after", "cause"), transitions)
    yield f"{_rest(len(run.transitions))}</details>"


def _cards(run: Simulation) -> str:
    detected, detection_bound = wording.longest(
        (f.detection, f.detection_bound) for f in run.failures
    )
    recovered, recovery_bound = wording.longest(
        (f.recovery, f.recovery_bound) for f in run.failures
    )
    has_bounds = any(f.detection_bound is not None for f in run.failures)
    kept, text = ("good", "kept") if run.within_bounds else ("bad", "exceeded")
    share = format_percent(Fraction(run.failed, run.requests or 1))
    noun = "request" if run.failed == 1 else "requests"
    cards = [
        ("", f"{run.failed:,}", f"{noun} failed, {share}"),
        ("", format_seconds(detected), f"to detect a failure; {_limit(detection_bound)}"),
        ("", format_seconds(recovered), f"to recover; {_limit(recovery_bound)}"),
        (
            "",
            str(wording.count_times_down(run)),
            f"times down, with {counted(run.probes, 'probe')}",
        ),
        (kept, text, "bounds") if has_bounds else ("", "none", "bounds"),
    ]
    items = "".join(f'<li class="{k}"><b>{b}</b>{text}</li>' for k, b, text in cards)
    return f'<ul class="cards">{items}</ul>'


def _limit(bound: int | None) -> str:
    # Kept together, so that no line starts with a unit.
    text = "no bound" if bound is None else f"at most {format_seconds(bound)}"
    return f'<span class="keep">{text}</span>'


def _legend(run: Simulation, i: int) -> str:
    items = "".join(
        f'<li><svg class="chart" viewBox="0 0 14 14" aria-hidden="true">'
        f"{style.render_swatch(name, f'key{i}')}</svg>{_escape(meaning)}</li>"
        for name, meaning in style.legend(run)
    )
    return f'<ul class="key">{items}</ul>'


def _table(
    headings: Cells,
    rows: Iterable[Cells],
    numbers: Iterable[int] = (),
    long: Collection[int] = (),
) -> str:
    classes = {**dict.fromkeys(numbers, ' class="number"'), **dict.fromkeys(long, ' class="long"')}
    head = "".join(
        f'<th scope="col"{classes.get(i, "")}>{_escape(heading.capitalize())}</th>'
        for i, heading in enumerate(headings)
    )
    body = "".join(
        f"<tr>{''.join(_cell(cell, classes.get(i, '')) for i, cell in enumerate(row))}</tr>"
        for row in rows
    )
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="Table">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cell(text: str, attributes: str) -> str:
    shown = f"{int(text):,}" if "number" in attributes and text.isdecimal() else text
    breaks = ",<wbr>" if "long" in attributes else ","
    return f"<td{attributes}>{_escape(shown).replace(',', breaks)}</td>"


def _rest(rows: int) -> str:
    if rows <= MAX_ROWS:
        return ""
    return f"<p>The first {MAX_ROWS} of {rows:,}; --format json has all.</p>"


def _escape(text: str) -> str:
    return escape(printable(text), quote=True)
