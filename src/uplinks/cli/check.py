"""``uplinks check``: report every mistake with its file, line and column.

1. `rules` makes the diagnostics, `suppression` and `selection` filter them, and
   `formats` writes them, in this order.
2. The exit status is the same in every format: 2 if a named input is unreadable or a
   third-party rule raised, else 1 if a diagnostic is at least as severe as
   ``--fail-on``, else 0.
3. Standard output contains only the report. In a format for programs, the summary
   goes to standard error.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

from attrs import evolve

from uplinks import rules
from uplinks.adapters import plugins
from uplinks.cli import COMMANDS, config, findings, formats, inputs, suppression
from uplinks.cli.console import CLEAN, FINDINGS, UNUSABLE, Console, Styler
from uplinks.cli.formats import MACHINES, Result, text
from uplinks.cli.inputs import Place
from uplinks.cli.selection import Selection, checked
from uplinks.diagnostics import Diagnostic, Location, Report, Severity
from uplinks.errors import UnusablePlugin
from uplinks.model import Cluster, Fleet

__all__ = ["add", "documents", "run"]

_JUDGED_ALONE: Final = frozenset({"manifests", "any"})


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser(
        "check",
        help=COMMANDS["check"],
        description="Check the manifests of a fleet or of one cluster.",
        epilog="Exit status: 0 clean, 1 findings, 2 bad usage or unreadable input.",
        allow_abbrev=False,
    )
    inputs.add_places(parser)
    inputs.add_contexts(parser)
    codes = parser.add_argument_group("selection")
    codes.add_argument(
        "--select",
        metavar="CODES",
        action="append",
        help="report only these codes; a prefix such as UPL2 selects all codes that start with "
        "it; comma-separated, repeatable",
    )
    codes.add_argument(
        "--ignore", metavar="CODES", action="append", help="ignore these codes; repeatable"
    )
    codes.add_argument(
        "--fail-on",
        choices=config.FAIL_ON,
        help="the lowest severity that gives exit status 1 (default: error)",
    )
    codes.add_argument(
        "--config",
        metavar="FILE",
        help="read this configuration, not the nearest uplinks.toml or pyproject.toml",
    )
    written = parser.add_argument_group("output")
    written.add_argument("--format", choices=formats.FORMATS, help="output format (default: text)")
    written.add_argument("--output", metavar="FILE", help="write the report to a file, atomically")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Check every input and write the report."""
    extra = plugins.load_rules()
    entries = findings.catalogue(extra)
    selection, settings = _settings(arguments, entries)
    places = inputs.read_places(arguments)
    guarded = [rules.guard(rule) for rule in extra]
    result = _check(places, guarded, entries, selection)
    result = evolve(result, fail_on=_threshold(settings.fail_on or "error"))
    _write(result, settings.format or "text", arguments.output, places, console)
    for rule, raised in _failures(guarded):
        # Reported even if the code is ignored, because the check is incomplete.
        console.complain(str(UnusablePlugin(rule.code, f"it raised {raised}")))
    if not result.readable:
        return UNUSABLE
    return CLEAN if result.ok else FINDINGS


def documents(cluster: Cluster) -> int:
    """Count the documents of a cluster. Both parts of one configuration count once."""
    configs = {
        id(part.origin.document)
        for part in (cluster.child_config, cluster.parent_config)
        # One that is assumed was not read.
        if part is not None and part.origin.document.root is not None
    }
    return len(cluster.objects) + len(configs) + cluster.skipped


# --- selection --------------------------------------------------------------


def _settings(
    arguments: argparse.Namespace, codes: Collection[str]
) -> tuple[Selection, config.Config]:
    """Combine the configuration with the command line, which takes precedence."""
    file = arguments.config or config.find(_first(arguments))
    settings = config.Config() if file is None else config.load(file, codes)
    select, ignore = settings.select, settings.ignore
    if arguments.select is not None:
        select = checked(arguments.select, codes, "--select")
    if arguments.ignore is not None:
        ignore = checked(arguments.ignore, codes, "--ignore")
    every = ("",) if select is None else select
    return Selection(every, ignore or (), settings.per_path_ignores), evolve(
        settings,
        fail_on=arguments.fail_on or settings.fail_on,
        format=arguments.format or settings.format,
    )


def _first(arguments: argparse.Namespace) -> str:
    named = [*arguments.fleet, arguments.parent, *(path for _, path in arguments.child)]
    return next((path for path in named if path not in {None, "", inputs.STREAM}), ".")


def _threshold(name: str) -> Severity | None:
    return None if name == "never" else Severity(name)


# --- diagnostics ------------------------------------------------------------


def _check(
    places: Sequence[Place],
    guarded: Sequence[rules.Rule],
    entries: Mapping[str, rules.Entry],
    selection: Selection,
) -> Result:
    modes = plugins.modes()
    found: list[Diagnostic] = []
    suppressed = 0
    for place in places:
        report = _report(place.subject, guarded, modes)
        by, wrong = suppression.suppressions(place.clusters, place.texts, entries, place.sources)
        judged = set(filter(selection.has, _judged(place.subject, entries)))
        applied = suppression.apply(report, by, judged)
        suppressed += sum(map(selection.counts, applied.suppressed))
        found += [*applied.kept, *wrong, *applied.unused]
    return Result(
        Report(filter(selection.counts, found)),
        entries,
        _read([place.subject for place in places]),
        readable=not (any(_failures(guarded)) or inputs.unreadable(found)),
        suppressed=suppressed,
    )


def _report(subject: Fleet | Cluster, extra: Iterable[rules.Rule], modes: Iterable[str]) -> Report:
    if isinstance(subject, Fleet):
        return rules.check(subject, extra, known_modes=modes)
    return rules.check_cluster(subject, extra=extra, known_modes=modes)


def _judged(subject: Fleet | Cluster, entries: Mapping[str, rules.Entry]) -> Collection[str]:
    """Return the codes that this check covers. A single cluster covers fewer."""
    if isinstance(subject, Fleet):
        return entries.keys()
    scopes = _JUDGED_ALONE | ({"cluster"} if subject.uplinks else set())
    return {
        code
        for code, entry in entries.items()
        if not isinstance(entry, rules.Rule) or entry.scope in scopes
    }


def _failures(guarded: Iterable[rules.Rule]) -> Iterator[tuple[rules.Rule, str]]:
    """Yield each guarded rule that raised, with the class name of its first exception."""
    for rule in guarded:
        if isinstance(rule.function, rules.Guard) and rule.function.raised:
            yield rule, rule.function.raised[0]


def _read(subjects: Sequence[Fleet | Cluster]) -> dict[str, int]:
    fleets = [subject for subject in subjects if isinstance(subject, Fleet)]
    alone = [subject for subject in subjects if isinstance(subject, Cluster)]
    clusters = [*alone, *(cluster for fleet in fleets for cluster in fleet.clusters)]
    return {
        "children": sum(len(fleet.children) for fleet in fleets),
        "uplinks": sum(len(cluster.uplinks) for cluster in clusters),
        "documents": sum(documents(cluster) for cluster in clusters),
    }


# --- output -----------------------------------------------------------------


def _excerpts(places: Sequence[Place], encoding: str) -> Callable[[Location], list[str]]:
    from uplinks.cli.excerpt import excerpts  # noqa: PLC0415 - a clean check needs none

    texts = {file: data for place in places for file, data in place.texts.items()}
    known = {file: source for place in places for file, source in place.sources.items()}
    return excerpts(texts, encoding, known)


def _write(
    result: Result, name: str, file: str | None, places: Sequence[Place], console: Console
) -> None:
    to_file = file not in {None, inputs.STREAM}
    if name in MACHINES:
        written = formats.render(name, result)
    else:
        styler = Styler(coloured=False) if to_file else console.styler(console.out)
        encoding = "utf-8" if to_file else console.out.encoding or "utf-8"
        written = text.render(
            result,
            styler,
            _excerpts(places, encoding) if len(result.report) else None,
        )
    if file is not None and to_file:
        from uplinks.cli import output  # noqa: PLC0415 - seldom needed

        output.write(file, written)
    else:
        console.out.write(written)
    if to_file or name in MACHINES:
        console.err.write(text.tally(result, console.styler(console.err)))
