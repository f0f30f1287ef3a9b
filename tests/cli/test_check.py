from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from uplinks.cli.findings import EXCERPTS

Run = Callable[..., Any]

TLS = "examples/snippets/route-invalid-tls.yaml"
ENTRY_POINTS = "examples/snippets/route-invalid-entrypoints.yaml"


@pytest.mark.parametrize(
    ("fleet", "read"),
    [
        ("banking", "2 children, 2 uplinks, 8 documents"),
        ("weighted", "2 children, 2 uplinks, 7 documents"),
        ("failover", "2 children, 2 uplinks, 9 documents"),
    ],
)
def test_a_clean_fleet_says_what_was_read(run: Run, fleet: str, read: str) -> None:
    ran = run("check", f"examples/{fleet}")

    assert ran.status == 0
    assert ran.out.splitlines()[-1].startswith(f"{read}: ")
    assert "error" not in ran.out
    assert ran.err == ""


@pytest.mark.parametrize(
    ("file", "place", "code"),
    [(TLS, "16:3", "UPL302"), (ENTRY_POINTS, "10:3", "UPL301")],
)
def test_an_invalid_router_is_found_where_it_is_written(
    run: Run, file: str, place: str, code: str
) -> None:
    ran = run("check", file)

    assert ran.status == 1
    assert f"{file}:{place}: error {code}: " in ran.out


def test_findings_as_data_say_the_same(run: Run) -> None:
    text, data = run("check", TLS), run("check", TLS, "--format", "json")

    assert text.status == data.status == 1
    findings = json.loads(data.out)
    assert findings["ok"] is False
    assert findings["read"] == {"children": 0, "uplinks": 0, "documents": 1}
    lines = [line for line in text.out.splitlines() if line.startswith(TLS)]
    assert lines == [
        f"{f['file']}:{f['line']}:{f['column']}: {f['severity']} {f['code']}: {f['message']}"
        for f in findings["findings"]
    ]


def test_several_places_are_checked_together(run: Run) -> None:
    ran = run("check", TLS, ENTRY_POINTS, "examples/banking")

    assert ran.status == 1
    assert f"{TLS}:16:3:" in ran.out
    assert f"{ENTRY_POINTS}:10:3:" in ran.out
    assert "2 children, 2 uplinks, 10 documents: 2 errors" in ran.out.splitlines()[-1]


def test_a_stream_is_one_cluster(run: Run) -> None:
    ran = run("check", "-", stdin=Path(TLS).read_bytes())

    assert ran.status == 1
    assert "<stdin>:16:3: error UPL302: " in ran.out


def test_an_empty_stream_is_a_finding(run: Run) -> None:
    ran = run("check", "-")

    assert ran.status == 2
    assert "<stdin>:1:1: error UPL011: nothing found" in ran.out


def test_a_fleet_may_be_in_several_places(run: Run) -> None:
    ran = run(
        "check",
        "--parent=examples/banking/parent",
        "--child=child-1=examples/banking/children/child-1",
        "--child=child-2=examples/banking/children/child-2",
    )

    assert ran.status == 0
    assert ran.out.startswith("2 children, 2 uplinks, 8 documents: ")


def test_what_could_not_be_read_weighs_most(run: Run) -> None:
    for arguments in ((), ("--format", "json")):
        assert run("check", TLS, "no/such.yaml", *arguments).status == 2


def test_related_places_stand_below(run: Run, tmp_path: Path) -> None:
    text = "hub: {{uplinkEntryPoints: {{up: {{address: ':{}'}}}}}}\n"
    (tmp_path / "a.yaml").write_text(text.format(1), encoding="utf-8")
    (tmp_path / "b.yaml").write_text(text.format(2), encoding="utf-8")

    ran = run("check", str(tmp_path))

    assert ran.status == 1
    first, *excerpt, related, _, about, _, summary = ran.out.splitlines()
    assert first.startswith(f"{tmp_path}/b.yaml:1:27: error UPL010: ")
    assert excerpt == [
        "    |",
        "  1 | hub: {uplinkEntryPoints: {up: {address: ':***'}}}",
        "    |                           ^^",
    ]
    assert related == f"  see: {tmp_path}/a.yaml:1:27: first declared here"
    assert about.endswith(": uplinks explain UPL010")
    assert summary == "0 uplinks, 2 documents: 1 error"


BANKING = Path("examples/banking")


def test_the_parent_or_one_child_may_come_from_standard_input(run: Run) -> None:
    child = BANKING / "children" / "child-2"
    text = b"---\n".join(path.read_bytes() for path in sorted(child.glob("*.yaml")))
    others = (f"--parent={BANKING}/parent", f"--child=child-1={BANKING}/children/child-1")

    ran = run("check", *others, "--child=child-2=-", stdin=text)

    assert ran.status == 0
    assert ran.out.startswith("2 children, 2 uplinks, 8 documents: ")


def test_a_parent_from_standard_input_is_called_so(run: Run) -> None:
    ran = run("check", "--parent=-", f"--child=child-1={BANKING}/children/child-1")

    assert "<stdin>:1:1: error UPL011: nothing found" in ran.out


def test_one_child_may_have_several_paths(run: Run) -> None:
    child = f"{BANKING}/children/child-1"
    paths = [f"--child=child-1={child}/{file}.yaml" for file in ("traefik", "ingressroute")]
    others = ("--parent", f"{BANKING}/parent", f"--child=child-2={BANKING}/children/child-2")
    text = Path(f"{child}/uplink.yaml").read_bytes()

    ran = run("check", *others, *paths, "--child=child-1=-", stdin=text)

    assert (ran.status, ran.err) == (0, "")
    assert ran.out.startswith("2 children, 2 uplinks, 8 documents: ")


@pytest.mark.parametrize(
    ("arguments", "name"), [((), "default-api"), (("--namespace", "shop"), "shop-api")]
)
def test_objects_without_a_namespace_are_in_the_given_one(
    run: Run, tmp_path: Path, arguments: tuple[str, ...], name: str
) -> None:
    head = "apiVersion: hub.traefik.io/v1alpha1\nkind: Uplink\nmetadata: {name: api}\n---\n"
    router = (
        "apiVersion: traefik.io/v1alpha1\nkind: IngressRoute\n"
        f"metadata: {{name: r, annotations: {{hub.traefik.io/router.uplinks: {name}}}}}\n"
        "spec: {routes: [{kind: Rule, match: Path(`/`), services: [{name: s, port: 80}]}]}\n"
    )
    for file in (tmp_path / "children" / "eu" / "a.yaml", tmp_path / "parent" / "a.yaml"):
        file.parent.mkdir(parents=True)
    listed = "hub: {providers: {multicluster: {children: {eu: {address: 'https://eu'}}}}}\n"
    exposed = "---\nhub: {uplinkEntryPoints: {a: {address: ':1'}}, providers: {multicluster: {}}}\n"
    (tmp_path / "parent" / "a.yaml").write_text(listed, encoding="utf-8")
    child = tmp_path / "children" / "eu" / "a.yaml"
    child.write_text(head + router + exposed, encoding="utf-8")

    checked = run("check", str(tmp_path), *arguments)
    alone = run("check", "-", *arguments, stdin=(head + router).encode())
    made = run("materialize", str(tmp_path), *arguments)

    assert (checked.status, alone.status, made.status) == (0, 0, 0)
    assert f"{name}@multicluster" in made.out


FORMS = {
    "parent/values.yaml": """\
hub:
  token: license
  providers:
    multicluster:
      enabled: true
      children:
        eu: {address: "https://eu.example.com:9443"}
        us: {address: "https://us.example.com:9443"}
ports:
  websecure: {port: 8443}
""",
    "parent/routes.yaml": """\
apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata: {name: whoami}
spec:
  entryPoints: [websecure]
  routes:
    - kind: Rule
      match: Host(`a.example.com`)
      services: [{kind: TraefikService, name: whoami@multicluster}]
""",
    "children/eu/deployment.yaml": """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: traefik}
spec:
  template:
    spec:
      containers:
        - name: traefik
          args:
            - --hub.uplinkEntryPoints.multicluster.address=:9443
            - --hub.uplinkEntryPoints.multicluster.http.tls=true
            - --hub.providers.multicluster=true
""",
    "children/eu/apps.yaml": """\
apiVersion: v1
kind: List
items:
- apiVersion: hub.traefik.io/v1alpha1
  kind: Uplink
  metadata: {name: api}
  spec: {exposeName: whoami}
- apiVersion: traefik.io/v1alpha1
  kind: IngressRoute
  metadata: {name: api, annotations: {hub.traefik.io/router.uplinks: whoami}}
  spec: {routes: [{kind: Rule, match: Path(`/`), services: [{name: api, port: 80}]}]}
""",
    "children/us/traefik.toml": """\
[hub.uplinkEntryPoints.multicluster]
address = ":9443"
[hub.uplinkEntryPoints.multicluster.http.tls]
[hub.providers.multicluster]
[providers.file]
filename = "dynamic.toml"
""",
    "children/us/dynamic.toml": """\
[http.uplinks.whoami]
[http.routers.backend]
rule = "Path(`/`)"
service = "backend"
uplinks = ["whoami"]
[[http.services.backend.loadBalancer.servers]]
url = "http://10.0.0.1"
""",
    "children/us/pyproject.toml": "not = [TOML",
}


def test_a_fleet_may_be_written_in_every_form(run: Run, tmp_path: Path) -> None:
    for name, text in FORMS.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    checked = run("check", str(tmp_path), "--select=UPL", "--fail-on=warning")
    made = run("materialize", str(tmp_path))

    assert (checked.status, checked.err) == (0, "")
    assert checked.out.splitlines()[-1].startswith("2 children, 2 uplinks, 9 documents: ")
    assert [line.split()[0] for line in made.out.splitlines()[1:]] == [
        "whoami@multicluster",
        "whoami-eu@multicluster",
        "whoami-us@multicluster",
    ]


def test_a_folder_of_fleets_names_them(run: Run) -> None:
    for command in (("check",), ("materialize",), ("simulate", "--service=x")):
        ran = run(*command, "examples")

        assert (ran.status, ran.out) == (2, "")
        assert "examples is a folder of fleets" in ran.err
        assert "examples/banking, examples/failover, examples/weighted" in ran.err


def test_of_many_fleets_some_are_named(run: Run, tmp_path: Path) -> None:
    for number in range(12):
        for side in ("parent", "children"):
            (tmp_path / f"{number:02}" / side).mkdir(parents=True)

    assert run("check", str(tmp_path)).err.endswith("/09 and 2 more\n")


@pytest.mark.parametrize("hub", ["5", "null"])
def test_a_configuration_that_says_nothing_is_a_document(run: Run, hub: str) -> None:
    ran = run("check", "-", stdin=f"hub: {hub}\n".encode())

    assert "0 uplinks, 1 document: " in ran.out


# --- what fails -------------------------------------------------------------

WARNED = b"""\
apiVersion: hub.traefik.io/v1alpha1
kind: Uplink
metadata: {name: api, namespace: apps}
spec: {weight: 012}
"""
FORMATS = ("text", "json", "github", "sarif", "junit", "gitlab")


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ((TLS,), 1),
        ((TLS, "--fail-on", "never"), 0),
        ((TLS, "--ignore", "UPL302"), 0),
        ((TLS, "--select", "UPL4"), 0),
        ((TLS, "no/such.yaml"), 2),
        (("no/such/*.yaml",), 2),
        (("no/such/*.yaml", "--fail-on", "never", "--ignore", "UPL3"), 2),
        (("examples/banking",), 0),
        (("-",), 0),
        (("-", "--fail-on", "warning"), 1),
        (("-", "--fail-on", "info"), 1),
    ],
)
def test_the_status_is_the_same_in_every_format(
    run: Run, name: str, arguments: tuple[str, ...], status: int
) -> None:
    # An octal number is a warning only.
    ran = run("check", *arguments, "--format", name, stdin=WARNED)

    assert ran.status == status
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("name", FORMATS)
def test_the_tally_does_not_disturb_a_machine(run: Run, name: str) -> None:
    ran = run("check", TLS, "--format", name)
    tally = "0 uplinks, 1 document: 1 error\n"

    assert ran.err == ("" if name == "text" else tally)
    assert ran.out.endswith(tally) == (name == "text")


def test_codes_are_chosen_and_left_out_by_their_beginnings(run: Run) -> None:
    def codes(*arguments: str) -> list[str]:
        ran = run("check", TLS, ENTRY_POINTS, "--format=json", *arguments)
        return [finding["code"] for finding in json.loads(ran.out)["findings"]]

    assert codes() == ["UPL301", "UPL302"]
    assert codes("--select", "UPL302") == ["UPL302"]
    assert codes("--select", "upl3", "--ignore", "UPL302") == ["UPL301"]
    assert codes("--ignore", "UPL302, UPL301") == []
    assert codes("--select=UPL1,UPL301", "--select=UPL302") == ["UPL301", "UPL302"]


@pytest.mark.parametrize("option", ["--select", "--ignore"])
def test_an_unknown_code_is_bad_usage(run: Run, option: str) -> None:
    ran = run("check", TLS, option, "UPL3O2")

    assert (ran.status, ran.out) == (2, "")
    assert ran.err == (f"uplinks: error: {option}: unknown code 'UPL3O2'; did you mean UPL302?\n")


def test_what_was_not_read_cannot_be_left_out(run: Run) -> None:
    assert run("check", "-", "--select", "UPL3", stdin=b"a: [").status == 1
    assert run("check", "-", "--ignore", "UPL0", stdin=b"a: [").status == 1
    ran = run("check", "-", "--ignore", "UPL001", stdin=b"a: [")
    assert (ran.status, ran.out) == (2, "")
    assert "UPL001 cannot be ignored" in ran.err


# --- what is read -----------------------------------------------------------


def test_a_pattern_is_expanded_if_the_shell_did_not(run: Run) -> None:
    quoted = run("check", "examples/snippets/*.yaml")
    shell = run("check", *sorted(map(str, Path("examples/snippets").glob("*.yaml"))))

    assert quoted == shell
    assert quoted.status == 1
    assert run("check", "examples/**/route-invalid-tls.yaml").out == run("check", TLS).out


def test_a_pattern_with_two_stars_finds_manifests_only(run: Run, tmp_path: Path) -> None:
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    (below / "c.yaml").write_bytes(WARNED)
    (below / "c.md").write_text("a: [", encoding="utf-8")

    ran = run("check", f"{tmp_path}/**")

    assert ran.out.count(": warning UPL") == 1
    assert "1 uplink, 1 document" in ran.out


def test_a_pattern_of_folders_names_fleets(run: Run) -> None:
    ran = run("check", "examples/[bw]*")

    assert ran.status == 0
    assert ran.out.startswith("4 children, 4 uplinks, 15 documents: ")


def test_a_file_of_that_very_name_is_no_pattern(run: Run, tmp_path: Path) -> None:
    (tmp_path / "[a].yaml").write_bytes(WARNED)
    (tmp_path / "a.yaml").write_text("a: [", encoding="utf-8")

    assert "[a].yaml:4:" in run("check", f"{tmp_path}/[a].yaml").out


def test_a_pattern_that_matches_nothing_is_an_error(run: Run) -> None:
    ran = run("check", "no/such/**/*.yaml")

    assert ran.status == 2
    assert "no/such/**/*.yaml:1:1: error UPL011: nothing found" in ran.out


def test_items_of_nested_lists_keep_their_places(run: Run) -> None:
    text = b"""\
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: List
  items:
  - apiVersion: hub.traefik.io/v1alpha1
    kind: Uplink
    metadata: {name: api, namespace: apps}
    spec:
      weight: -1
"""

    finding = json.loads(run("check", "-", "--format=json", stdin=text).out)["findings"][0]

    assert (finding["line"], finding["column"]) == (11, 15)
    assert finding["path"] == "$.spec.weight"  # within the object


def test_json_is_read_as_it_is(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "uplink.json"
    file.write_text(
        '{"apiVersion": "hub.traefik.io/v1alpha1", "kind": "Uplink",\n'
        '\t"metadata": {"name": "api", "namespace": "apps"},\n'
        '\t"spec": {"weight": -1}}\n',
        encoding="utf-8",
    )

    ran = run("check", str(file))

    assert f"{file}:3:21: error UPL103: " in ran.out
    assert '  3 |     "spec": {"weight": -1}}\n    |                        ^^\n' in ran.out


def test_the_first_findings_are_shown_with_their_line(run: Run) -> None:
    services = "    - weight: 012\n" * (EXCERPTS + 2)
    text = f"apiVersion: v1\nkind: ConfigMap\nservices:\n{services}"

    out = run("check", "-", "--verbose", stdin=text.encode()).out

    assert out.count(": warning UPL009: ") == EXCERPTS + 2
    assert out.count("    - weight: 012\n") == EXCERPTS
    assert "\nthe last 2 findings are without the source line\n\n" in out


def test_a_pipe_that_a_pattern_names_is_not_waited_for(run: Run, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")

    ran = run("check", f"{tmp_path}/*.yaml", "--format=json")

    (found,) = json.loads(ran.out)["findings"]
    assert (ran.status, found["code"]) == (2, "UPL012")
    assert found["message"] == "cannot be read: not a regular file"
