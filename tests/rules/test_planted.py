"""A realistic fleet without a finding, and in it each defect alone: one finding, in its place.

A defect is an edit of one file, in which `«` stands before the place that the
finding must name; what else an edit needs follows it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from uplinks import rules
from uplinks.adapters.files import load_fleet
from uplinks.diagnostics import Severity

PARENT = """\
hub:
  providers:
    multicluster:
      pollInterval: 5s
      children:
        eu:
          address: https://eu.example.com:9443
        us:
          address: https://us.example.com:9443
"""
ROUTES = """\
apiVersion: traefik.io/v1alpha1
kind: TraefikService
metadata:
  name: login
  namespace: shop
spec:
  failover:
    service:
      name: login-eu@multicluster
      kind: TraefikService
    fallback:
      name: login-us@multicluster
      kind: TraefikService
    errors:
      status: ["500-599"]
---
apiVersion: traefik.io/v1alpha1
kind: TraefikService
metadata:
  name: main
  namespace: shop
spec:
  weighted:
    services:
      - name: login
        kind: TraefikService
        weight: 3
---
apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata:
  name: shop
  namespace: shop
spec:
  entryPoints:
    - websecure
  routes:
    - match: Host(`shop.example.com`)
      kind: Rule
      services:
        - name: shop-cart@multicluster
          kind: TraefikService
    - match: Host(`shop.example.com`) && PathPrefix(`/stock`)
      kind: Rule
      services:
        - name: shop-stock@multicluster
          kind: TraefikService
    - match: Host(`login.example.com`)
      kind: Rule
      services:
        - name: main
          kind: TraefikService
  tls: {}
"""
CHILD = """\
hub:
  uplinkEntryPoints:
    multicluster:
      address: ":9443"
      asDefault: true
      http:
        tls: {}
    internal:
      address: ":9444"
  providers:
    multicluster: {}
"""
UPLINKS = """\
apiVersion: hub.traefik.io/v1alpha1
kind: Uplink
metadata:
  name: cart
  namespace: shop
spec:
  weight: 90
  healthCheck:
    path: /health
    interval: 10s
    timeout: 3s
    headers:
      X-Probe: "yes"
---
apiVersion: hub.traefik.io/v1alpha1
kind: Uplink
metadata:
  name: stock
  namespace: shop
spec:
  entryPoints:
    - internal
  healthCheck:
    mode: grpc
    scheme: http
    port: 9000
    interval: 15s
  passiveHealthCheck:
    failureWindow: 10s
    maxFailedAttempts: 3
---
apiVersion: hub.traefik.io/v1alpha1
kind: Uplink
metadata:
  name: login
  namespace: shop
spec:
  exposeName: login-REGION
---
apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata:
  name: shop
  namespace: shop
  annotations:
    hub.traefik.io/router.uplinks: "shop-cart, shop-stock,login-REGION"
spec:
  routes:
    - match: PathPrefix(`/`)
      kind: Rule
      services:
        - name: shop
          port: 8080
"""
P, R, C, E, U = (
    "parent/traefik.yaml",
    "parent/routes.yaml",
    "children/eu/traefik.yaml",
    "children/eu/uplinks.yaml",
    "children/us/uplinks.yaml",
)
FLEET = {
    P: PARENT,
    R: ROUTES,
    C: CHILD,
    E: UPLINKS.replace("REGION", "eu"),
    "children/us/traefik.yaml": CHILD,
    U: UPLINKS.replace("REGION", "us"),
}

Edit = tuple[str, str, str]
CHECK = "    path: /health\n"
INTERVAL = "    interval: 10s\n"
ANNOTATION = '"shop-cart, shop-stock,login-eu"'
EXTRA = """---
apiVersion: hub.traefik.io/v1alpha1
kind: Uplink
metadata: {name: NAME, namespace: shop}
"""
ROUTED = """    - match: Host(`a.example.com`)
      kind: Rule
      services: [{name: WHAT, kind: TraefikService}]
  tls: {}
"""
ROUTED_TO = """\
        - name: «login-eu@multicluster
          kind: TraefikService
"""


def end(new: str, file: str = E) -> list[Edit]:
    return [(file, "", new)]


# fmt: off
PLANTED: list[tuple[str, list[Edit]]] = [
    ("UPL001", end("---\nmetadata: {name: x\n«")),
    ("UPL002", [(E, "  weight: 90\n", "  weight: 90\n  «weight: 90\n")]),
    ("UPL003", end("---\napiVersion: v1\nkind: X\na: &a 1\nb: «*a\n")),
    ("UPL004", end("---\na: " + "[" * 99 + "«[" + "]" * 100 + "\n")),
    ("UPL005", [(E, "  weight: 90\n", "  «wieght: 90\n"), (U, "  weight: 90\n", "")]),
    ("UPL005", [(R, "        weight: 3\n", "        «wieght: 3\n")]),
    ("UPL006", [(E, "weight: 90", 'weight: «"90"')]),
    ("UPL007", [(E, "    - match: PathPrefix(`/`)\n      kind: Rule", "    - «kind: Rule")]),
    ("UPL008", end("---\napiVersion: hub.traefik.io/v1alpha1\nkind: «Uplnik\n")),
    ("UPL008", end("---\napiVersion: «hub.traefik.io/v1\nkind: Uplink\n")),
    ("UPL009", end("---\napiVersion: v1\nkind: X\nvalue: «012\n")),
    ("UPL010", end(EXTRA.replace("NAME", "«login") + "spec: {exposeName: login-eu}\n")),
    ("UPL101", [(E, "  name: login\n", "  name: «log_in\n")]),
    ("UPL102", [(E, "  name: login\n  namespace: shop\nspec:\n  exp",
                 "  «name: login\nspec:\n  exp")]),
    ("UPL103", [(E, "weight: 90", "weight: «-90")]),
    ("UPL104", [(E, "weight: 90", "weight: «0")]),
    ("UPL105", [(E, "weight: 90", "weight: «2147483648")]),
    ("UPL106", [(E, "exposeName: login-eu", "exposeName: «login_eu"),
                (E, ",login-eu", ",login_eu"),
                (R, "login-eu@", "login_eu@")]),
    ("UPL107", [(E, "exposeName: login-eu", "exposeName: «login.eu"), (E, ",login-eu", ",login.eu"),
                (R, "login-eu@", "login.eu@")]),
    ("UPL108", [(E, "    - internal\n", "    - «intrenal\n")]),
    ("UPL109", [(C, "      asDefault: true\n", ""), (E, "spec:\n  weight", "spec:\n  «weight"),
                (E, "  exposeName", "  entryPoints: [internal]\n  exposeName")]),
    ("UPL110", [(E, "    - internal\n", "    - internal\n    - «internal\n")]),
    ("UPL111", [(E, ",login-eu", ""), (E, "  name: login\n", "  name: «login\n")]),
    ("UPL201", [(E, "interval: 10s", "interval: «1d")]),
    ("UPL202", [(E, "timeout: 3s", "timeout: «-3s")]),
    ("UPL203", [(E, "timeout: 3s", "timeout: «10s")]),
    ("UPL204", [(E, "mode: grpc", "mode: «gprc")]),
    ("UPL205", [(E, CHECK, CHECK + "    scheme: «h2c\n")]),
    ("UPL206", [(E, CHECK, CHECK + "    method: «GET /\n")]),
    ("UPL207", [(E, CHECK, CHECK + "    status: «600\n")]),
    ("UPL208", [(E, CHECK, CHECK + "    port: «65536\n")]),
    ("UPL209", [(E, "path: /health", "path: «//health")]),
    ("UPL210", [(E, "    interval: 15s", "    interval: 15s\n    «path: /health")]),
    ("UPL211", [(E, "    headers:\n", "    headers:\n      «Host: example.com\n")]),
    ("UPL212", [(E, 'X-Probe: "yes"', '«X-Probe: "yes\\n"')]),
    ("UPL213", [(E, CHECK, CHECK + "    hostname: «https://eu.example.com\n")]),
    ("UPL214", [(E, CHECK, CHECK + "    scheme: http\n"),
                (E, "    headers:\n", "    headers:\n      «Authorization: Bearer abc\n")]),
    ("UPL215", [(E, "  healthCheck:\n" + CHECK, "  «healthCheck:\n")]),
    ("UPL216", [(E, INTERVAL, INTERVAL + "    unhealthyInterval: «11s\n")]),
    ("UPL217", [(E, "maxFailedAttempts: 3", "maxFailedAttempts: «-3")]),
    ("UPL301", [(E, "spec:\n  routes", "spec:\n  «entryPoints: []\n  routes")]),
    ("UPL302", [(E, "spec:\n  routes", "spec:\n  «tls: {}\n  routes")]),
    ("UPL303", [(E, ANNOTATION, "«" + ANNOTATION.replace("stock", "stcok"))]),
    ("UPL304", [(E, ANNOTATION, "«" + ANNOTATION.replace("eu", "eu,shop-cart"))]),
    ("UPL305", [(E, ANNOTATION, "«" + ANNOTATION.replace("eu", "eu,"))]),
    ("UPL306", [(E, UPLINKS[UPLINKS.index("  routes:"):], "  routes: «[]\n")]),
    ("UPL307", [(R, "name: shop-stock@", "name: «shop-stcok@")]),
    ("UPL308", [(R, "        - name: shop-cart@multicluster\n          kind: TraefikService\n",
                 "        - name: «shop-cart@multicluster\n          port: 80\n")]),
    ("UPL309", [(E, ANNOTATION, "«" + ANNOTATION.replace("login-eu", "shop-login"))]),
    ("UPL309", [(R, "  tls: {}\n", ROUTED.replace("WHAT", "«shop-login-us@multicluster"))]),
    ("UPL310", [(R, "    services:\n",
                 "    services:\n      - {name: «main, kind: TraefikService}\n")]),
    ("UPL311", end("---\napiVersion: traefik.io/v1alpha1\nkind: TraefikService\n"
                   "metadata: {name: m, namespace: shop}\n"
                   "spec: {«mirroring: {name: shop-cart@multicluster, kind: TraefikService}}\n",
                   R)),
    ("UPL312", [(R, "      - name: login\n", "      - name: «logni\n")]),
    ("UPL313", [(R, "weight: 3", "weight: «-3")]),
    ("UPL314", [(R, "  weighted:\n", "  «mirroring: {name: x, port: 80}\n  weighted:\n")]),
    ("UPL315", [(R, "kind: IngressRoute\nmetadata:\n  name: shop\n  name",
                 "kind: IngressRoute\nmetadata:\n  «name")]),
    ("UPL401", [*end(EXTRA.replace("NAME", "new") + "spec:\n  exposeName: «shop-cart\n"),
                *end(UPLINKS[UPLINKS.index("  healthCheck"):UPLINKS.index("---")])]),
    ("UPL402", [*end(EXTRA.replace("NAME", "a") + "spec: {exposeName: cart}\n"),
                *end(EXTRA.replace("NAME", "b") + "spec: {exposeName: cart-us}\n"),
                *end(EXTRA.replace("NAME", "a") + "spec: {exposeName: cart}\n", U),
                *end(EXTRA.replace("NAME", "b") + "spec: {exposeName: «cart-us}\n", U),
                *((file, "shop-cart,", "shop-cart,cart,cart-us,") for file in (E, U)),
                (R, "  tls: {}\n", ROUTED.replace("WHAT", "cart@multicluster")),
                (R, "  tls: {}\n", ROUTED.replace("WHAT", "cart-us@multicluster"))]),
    ("UPL403", [(U, "path: /health", "path: «/healthz")]),
    ("UPL404", [(E, "  name: stock\n  namespace: shop\nspec:\n",
                 "  name: stock\n  namespace: shop\nspec:\n  exposeName: stock-eu\n"),
                (E, "shop-stock,", "stock-eu,"), (U, "  name: stock\n", "  name: «stock\n"),
                (R, "  tls: {}\n", ROUTED.replace("WHAT", "stock-eu@multicluster"))]),
    ("UPL405", [(E, "weight: 90", "weight: «0"), (U, "weight: 90", "weight: 0")]),
    ("UPL406", [(P, "address: https://eu.", "address: «tcp://eu.")]),
    ("UPL407", [("children/asia/traefik.yaml", "", CHILD.replace("hub:", "«hub:"))]),
    ("UPL408", [(P, "        us:\n", "        «asia: {address: https://a.b}\n        us:\n")]),
    ("UPL409", [(C, "hub:", "«hub:"), (C, "  providers:\n    multicluster: {}\n", "")]),
    ("UPL410", [(C, CHILD, "«hub:\n  providers:\n    multicluster: {}\n")]),
    ("UPL411", [(U, UPLINKS[UPLINKS.index("  healthCheck"):UPLINKS.index("---")], ""),
                (U, "name: cart\n", "name: «cart\n")]),
    ("UPL412", [*end(EXTRA.replace("NAME", "«new")), (E, "shop-cart,", "shop-cart,shop-new,"),
                (R, "  tls: {}\n", ROUTED.replace("WHAT", "shop-new@multicluster"))]),
    ("UPL413", [*end(EXTRA.replace("NAME", "«new")), (E, "shop-cart,", "shop-cart,shop-new,"),
                *end(EXTRA.replace("NAME", "new"), U), (U, "shop-cart,", "shop-cart,shop-new,")]),
    ("UPL414", [(P, "address: https://eu.", "address: «http://eu.")]),
    ("UPL415", [(P, "address: https://us.", "address: «https://eu.")]),
    ("UPL416", [(P, "        us:\n", "        «a@b: {address: https://a.b}\n        us:\n"),
                ("children/a@b/traefik.yaml", "", CHILD)]),
    ("UPL420", [(P, "        us:\n",
                 '          serversTransport: {serverName: «"a:1"}\n        us:\n')]),
    ("UPL501", [(E, "mode: grpc\n    scheme: http\n", "mode: «grpc\n")]),
    ("UPL502", [(E, UPLINKS[UPLINKS.index("  healthCheck"):UPLINKS.index("---")],
                 "  «passiveHealthCheck: {}\n")]),
    ("UPL503", [(R, "        - name: shop-cart@multicluster\n",
                 ROUTED_TO + "        - name: shop-cart@multicluster\n")]),
    ("UPL505", [(E, "spec:\n  routes:\n", "spec:\n  «parentRefs: [{name: above}]\n  routes:\n")]),
    ("UPL504", [(R, '    errors:\n      status: ["500-599"]\n', ""),
                (R, "      name: login-eu@", "      name: «login-eu@")]),
]
# fmt: on


def planted(edits: list[Edit]) -> tuple[dict[str, str], tuple[str, int, int]]:
    """Make the edits; give the files, and the place that is marked in them."""
    files, where = dict(FLEET), []
    for file, old, new in edits:
        before = files.get(file, "")
        assert old in before, old
        files[file] = before.replace(old, new, 1) if old else before + new
    for file, text in files.items():
        for number, line in enumerate(text.splitlines(), start=1):
            if "«" in line:
                where.append((file, number, line.index("«") + 1))
        files[file] = text.replace("«", "")
    (place,) = where
    return files, place


def written(files: dict[str, str], root: Path) -> list[tuple[str, str, int, int]]:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return [
        (
            d.code,
            d.location.file.removeprefix(f"{root}/"),
            d.location.span.line,
            d.location.span.column,
        )
        for d in rules.check(load_fleet(root))
    ]


def test_the_fleet_is_clean(tmp_path: Path) -> None:
    assert written(FLEET, tmp_path) == []


@pytest.mark.parametrize(
    ("code", "edits"), PLANTED, ids=[f"{code}-{i}" for i, (code, _) in enumerate(PLANTED)]
)
def test_a_planted_defect_is_named_where_it_is_and_nothing_else(
    code: str, edits: list[Edit], tmp_path: Path
) -> None:
    files, place = planted(edits)

    assert written(files, tmp_path) == [(code, *place)]


def test_an_empty_folder_and_an_unreadable_file_are_named(tmp_path: Path) -> None:
    written(FLEET, tmp_path)
    (tmp_path / "children" / "eu" / "more.yaml").symlink_to(tmp_path / "nowhere.yaml")
    assert written({}, tmp_path) == [("UPL012", "children/eu/more.yaml", 1, 1)]

    for path in (tmp_path / "children" / "eu").iterdir():
        path.unlink()
    assert ("UPL011", "children/eu", 1, 1) in written({}, tmp_path)


def test_every_code_is_planted() -> None:
    # 011 and 012 are of the disk, 013 and 014 of what is suppressed: tests/cli.
    elsewhere = {"UPL011", "UPL012", "UPL013", "UPL014"}
    assert {code for code, _ in PLANTED} == set(rules.codes()) - elsewhere


def test_only_errors_make_a_planted_fleet_fail(tmp_path: Path) -> None:
    warned = 0
    for index, (code, edits) in enumerate(PLANTED):
        root = tmp_path / str(index)
        written(planted(edits)[0], root)
        report = rules.check(load_fleet(root))
        severities = {d.severity for d in report}
        assert report.ok == (severities <= {Severity.WARNING, Severity.INFO}), code
        warned += report.ok
    assert 0 < warned < len(PLANTED)
