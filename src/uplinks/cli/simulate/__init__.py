"""``uplinks simulate``: who gets the requests while children fail and return.

Rules of this package:

1. `options` reads what stands on the command line, `telling` has the words
   that all reports share, `text`, `document` and `page` are the reports, `chart` and
   `looks` the picture.
2. The exit status is that of every command; a bound that was not kept is a finding.
"""

from __future__ import annotations

import argparse
from fractions import Fraction
from typing import Any, Final

from uplinks import rules
from uplinks.cli import COMMANDS, findings, inputs
from uplinks.cli.console import CLEAN, FINDINGS, Console, Unusable, printable
from uplinks.cli.simulate import options
from uplinks.cli.simulate.options import Variant
from uplinks.cli.simulate.telling import Named, clock
from uplinks.errors import UnknownChild, UnknownService, UplinksError
from uplinks.health import HealthPolicy
from uplinks.model import Fleet
from uplinks.parent import Parent
from uplinks.simulate import (
    Driver,
    Scenario,
    Simulation,
    retimed,
    simulate,
)

__all__ = ["add", "run"]

COLUMNS: Final = 120
SECOND: Final = 1_000_000_000
HAPPENINGS: Final = (
    ("fail", "CHILD@FROM-TO", options.fail, "a child refuses requests and probes"),
    ("hang", "CHILD@FROM-TO", options.hang, "a child does not answer: probes run out of time"),
    (
        "flap",
        "CHILD@FROM-TO/PERIOD[/OUT]",
        options.flap,
        "a child fails at the beginning of each PERIOD, for half of it or for OUT",
    ),
    (
        "slow",
        "CHILD@FROM-TO/LATENCY[/fail]",
        options.slow,
        "a child answers probes after LATENCY only; with /fail its requests fail",
    ),
    ("weight", "CHILD@AT=WEIGHT", options.weight, "a child offers its uplinks with this weight"),
    ("withdraw", "CHILD@AT", options.withdraw, "a child offers nothing any more"),
    ("advertise", "CHILD@AT", options.advertise, "a child offers again what its manifests say"),
)


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser(
        "simulate",
        help=COMMANDS["simulate"],
        description="Send requests through a service of the parent, in virtual time, while "
        "children fail and return: who gets them, which fail, and how soon that is noticed, "
        "beside what is promised.",
        epilog="Durations are like 1m30s, 500ms or 90 (seconds); without -TO, it lasts. "
        "Exit status: 0 every bound was kept, 1 findings, 2 bad usage or unreadable input.",
        allow_abbrev=False,
    )
    inputs.add_fleet(parser)
    parser.add_argument(
        "--service",
        metavar="NAME",
        required=True,
        help="a service of the parent, such as apps-api@multicluster, or a TraefikService, "
        "such as apps-api@kubernetescrd",
    )
    load = parser.add_mutually_exclusive_group()
    load.add_argument(
        "--rate", metavar="N", type=options.rate, help="requests a second (default: 100)"
    )
    load.add_argument(
        "--requests", metavar="N", type=options.requests, help="so many in all, evenly"
    )
    parser.add_argument(
        "--duration",
        metavar="TIME",
        type=options.duration,
        default=600 * SECOND,
        help="how long (default: 10m)",
    )
    happens = parser.add_argument_group("what happens (repeatable)")
    for name, metavar, read, words in HAPPENINGS:
        happens.add_argument(
            f"--{name}",
            metavar=metavar,
            dest="happenings",
            action="append",
            default=[],
            type=read,
            help=words,
        )
    _add_policy(parser)
    written = parser.add_argument_group("how it is written")
    written.add_argument(
        "--format", choices=("text", "json"), default="text", help="(default: text)"
    )
    written.add_argument("--html", metavar="FILE", help="write a page for a browser, too")
    written.add_argument("--svg", metavar="FILE", help="write the picture of the page, too")
    parser.set_defaults(run=run)


def _add_policy(parser: argparse.ArgumentParser) -> None:
    decided = parser.add_argument_group("what is decided")
    decided.add_argument(
        "--policy",
        metavar="NAME=VALUE,...",
        type=options.variant,
        default=Variant(),
        help="fields of the health policy, such as unhealthy_threshold=2; interval, "
        "unhealthy_interval and timeout, instead of what the health checks say; scheduler",
    )
    decided.add_argument(
        "--compare",
        metavar="NAME=VALUE,...",
        action="append",
        default=[],
        type=options.variant,
        help="simulate this policy beside the other; repeatable",
    )
    decided.add_argument(
        "--start",
        metavar="N",
        type=int,
        default=0,
        help="where in its schedule each service begins (default: 0)",
    )
    driver = parser.add_argument_group("how well the parent's driver works")
    driver.add_argument(
        "--lateness",
        metavar="TIME",
        type=options.duration,
        default=0,
        help="it does everything so much too late",
    )
    driver.add_argument(
        "--jitter",
        metavar="TIME",
        type=options.duration,
        default=0,
        help="and by up to this much more, by chance",
    )
    driver.add_argument(
        "--lost",
        metavar="SHARE",
        type=options.lost,
        default=0,
        help="such a share of the probes gets no answer: 1%% or 0.01",
    )
    driver.add_argument(
        "--seed", metavar="N", type=int, default=0, help="what chance begins with (default: 0)"
    )


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Write what came of it; or, when the fleet has errors, only those.

    What the command line names and is not there is bad usage. Whatever else
    cannot be built is the manifests' fault, also where no rule speaks of it.
    """
    _check(arguments)
    fleet = inputs.read_fleet(arguments)
    report = rules.check(fleet)
    console.err.write(findings.as_text(report, console.ink(console.err)))
    if not report.ok:
        return findings.status(report)
    variants = [arguments.policy, *(each.over(arguments.policy) for each in arguments.compare)]
    try:
        scenarios = [_scenario(arguments, fleet, each) for each in variants]
        runs = [
            Named(each.name or "as it is", _simulated(scenario, each.name, console))
            for each, scenario in zip(variants, scenarios, strict=True)
        ]
    except UplinksError as problem:
        if _misnamed(problem, arguments.service):
            raise Unusable(f"{problem}{_there_is(problem, fleet)}") from None
        console.err.write(f"{arguments.service} cannot be built: {printable(str(problem))}\n")
        return FINDINGS
    _write(arguments, runs, console)
    return CLEAN if all(each.run.kept for each in runs) else FINDINGS


def _check(arguments: argparse.Namespace) -> None:
    if arguments.duration == 0:
        raise Unusable("--duration is above 0")
    if "-" in {arguments.html, arguments.svg}:
        raise Unusable("--html and --svg are written to files; standard output has the report")
    if arguments.svg is not None and arguments.compare:
        raise Unusable("--svg is one picture: leave out --compare, or use --html")


def _scenario(arguments: argparse.Namespace, fleet: Any, variant: Variant) -> Scenario:
    duration = arguments.duration
    rate = arguments.rate or Fraction(100)
    try:
        if arguments.requests is not None:
            rate = Fraction(arguments.requests * SECOND, duration)
        return Scenario(
            retimed(fleet, **variant.check),
            arguments.service,
            rate,
            duration,
            arguments.happenings,
            policy=HealthPolicy(**variant.policy),
            driver=Driver(arguments.lateness, arguments.jitter, arguments.lost),
            scheduler=variant.scheduler or "fair",
            start=arguments.start,
            seed=arguments.seed,
            columns=min(COLUMNS, duration),
        )
    except ValueError as problem:
        raise Unusable(str(problem)) from None


def _simulated(scenario: Scenario, name: str, console: Console) -> Simulation:
    """Simulate; on a terminal, say how far it has come."""
    if not console.err.isatty():
        return simulate(scenario)

    def progress(now: int) -> None:
        part = now * 100 // scenario.duration
        words = f"{part:3} %  {clock(now)} of {clock(scenario.duration)}  {printable(name)}"
        console.err.write(f"\r\x1b[K{words.rstrip()}")
        console.err.flush()

    try:
        return simulate(scenario, progress)
    finally:
        console.err.write("\r\x1b[K")


def _misnamed(problem: UplinksError, service: str) -> bool:
    """Whether something on the command line is not there: a child, or the service."""
    if isinstance(problem, UnknownService):
        return problem.name == service
    return isinstance(problem, UnknownChild)


def _there_is(problem: UplinksError, fleet: Fleet) -> str:
    """Name the services that there are, where none is near what was asked for."""
    if not isinstance(problem, UnknownService) or problem.suggestion is not None:
        return ""
    parent = Parent.from_fleet(fleet)
    names = [*parent.composed, *(service.name for service in parent.services.weighted)]
    return f"; there is {inputs.listed(sorted(names)) or 'none at all'}"


def _write(arguments: argparse.Namespace, runs: list[Named], console: Console) -> None:
    for file, written in ((arguments.html, _page), (arguments.svg, _picture)):
        if file is not None:
            from uplinks.cli import output  # noqa: PLC0415 - seldom needed

            output.write(file, written(runs))
    if arguments.format == "json":
        from uplinks.cli.simulate import document  # noqa: PLC0415 - one form is enough

        console.out.write(document.written(runs))
        return
    from uplinks.cli.simulate import text  # noqa: PLC0415 - one form is enough

    ink, encoding = console.ink(console.out), console.out.encoding or "utf-8"
    if len(runs) == 1:
        console.out.write(text.told(runs[0].run, ink, encoding))
    else:
        console.out.write(text.compared(runs, ink, encoding))


def _page(runs: list[Named]) -> str:
    from uplinks.cli.simulate import page  # noqa: PLC0415 - seldom needed

    return page.written(runs)


def _picture(runs: list[Named]) -> str:
    from uplinks.cli.simulate import chart  # noqa: PLC0415 - seldom needed

    return chart.alone(runs[0].run)
