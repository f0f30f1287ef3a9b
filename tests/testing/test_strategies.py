"""How a failing example is shown: as code that makes the value again."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.vendor.pretty import pretty

from uplinks import model
from uplinks.located import Origin
from uplinks.model import (
    Child,
    ClientCertificate,
    Cluster,
    Fleet,
    Header,
    HealthCheck,
    ParentConfig,
    ServersTransport,
    Uplink,
)
from uplinks.testing import strategies

SECRET = "kx9-secret-7q"  # noqa: S105 - a mark to look for


def test_only_what_differs_from_the_defaults_is_shown() -> None:
    fleet = Fleet(
        Cluster("parent", parent_config=ParentConfig({"eu": Child("https://eu:1")})),
        {"eu": Cluster("eu", [Uplink("a", "b", weight=0, annotations={"x": "y"})])},
    )

    shown = pretty(fleet)

    assert " ".join(shown.split()) == (
        "Fleet(parent=Cluster(name='parent', parent_config=ParentConfig(children={'eu': "
        "Child(address='https://eu:1')})), children={'eu': Cluster(name='eu', "
        "uplinks=(Uplink(name='a', namespace='b', weight=0, annotations={'x': 'y'}),))})"
    )
    assert eval(shown, dict(vars(model))) == fleet  # noqa: S307 - made here


def test_origins_and_secrets_are_not_shown() -> None:
    check = HealthCheck(headers=[Header("X-Key", SECRET)])
    uplink = Uplink("a", "b", health_check=check, origin=Origin())
    transport = ServersTransport(certificates=[ClientCertificate("c", SECRET)])
    shown = pretty([uplink, transport, Child(f"https://me:{SECRET}@eu")])

    assert "Header(name='X-Key', value='***')" in shown
    assert SECRET not in shown
    assert "rigin" not in shown


@pytest.mark.parametrize("kind", ["uplinks", "child_configs", "parent_configs", "fleets"])
@settings(max_examples=5)
@given(st.data())
def test_drawn_values_are_shown_as_code(kind: str, data: st.DataObject) -> None:
    value = data.draw(getattr(strategies, kind)())
    shown = pretty(value)

    assert pretty(eval(shown, dict(vars(model)))) == shown  # noqa: S307 - drawn here


def test_a_strategy_is_made_once() -> None:
    assert strategies.uplinks() is strategies.uplinks()
    assert strategies.parent_configs() is strategies.parent_configs()
