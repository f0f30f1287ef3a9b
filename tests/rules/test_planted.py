"""Each bad example beside a realistic fleet, and beside its own good example."""

from __future__ import annotations

import pytest

from uplinks import rules
from uplinks.diagnostics import Severity
from uplinks.model import Fleet
from uplinks.testing import _examples

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
FLEET = {
    "parent/traefik.yaml": PARENT,
    "parent/routes.yaml": ROUTES,
    "children/eu/traefik.yaml": CHILD,
    "children/eu/uplinks.yaml": UPLINKS.replace("REGION", "eu"),
    "children/us/traefik.yaml": CHILD,
    "children/us/uplinks.yaml": UPLINKS.replace("REGION", "us"),
}

# An example's uplinks are on one of several children, and the real parent has no route to them.
OF_THE_JOIN = {"UPL412", "UPL413"}

# A different name or address in the other child is a finding of its own.
OF_THE_DIFFERENCE = {"UPL106", "UPL107", "UPL401", "UPL406", "UPL414", "UPL420"}


def is_of_one_child(code: str) -> bool:
    bad, good = (_examples.files(code, bad=side) for side in (True, False))
    children = {file.split("/")[1] for file in bad if file.startswith("children/")}
    alone = set(bad) == set(good) and children == {"child-1"} and "parent/apps.yaml" not in bad
    return alone and code not in OF_THE_DIFFERENCE


OF_ONE_CHILD = [code for code in _examples.codes() if is_of_one_child(code)]


def places(fleet: Fleet) -> set[tuple[str, int, str]]:
    return {(d.location.file, d.location.span.line, d.code) for d in rules.check(fleet)}


@pytest.fixture(scope="module")
def real() -> Fleet:
    return _examples.fleet_of(FLEET)


def test_the_real_fleet_is_clean(real: Fleet) -> None:
    assert rules.check(real).diagnostics == ()


@pytest.mark.parametrize("code", _examples.codes())
def test_in_a_real_fleet_the_same_places_are_reported_and_nothing_of_that_fleet(
    code: str, real: Fleet
) -> None:
    found = places(_examples.beside(real, _examples.fleet(code, bad=True)))
    marked = set(_examples.marks(_examples.files(code, bad=True)))

    assert code in {each for _, _, each in found}
    assert marked - found == set()
    extra = found - marked
    assert {each for _, _, each in extra} <= OF_THE_JOIN
    assert not {file for file, _, _ in found} & {file for file in FLEET if "parent" not in file}


@pytest.mark.parametrize("code", OF_ONE_CHILD)
def test_one_bad_child_beside_a_good_one_gives_no_second_finding(code: str) -> None:
    bad, good = _examples.files(code, bad=True), _examples.files(code, bad=False)
    child = {
        file.replace("/child-1/", "/child-2/"): text
        for file, text in good.items()
        if file.startswith("children/child-1/")
    }
    listing = bad["parent/traefik.yaml"]
    both = listing + listing[listing.index("        child-1:") :].replace("child-1", "child-2")

    found = places(_examples.fleet_of({**bad, **child, "parent/traefik.yaml": both}))

    assert {each for each in found if each[2] not in OF_THE_JOIN} == set(_examples.marks(bad))


@pytest.mark.parametrize("code", _examples.codes())
def test_only_errors_make_a_check_fail(code: str) -> None:
    report = rules.check(_examples.fleet(code, bad=True))

    assert report.ok == (Severity.ERROR not in {d.severity for d in report})
