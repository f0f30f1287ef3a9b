"""The health of endpoints over the last hour, and the last events."""

from __future__ import annotations

from typing import Any

from uplinks.health import Cause, Overloaded, State, Transition
from uplinks.model import HealthCheck
from uplinks.parent import Endpoint
from uplinks.serve.history import HOUR, History

MINUTE = HOUR // 60
EU = Endpoint("https://me:secret@eu.example.com", HealthCheck(path="/health"))


def change(at: int, after: State, endpoint: Endpoint = EU, **fields: Any) -> Transition:
    return Transition(endpoint, State.UP, after, Cause.FELL, 1, 0, at, **fields)


def changes(history: History) -> list[tuple[int, str]]:
    (lane,) = history.lanes()
    return [(each["at"], each["state"]) for each in lane["changes"]]


def test_a_lane_begins_with_the_last_change_before_the_hour() -> None:
    history = History()
    for minute, state in ((0, State.UP), (10, State.DOWN), (20, State.UP), (75, State.DOWN)):
        history.add(change(minute * MINUTE, state), ["api"])

    assert changes(history) == [
        (10 * MINUTE, "down"),
        (20 * MINUTE, "up"),
        (75 * MINUTE, "down"),
    ]


def test_what_flaps_keeps_its_latest_changes() -> None:
    history = History()
    for second in range(1_000):
        state = State.DOWN if second % 2 else State.UP
        history.add(change(second, state), ["api"])

    assert changes(history)[0] == (800, "up")
    assert changes(history)[-1] == (999, "down")


def test_another_interval_of_a_check_goes_on_in_the_same_lane() -> None:
    history = History()
    slower = Endpoint(EU.url, HealthCheck(path="/health", interval=MINUTE))
    history.add(change(1, State.UP), ["api"])
    history.add(change(2, State.DOWN, slower), ["api"])

    assert changes(history) == [(1, "up"), (2, "down")]


def test_an_endpoint_that_is_gone_is_forgotten_an_hour_later() -> None:
    history = History()
    other = Endpoint("https://us.example.com", HealthCheck(mode="grpc"))
    history.add(change(0, State.GONE), [])
    history.add(change(HOUR, State.GONE, other), [])

    (lane,) = history.lanes()
    assert (lane["url"], lane["check"]) == ("https://us.example.com", "gRPC")


def test_events_are_numbered_and_without_user_information() -> None:
    history = History()
    history.add(change(1, State.UP), ["api"])
    history.add(Overloaded(5, at=2), [])
    history.add(change(3, State.DOWN, reason="status 503"), ["api", "web"])

    (event,) = history.events(after=1)
    assert (event["number"], event["uplinks"], event["reason"]) == (2, 2, "status 503")
    assert event["url"] == "https://***@eu.example.com"
    assert history.number == 2
