"""The fake's calls fail as a test tells them to, before or after they have taken effect, and stand where it looks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from backstop.errors import StoreUnavailable
from backstop.parking import CannotPark, Placed
from tests.fakes.faults import Fault, Faults
from tests.fakes.parking import FakeParking, failing_by
from tests.fakes.parking_contract import a_lock, an_event


@pytest.mark.parametrize("fault", Fault)
def test_a_call_fails_before_or_after_its_effect(fault: Fault) -> None:
    faults = Faults()
    parking = FakeParking(9, failing_by(faults))
    faults.fail("park_head", fault)
    with pytest.raises(StoreUnavailable, match=fault):
        parking.park_head(a_lock("a"), an_event(1))
    assert (parking.lock("a") is not None) == fault.takes_effect
    assert len(list(parking.events("a"))) == int(fault.takes_effect)
    assert parking.park_head(a_lock("b"), an_event(1)) is Placed.PARKED


def test_every_call_is_surrounded_and_a_second_one_of_a_method_too() -> None:
    calls: list[str] = []

    @contextmanager
    def around(call: str) -> Iterator[None]:
        calls.append(call)
        yield
        calls.append(f"{call} has taken effect")

    parking = FakeParking(1, around)
    lock = a_lock("a")
    parking.park_head(lock, an_event(1))
    parking.first(lock)
    with pytest.raises(CannotPark):
        parking.park_behind("a", an_event(2))
    assert [call for call in calls if "effect" not in call] == ["park_head", "first", "events", "park_behind", "reread"]
    assert len(calls) == 10
