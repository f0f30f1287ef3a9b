"""``uplinks simulate``: which child gets the requests while children fail and recover."""

from __future__ import annotations

import argparse
from fractions import Fraction
from typing import Final

from attrs import evolve

from uplinks import rules
from uplinks.cli import COMMANDS, findings, inputs
from uplinks.cli.console import CLEAN, FINDINGS, Console, UsageError, printable
from uplinks.cli.simulate import options
from uplinks.cli.simulate.options import Variant
from uplinks.cli.simulate.wording import NamedRun, format_time
from uplinks.errors import UnknownChild, UnknownService, UplinksError, join_names
from uplinks.health import HealthPolicy
from uplinks.model import Fleet
from uplinks.parent import Parent
from uplinks.simulate import (
    ENGINES,
    DriverModel,
    Scenario,
    Simulation,
    simulate,
    with_check_times,
)

__all__ = ["add", "run"]

COLUMNS: Final = 120
SECOND: Final = 1_000_000_000


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser(
        "simulate",
        help=COMMANDS["simulate"],
        description="Send requests through a service of the parent, in virtual time, while "
        "children fail and recover. Report which child gets them, which fail, and how long "
        "detection takes compared to its bound.",
        epilog="Durations are written 1m30s, 500ms or 90 (seconds); without -TO an event lasts to "
        "the end. Exit status: 0 every bound was kept, 1 findings, 2 bad usage or unreadable "
        "input.",
        allow_abbrev=False,
    )
    inputs.add_fleet(parser)
    inputs.add_contexts(parser)
    parser.add_argument(
        "--service",
        metavar="NAME",
        required=True,
        help="a service of the parent, such as apps-api@multicluster, or a TraefikService, "
        "such as apps-api@kubernetescrd",
    )
    load = parser.add_mutually_exclusive_group()
    load.add_argument(
        "--rate", metavar="N", type=options.parse_rate, help="requests a second (default: 100)"
    )
    load.add_argument(
        "--requests", metavar="N", type=options.parse_requests, help="total number of requests"
    )
    parser.add_argument(
        "--duration",
        metavar="TIME",
        type=options.parse_duration_option,
        default=600 * SECOND,
        help="length of the simulation (default: 10m)",
    )
    parser.add_argument(
        "--engine",
        choices=ENGINES,
        default=ENGINES[0],
        help="uplinks: this library (default); traefik: open-source Traefik that reads the "
        "parent's TraefikServices as Kubernetes resources; traefik-file: the same with the file "
        "that materialize writes",
    )
    options.add_events(parser)
    _add_policy(parser)
    _add_driver(parser)
    output = parser.add_argument_group("output")
    output.add_argument(
        "--format", choices=("text", "json"), default="text", help="(default: text)"
    )
    output.add_argument("--html", metavar="FILE", help="also write an HTML page")
    output.add_argument("--svg", metavar="FILE", help="also write the picture of the page")
    parser.set_defaults(run=run)


def _add_policy(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("policy")
    group.add_argument(
        "--policy",
        metavar="NAME=VALUE,...",
        type=options.parse_variant,
        default=Variant(),
        help="fields of the health policy, such as unhealthy_threshold=2; interval, "
        "unhealthy_interval and timeout override all health checks; scheduler; engine",
    )
    group.add_argument(
        "--compare",
        metavar="NAME=VALUE,...",
        action="append",
        default=[],
        type=options.parse_variant,
        help="also simulate with these settings, and compare; repeatable",
    )
    group.add_argument(
        "--start",
        metavar="N",
        type=int,
        default=0,
        help="position in the schedule at which each service starts (default: 0)",
    )


def _add_driver(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("driver of the parent")
    for name, description in (
        ("lateness", "delay of each probe and of each result"),
        ("jitter", "additional random delay, at most this"),
    ):
        group.add_argument(
            f"--{name}",
            metavar="TIME",
            type=options.parse_duration_option,
            default=0,
            help=description,
        )
    group.add_argument(
        "--lost",
        metavar="SHARE",
        type=options.parse_share,
        default=0,
        help="share of the probes that get no answer: 1%% or 0.01",
    )
    group.add_argument(
        "--seed", metavar="N", type=int, default=0, help="seed of all random draws (default: 0)"
    )


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Write the report; or, when the fleet has errors, only those.

    An unknown name on the command line is bad usage. Anything else that cannot be built is the
    manifests' fault, even where no rule finds it.
    """
    _check(arguments)
    fleet = inputs.read_fleet(arguments)
    report = rules.check(fleet)
    if not report.ok:
        from uplinks.cli import causes  # noqa: PLC0415 - a sound fleet needs none

        causes.write_refusal(report, console)
        return findings.status(report)
    findings.write_tally(report, console)
    base = arguments.policy.over(Variant(engine=arguments.engine))
    variants = [base, *(each.over(base) for each in arguments.compare)]
    scenarios = [_scenario(arguments, fleet, each) for each in variants]
    try:
        runs = [
            NamedRun(each.name or "baseline", _simulate(scenario, each.name, console))
            for each, scenario in zip(variants, scenarios, strict=True)
        ]
        other = _with_traefik(arguments, scenarios, console)
    except UplinksError as error:
        if _is_misnamed(error, arguments.service):
            raise UsageError(f"{error}{_known_services(error, fleet)}") from None
        console.err.write(f"{arguments.service} cannot be built: {printable(str(error))}\n")
        return FINDINGS
    _write(arguments, runs, other, console)
    return CLEAN if all(each.run.within_bounds for each in runs) else FINDINGS


def _check(arguments: argparse.Namespace) -> None:
    if arguments.duration == 0:
        raise UsageError("--duration must be above 0")
    if "-" in {arguments.html, arguments.svg}:
        raise UsageError("--html and --svg need a file; standard output has the report")
    if arguments.svg is not None and arguments.compare:
        raise UsageError("--svg writes one picture; leave out --compare, or use --html")
    for variant in (arguments.policy, *arguments.compare):
        engine = variant.engine or arguments.policy.engine or arguments.engine
        if engine != ENGINES[0] and variant.only_for_uplinks:
            raise UsageError(f"{variant.only_for_uplinks} does not apply to the engine {engine}")


def _scenario(arguments: argparse.Namespace, fleet: Fleet, variant: Variant) -> Scenario:
    duration = arguments.duration
    rate = arguments.rate or Fraction(100)
    if arguments.requests is not None:
        rate = Fraction(arguments.requests * SECOND, duration)
    try:
        return Scenario(
            with_check_times(fleet, **variant.check),
            arguments.service,
            rate,
            duration,
            arguments.events,
            policy=HealthPolicy(**variant.policy),
            driver=DriverModel(arguments.lateness, arguments.jitter, arguments.lost),
            engine=variant.engine or ENGINES[0],
            scheduler=variant.scheduler or "fair",
            start=arguments.start,
            seed=arguments.seed,
            columns=min(COLUMNS, duration),
        )
    except ValueError as error:
        raise UsageError(str(error)) from None


def _simulate(scenario: Scenario, name: str, console: Console) -> Simulation:
    """Simulate; on a terminal, show the progress."""
    if not console.err.isatty():
        return simulate(scenario)

    def progress(now: int) -> None:
        percent, time = now * 100 // scenario.duration, format_time(now)
        text = f"{percent:3} %  {time} of {format_time(scenario.duration)}  {printable(name)}"
        console.err.write(f"\r\x1b[K{text.rstrip()}")
        console.err.flush()

    try:
        return simulate(scenario, progress)
    finally:
        console.err.write("\r\x1b[K")


def _with_traefik(
    arguments: argparse.Namespace, scenarios: list[Scenario], console: Console
) -> Simulation | None:
    """Simulate Traefik as well where the report has a line for it."""
    if len(scenarios) > 1 or scenarios[0].engine != ENGINES[0] or arguments.format != "text":
        return None
    return _simulate(evolve(scenarios[0], engine="traefik"), "engine=traefik", console)


def _is_misnamed(error: UplinksError, service: str) -> bool:
    """Tell whether a name on the command line is unknown: a child's, or the service's."""
    if isinstance(error, UnknownService):
        return error.name == service
    return isinstance(error, UnknownChild)


def _known_services(error: UplinksError, fleet: Fleet) -> str:
    """Name the services of the fleet, unless the error already suggests one."""
    if not isinstance(error, UnknownService) or error.suggestion is not None:
        return ""
    parent = Parent.from_fleet(fleet, strict=False)
    names = [*parent.composed, *(service.name for service in parent.services.weighted)]
    return f"; the services are {join_names(names)}" if names else "; the fleet has no services"


def _write(
    arguments: argparse.Namespace,
    runs: list[NamedRun],
    other: Simulation | None,
    console: Console,
) -> None:
    for file, render in ((arguments.html, _render_page), (arguments.svg, _render_svg)):
        if file is not None:
            from uplinks.cli import output  # noqa: PLC0415 - rarely needed

            output.write(file, render(runs))
    if arguments.format == "json":
        from uplinks.cli.simulate import document  # noqa: PLC0415 - one format is enough

        console.out.write(document.format_json(runs))
        return
    from uplinks.cli.simulate import text  # noqa: PLC0415 - one format is enough

    styler, encoding = console.styler(console.out), console.out.encoding or "utf-8"
    if len(runs) == 1:
        console.out.write(text.format_run(runs[0].run, styler, encoding, other))
    else:
        console.out.write(text.format_comparison(runs, styler, encoding))


def _render_page(runs: list[NamedRun]) -> str:
    from uplinks.cli.simulate import page  # noqa: PLC0415 - rarely needed

    return page.render_page(runs)


def _render_svg(runs: list[NamedRun]) -> str:
    from uplinks.cli.simulate import chart  # noqa: PLC0415 - rarely needed

    return chart.render_svg(runs[0].run)
