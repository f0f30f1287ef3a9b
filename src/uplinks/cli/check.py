"""``uplinks check``: report every mistake with its file, line and column.

1. `rules` makes the diagnostics; `suppression`, `selection` and `baseline` filter them;
   `fixes` edits the manifests; `formats` writes what is left, in this order.
2. The exit status is the same in every format: 2 if a named input is unreadable or a
   third-party rule raised, else 1 if a diagnostic is at least as severe as
   ``--fail-on``, else 0.
3. Standard output contains only the report. In a format for programs, the summary
   goes to standard error.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from attrs import evolve

from uplinks import rules
from uplinks.adapters import plugins
from uplinks.adapters.files import Texts
from uplinks.cli import COMMANDS, config, findings, formats, inputs, suppression
from uplinks.cli.console import CLEAN, FINDINGS, UNUSABLE, Console, Styler, UsageError, printable
from uplinks.cli.formats import MACHINES, Result, text
from uplinks.cli.inputs import Place
from uplinks.cli.selection import Selection, checked
from uplinks.diagnostics import Diagnostic, Location, Report, Severity
from uplinks.errors import UnusablePlugin
from uplinks.model import Cluster, Fleet

if TYPE_CHECKING:
    from uplinks.cli.baseline import Baseline
    from uplinks.cli.fixes import Edit

__all__ = ["add", "documents", "run"]

_JUDGED_ALONE: Final = frozenset({"manifests", "any"})
_WITH_EDITS: Final = frozenset({"json", "sarif"})


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
        "--exclude",
        metavar="PATTERN",
        action="append",
        default=[],
        help="leave out files and folders below the given folders; a pattern without / is a name "
        "at any depth; repeatable, in addition to the configuration",
    )
    codes.add_argument("--baseline", metavar="FILE", help="ignore the findings that this file has")
    codes.add_argument(
        "--write-baseline",
        metavar="FILE",
        help="write all findings to a baseline instead of reporting them",
    )
    codes.add_argument(
        "--config",
        metavar="FILE",
        help="read this configuration, not the nearest uplinks.toml or pyproject.toml",
    )
    edited = parser.add_argument_group("changes")
    edited.add_argument(
        "--fix",
        action="store_true",
        help="correct what has one right correction in the files, and report the rest",
    )
    edited.add_argument(
        "--diff", action="store_true", help="show what --fix would change, and change nothing"
    )
    written = parser.add_argument_group("output")
    written.add_argument("--format", choices=formats.FORMATS, help="output format (default: text)")
    written.add_argument("--output", metavar="FILE", help="write the report to a file, atomically")
    written.add_argument(
        "--verbose", action="store_true", help="show every finding, not one for each cause"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Check every input and write the report."""
    if (arguments.fix or arguments.diff) and (arguments.context or arguments.parent_context):
        raise UsageError("--fix and --diff edit files; objects in a cluster are not changed")
    extra = plugins.load_rules()
    entries = findings.catalogue(extra)
    selection, settings = _settings(arguments, entries)
    places: Sequence[Place] = inputs.read_places(arguments, _texts(arguments, settings))
    guarded = [rules.guard(rule) for rule in extra]
    known = _known(arguments, settings)

    def judge(read: Sequence[Place]) -> Result:
        result = _check(read, guarded, entries, selection, known)
        return evolve(result, fail_on=_threshold(settings.fail_on or "error"))

    result = judge(places)
    form = settings.format or "text"
    if arguments.write_baseline is not None:
        _write_baseline(result, arguments.write_baseline, console)
    elif arguments.diff:
        _show_edits(places, result, judge, console)
    else:
        if arguments.fix:
            places, result = _fix(places, result, judge, console)
        if form in _WITH_EDITS:
            result = evolve(result, edits=_edits(places, result))
        _write(result, form, arguments, places, console)
    for rule, raised in _failures(guarded):
        # Reported even if the code is ignored, because the check is incomplete.
        console.complain(str(UnusablePlugin(rule.code, f"it raised {raised}")))
    if not result.readable:
        return UNUSABLE
    return CLEAN if result.ok or arguments.write_baseline is not None else FINDINGS


def documents(cluster: Cluster) -> int:
    """Count the documents of a cluster. Both parts of one configuration count once."""
    configs = {
        id(origin.document)
        for part in (cluster.child_config, cluster.parent_config)
        if part is not None
        for origin in part.origin.parts
        if origin.document.root is not None  # one that is assumed was not read
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


def _texts(arguments: argparse.Namespace, settings: config.Config) -> Texts:
    """Say how folders are read."""
    patterns = settings.exclude
    if arguments.exclude:
        here = os.getcwd()  # noqa: PTH109 - text, not a path
        patterns += config.excludes(arguments.exclude, "--exclude", here)
    return inputs.make_texts(patterns, render=arguments.render)


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
    known: Baseline | None,
) -> Result:
    modes = plugins.modes()
    found: list[Diagnostic] = []
    suppressed = 0
    for place in places:
        report = _report(place.subject, guarded, modes)
        by, wrong = suppression.suppressions(place.clusters, place.texts, entries, place.sources)
        judged = set(filter(selection.has, _judged(place, entries)))
        applied = suppression.apply(report, by, judged)
        suppressed += sum(map(selection.counts, applied.suppressed))
        kept: Iterable[Diagnostic] = [*applied.kept, *wrong, *applied.unused]
        if place.texts.templates:
            from uplinks.cli.rendered import in_templates  # noqa: PLC0415 - few runs render

            kept = in_templates(kept, place.texts, place.texts.templates)
        found += filter(selection.counts, kept)
    counted = Report(found)
    known_ones = gone = 0
    if known is not None:
        new, known_ones, gone = known.split(counted.diagnostics)
        counted = Report(new)
    return Result(
        counted,
        entries,
        _read([place.subject for place in places]),
        readable=not (any(_failures(guarded)) or inputs.unreadable(found)),
        suppressed=suppressed,
        known=known_ones,
        gone=gone,
    )


def _report(subject: Fleet | Cluster, extra: Iterable[rules.Rule], modes: Iterable[str]) -> Report:
    if isinstance(subject, Fleet):
        report = rules.check(subject, extra, known_modes=modes)
    else:
        report = rules.check_cluster(subject, extra=extra, known_modes=modes)
    return Report(map(_as_information, report))


def _as_information(finding: Diagnostic) -> Diagnostic:
    """Let manifests that are not rendered fail no check."""
    if finding.code != rules.NOT_RENDERED:
        return finding
    return evolve(finding, severity=Severity.INFO)


def _judged(place: Place, entries: Mapping[str, rules.Entry]) -> Collection[str]:
    """Return the codes that this check covers. A single cluster covers fewer."""
    read = (d.code for cluster in place.clusters for d in cluster.diagnostics)
    hidden = rules.FROM_ABSENCE if rules.NOT_RENDERED in read else frozenset[str]()
    if isinstance(place.subject, Fleet):
        return entries.keys() - hidden
    scopes = _JUDGED_ALONE | ({"cluster"} if place.subject.uplinks else set())
    return {
        code
        for code, entry in entries.items()
        if code not in hidden and (not isinstance(entry, rules.Rule) or entry.scope in scopes)
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


# --- baseline and fixes ---------------------------------------------------


def _known(arguments: argparse.Namespace, settings: config.Config) -> Baseline | None:
    """Read the baseline, unless a new one is written."""
    file = arguments.baseline or settings.baseline
    if file is None or arguments.write_baseline is not None:
        return None
    from uplinks.cli import baseline  # noqa: PLC0415 - most projects have none

    return baseline.Baseline(file)


def _write_baseline(result: Result, file: str, console: Console) -> None:
    from uplinks.cli import baseline, output  # noqa: PLC0415 - seldom needed

    output.write(file, baseline.dump(result.report.diagnostics, file))
    number = findings.counted(len(result.report), "finding")
    console.err.write(f"{number} written to {printable(file)}\n")


def _edits(places: Sequence[Place], result: Result) -> list[Edit | None]:
    from uplinks.cli import fixes  # noqa: PLC0415 - seldom needed

    texts = {file: data for place in places for file, data in place.texts.items()}
    return fixes.edits_of(result.report, texts)


def _show_edits(
    places: Sequence[Place],
    result: Result,
    judge: Callable[[Sequence[Place]], Result],
    console: Console,
) -> None:
    from uplinks.cli import fixes  # noqa: PLC0415 - seldom needed

    fixed = fixes.fix(places, result, judge)
    console.out.write(fixes.format_diff(fixed.edits))
    console.err.write(f"--fix would make {fixed.summary}\n")


def _fix(
    places: Sequence[Place],
    result: Result,
    judge: Callable[[Sequence[Place]], Result],
    console: Console,
) -> tuple[Sequence[Place], Result]:
    from uplinks.cli import fixes  # noqa: PLC0415 - seldom needed

    fixed = fixes.fix(places, result, judge)
    fixes.write(fixed.changed)
    console.err.write(f"made {fixed.summary}\n")
    return fixed.places, fixed.result


# --- output -----------------------------------------------------------------


def _excerpts(places: Sequence[Place], encoding: str) -> Callable[[Location], list[str]]:
    from uplinks.cli.excerpt import excerpts  # noqa: PLC0415 - a clean check needs none

    texts = {
        file: place.texts.templates.get(file, data)
        for place in places
        for file, data in place.texts.items()
    }
    known = {
        file: source
        for place in places
        for file, source in place.sources.items()
        if file not in place.texts.templates
    }
    return excerpts(texts, encoding, known)


def _write(
    result: Result,
    name: str,
    arguments: argparse.Namespace,
    places: Sequence[Place],
    console: Console,
) -> None:
    file = arguments.output
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
            verbose=arguments.verbose,
        )
    if file is not None and to_file:
        from uplinks.cli import output  # noqa: PLC0415 - seldom needed

        output.write(file, written)
    else:
        console.out.write(written)
    if to_file or name in MACHINES:
        console.err.write(text.tally(result, console.styler(console.err)))
