"""Law of the model: every value can be copied and pickled, and is equal afterwards."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from attrs import has
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.profiles import scaled

from uplinks import model, parse_manifests
from uplinks.testing import strategies

CLASSES = [each for each in map(model.__dict__.get, model.__all__) if has(each)]  # type: ignore[arg-type]


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
@settings(max_examples=scaled(20))
@given(data=st.data())
def test_a_copy_is_equal(cls: type, data: st.DataObject) -> None:
    value: Any = data.draw(strategies.values(cls))

    for made in (copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))):  # noqa: S301 - our own
        assert type(made) is cls
        assert made == value
        assert repr(made) == repr(value)


def test_a_copy_knows_where_it_was_read() -> None:
    text = "apiVersion: hub.traefik.io/v1alpha1\nkind: Uplink\nmetadata: {name: a, namespace: b}\n"
    (uplink,) = parse_manifests(text, "u.yaml").resources

    for made in (copy.deepcopy(uplink), pickle.loads(pickle.dumps(uplink))):  # noqa: S301 - our own
        assert made == uplink
        assert made.origin.locate("metadata", "name") == uplink.origin.locate("metadata", "name")


def test_mappings_of_a_copy_are_frozen() -> None:
    made = copy.deepcopy(model.Uplink("a", "b", annotations={"c": "d"}))

    with pytest.raises(TypeError):
        made.annotations["c"] = "e"  # type: ignore[index]
