"""The names of uplinks, their services, and the annotation that lists them.

Rules of this file:

1. A name here is a plain string: no model, no lookups, no state.
2. A function that builds a name checks its parts first and raises `InvalidName`;
   a function called ``problem_with_…`` never raises and returns an explanation or
   ``None``.
3. Patterns are matched as a whole (``fullmatch``): ``$`` would accept a trailing
   newline, and these names end up in router rules.
4. A service name is a view. Two different owners can share one string
   (``a-b`` + ``c`` and ``a`` + ``b-c``); only the caller can tell them apart.

Source: reference page, "Uplink Naming" and "Referencing Uplinks from Routers".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final

from uplinks import grammar
from uplinks.errors import InvalidName, quote

__all__ = [
    "PROVIDER_SUFFIX",
    "child_service_name",
    "format_uplinks_annotation",
    "misspelt",
    "nearest",
    "normalize",
    "parse_uplinks_annotation",
    "problem_with_child_name",
    "problem_with_expose_name",
    "problem_with_name",
    "split_service_reference",
    "split_uplinks_annotation",
    "uplink_name",
    "weighted_service_name",
]

PROVIDER_SUFFIX: Final = "@multicluster"
"""What the parent's provider appends to every service it materializes."""

_LABEL: Final = re.compile(grammar.LABEL)
_EXPOSE_NAME: Final = re.compile(grammar.EXPOSE_NAME)
_CHILD_NAME: Final = re.compile(grammar.CHILD_NAME)
_WORDS: Final = re.compile(r"[^\W_]+")

_CLOSE_ENOUGH: Final = 0.6
_LEAST_LETTERS: Final = 4


def _problem(text: str, pattern: re.Pattern[str], limit: int, characters: str) -> str | None:
    if not text:
        return "it is empty"
    if len(text) > limit:
        return f"it must have at most {limit} characters, got {len(text)}"
    if pattern.fullmatch(text) is None:
        return f"it must consist of {characters} and have a letter or digit at both ends"
    return None


def problem_with_name(text: str) -> str | None:
    """Explain why a string cannot be a ``metadata.name`` or namespace, or return ``None``.

    Law: ``None`` exactly for the DNS-1123 labels of at most 63 characters.
    Complexity: O(length), at most 63 characters are read.

    >>> problem_with_name("api-workload") is None
    True
    >>> problem_with_name("API")
    "it must consist of a-z, 0-9 and '-' and have a letter or digit at both ends"

    Source: RFC 1123 section 2.1, as Kubernetes reads it.
    """
    return _problem(text, _LABEL, grammar.MAX_LABEL, "a-z, 0-9 and '-'")


def problem_with_expose_name(text: str) -> str | None:
    """Explain why a string cannot be an ``exposeName`` or uplink name, or return ``None``.

    Law: ``None`` exactly for the full matches of
    ``[a-z0-9]([-a-z0-9.]*[a-z0-9])?`` of at most 253 characters.
    Complexity: O(length), at most 253 characters are looked at.

    >>> problem_with_expose_name("api..v1--eu") is None
    True
    >>> problem_with_expose_name("")
    'it is empty'

    Source: the ``exposeName`` field of the Uplink CRD.
    """
    return _problem(text, _EXPOSE_NAME, grammar.MAX_NAME, "a-z, 0-9, '-' and '.'")


def problem_with_child_name(text: str) -> str | None:
    """Explain why a string cannot name a child, or return ``None``.

    A child's name is a key of the parent's static configuration, which no API
    server checks, so capitals, ``_`` and ``.`` are valid. Characters that would
    make ``<uplink-name>-<child>@multicluster`` ambiguous are not.
    Complexity: O(length), at most 253 characters are looked at.

    >>> problem_with_child_name("EU_west-1") is None
    True
    >>> problem_with_child_name("eu@west") is None
    False

    Source: reference page, "Complete Example".
    """
    return _problem(text, _CHILD_NAME, grammar.MAX_NAME, "letters, digits, '-', '_' and '.'")


def _checked(kind: str, text: str, problem_with: Callable[[str], str | None]) -> str:
    problem = problem_with(text)
    if problem is not None:
        raise InvalidName(kind, text, problem)
    return text


def uplink_name(namespace: str, name: str, expose_name: str | None = None) -> str:
    """Build the name of an uplink: ``exposeName`` if set, else ``<namespace>-<name>``.

    Law: the result is always a valid uplink name. Different owners may get the
    same result. Complexity: O(length).

    Raises `InvalidName` if the part that is used breaks its grammar. An empty
    ``expose_name`` is invalid; only ``None`` means absent.

    >>> uplink_name("apps", "api-workload")
    'apps-api-workload'
    >>> uplink_name("apps", "api-workload", "api.v1")
    'api.v1'

    Source: reference page, "Uplink Naming".
    """
    if expose_name is not None:
        return _checked("exposeName", expose_name, problem_with_expose_name)
    _checked("namespace", namespace, problem_with_name)
    _checked("name", name, problem_with_name)
    return f"{namespace}-{name}"


def weighted_service_name(uplink: str) -> str:
    """Build the name of the service over all children that advertise an uplink name.

    Raises `InvalidName`. Complexity: O(length).

    >>> weighted_service_name("apps-api-workload")
    'apps-api-workload@multicluster'

    Source: reference page, "Uplink Naming".
    """
    return _checked("uplink name", uplink, problem_with_expose_name) + PROVIDER_SUFFIX


def child_service_name(uplink: str, child: str) -> str:
    """Build the name of the direct service of one child.

    Raises `InvalidName`. Complexity: O(length).

    >>> child_service_name("apps-api-workload", "child-1")
    'apps-api-workload-child-1@multicluster'

    Source: reference page, "Uplink Naming".
    """
    _checked("uplink name", uplink, problem_with_expose_name)
    _checked("child name", child, problem_with_child_name)
    return f"{uplink}-{child}{PROVIDER_SUFFIX}"


def split_uplinks_annotation(text: str) -> tuple[str, ...]:
    """Split the annotation's value at commas and strip each element.

    Empty elements are kept, so that a report can give their position. Nothing is
    checked. Complexity: O(length).

    >>> split_uplinks_annotation("apps-a, apps-b,")
    ('apps-a', 'apps-b', '')

    Source: reference page, "Referencing Uplinks from Routers".
    """
    return tuple(element.strip() for element in text.split(","))


def _checked_list(got: object, names: Iterable[str]) -> tuple[str, ...]:
    kind = "uplinks annotation"
    seen: dict[str, None] = {}
    for position, name in enumerate(names, start=1):
        problem = problem_with_expose_name(name)
        if problem is not None:
            raise InvalidName(kind, got, f"element {position} ({quote(name)}): {problem}")
        if name in seen:
            raise InvalidName(kind, got, f"element {position} ({quote(name)}) is a duplicate")
        seen[name] = None
    if not seen:
        raise InvalidName(kind, got, "it must name an uplink")
    return tuple(seen)


def parse_uplinks_annotation(text: str) -> tuple[str, ...]:
    """Parse the value of ``hub.traefik.io/router.uplinks``: names, in order.

    Law: ``parse(format(names)) == names``. Complexity: O(length).

    Raises `InvalidName` for an empty element (so also for an empty value), a
    duplicate, or a name that breaks the grammar.

    >>> parse_uplinks_annotation("apps-primary-uplink, apps-secondary-uplink")
    ('apps-primary-uplink', 'apps-secondary-uplink')

    Source: reference page, "Referencing Uplinks from Routers".
    """
    return _checked_list(text, split_uplinks_annotation(text))


def format_uplinks_annotation(names: Iterable[str]) -> str:
    """Format the value of ``hub.traefik.io/router.uplinks``.

    Raises `InvalidName` for names that `parse_uplinks_annotation` would refuse.
    Complexity: O(length).

    >>> format_uplinks_annotation(["apps-a", "apps-b"])
    'apps-a,apps-b'

    Source: reference page, "Referencing Uplinks from Routers".
    """
    names = tuple(names)
    return ",".join(_checked_list(names, names))


def split_service_reference(reference: str) -> tuple[str, str | None]:
    """Split ``name@provider`` at the last ``@``; no ``@`` gives ``None``.

    Complexity: O(length).

    >>> split_service_reference("apps-api@multicluster")
    ('apps-api', 'multicluster')
    >>> split_service_reference("api")
    ('api', None)

    Source: Traefik's Kubernetes CRD provider, ``name@provider`` references.
    """
    name, at, provider = reference.rpartition("@")
    return (name, provider) if at else (reference, None)


def normalize(text: str) -> str:
    """Rewrite a name the way Traefik does with names from Kubernetes objects.

    Every run of characters that are neither letter nor number becomes one
    ``-``; both ends are trimmed. So ``api.v1`` and ``api-v1`` become the same
    name. Law: idempotent. Complexity: O(length).

    >>> normalize("api.v1"), normalize("a--b"), normalize("-a_b-")
    ('api-v1', 'a-b', 'a-b')

    Source: Traefik, ``provider.Normalize``.
    """
    return "-".join(_WORDS.findall(text))


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """Find the candidate most similar to a name, for "did you mean".

    Case is ignored, the name itself is never suggested, and ties go to the
    candidate that sorts first, so the result does not depend on the order.
    Complexity: O(c · length²) for c candidates; a name of more than 253
    characters matches nothing.

    >>> nearest("wieght", ["exposeName", "weight"])
    'weight'
    >>> nearest("colour", ["exposeName", "weight"]) is None
    True

    Source: J. W. Ratcliff and D. Metzener, "Pattern Matching: the Gestalt
    Approach", 1988, as in ``difflib``.
    """
    if not name or len(name) > grammar.MAX_NAME:
        return None
    import difflib  # noqa: PLC0415 - a sound manifest needs no suggestion

    matcher = difflib.SequenceMatcher(autojunk=False)
    matcher.set_seq2(name.casefold())
    best: str | None = None
    best_ratio = 0.0
    for candidate in sorted(set(candidates) - {name}):
        matcher.set_seq1(candidate.casefold())
        bar = max(best_ratio, _CLOSE_ENOUGH)
        # The cheap upper bounds first: most candidates are dissimilar.
        if matcher.real_quick_ratio() < bar or matcher.quick_ratio() < bar:
            continue
        ratio = matcher.ratio()
        if ratio >= _CLOSE_ENOUGH and ratio > best_ratio:
            best, best_ratio = candidate, ratio
    return best


def misspelt(name: str, candidates: Iterable[str]) -> str | None:
    """Find the one candidate of which a name is a misspelling, for a correction.

    Only case and separators differ, or one word of 4 letters or more has one letter too
    many, too few, wrong, or swapped with the next one. ``None`` if there is no such
    candidate or more than one. Words with digits tell names apart, so they never count.
    Complexity: O(c · length) for c candidates.

    >>> misspelt("unhealthy-interval", ["interval", "unhealthyInterval"])
    'unhealthyInterval'
    >>> misspelt("api-serach", ["api-search"]), misspelt("api-v1", ["api-v2"])
    ('api-search', None)
    """
    if len(name) > grammar.MAX_NAME:
        return None
    meant = {each for each in candidates if each != name and _is_misspelling(name, each)}
    return meant.pop() if len(meant) == 1 else None


def _is_misspelling(name: str, meant: str) -> bool:
    ours, theirs = _WORDS.findall(name.casefold()), _WORDS.findall(meant.casefold())
    if "".join(ours) == "".join(theirs):
        return True
    differing = [pair for pair in zip(ours, theirs, strict=False) if pair[0] != pair[1]]
    return len(ours) == len(theirs) and len(differing) == 1 and _is_one_typo(*differing[0])


def _is_one_typo(got: str, meant: str) -> bool:
    shorter, longer = sorted((got, meant), key=len)
    if len(longer) < _LEAST_LETTERS or not (got.isalpha() and meant.isalpha()):
        return False
    if len(longer) - len(shorter) > 1:
        return False
    same = next((at for at, (a, b) in enumerate(zip(got, meant, strict=False)) if a != b), None)
    at = len(shorter) if same is None else same
    if len(longer) > len(shorter):
        return shorter[at:] == longer[at + 1 :]
    swapped = got[at + 1 : at + 2] + got[at : at + 1] + got[at + 2 :]
    return got[at + 1 :] == meant[at + 1 :] or swapped == meant[at:]
