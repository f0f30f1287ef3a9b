"""Simulations as one page for a browser: no script, nothing from outside, all of it in words, too.

Rules of this file:

1. Everything that came from outside passes `_e`.
2. Nothing on the page needs a network, a script, or eyes: each picture is
   followed by the tables that it was drawn from.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from fractions import Fraction
from html import escape
from typing import Final

from uplinks.cli.console import printable
from uplinks.cli.findings import counted
from uplinks.cli.simulate import chart, looks, telling
from uplinks.cli.simulate.telling import Named, clock, percent, seconds
from uplinks.durations import format_duration
from uplinks.simulate import Simulation

__all__ = ["written"]

MOST_ROWS: Final = 400
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
    "th,td{padding:5px 12px;text-align:left;border-bottom:1px solid var(--line);"
    "white-space:nowrap}th{color:var(--dim);font-weight:600}"
    ".number{text-align:right;font-variant-numeric:tabular-nums}"
    ".keep{white-space:nowrap}"
    ".long{white-space:normal;overflow-wrap:anywhere;min-width:12rem}"
    "details{margin:12px 0}summary{cursor:pointer;font-weight:600}"
    "footer{margin-top:40px;color:var(--dim);font-size:.8rem}"
)

Cells = Sequence[str]


def written(runs: Sequence[Named]) -> str:
    """Write the page."""
    first = runs[0].run
    scenario = first.scenario
    service = _e(scenario.service)
    words = (
        f"{first.requests:,} requests in {format_duration(scenario.duration)}, "
        f"{telling.rate(scenario.rate)} a second, in virtual time."
    )
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        f"<title>{service}, simulated</title><style>{STYLE}{looks.STYLE}</style></head>",
        f"<body><main><h1>{service}</h1><p>{words}</p>",
    ]
    if len(runs) > 1:
        parts.append(_compared(runs))
    for i, each in enumerate(runs):
        if len(runs) > 1:
            parts.append(f'<section aria-labelledby="run{i}"><h2 id="run{i}">{_e(each.name)}</h2>')
        parts += _run(each.run, i)
        if len(runs) > 1:
            parts.append("</section>")
    parts.append(
        "<footer><p>Bounds are those of the health checks, the driver's lateness included. "
        "A request failed when it was sent to a child that failed, or found none to go to."
        "</p></footer></main></body></html>\n"
    )
    return "".join(parts)


def _run(run: Simulation, i: int) -> Iterable[str]:
    yield _cards(run)
    yield '<figure><div class="wide">'
    yield chart.drawn(run, 960, f"wide{i}")
    yield '</div><div class="narrow">'
    yield chart.drawn(run, 400, f"narrow{i}")
    yield f"</div><figcaption>{_key(run, i)}</figcaption></figure>"
    if run.failures:
        yield "<h3>Failures, and when they were noticed</h3>"
        yield _table(
            ("Child", "Fails at", "Noticed after", "Bound", "Well at", "Back after", "Bound"),
            [telling.failure(each) for each in run.failures[:MOST_ROWS]],
            numbers={2, 3, 5, 6},
        )
        yield _more(len(run.failures))
    phases = list(_phases(run))
    yield f"<details{' open' if len(phases) <= 20 else ''}><summary>Who got the requests</summary>"  # noqa: PLR2004 - a screenful
    yield _table(
        ("From", "To", "Child", "State", "Requests", "Share", "Ideal", "Failed"),
        phases[:MOST_ROWS],
        numbers={4, 5, 6, 7},
    )
    yield f"{_more(len(phases))}</details>"
    yield "<details><summary>What the parent came to believe</summary>"
    yield _table(
        ("At", "Child", "Before", "After", "Because"),
        [
            (clock(c.at), c.child, c.before.value, c.after.value, _because(c.cause.value, c.reason))
            for c in run.changes[:MOST_ROWS]
        ],
    )
    yield f"{_more(len(run.changes))}</details>"


def _because(cause: str, reason: str) -> str:
    return f"{cause}: {reason}" if reason else cause


def _phases(run: Simulation) -> Iterable[Cells]:
    for phase in run.phases:
        when = (clock(phase.begins), clock(phase.ends))
        for share in phase.shares:
            yield (
                *when,
                share.child,
                telling.standing(phase.condition, share.child),
                f"{share.requests:,}",
                percent(share.share),
                percent(share.ideal),
                f"{share.failures:,}",
            )
        if phase.unserved:
            lost, part = f"{phase.unserved:,}", Fraction(phase.unserved, phase.requests)
            yield (*when, "(nobody)", "", lost, percent(part), "", lost)


def _cards(run: Simulation) -> str:
    noticed, bound = telling.worst((f.detection, f.detection_bound) for f in run.failures)
    back, back_bound = telling.worst((f.recovery, f.recovery_bound) for f in run.failures)
    verdict = telling.verdict([run])
    kept = "" if verdict.startswith("No ") else "good" if run.kept else "bad"
    share = Fraction(run.failed, run.requests or 1)
    cards = [
        (
            "",
            f"{run.failed:,}",
            f"{'request' if run.failed == 1 else 'requests'} failed, {percent(share)}",
        ),
        ("", seconds(noticed), f"until a failure was noticed; {_most(bound)}"),
        ("", seconds(back), f"until it was back; {_most(back_bound)}"),
        ("", str(telling.times_down(run)), f"times down, by {counted(run.probes, 'probe')}"),
        (kept, {"good": "kept", "bad": "not kept", "": "none"}[kept], "bounds"),
    ]
    items = "".join(f'<li class="{k}"><b>{b}</b>{words}</li>' for k, b, words in cards)
    return f'<ul class="cards">{items}</ul>'


def _most(bound: int | None) -> str:
    # Kept together, so that no line begins with a unit.
    words = "no bound" if bound is None else f"at most {seconds(bound)}"
    return f'<span class="keep">{words}</span>'


def _key(run: Simulation, i: int) -> str:
    items = "".join(
        f'<li><svg class="chart" viewBox="0 0 14 14" aria-hidden="true">'
        f"{looks.swatch(look, f'key{i}')}</svg>{_e(words)}</li>"
        for look, words in looks.legend(run)
    )
    return f'<ul class="key">{items}</ul>'


def _compared(runs: Sequence[Named]) -> str:
    rows = [telling.summary(each) for each in runs]
    heads = (
        "Policy", "Failed", "Unserved", "Noticed after", "Bound", "Back after", "Bound",
        "Times down", "Probes",
    )  # fmt: skip
    return f"<h2>Side by side</h2>{_table(heads, rows, numbers=set(range(1, 9)), long={0})}"


def _table(
    heads: Cells, rows: Iterable[Cells], numbers: Iterable[int] = (), long: Collection[int] = ()
) -> str:
    classes = {**dict.fromkeys(numbers, ' class="number"'), **dict.fromkeys(long, ' class="long"')}
    head = "".join(f'<th scope="col"{classes.get(i, "")}>{_e(h)}</th>' for i, h in enumerate(heads))
    body = "".join(
        "<tr>"
        + "".join(
            f"<td{classes.get(i, '')}>{_e(c).replace(',', ',<wbr>' if i in long else ',')}</td>"
            for i, c in enumerate(row)
        )
        + "</tr>"
        for row in rows
    )
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="Table">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _more(rows: int) -> str:
    if rows <= MOST_ROWS:
        return ""
    return f"<p>The first {MOST_ROWS} of {rows:,}; --format json has all.</p>"


def _e(text: str) -> str:
    return escape(printable(text), quote=True)
