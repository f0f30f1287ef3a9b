"""Messages: they say what was given, at no great length."""

from __future__ import annotations

import pickle

import pytest

from uplinks.diagnostics import Report
from uplinks.errors import (
    CannotAdvertise,
    DuplicateTarget,
    InvalidAddress,
    InvalidCertificates,
    InvalidDuration,
    InvalidName,
    InvalidScheduler,
    InvalidWeight,
    MissingExtra,
    UnknownChild,
    UnknownService,
    UnknownTarget,
    UplinksError,
    quote,
)

LONG = "x" * 10**6
HUGE = 10**5000


class _Unshowable:
    def __repr__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("got", "text"),
    [
        ("api", "'api'"),
        (5, "5"),
        (None, "None"),
        (HUGE, "an int of 16610 bits"),
        (-HUGE, "an int of 16610 bits"),
        (LONG, f"'{'x' * 60}'… (1000000 long)"),
        ([LONG], f"['{'x' * 238}…"),
        ((HUGE,), "a tuple"),
        (_Unshowable(), "a _Unshowable"),
    ],
    ids=range(9),
)
def test_what_was_given_is_shown_at_no_great_length(got: object, text: str) -> None:
    assert quote(got) == text


@pytest.mark.parametrize(
    "error",
    [
        InvalidDuration(LONG, "r"),
        InvalidName("name", LONG, "r"),
        InvalidAddress("eu", LONG, "r"),
        InvalidAddress(LONG, "a", "r"),
        CannotAdvertise(LONG, Report()),
        UnknownChild(LONG),
        UnknownService(LONG),
        UnknownTarget(LONG),
        DuplicateTarget((LONG,)),
        InvalidWeight(LONG),
        InvalidWeight(HUGE),
        InvalidWeight([HUGE]),
        InvalidScheduler(LONG, "r"),
        InvalidCertificates(LONG, LONG),
        MissingExtra("http"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_no_message_is_long_and_every_error_pickles(error: UplinksError) -> None:
    assert len(str(error)) < 400
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert (type(again), str(again)) == (type(error), str(error))
