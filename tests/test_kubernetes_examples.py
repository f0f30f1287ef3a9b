"""The manifests of examples/kubernetes: valid for Kubernetes, least rights, and no loose ends."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from uplinks.adapters.files import load_cluster
from uplinks.adapters.sources.kubernetes import IN_CLUSTER
from uplinks.advertisements import PATH
from uplinks.cli import COMMANDS, make_parser
from uplinks.located import LocatedList, LocatedMap
from uplinks.manifest import read
from uplinks.rules import check_cluster
from uplinks.schema import watched_kinds

FOLDER = Path(__file__).parent.parent / "examples" / "kubernetes"
FILES = sorted(FOLDER.glob("*.yaml"))
ROLES = {"child": "child", "parent": "serve"}

# Where lightkube has the model of each kind.
MODELS = {
    "Namespace": "core_v1",
    "ServiceAccount": "core_v1",
    "ConfigMap": "core_v1",
    "Service": "core_v1",
    "Deployment": "apps_v1",
    "ClusterRole": "rbac_v1",
    "ClusterRoleBinding": "rbac_v1",
    "NetworkPolicy": "networking_v1",
}


def plain(node: Any) -> Any:
    if isinstance(node, LocatedMap):
        return {key: plain(value) for key, value in node.items()}
    return [plain(item) for item in node] if isinstance(node, LocatedList) else node


def objects(path: Path) -> list[Any]:
    manifest = read(path.read_bytes(), path.name)
    assert manifest.diagnostics == ()
    return [plain(document.root) for document in manifest.documents]


def of_kind(path: Path, kind: str) -> list[Any]:
    return [each for each in objects(path) if each["kind"] == kind]


def is_within(part: Any, whole: Any) -> bool:
    """Tell whether nothing of a value is missing in another."""
    if isinstance(part, dict):
        return all(key in whole and is_within(value, whole[key]) for key, value in part.items())
    if isinstance(part, list):
        return len(part) == len(whole) and all(map(is_within, part, whole))
    return bool(part == whole)


def container(path: Path) -> Any:
    [deployment] = of_kind(path, "Deployment")
    [only] = deployment["spec"]["template"]["spec"]["containers"]
    return only


def test_there_is_a_child_and_a_parent() -> None:
    assert [path.stem for path in FILES] == sorted(ROLES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_each_object_has_the_shape_of_its_kind(path: Path) -> None:
    for each in objects(path):
        if each["kind"] not in MODELS:
            assert each["apiVersion"] == "traefik.io/v1alpha1"
            continue
        version = MODELS[each["kind"]]
        group, _, number = each["apiVersion"].rpartition("/")
        assert f"{group.partition('.')[0] or 'core'}_{number}" == version
        model = getattr(importlib.import_module(f"lightkube.models.{version}"), each["kind"])
        # A field that the model does not have would be missing when it is written again.
        assert is_within(each, msgspec.to_builtins(msgspec.convert(each, model))), each["kind"]


def test_a_field_that_kubernetes_does_not_know_would_be_found() -> None:
    from lightkube.models.core_v1 import Service

    service = {"kind": "Service", "spec": {"ports": [{"port": 1, "tagretPort": 2}]}}
    assert not is_within(service, msgspec.to_builtins(msgspec.convert(service, Service)))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_routers_are_without_findings(path: Path) -> None:
    cluster = load_cluster("", [path])

    assert [str(each) for each in check_cluster(cluster)] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_container_has_no_rights_and_its_options_exist(path: Path) -> None:
    only = container(path)
    [deployment] = of_kind(path, "Deployment")

    assert deployment["spec"]["template"]["spec"]["securityContext"]["runAsNonRoot"] is True
    assert only["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    command = only["args"][0]
    assert command == ROLES[path.stem]
    if command in COMMANDS:
        arguments = make_parser([command]).parse_args(only["args"])
        [port] = only["ports"]
        assert arguments.listen == ("0.0.0.0", port["containerPort"])  # noqa: S104 - in a pod


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_all_references_lead_somewhere(path: Path) -> None:
    [deployment] = of_kind(path, "Deployment")
    [service] = of_kind(path, "Service")
    [policy] = of_kind(path, "NetworkPolicy")
    [account] = of_kind(path, "ServiceAccount")
    [config] = of_kind(path, "ConfigMap")
    pod, only = deployment["spec"]["template"], container(path)
    labels = pod["metadata"]["labels"]

    assert deployment["spec"]["selector"]["matchLabels"] == labels
    assert service["spec"]["selector"] == labels
    assert policy["spec"]["podSelector"]["matchLabels"] == labels
    assert pod["spec"]["serviceAccountName"] == account["metadata"]["name"]
    [port], [exposed], [rule] = only["ports"], service["spec"]["ports"], policy["spec"]["ingress"]
    assert exposed["targetPort"] == port["name"]
    assert rule["ports"] == [{"port": port["containerPort"]}]
    for probe in ("livenessProbe", "readinessProbe"):
        assert only[probe]["httpGet"]["port"] == port["name"]
    mounts = {mount["name"]: mount["mountPath"] for mount in only["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
    assert mounts.keys() == volumes.keys()
    assert volumes["manifests"]["configMap"]["name"] == config["metadata"]["name"]
    assert Path(only["args"][1]).name in config["data"]
    for argument in only["args"][1:]:
        file = argument.rpartition("=")[2]
        if file.startswith("/"):
            assert str(Path(file).parent) in mounts.values()


def test_the_role_of_the_child_is_exactly_what_is_read() -> None:
    [role] = of_kind(FOLDER / "child.yaml", "ClusterRole")
    [binding] = of_kind(FOLDER / "child.yaml", "ClusterRoleBinding")
    [account] = of_kind(FOLDER / "child.yaml", "ServiceAccount")
    allowed = {
        (group, resource)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }

    assert allowed == {(api.partition("/")[0], plural) for api, plural in watched_kinds().values()}
    assert {tuple(rule["verbs"]) for rule in role["rules"]} == {("list", "watch")}
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    [subject] = binding["subjects"]
    assert (subject["name"], subject["namespace"]) == (
        account["metadata"]["name"],
        account["metadata"]["namespace"],
    )
    assert f"--context={IN_CLUSTER}" in container(FOLDER / "child.yaml")["args"]


def test_the_parent_may_read_nothing_of_its_cluster() -> None:
    path = FOLDER / "parent.yaml"
    [account] = of_kind(path, "ServiceAccount")

    assert account["automountServiceAccountToken"] is False
    assert {each["kind"] for each in objects(path)} & {"ClusterRole", "Role"} == set()


def test_the_configurations_are_without_findings(tmp_path: Path) -> None:
    for path, role in ((FOLDER / "child.yaml", "child"), (FOLDER / "parent.yaml", "parent")):
        [config] = of_kind(path, "ConfigMap")
        [(name, text)] = config["data"].items()
        (tmp_path / name).write_text(text)
        cluster = load_cluster("", [tmp_path / name])
        # A configuration alone has nothing to route.
        assert [str(each) for each in check_cluster(cluster, role).errors] == []  # type: ignore[arg-type] # a literal
        assert (cluster.child_config, cluster.parent_config).count(None) == 1


def test_the_child_serves_its_document_where_parents_look_for_it() -> None:
    [route] = of_kind(FOLDER / "child.yaml", "IngressRoute")[0]["spec"]["routes"]

    assert route["match"] == f"Path(`{PATH}`)"
