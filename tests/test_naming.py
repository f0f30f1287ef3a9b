"""Names: their grammars, the services they make, the annotation that lists them."""

from __future__ import annotations

import pytest

from uplinks import naming
from uplinks.errors import InvalidName

ENDS = "and have a letter or digit at both ends"


@pytest.mark.parametrize("text", ["a", "a..b", "a--b", "0", "api.v1", "a" * 253])
def test_expose_names_that_are_valid(text: str) -> None:
    assert naming.problem_with_expose_name(text) is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "it is empty"),
        ("A", f"it must consist of a-z, 0-9, '-' and '.' {ENDS}"),
        ("-a", f"it must consist of a-z, 0-9, '-' and '.' {ENDS}"),
        ("a-", f"it must consist of a-z, 0-9, '-' and '.' {ENDS}"),
        (".a", f"it must consist of a-z, 0-9, '-' and '.' {ENDS}"),
        ("a_b", f"it must consist of a-z, 0-9, '-' and '.' {ENDS}"),
        ("a`) || Path(`", f"it must consist of a-z, 0-9, '-' and '.' {ENDS}"),
        ("a\n", f"it must consist of a-z, 0-9, '-' and '.' {ENDS}"),
        ("é", f"it must consist of a-z, 0-9, '-' and '.' {ENDS}"),
        ("٣", f"it must consist of a-z, 0-9, '-' and '.' {ENDS}"),
        ("a" * 254, "it must have at most 253 characters, got 254"),
    ],
)
def test_expose_names_that_are_not(text: str, problem: str) -> None:
    assert naming.problem_with_expose_name(text) == problem


@pytest.mark.parametrize("text", ["a", "0", "api-workload", "a--b", "a" * 63])
def test_names_that_are_valid(text: str) -> None:
    assert naming.problem_with_name(text) is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "it is empty"),
        (".non-dns", f"it must consist of a-z, 0-9 and '-' {ENDS}"),
        ("a.b", f"it must consist of a-z, 0-9 and '-' {ENDS}"),
        ("API", f"it must consist of a-z, 0-9 and '-' {ENDS}"),
        ("a\n", f"it must consist of a-z, 0-9 and '-' {ENDS}"),
        ("a" * 64, "it must have at most 63 characters, got 64"),
    ],
)
def test_names_that_are_not(text: str, problem: str) -> None:
    assert naming.problem_with_name(text) == problem


@pytest.mark.parametrize("text", ["child-1", "EU", "eu_west.1", "a" * 253])
def test_child_names_that_are_valid(text: str) -> None:
    assert naming.problem_with_child_name(text) is None


@pytest.mark.parametrize("text", ["", "-eu", "eu-", "eu west", "eu@west", "eu\n", "a" * 254])
def test_child_names_that_are_not(text: str) -> None:
    assert naming.problem_with_child_name(text) is not None


def test_an_uplink_is_named_after_its_object_unless_exposed() -> None:
    assert naming.uplink_name("apps", "api-workload") == "apps-api-workload"
    assert naming.uplink_name("apps", "api-workload", "api.v1") == "api.v1"
    assert naming.uplink_name("", "", "api") == "api"


@pytest.mark.parametrize(
    ("namespace", "name", "expose_name", "kind", "got"),
    [
        ("", "api", None, "namespace", ""),
        ("apps", "", None, "name", ""),
        ("apps", "a.b", None, "name", "a.b"),
        ("apps", "api", "", "exposeName", ""),
        ("apps", "api", "Api", "exposeName", "Api"),
    ],
)
def test_an_uplink_name_is_checked(
    namespace: str, name: str, expose_name: str | None, kind: str, got: str
) -> None:
    with pytest.raises(InvalidName) as caught:
        naming.uplink_name(namespace, name, expose_name)

    assert (caught.value.kind, caught.value.got) == (kind, got)


def test_services_are_named_after_the_uplink() -> None:
    weighted = naming.weighted_service_name("apps-api-workload")
    direct = naming.child_service_name("apps-api-workload", "child-1")

    assert weighted == "apps-api-workload@multicluster"
    assert direct == "apps-api-workload-child-1@multicluster"


def test_service_names_are_checked() -> None:
    with pytest.raises(InvalidName, match="invalid uplink name 'A'"):
        naming.weighted_service_name("A")
    with pytest.raises(InvalidName, match="invalid uplink name 'A'"):
        naming.child_service_name("A", "eu")
    with pytest.raises(InvalidName, match="invalid child name 'eu@west'"):
        naming.child_service_name("a", "eu@west")


def test_different_owners_may_share_a_name() -> None:
    assert naming.uplink_name("a-b", "c") == naming.uplink_name("a", "b-c")
    assert naming.child_service_name("a", "b-c") == naming.child_service_name("a-b", "c")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("apps-a", ("apps-a",)),
        ("apps-a,apps-b", ("apps-a", "apps-b")),
        (" apps-a ,\tapps-b ", ("apps-a", "apps-b")),
        ("", ("",)),
        ("a,,b,", ("a", "", "b", "")),
        ("a,a", ("a", "a")),
    ],
)
def test_splitting_the_annotation_keeps_everything(text: str, expected: tuple[str, ...]) -> None:
    assert naming.split_uplinks_annotation(text) == expected


def test_reading_the_annotation() -> None:
    assert naming.parse_uplinks_annotation("b, a") == ("b", "a")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "element 1 (''): it is empty"),
        (" ", "element 1 (''): it is empty"),
        ("a,", "element 2 (''): it is empty"),
        ("a,b, a", "element 3 ('a') is a duplicate"),
        ("a,B", f"element 2 ('B'): it must consist of a-z, 0-9, '-' and '.' {ENDS}"),
    ],
)
def test_reading_the_annotation_refuses(text: str, reason: str) -> None:
    with pytest.raises(InvalidName) as caught:
        naming.parse_uplinks_annotation(text)

    assert (caught.value.kind, caught.value.got) == ("uplinks annotation", text)
    assert caught.value.reason == reason


def test_writing_the_annotation() -> None:
    assert naming.format_uplinks_annotation(["b", "a"]) == "b,a"
    assert naming.format_uplinks_annotation(name for name in "ab") == "a,b"


@pytest.mark.parametrize("names", [[], ["a", "a"], ["a,b"], [""]])
def test_writing_the_annotation_refuses(names: list[str]) -> None:
    with pytest.raises(InvalidName):
        naming.format_uplinks_annotation(names)


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("api", ("api", None)),
        ("apps-api@multicluster", ("apps-api", "multicluster")),
        ("a@b@c", ("a@b", "c")),
        ("a@", ("a", "")),
        ("@b", ("", "b")),
        ("", ("", None)),
    ],
)
def test_references_split_at_the_last_at(reference: str, expected: tuple[str, str | None]) -> None:
    assert naming.split_service_reference(reference) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a--b", "a-b"),
        ("api.v1", "api-v1"),
        ("-a_b-", "a-b"),
        ("Host(`x`)", "Host-x"),
        ("é²Ⅷ", "é²Ⅷ"),
        ("...", ""),
        ("", ""),
    ],
)
def test_normalize(text: str, expected: str) -> None:
    assert naming.normalize(text) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("wieght", "weight"),
        ("Weight", "weight"),
        ("exposedName", "exposeName"),
        ("entrypoints", "entryPoints"),
        ("weight", None),
        ("colour", None),
        ("", None),
        ("weight" * 100, None),
    ],
)
def test_the_nearest_name(name: str, expected: str | None) -> None:
    candidates = ["weight", "exposeName", "entryPoints"]

    assert naming.nearest(name, candidates) == expected
    assert naming.nearest(name, candidates[::-1]) == expected


def test_a_tie_goes_to_the_first_in_order() -> None:
    assert naming.nearest("child-0", ["child-2", "child-1"]) == "child-1"


def test_a_name_of_any_length_is_refused_in_a_few_words() -> None:
    for text in ("x" * 10**6, "-" * 10**6, "a," * 10**6):
        with pytest.raises(InvalidName) as caught:
            naming.parse_uplinks_annotation(text)
        assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("name", "candidates", "meant"),
    [
        ("wieght", ["weight", "exposeName"], "weight"),  # two letters swapped
        ("weigt", ["weight"], "weight"),  # one is missing
        ("weightt", ["weight"], "weight"),  # one too many
        ("weighd", ["weight"], "weight"),  # one is wrong
        ("Weight", ["weight"], "weight"),
        ("health_check", ["healthCheck"], "healthCheck"),
        ("apps-serach-eu", ["apps-search-eu", "apps-web-eu"], "apps-search-eu"),
        ("wegiht", ["weight"], "weight"),
        ("weights", ["weight", "weighty"], None),  # two candidates
        ("wgeitt", ["weight"], None),  # two mistakes
        ("api-v3", ["api-v2"], None),  # a number is a name
        ("api-eu", ["api-us"], None),  # a short word is one
        ("prod", ["production"], None),
        ("api-web", ["web-api"], None),
        ("weight", ["weight"], None),  # itself
        ("", ["weight"], None),
        ("x" * 254, ["x" * 253], None),
    ],
)
def test_a_misspelling_has_one_correction_or_none(
    name: str, candidates: list[str], meant: str | None
) -> None:
    assert naming.misspelt(name, candidates) == meant
    assert naming.misspelt(name, reversed(candidates)) == meant
