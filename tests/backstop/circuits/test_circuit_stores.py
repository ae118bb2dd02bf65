"""The contract of a store of circuits, kept in memory and in DynamoDB (on moto)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest

from backstop.circuits.state import Calls, CircuitState, Opening, Standing
from tests.backstop import NOW
from tests.backstop.circuits.circuit_stands import (
    A_SECOND,
    DUE,
    LEASE,
    NAME,
    OPEN_FOR,
    SLOT,
    THRESHOLDS,
    Stand,
    found,
    stand_in_memory,
    stand_on_moto,
)


@pytest.fixture(params=[stand_in_memory, stand_on_moto], ids=["memory", "dynamodb"])
def stand(request: pytest.FixtureRequest) -> Iterator[Stand]:
    with request.param() as stand:
        yield stand


Ending = Callable[[Stand, Standing], Standing | None]
ENDINGS: dict[str, Ending] = {
    "success": lambda stand, held: stand.store.succeed(held, THRESHOLDS, DUE),
    "failure": lambda stand, held: stand.store.fail(held, DUE),
    "nothing": lambda stand, held: stand.store.give_up(held, DUE),
}


class TestAClosedCircuit:
    def test_is_what_nobody_knows(self, stand: Stand) -> None:
        assert stand.read() == Standing(NAME)
        assert stand.store.all() == []

    def test_has_the_calls_that_were_added(self, stand: Stand) -> None:
        stand.add({SLOT: Calls(3, 1)})
        added = stand.add({SLOT: Calls(2, 0), SLOT - 1: Calls(4, 4)})
        assert added == stand.read() == Standing(NAME, window={SLOT - 1: Calls(4, 4), SLOT: Calls(5, 1)})

    def test_forgets_the_slots_that_left_its_window(self, stand: Stand) -> None:
        stand.add({SLOT: Calls(1, 1), SLOT + 1: Calls(2, 1)})
        assert stand.add({SLOT + 6: Calls(1, 0)}).window == {SLOT + 1: Calls(2, 1), SLOT + 6: Calls(1, 0)}
        assert stand.read().window == {SLOT + 1: Calls(2, 1), SLOT + 6: Calls(1, 0)}

    def test_opens_with_all_that_is_to_be_known(self, stand: Stand) -> None:
        stand.add({SLOT: Calls(5, 5)})
        seen = stand.read()
        opening = Opening(NOW, "one", "shop")
        after = stand.store.open(seen, "5 failures in a row", opening, OPEN_FOR)
        assert after == stand.read()
        assert after == Standing(
            NAME,
            CircuitState.OPEN,
            1,
            opened_at=NOW,
            since=NOW,
            open_for=OPEN_FOR,
            why="5 failures in a row",
            openings=(opening,),
        )
        assert after.opens_again_at() == DUE

    def test_opens_for_one_of_two_at_once(self, stand: Stand) -> None:
        seen = stand.read()
        stand.open("one")
        assert stand.store.open(seen, "another reason", Opening(NOW, "two"), OPEN_FOR) is None
        assert [one.environment for one in stand.read().openings] == ["one"]

    def test_does_not_open_for_what_was_before_it_closed(self, stand: Stand) -> None:
        seen = stand.read()
        stand.open()
        stand.close()
        assert stand.store.open(seen, "long past", Opening(NOW, "two"), OPEN_FOR) is None
        assert stand.read().state is CircuitState.CLOSED

    def test_takes_no_calls_from_before_it_opened(self, stand: Stand) -> None:
        seen = stand.add({SLOT: Calls(4, 4)})
        opened = stand.open()
        assert stand.store.add(seen, {SLOT: Calls(9, 9)}, NOW) == opened
        closed = stand.close()
        assert stand.store.add(seen, {SLOT: Calls(9, 9)}, NOW) == closed == stand.read()
        assert closed.window == {}

    def test_is_not_probed(self, stand: Stand) -> None:
        assert stand.store.elect(stand.read(), "one", NOW + LEASE, NOW) is None

    def test_remembers_its_last_five_openings(self, stand: Stand) -> None:
        for number in range(7):
            stand.open(f"environment {number}", NOW + number * A_SECOND)
            stand.store.force_close(NAME, NOW)
        openings = stand.read().openings
        assert [one.environment for one in openings] == [f"environment {number}" for number in range(2, 7)]
        assert openings[-1] == Opening(NOW + 6 * A_SECOND, "environment 6", "shop")


class TestAnOpenCircuit:
    def test_is_not_probed_before_its_time_is_over(self, stand: Stand) -> None:
        seen = stand.open()
        assert stand.store.elect(seen, "one", DUE + LEASE, DUE - A_SECOND) is None
        assert stand.read() == seen

    def test_is_probed_by_one_of_two_at_once(self, stand: Stand) -> None:
        seen = stand.open()
        first = found(stand.store.elect(seen, "one", DUE + LEASE, DUE))
        assert stand.store.elect(seen, "two", DUE + LEASE, DUE) is None
        assert stand.read() == first
        assert (first.state, first.generation, first.prober) == (CircuitState.HALF_OPEN, 2, "one")
        assert (first.lease_until, first.probes, first.opened_at) == (DUE + LEASE, 1, NOW)

    def test_grants_at_least_the_lease_that_was_asked_for(self, stand: Stand) -> None:
        until = DUE + timedelta(seconds=12, milliseconds=1)
        assert found(stand.store.elect(stand.open(), "one", until, DUE)).lease_until == DUE + timedelta(seconds=13)

    def test_is_not_probed_for_what_it_was_before(self, stand: Stand) -> None:
        seen = stand.open()
        stand.close()
        stand.open("two", DUE)
        assert stand.store.elect(seen, "one", DUE + LEASE, DUE + OPEN_FOR) is None

    def test_remembers_who_depends_on_it_until_it_opens_anew(self, stand: Stand) -> None:
        stand.open()
        for function in ("shop", "shop", "billing"):
            stand.store.depend(NAME, function)
        assert stand.read().dependents == {"shop", "billing"}
        held = stand.probe()
        stand.store.depend(NAME, "stock")
        stand.store.fail(held, DUE)
        assert stand.read().dependents == {"shop", "billing", "stock"}
        assert stand.close(DUE + OPEN_FOR).dependents == {"shop", "billing", "stock"}
        assert stand.open("two").dependents == stand.read().dependents == frozenset()

    def test_that_is_forgotten_has_no_dependents(self, stand: Stand) -> None:
        stand.store.depend(NAME, "shop")
        assert stand.read() == Standing(NAME)


class TestAHalfOpenCircuit:
    def test_is_probed_by_nobody_else_while_the_lease_lasts(self, stand: Stand) -> None:
        stand.open()
        held = stand.probe()
        assert stand.store.elect(held, "two", DUE + 2 * LEASE, DUE + LEASE - A_SECOND) is None

    def test_is_probed_by_another_when_the_lease_is_over(self, stand: Stand) -> None:
        stand.open()
        first = stand.probe()
        second = stand.probe("two", DUE + LEASE)
        assert (second.prober, second.generation, second.probes) == ("two", first.generation + 1, 2)

    @pytest.mark.parametrize("end", ENDINGS.values(), ids=ENDINGS)
    def test_does_not_hear_a_prober_whose_turn_another_one_has(self, stand: Stand, end: Ending) -> None:
        stand.open()
        first = stand.probe()
        second = stand.probe("two", DUE + LEASE)
        assert end(stand, first) is None
        assert stand.read() == second

    @pytest.mark.parametrize("end", ENDINGS.values(), ids=ENDINGS)
    def test_does_not_hear_a_prober_twice(self, stand: Stand, end: Ending) -> None:
        stand.open()
        held = stand.probe()
        after = found(stand.store.succeed(held, THRESHOLDS, DUE))
        end(stand, held)
        assert stand.read() == after

    def test_hears_a_prober_whose_lease_is_over_while_nobody_else_probes(self, stand: Stand) -> None:
        stand.open()
        held = stand.probe()
        assert found(stand.store.succeed(held, THRESHOLDS, DUE + 2 * LEASE)).successes == 1

    def test_is_probed_by_the_next_one_at_once_after_a_success(self, stand: Stand) -> None:
        stand.open()
        after = found(stand.store.succeed(stand.probe(), THRESHOLDS, DUE))
        assert after == stand.read()
        assert (after.state, after.successes, after.prober) == (CircuitState.HALF_OPEN, 1, "")
        assert (after.lease_until, after.opened_at) == (None, NOW)
        assert stand.probe("two").successes == 1

    def test_is_probed_by_the_next_one_at_once_after_nothing(self, stand: Stand) -> None:
        stand.open()
        stand.store.succeed(stand.probe(), THRESHOLDS, DUE)
        stand.store.give_up(stand.probe("two"), DUE)
        assert stand.read().state is CircuitState.HALF_OPEN
        assert stand.probe("three").successes == 1

    def test_opens_again_after_a_failure_and_counts_anew(self, stand: Stand) -> None:
        stand.open()
        stand.store.succeed(stand.probe(), THRESHOLDS, DUE)
        held = stand.probe("two")
        after = found(stand.store.fail(held, DUE))
        assert after == stand.read()
        assert (after.state, after.generation, after.successes) == (CircuitState.OPEN, held.generation + 1, 0)
        assert (after.opened_at, after.since, after.prober, after.lease_until) == (DUE, NOW, "", None)
        assert [one.at for one in after.openings] == [NOW]
        assert stand.store.elect(after, "three", DUE + OPEN_FOR, DUE + OPEN_FOR - A_SECOND) is None

    def test_closes_after_enough_successes(self, stand: Stand) -> None:
        opened = stand.open()
        for prober in ("one", "two"):
            stand.store.succeed(stand.probe(prober), THRESHOLDS, DUE)
        held = stand.probe("three")
        after = found(stand.store.succeed(held, THRESHOLDS, DUE))
        assert after == stand.read()
        assert after == Standing(NAME, generation=held.generation + 1, open_for=OPEN_FOR, openings=opened.openings)


class TestWhatAnOperatorSays:
    def until(self) -> datetime:
        return NOW + timedelta(hours=2)

    @pytest.mark.parametrize("before", ["closed", "open", "half-open"])
    def test_holds_a_circuit_open_until_its_time(self, stand: Stand, before: str) -> None:
        stand.add({SLOT: Calls(3, 3)})
        if before != "closed":
            stand.open()
        held = stand.probe() if before == "half-open" else None
        seen = stand.read()
        after = stand.store.force_open(NAME, self.until(), "held open by ada", DUE)
        assert after == stand.read()
        assert (after.state, after.generation) == (CircuitState.OPEN, seen.generation + 1)
        assert (after.why, after.prober, after.window) == ("held open by ada", "", {})
        assert after.opens_again_at() == self.until()
        assert after.since == (DUE if before == "closed" else NOW)
        assert stand.store.elect(after, "one", self.until() + LEASE, self.until() - A_SECOND) is None
        if held is not None:
            assert stand.store.succeed(held, THRESHOLDS, DUE) is None
        assert stand.probe(at=self.until()).prober == "one"

    @pytest.mark.parametrize("before", ["closed", "open", "half-open", "held open"])
    def test_closes_a_circuit(self, stand: Stand, before: str) -> None:
        stand.add({SLOT: Calls(3, 3)})
        if before in ("open", "half-open"):
            stand.open()
        if before == "held open":
            stand.store.force_open(NAME, self.until(), "held open by ada", NOW)
        held = stand.probe() if before == "half-open" else None
        seen = stand.read()
        after = stand.store.force_close(NAME, DUE)
        assert after == stand.read()
        assert (after.state, after.generation) == (CircuitState.CLOSED, seen.generation + 1)
        assert (after.window, after.opened_at, after.forced_until, after.why) == ({}, None, None, "")
        if held is not None:
            assert stand.store.fail(held, DUE) is None

    def test_all_circuits_are_listed_by_name(self, stand: Stand) -> None:
        opened = stand.open()
        other = stand.store.force_open("carriers", self.until(), "held open by ada", NOW)
        assert stand.store.all() == [other, opened]
