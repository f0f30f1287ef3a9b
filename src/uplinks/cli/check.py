"""``uplinks check``: everything that is wrong, with file, line and column.

Rules of this file:

1. What was found, what of it counts, and how it is written are settled one
   after the other, by `rules`, by `suppression` and `selection`, by `formats`.
2. The exit status is the same in every format: 2 when something that was named
   could not be read or a rule of others raised, else 1 when a finding is as
   severe as ``--fail-on``, else 0.
3. Standard output holds the report and nothing else. Where a program reads it,
   the tally goes to standard error.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from attrs import evolve, frozen

from uplinks import rules
from uplinks.adapters import plugins
from uplinks.cli import COMMANDS, config, formats, inputs, suppression
from uplinks.cli.console import CLEAN, FINDINGS, UNUSABLE, Console, Ink
from uplinks.cli.formats import MACHINES, Result, text
from uplinks.cli.inputs import Place
from uplinks.cli.selection import Selection, checked
from uplinks.diagnostics import Diagnostic, Location, Report, Severity
from uplinks.errors import UnusablePlugin
from uplinks.model import Cluster, Fleet

__all__ = ["add", "catalogue", "documents", "run", "status"]

OVER_A_LIMIT: Final = "UPL004"
_JUDGED_ALONE: Final = frozenset({"manifests", "any"})

Entry = rules.Rule | rules.ShapeCode


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser(
        "check",
        help=COMMANDS["check"],
        description="Find what is wrong in the manifests of a fleet, or of one cluster.",
        epilog="Exit status: 0 clean, 1 findings, 2 bad usage or unreadable input.",
        allow_abbrev=False,
    )
    inputs.add_places(parser)
    codes = parser.add_argument_group("what counts")
    codes.add_argument(
        "--select",
        metavar="CODES",
        action="append",
        help="only these: codes, or their beginnings such as UPL2, with commas; repeatable",
    )
    codes.add_argument("--ignore", metavar="CODES", action="append", help="not these; repeatable")
    codes.add_argument(
        "--fail-on",
        choices=config.FAIL_ON,
        help="the mildest severity that gives exit status 1 (default: error)",
    )
    codes.add_argument(
        "--config",
        metavar="FILE",
        help="the configuration, instead of the nearest uplinks.toml or pyproject.toml",
    )
    written = parser.add_argument_group("how it is written")
    written.add_argument("--format", choices=formats.FORMATS, help="(default: text)")
    written.add_argument("--output", metavar="FILE", help="write to a file, whole or not at all")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Check every place and write all findings."""
    extra = plugins.load_rules()
    entries = catalogue(extra)
    selection, settings = _settings(arguments, entries)
    places = inputs.read_places(arguments)
    watched = _Watched.all_of(extra)
    result = _check(places, watched, entries, selection)
    result = evolve(result, fail_on=_threshold(settings.fail_on or "error"))
    _write(result, settings.format or "text", arguments.output, places, console)
    for each in watched:
        if each.raised:
            # Also where its code is ignored: what it judges was not judged.
            console.complain(str(UnusablePlugin(each.rule.code, f"it raised {each.raised[0]}")))
    if not result.readable:
        return UNUSABLE
    return CLEAN if result.ok else FINDINGS


def status(report: Report) -> int:
    """Turn a report into an exit status: what could not be read weighs most."""
    if inputs.unreadable(report):
        return UNUSABLE
    return CLEAN if report.ok else FINDINGS


def catalogue(extra: Iterable[rules.Rule] = ()) -> dict[str, Entry]:
    """Give what each code stands for, with the rules of others."""
    entries: list[Entry] = [*rules.SHAPE, *rules.ALL, *extra]
    return {entry.code: entry for entry in sorted(entries, key=lambda entry: entry.code)}


def documents(cluster: Cluster) -> int:
    """Count what was read of a cluster; both parts of one configuration are one."""
    configs = {
        id(part.origin.document)
        for part in (cluster.child_config, cluster.parent_config)
        if part is not None
    }
    objects = (*cluster.uplinks, *cluster.routers, *cluster.traefik_services)
    return len(objects) + len(configs) + cluster.skipped


# --- what counts ------------------------------------------------------------


def _settings(
    arguments: argparse.Namespace, codes: Collection[str]
) -> tuple[Selection, config.Config]:
    """Lay the command line over the configuration."""
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


# --- what was found ---------------------------------------------------------


def _check(
    places: Sequence[Place],
    watched: Sequence[_Watched],
    entries: Mapping[str, Entry],
    selection: Selection,
) -> Result:
    modes = plugins.modes()
    found: list[Diagnostic] = []
    suppressed = 0
    for place in places:
        report = _report(place.subject, [each.rule for each in watched], modes)
        by, wrong = suppression.suppressions(place.clusters, place.texts, entries, place.sources)
        judged = set(filter(selection.has, _judged(place.subject, entries)))
        settled = suppression.settle(report, by, judged)
        suppressed += sum(map(selection.counts, settled.suppressed))
        found += [*settled.kept, *wrong, *settled.unused]
    failed = any(each.raised for each in watched)
    return Result(
        Report(filter(selection.counts, found)),
        entries,
        _read([place.subject for place in places]),
        readable=not (failed or inputs.unreadable(found)),
        suppressed=suppressed,
    )


def _report(subject: Fleet | Cluster, extra: Iterable[rules.Rule], modes: Iterable[str]) -> Report:
    if isinstance(subject, Fleet):
        return rules.check(subject, extra, known_modes=modes)
    return rules.check_cluster(subject, extra=extra, known_modes=modes)


def _judged(subject: Fleet | Cluster, entries: Mapping[str, Entry]) -> Collection[str]:
    """Name the codes that were looked for: a cluster alone shows less than a fleet."""
    if isinstance(subject, Fleet):
        return entries.keys()
    scopes = _JUDGED_ALONE | ({"cluster"} if subject.uplinks else set())
    return {
        code
        for code, entry in entries.items()
        if not isinstance(entry, rules.Rule) or entry.scope in scopes
    }


@frozen
class _Watched:
    """A rule of others, and what it raised: its finding may be ignored, the failure may not."""

    rule: rules.Rule
    raised: list[str]

    @classmethod
    def all_of(cls, extra: Iterable[rules.Rule]) -> list[_Watched]:
        return [cls._one(rule) for rule in extra]

    @classmethod
    def _one(cls, rule: rules.Rule) -> _Watched:
        raised: list[str] = []
        return cls(evolve(rule, function=_noting(rule.function, raised)), raised)


def _noting(
    function: Callable[..., Iterator[Any]], raised: list[str]
) -> Callable[..., Iterator[Any]]:
    def watched(subject: Any) -> Iterator[Any]:
        try:
            yield from function(subject)
        except Exception as error:
            raised.append(type(error).__name__)
            raise

    return watched


def _read(subjects: Sequence[Fleet | Cluster]) -> dict[str, int]:
    fleets = [subject for subject in subjects if isinstance(subject, Fleet)]
    alone = [subject for subject in subjects if isinstance(subject, Cluster)]
    clusters = [*alone, *(cluster for fleet in fleets for cluster in fleet.clusters)]
    return {
        "children": sum(len(fleet.children) for fleet in fleets),
        "uplinks": sum(len(cluster.uplinks) for cluster in clusters),
        "documents": sum(documents(cluster) for cluster in clusters),
    }


# --- how it is written ------------------------------------------------------


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
        ink = Ink(coloured=False) if to_file else console.ink(console.out)
        encoding = "utf-8" if to_file else console.out.encoding or "utf-8"
        written = text.render(
            result,
            ink,
            _excerpts(places, encoding) if len(result.report) else None,
        )
    if file is not None and to_file:
        from uplinks.cli import output  # noqa: PLC0415 - seldom needed

        output.write(file, written)
    else:
        console.out.write(written)
    if to_file or name in MACHINES:
        console.err.write(text.tally(result, console.ink(console.err)))
