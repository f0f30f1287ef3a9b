"""What stands on the command line of ``uplinks simulate``, as data.

Rules of this file:

1. A duration is written as everywhere else: ``1m30s``, ``500ms``, or seconds.
2. A policy may set every field of `HealthPolicy`, whatever it will have, the
   times of all health checks, and the scheduler.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, Final, TypeVar

import attrs
from attrs import evolve, field, frozen

from uplinks.durations import parse_duration
from uplinks.health import HealthPolicy
from uplinks.model import MAX_WEIGHT
from uplinks.naming import nearest
from uplinks.simulate import Advertise, Flap, Happening, Outage, SetWeight, Slow, Withdraw

__all__ = [
    "SCHEDULERS",
    "Variant",
    "advertise",
    "duration",
    "fail",
    "flap",
    "hang",
    "lost",
    "rate",
    "requests",
    "slow",
    "variant",
    "weight",
    "withdraw",
]

SCHEDULERS: Final = ("fair", "edf", "smooth")
CHECK_TIMES: Final = ("interval", "unhealthy_interval", "timeout")
FOR_GOOD: Final = 2**63 - 1
IS_TIME: Final = re.compile(r"(window|lateness|start|interval|timeout|delay)$")
NUMBER: Final = re.compile(r"[0-9]{1,18}", re.ASCII)
RATE: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9}|/[0-9]{1,12})?", re.ASCII)

Made = TypeVar("Made")


def duration(text: str) -> int:
    """Read a time of 0 or more, in nanoseconds."""
    try:
        time = parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if time < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is below 0")
    return time


def rate(text: str) -> Fraction:
    """Read a number above 0: ``100``, ``0.5`` or ``1000/60``."""
    if not RATE.fullmatch(text) or text.endswith(("/0", "/00")):
        raise argparse.ArgumentTypeError(f"{text!r} is no rate, such as 100, 0.5 or 1000/60")
    found = _made(lambda: Fraction(text))
    if found <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no rate above 0")
    return found


def requests(text: str) -> int:
    """Read how many requests."""
    if not NUMBER.fullmatch(text) or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of requests, 1 or more")
    return int(text)


def lost(text: str) -> Fraction:
    """Read a share: ``1%`` or ``0.01``."""
    percent = text.endswith("%")
    number = text.removesuffix("%")
    if not RATE.fullmatch(number):
        raise argparse.ArgumentTypeError(f"{text!r} is no share, such as 1% or 0.01")
    share = _made(lambda: Fraction(number)) / (100 if percent else 1)
    if share > 1:
        raise argparse.ArgumentTypeError(f"{text!r} is more than all")
    return share


def fail(text: str) -> Happening:
    """Read ``CHILD@FROM-TO``: it refuses."""
    child, begins, ends, _ = _spanned(text, "CHILD@FROM-TO, such as child-1@2m-5m", 0)
    return _made(lambda: Outage(child, begins, ends))


def hang(text: str) -> Happening:
    """Read ``CHILD@FROM-TO``: it does not answer."""
    child, begins, ends, _ = _spanned(text, "CHILD@FROM-TO, such as child-1@2m-5m", 0)
    return _made(lambda: Outage(child, begins, ends, hangs=True))


def flap(text: str) -> Happening:
    """Read ``CHILD@FROM-TO/PERIOD``, with ``/OUT`` for how long of it; half, otherwise."""
    form = "CHILD@FROM-TO/PERIOD[/OUT], such as child-2@1m-4m/10s"
    child, begins, ends, more = _spanned(text, form, 2)
    if not more:
        raise _formless(text, form)
    period = duration(more[0])
    out = duration(more[1]) if len(more) > 1 else period // 2
    return _made(lambda: Flap(child, begins, ends, period, out))


def slow(text: str) -> Happening:
    """Read ``CHILD@FROM-TO/LATENCY``, with ``/fail`` when requests fail, too."""
    form = "CHILD@FROM-TO/LATENCY[/fail], such as child-1@1m-2m/4s"
    child, begins, ends, more = _spanned(text, form, 2)
    if not more or (len(more) > 1 and more[1] != "fail"):
        raise _formless(text, form)
    return _made(lambda: Slow(child, begins, ends, duration(more[0]), fails=len(more) > 1))


def weight(text: str) -> Happening:
    """Read ``CHILD@AT=WEIGHT``."""
    form = "CHILD@AT=WEIGHT, such as child-1@5m=10"
    before, _, number = text.rpartition("=")
    child, _, at = before.rpartition("@")
    if not (child and at and NUMBER.fullmatch(number)):
        raise _formless(text, form)
    if int(number) > MAX_WEIGHT:
        raise argparse.ArgumentTypeError(f"{text!r}: a weight is at most {MAX_WEIGHT}")
    return SetWeight(child, duration(at), int(number))


def withdraw(text: str) -> Happening:
    """Read ``CHILD@AT``."""
    return Withdraw(*_moment(text))


def advertise(text: str) -> Happening:
    """Read ``CHILD@AT``."""
    return Advertise(*_moment(text))


def _moment(text: str) -> tuple[str, int]:
    child, _, at = text.rpartition("@")
    if not (child and at):
        raise _formless(text, "CHILD@AT, such as child-1@5m")
    return child, duration(at)


def _spanned(text: str, form: str, most: int) -> tuple[str, int, int, list[str]]:
    child, _, rest = text.rpartition("@")
    span, *more = rest.split("/")
    begins, dash, ends = span.partition("-")
    if not (child and begins) or len(more) > most or (dash and not ends):
        raise _formless(text, form)
    return child, duration(begins), duration(ends) if dash else FOR_GOOD, more


def _formless(text: str, form: str) -> argparse.ArgumentTypeError:
    return argparse.ArgumentTypeError(f"{text!r} is not {form}")


def _made(make: Callable[[], Made]) -> Made:
    try:
        return make()
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


# --- policies ---------------------------------------------------------------


@frozen
class Variant:
    """A policy as it was written, and what it sets."""

    name: str = ""
    policy: Mapping[str, Any] = field(factory=dict)
    check: Mapping[str, int] = field(factory=dict)
    scheduler: str | None = None

    def over(self, base: Variant) -> Variant:
        """Lay this over another one."""
        return evolve(
            self,
            policy={**base.policy, **self.policy},
            check={**base.check, **self.check},
            scheduler=self.scheduler or base.scheduler,
        )


def variant(text: str) -> Variant:
    """Read ``unhealthy_threshold=2,interval=5s,scheduler=edf``."""
    fields = {each.name: each for each in attrs.fields(HealthPolicy)}
    known = (*fields, *CHECK_TIMES, "scheduler")
    found = Variant(text)
    policy: dict[str, Any] = {}
    check: dict[str, int] = {}
    for part in text.split(","):
        name, equals, value = (each.strip() for each in part.partition("="))
        if name not in known:
            near = nearest(name, known)
            hint = f"did you mean {near!r}?" if near else f"known are {', '.join(known)}"
            raise argparse.ArgumentTypeError(f"{name!r} is no part of a policy; {hint}")
        if not equals or not value:
            raise argparse.ArgumentTypeError(f"{part!r} is not NAME=VALUE")
        if name in CHECK_TIMES:
            check[name] = _positive(name, value)
        elif name == "scheduler":
            if value not in SCHEDULERS:
                names = ", ".join(SCHEDULERS)
                raise argparse.ArgumentTypeError(f"{value!r} is no scheduler; known are {names}")
            found = evolve(found, scheduler=value)
        else:
            policy[name] = _value(fields[name], value)
    _made(lambda: HealthPolicy(**policy))  # which knows what is allowed
    return evolve(found, policy=policy, check=check)


def _positive(name: str, value: str) -> int:
    time = duration(value)
    if time == 0:
        raise argparse.ArgumentTypeError(f"{name} is above 0, not {value!r}")
    return time


def _value(known: Any, text: str) -> object:
    if isinstance(known.default, bool):
        if text not in {"true", "false"}:
            raise argparse.ArgumentTypeError(f"{known.name} is true or false, not {text!r}")
        return text == "true"
    if IS_TIME.search(known.name):
        return duration(text)
    if not NUMBER.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{known.name} is a number, not {text!r}")
    return int(text)
