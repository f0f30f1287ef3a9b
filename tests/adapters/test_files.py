from __future__ import annotations

import os
from pathlib import Path

import pytest

from uplinks.adapters.files import (
    Texts,
    fleets_in,
    is_fleet,
    load,
    load_cluster,
    load_fleet,
    load_stream,
)
from uplinks.diagnostics import Severity
from uplinks.manifest import Limits
from uplinks.model import Cluster, Fleet

EXAMPLES = Path(__file__).parents[2] / "examples"

UPLINK = """\
apiVersion: hub.traefik.io/v1alpha1
kind: Uplink
metadata: {{name: {name}, namespace: apps}}
"""


def write(path: Path, name: str = "api") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(UPLINK.format(name=name), encoding="utf-8")


def names(cluster: Cluster) -> list[str]:
    return [uplink.name for uplink in cluster.uplinks]


def codes(cluster: Cluster) -> list[str]:
    return [finding.code for finding in cluster.diagnostics]


def test_a_fleet_is_a_parent_and_children() -> None:
    fleet = load_fleet(EXAMPLES / "banking")

    assert list(fleet.children) == ["child-1", "child-2"]
    assert [cluster.name for cluster in fleet.clusters] == ["parent", "child-1", "child-2"]
    assert names(fleet.children["child-1"]) == ["banking-api"]
    assert fleet.children["child-1"].child_config is not None
    assert fleet.parent.parent_config is not None
    assert list(fleet.parent.parent_config.children) == ["child-1", "child-2"]
    assert [codes(cluster) for cluster in fleet.clusters] == [[], [], []]


def test_manifests_are_read_at_any_depth_in_the_order_of_their_names(tmp_path: Path) -> None:
    write(tmp_path / "b.yaml", "b")
    write(tmp_path / "a" / "deep" / "er.yml", "a")
    write(tmp_path / "c.json", "c")
    write(tmp_path / "notes.txt", "text")
    write(tmp_path / ".hidden.yaml", "hidden")
    write(tmp_path / ".git" / "x.yaml", "hidden")

    assert names(load_cluster("eu", [tmp_path])) == ["a", "b", "c"]


def test_json_is_read_too(tmp_path: Path) -> None:
    (tmp_path / "u.json").write_text(
        '{"apiVersion": "hub.traefik.io/v1alpha1", "kind": "Uplink",'
        ' "metadata": {"name": "api", "namespace": "apps"}}',
        encoding="utf-8",
    )

    assert names(load_cluster("eu", [tmp_path])) == ["api"]


def test_a_folder_may_be_a_thousand_folders_deep(tmp_path: Path) -> None:
    folder = tmp_path
    for _ in range(1200):
        folder /= "d"
        folder.mkdir()
    write(folder / "u.yaml")

    cluster = load_cluster("eu", [tmp_path])
    # Whoever tidies up afterwards may recurse.
    (folder / "u.yaml").unlink()
    while folder != tmp_path:
        folder.rmdir()
        folder = folder.parent

    assert names(cluster) == ["api"]


def test_links_are_followed_and_loops_end(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere" / "u.yaml")
    cluster = tmp_path / "cluster"
    cluster.mkdir()
    (cluster / "linked").symlink_to(tmp_path / "elsewhere")
    (cluster / "again").symlink_to(tmp_path / "elsewhere")
    (cluster / "loop").symlink_to(cluster)
    (tmp_path / "elsewhere" / "up").symlink_to(tmp_path)

    loaded = load_cluster("eu", [cluster])

    assert names(loaded) == ["api"]
    assert loaded.uplinks[0].origin.document.file == f"{cluster}/again/u.yaml"


def test_files_are_called_what_the_user_called_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "fleet" / "children" / "eu" / "u.yaml")
    write(tmp_path / "fleet" / "parent" / "u.yaml")
    monkeypatch.chdir(tmp_path)

    for typed in ("fleet", "./fleet", "fleet/../fleet", str(tmp_path / "fleet")):
        fleet = load_fleet(typed)

        file = fleet.children["eu"].uplinks[0].origin.document.file
        assert file == f"{typed}/children/eu/u.yaml"


def test_a_file_that_is_not_there_is_a_finding() -> None:
    cluster = load_cluster("eu", ["no/such.yaml"])

    assert [str(d) for d in cluster.diagnostics] == [
        "no/such.yaml:1:1: error UPL012: cannot be read: No such file or directory"
    ]
    assert cluster.diagnostics[0].location.cluster == "eu"


def test_a_dangling_link_is_a_finding_and_the_rest_is_read(tmp_path: Path) -> None:
    write(tmp_path / "b.yaml", "b")
    (tmp_path / "a.yaml").symlink_to(tmp_path / "gone.yaml")

    cluster = load_cluster("eu", [tmp_path])

    assert codes(cluster) == ["UPL012"]
    assert cluster.diagnostics[0].location.file == f"{tmp_path}/a.yaml"
    assert names(cluster) == ["b"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission_is_a_finding(tmp_path: Path) -> None:
    write(tmp_path / "a.yaml")
    (tmp_path / "a.yaml").chmod(0)

    assert codes(load_cluster("eu", [tmp_path])) == ["UPL012"]


def test_a_pipe_in_a_folder_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.yaml")

    cluster = load_cluster("eu", [tmp_path])

    assert [d.message for d in cluster.diagnostics] == ["cannot be read: not a regular file"]


def test_a_folder_called_like_a_manifest_is_a_folder(tmp_path: Path) -> None:
    write(tmp_path / "odd.yaml" / "u.yaml")

    assert names(load_cluster("eu", [tmp_path])) == ["api"]


def test_a_path_that_no_file_can_have_is_a_finding() -> None:
    assert codes(load_cluster("eu", ["a\0b"])) == ["UPL012"]
    assert codes(load_fleet("a\0b").parent) == ["UPL012"]


@pytest.mark.parametrize("text", ["", "# nothing but a comment\n", "---\n---\n"])
def test_a_place_without_a_document_is_a_finding(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")

    cluster = load_cluster("eu", [tmp_path])

    assert codes(cluster) == ["UPL011"]
    assert cluster.diagnostics[0].message == "nothing found: it has no document"
    assert codes(load_stream(text.encode())) == ["UPL011"]


def test_a_folder_without_a_manifest_is_a_finding(tmp_path: Path) -> None:
    cluster = load_cluster("eu", [tmp_path])

    (finding,) = cluster.diagnostics
    assert str(finding) == (
        f"{tmp_path}:1:1: error UPL011: nothing found: "
        "it has no *.yaml, *.yml, *.json, *.toml file, at any depth"
    )


def test_objects_that_mean_nothing_here_are_something(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("apiVersion: v1\nkind: ConfigMap\n", encoding="utf-8")

    cluster = load_cluster("eu", [tmp_path])

    assert codes(cluster) == []
    assert cluster.skipped == 1


def test_a_fleet_needs_both_sides(tmp_path: Path) -> None:
    write(tmp_path / "one" / "parent" / "u.yaml")
    write(tmp_path / "two" / "children" / "eu" / "u.yaml")
    write(tmp_path / "three" / "u.yaml")

    one, two, three = (load_fleet(tmp_path / name) for name in ("one", "two", "three"))

    assert [d.location.file for d in one.parent.diagnostics] == [f"{tmp_path}/one/children"]
    assert [d.location.file for d in two.parent.diagnostics] == [f"{tmp_path}/two/parent"]
    assert names(two.children["eu"]) == ["api"]
    assert [d.location.file for d in three.parent.diagnostics] == [f"{tmp_path}/three"]
    assert {codes(f.parent)[0] for f in (one, two, three)} == {"UPL011"}


def test_a_fleet_is_a_folder(tmp_path: Path) -> None:
    write(tmp_path / "u.yaml")

    fleet = load_fleet(tmp_path / "u.yaml")

    assert [d.message for d in fleet.parent.diagnostics] == ["cannot be read: a fleet is a folder"]


def test_a_manifest_that_belongs_to_no_child_is_a_finding(tmp_path: Path) -> None:
    write(tmp_path / "parent" / "u.yaml")
    write(tmp_path / "children" / "eu" / "u.yaml")
    write(tmp_path / "children" / "us.yaml")
    write(tmp_path / "children" / "README.md")

    fleet = load_fleet(tmp_path)

    assert list(fleet.children) == ["eu"]
    assert codes(fleet.parent) == ["UPL012"]
    assert fleet.parent.diagnostics[0].location.file == f"{tmp_path}/children/us.yaml"


def test_children_without_a_child_is_a_finding(tmp_path: Path) -> None:
    write(tmp_path / "parent" / "u.yaml")
    (tmp_path / "children").mkdir()

    assert codes(load_fleet(tmp_path).parent) == ["UPL011"]


def test_what_is_no_fleet_is_one_cluster_alone(tmp_path: Path) -> None:
    write(tmp_path / "u.yaml")

    for path in (tmp_path, tmp_path / "u.yaml"):
        alone = load(path)

        assert not is_fleet(path)
        assert isinstance(alone, Cluster)
        assert names(alone) == ["api"]
        assert alone.name == ""
    assert isinstance(load(EXAMPLES / "banking"), Fleet)


def test_a_stream_is_one_cluster() -> None:
    cluster = load_stream(UPLINK.format(name="api").encode(), source="<stdin>")

    assert names(cluster) == ["api"]
    assert cluster.uplinks[0].origin.document.file == "<stdin>"


def test_no_more_is_read_than_the_limit_allows(tmp_path: Path) -> None:
    with (tmp_path / "big.yaml").open("wb") as file:
        file.truncate(Limits().size * 50)

    assert codes(load_cluster("eu", [tmp_path])) == ["UPL004"]


def test_a_folder_of_fleets_names_them(tmp_path: Path) -> None:
    for path in ("b/parent", "b/children/x", "a/parent", "a/children", "no/parent", ".c/parent"):
        (tmp_path / path).mkdir(parents=True)
    (tmp_path / ".c" / "children").mkdir()

    assert fleets_in(tmp_path) == (str(tmp_path / "a"), str(tmp_path / "b"))
    assert fleets_in(tmp_path / "a") == ()
    assert fleets_in(tmp_path / "nowhere") == ()


def test_a_stream_may_have_a_name() -> None:
    cluster = load_stream(b"", name="eu")

    assert (cluster.name, [d.location.cluster for d in cluster.diagnostics]) == ("eu", ["eu"])


def test_an_empty_path_is_called_so() -> None:
    [finding] = load_cluster("", [""]).diagnostics

    assert str(finding).startswith("'':1:1: error UPL012: ")


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("tsconfig.json", '{\n  // comment\n  "a": 1,\n}\n', "UPL001"),
        ("docker-compose.yml", "services:\n  db: !reset null\n", "UPL001"),
        ("stack.yaml", "Resources: {x: !Ref y}\n", "UPL001"),
        ("values.yaml", "name: {{ env }}\n", "UPL001"),
        ("page.yml", "{% if x %}\na: 1\n", "UPL001"),
        ("twice.yaml", "services: {a: 1, a: 2}\n", "UPL002"),
        ("lock.json", "[" * 101 + "]" * 101, "UPL004"),
    ],
)
def test_files_of_other_programs_below_a_folder_are_only_noted(
    tmp_path: Path, name: str, text: str, code: str
) -> None:
    write(tmp_path / "uplink.yaml")
    (tmp_path / name).write_text(text, encoding="utf-8")

    cluster, named = load_cluster("", [tmp_path]), load_cluster("", [tmp_path / name])

    assert {(each.code, each.severity) for each in cluster.diagnostics} == {(code, Severity.INFO)}
    assert names(cluster) == ["api"]
    assert {(each.code, each.severity) for each in named.diagnostics} == {(code, Severity.ERROR)}


@pytest.mark.parametrize(
    "text",
    [
        "apiVersion: v1\nkind: [\n",
        "a: [\n",  # broken for every program
        "hub: {uplinkEntryPoints: !x }\n",
        "kind: Uplink\nkind: Uplink\n",
        "\ufeffapiVersion: !x y\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_broken_manifest_below_a_folder_is_an_error(
    tmp_path: Path, text: str, encoding: str
) -> None:
    (tmp_path / "a.yaml").write_text(text, encoding=encoding)

    found = load_cluster("", [tmp_path]).diagnostics

    assert {each.severity for each in found} == {Severity.ERROR}


def test_a_text_that_is_known_is_not_read_again(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    write(file, "old")
    known = {str(file): UPLINK.format(name="new").encode()}

    assert names(load_cluster("", [tmp_path], texts=Texts(known))) == ["new"]
    assert names(load_cluster("", [tmp_path], texts=Texts())) == ["old"]
