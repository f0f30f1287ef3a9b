"""The options of ``uplinks simulate``, as values."""

from __future__ import annotations

import argparse
import re
from argparse import ArgumentTypeError
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, Final, TypeVar

import attrs
from attrs import evolve, field, frozen

from uplinks.durations import parse_duration
from uplinks.health import HealthPolicy
from uplinks.model import MAX_WEIGHT
from uplinks.naming import nearest
from uplinks.simulate import (
    ENGINES,
    Advertise,
    Flap,
    Outage,
    ScenarioEvent,
    SetWeight,
    Slow,
    Withdraw,
)

__all__ = [
    "EVENTS",
    "Variant",
    "add_events",
    "parse_duration_option",
    "parse_rate",
    "parse_requests",
    "parse_share",
    "parse_variant",
]

CHOICES: Final = {"engine": ENGINES, "scheduler": ("fair", "edf", "smooth")}
CHECK_TIMES: Final = ("interval", "unhealthy_interval", "timeout")
NO_END: Final = 2**63 - 1
DURATION_FIELD: Final = re.compile(r"(window|lateness|start|interval|timeout|delay|hold_down)$")
NUMBER: Final = re.compile(r"[0-9]{1,18}", re.ASCII)
RATE: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9}|/0*[1-9][0-9]{0,11})?", re.ASCII)

Value = TypeVar("Value")


# --- numbers ----------------------------------------------------------------


def parse_duration_option(text: str) -> int:
    """Parse a duration of at least 0, in nanoseconds."""
    duration = _convert(lambda: parse_duration(text))
    if duration < 0:
        raise ArgumentTypeError(f"must be at least 0, got {text!r}")
    return duration


def parse_rate(text: str) -> Fraction:
    """Parse a number above 0: ``100``, ``0.5`` or ``1000/60``."""
    if not RATE.fullmatch(text) or Fraction(text) == 0:
        raise ArgumentTypeError(
            f"expected a rate above 0, such as 100, 0.5 or 1000/60, got {text!r}"
        )
    return Fraction(text)


def parse_requests(text: str) -> int:
    """Parse a number of requests."""
    if not NUMBER.fullmatch(text) or int(text) == 0:
        raise ArgumentTypeError(f"expected a number of at least 1, got {text!r}")
    return int(text)


def parse_share(text: str) -> Fraction:
    """Parse a share: ``1%`` or ``0.01``."""
    number = text.removesuffix("%")
    share = Fraction(number) / (1 if number == text else 100) if RATE.fullmatch(number) else None
    if share is None or share > 1:
        raise ArgumentTypeError(f"expected a share of at most 1, such as 1% or 0.01, got {text!r}")
    return share


def _convert(convert: Callable[[], Value]) -> Value:
    try:
        return convert()
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None


# --- events -----------------------------------------------------------------

SPAN: Final = "CHILD@FROM-TO"
FLAP: Final = "CHILD@FROM-TO/PERIOD[/OUT]"
SLOW: Final = "CHILD@FROM-TO/LATENCY[/fail]"
WEIGHT: Final = "CHILD@AT=WEIGHT"
MOMENT: Final = "CHILD@AT"
EXAMPLES: Final = {
    SPAN: "child-1@2m-5m",
    FLAP: "child-2@1m-4m/10s",
    SLOW: "child-1@1m-2m/4s",
    WEIGHT: "child-1@5m=10",
    MOMENT: "child-1@5m",
}


def _parse_outage(text: str) -> Outage:
    child, start, end, _ = _parse_span(text, SPAN)
    return Outage(child, start, end)


def _parse_hang(text: str) -> Outage:
    return evolve(_parse_outage(text), hangs=True)


def _parse_flap(text: str) -> Flap:
    child, start, end, more = _parse_span(text, FLAP, 1, 2)
    period = parse_duration_option(more[0])
    out = parse_duration_option(more[1]) if len(more) > 1 else period // 2
    return Flap(child, start, end, period, out)


def _parse_slow(text: str) -> Slow:
    child, start, end, more = _parse_span(text, SLOW, 1, 2)
    if more[1:] not in ([], ["fail"]):
        raise _malformed(text, SLOW)
    return Slow(child, start, end, parse_duration_option(more[0]), fails=len(more) > 1)


def _parse_weight(text: str) -> SetWeight:
    before, _, weight = text.rpartition("=")
    if not NUMBER.fullmatch(weight):
        raise _malformed(text, WEIGHT)
    if int(weight) > MAX_WEIGHT:
        raise ArgumentTypeError(f"weight must be between 0 and {MAX_WEIGHT}, got {weight}")
    return SetWeight(*_parse_moment(before, text, WEIGHT), int(weight))


def _parse_moment(moment: str, text: str, form: str = MOMENT) -> tuple[str, int]:
    child, _, at = moment.rpartition("@")
    if not (child and at):
        raise _malformed(text, form)
    return child, parse_duration_option(at)


def _parse_span(
    text: str, form: str, least: int = 0, most: int = 0
) -> tuple[str, int, int, list[str]]:
    """Parse ``CHILD@FROM-TO``, followed by some parts that are separated by slashes."""
    child, _, rest = text.rpartition("@")
    span, *more = rest.split("/")
    start, dash, end = span.partition("-")
    if not (child and start) or not least <= len(more) <= most or (dash and not end):
        raise _malformed(text, form)
    start_time = parse_duration_option(start)
    return child, start_time, parse_duration_option(end) if dash else NO_END, more


def _malformed(text: str, form: str) -> ArgumentTypeError:
    return ArgumentTypeError(f"expected {form}, such as {EXAMPLES[form]}, got {text!r}")


EVENTS: Final[Mapping[str, tuple[str, Callable[[str], ScenarioEvent], str]]] = {
    "fail": (SPAN, _parse_outage, "the child refuses requests and probes"),
    "hang": (SPAN, _parse_hang, "the child does not answer, so probes time out"),
    "flap": (
        FLAP,
        _parse_flap,
        "the child fails at the start of each PERIOD, for OUT (default: half of it)",
    ),
    "slow": (
        SLOW,
        _parse_slow,
        "the child answers probes after LATENCY; with /fail its requests fail",
    ),
    "weight": (
        WEIGHT,
        _parse_weight,
        (
            "the child advertises its uplinks with this weight, and the parent's TraefikServices "
            "give it to what leads to the child alone"
        ),
    ),
    "withdraw": (
        MOMENT,
        lambda text: Withdraw(*_parse_moment(text, text)),
        "the child withdraws its uplinks",
    ),
    "advertise": (
        MOMENT,
        lambda text: Advertise(*_parse_moment(text, text)),
        "the child advertises the uplinks of its manifests again",
    ),
}
"""The form of each event's option, its parser, and its help."""


def add_events(parser: argparse.ArgumentParser) -> None:
    """Add an option for each kind of event."""
    group = parser.add_argument_group("events (repeatable)")
    for name, (form, parse, description) in EVENTS.items():
        group.add_argument(
            f"--{name}",
            metavar=form,
            dest="events",
            action="append",
            default=[],
            type=_checked(parse),
            help=description,
        )


def _checked(parse: Callable[[str], ScenarioEvent]) -> Callable[[str], ScenarioEvent]:
    return lambda text: _convert(lambda: parse(text))


# --- policies ---------------------------------------------------------------


@frozen
class Variant:
    """A policy: the text it was parsed from, and the settings in it."""

    name: str = ""
    policy: Mapping[str, Any] = field(factory=dict)
    check: Mapping[str, int] = field(factory=dict)
    scheduler: str | None = None
    engine: str | None = None

    def over(self, base: Variant) -> Variant:
        """Return this variant with the settings of another one as defaults."""
        return evolve(
            self,
            policy={**base.policy, **self.policy},
            check={**base.check, **self.check},
            scheduler=self.scheduler or base.scheduler,
            engine=self.engine or base.engine,
        )

    @property
    def only_for_uplinks(self) -> str | None:
        """Name a setting that does not apply to Traefik."""
        return next(iter(self.policy), "scheduler" if self.scheduler else None)


def parse_variant(text: str) -> Variant:
    """Parse settings such as ``unhealthy_threshold=2,interval=5s,scheduler=edf``."""
    # A classifier and a budget are no single value.
    plain = (each for each in attrs.fields(HealthPolicy) if isinstance(each.default, int))
    fields = {each.name: each for each in plain}
    choices: dict[str, str] = {}
    policy: dict[str, Any] = {}
    check: dict[str, int] = {}
    for part in text.split(","):
        name, equals, value = (each.strip() for each in part.partition("="))
        _check_setting(name, (*fields, *CHECK_TIMES, *CHOICES))
        if not equals or not value:
            raise ArgumentTypeError(f"expected NAME=VALUE, got {part!r}")
        if name in CHECK_TIMES:
            check[name] = parse_duration_option(value)
            if check[name] == 0:
                raise ArgumentTypeError(f"{name} must be above 0, got {value!r}")
        elif name in CHOICES:
            if value not in CHOICES[name]:
                known = ", ".join(CHOICES[name])
                raise ArgumentTypeError(f"{name} must be one of {known}, got {value!r}")
            choices[name] = value
        else:
            policy[name] = _parse_field(fields[name], value)
    _convert(lambda: HealthPolicy(**policy))  # checks the limits of each field
    return Variant(text, policy, check, **choices)


def _check_setting(name: str, known: tuple[str, ...]) -> None:
    if name not in known:
        near = nearest(name, known)
        hint = f"did you mean {near!r}?" if near else f"the settings are {', '.join(known)}"
        raise ArgumentTypeError(f"unknown setting {name!r}; {hint}")


def _parse_field(known: Any, text: str) -> object:
    if isinstance(known.default, bool):
        if text not in {"true", "false"}:
            raise ArgumentTypeError(f"{known.name} must be true or false, got {text!r}")
        return text == "true"
    if DURATION_FIELD.search(known.name):
        return parse_duration_option(text)
    if not NUMBER.fullmatch(text):
        raise ArgumentTypeError(f"{known.name} must be an integer, got {text!r}")
    return int(text)
