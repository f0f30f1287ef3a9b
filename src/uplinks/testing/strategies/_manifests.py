"""Texts, and texts and fleets with one kind of mistake."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Final

import attrs
from hypothesis import strategies as st

from uplinks import rules
from uplinks.model import Fleet
from uplinks.render import dump
from uplinks.schema import unstructure
from uplinks.testing import _examples
from uplinks.testing.strategies._configs import static_configs
from uplinks.testing.strategies._fleets import fleets
from uplinks.testing.strategies._objects import ingress_routes, traefik_services, uplinks

__all__ = ["FLEET_CODES", "MANIFEST_CODES", "broken_fleets", "broken_manifests", "manifests"]

FLEET_CODES: Final = _examples.codes()
"""The codes that `broken_fleets` has a fleet for: all that manifests can show."""

MANIFEST_CODES: Final = tuple(code for code in FLEET_CODES if rules.find(code).needs == "cluster")
"""The codes of `broken_manifests`: all that one cluster can show."""


@st.composite
def manifests(draw: st.DrawFn) -> str:
    """Texts that no rule of one cluster calls an error: YAML or JSON, of one to three documents.

    A static configuration stands alone: the entry points that an uplink names
    need not be its.

    >>> from hypothesis import given, settings
    >>> from uplinks import check_manifests
    >>> @settings(max_examples=5)
    ... @given(manifests())
    ... def test_my_reader_takes_it(text):
    ...     assert check_manifests(text).ok
    >>> test_my_reader_takes_it()
    """
    objects = uplinks() | ingress_routes() | traefik_services()
    alone = static_configs().map(lambda config: [config])
    drawn = draw(alone | st.lists(objects, min_size=1, max_size=3, unique_by=type))
    return _text(draw, *map(unstructure, drawn))


def _text(draw: st.DrawFn, *trees: dict[str, Any]) -> str:
    """Write documents, each as YAML or as JSON, which is YAML too."""
    ways: list[Callable[[dict[str, Any]], str]] = [dump, json.dumps]
    write = st.sampled_from(ways)
    return "\n---\n".join(draw(write)(tree) for tree in trees)


def broken_manifests(*codes: str) -> st.SearchStrategy[tuple[str, str]]:
    """Draw texts with one kind of mistake, each with the code that reports it.

    The mistake is the bad example on the code's page, after drawn documents that have
    no error. No other code reports an error. ``codes`` selects from `MANIFEST_CODES`.

    Raises: ValueError for a code that is not one of these.

    >>> from hypothesis import given, settings
    >>> from uplinks import check_manifests
    >>> @settings(max_examples=5)
    ... @given(broken_manifests())
    ... def test_my_reader_reports_the_mistake(drawn):
    ...     text, code = drawn
    ...     assert code in {found.code for found in check_manifests(text)}
    >>> test_my_reader_reports_the_mistake()
    """
    return _broken_texts(_wanted(codes, MANIFEST_CODES))


def _wanted(codes: Sequence[str], known: Sequence[str]) -> Sequence[str]:
    if unknown := sorted(set(codes) - set(known)):
        raise ValueError(f"there is no bad example for {', '.join(unknown)}")
    return codes or known


@st.composite
def _broken_texts(draw: st.DrawFn, codes: Sequence[str]) -> tuple[str, str]:
    code = draw(st.sampled_from(codes))
    # The example declares the entry points of its cluster, and a drawn uplink names others.
    alone = uplinks().map(lambda uplink: attrs.evolve(uplink, entry_points=()))
    drawn = draw(
        st.lists(alone | ingress_routes() | traefik_services(), max_size=2, unique_by=type)
    )
    trees = map(unstructure, drawn)
    # The example comes last: after a syntax error nothing is read.
    texts = [*([_text(draw, *trees)] if drawn else []), _examples.text_of(code)]
    return "\n---\n".join(texts), code


def broken_fleets(*codes: str) -> st.SearchStrategy[tuple[Fleet, str]]:
    """Draw fleets with one kind of mistake, each with the code that reports it.

    The mistake is the bad example on the code's page: children and objects of its own
    beside those of a drawn fleet without an error. No other code reports an error,
    but there may be warnings. ``codes`` selects from `FLEET_CODES`.

    Raises: ValueError for a code that is not one of these.

    >>> from hypothesis import given, settings
    >>> from uplinks import check
    >>> @settings(max_examples=5)
    ... @given(broken_fleets("UPL307", "UPL401"))
    ... def test_my_check_reports_the_mistake(drawn):
    ...     fleet, code = drawn
    ...     assert code in {found.code for found in check(fleet)}
    >>> test_my_check_reports_the_mistake()
    """
    return st.tuples(fleets(), st.sampled_from(_wanted(codes, FLEET_CODES))).map(
        lambda drawn: (_examples.beside(drawn[0], _examples.fleet(drawn[1], bad=True)), drawn[1])
    )
