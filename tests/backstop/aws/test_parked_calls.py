"""What DynamoDB refuses, throttles, answers in part or not at all, and what the table of parked events makes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from backstop.aws.parked import ParkedTable
from backstop.errors import StoreUnavailable
from backstop.parking import Lock, Placed, State
from tests.backstop import NOW
from tests.fakes.faults import Fault, Faults
from tests.fakes.parking_contract import TABLE, UNTIL, Lot, a_lock, an_event, client_of, table_on_moto


@pytest.fixture
def table() -> Iterator[ParkedTable]:
    import stamina  # as the product: only where it is needed

    with stamina.set_testing(True, attempts=6, cap=True), table_on_moto() as table:
        yield table


@pytest.fixture
def faults() -> Iterator[Faults]:
    faults = Faults()
    with faults.installed(client_of("dynamodb")):
        yield faults


Call = Callable[[ParkedTable, Lock], object]
CALLS: dict[str, tuple[str, Call]] = {
    "look": ("BatchGetItem", lambda table, lock: table.look(["a"])),
    "lock": ("GetItem", lambda table, lock: table.lock("a")),
    "park_head": ("TransactWriteItems", lambda table, lock: table.park_head(a_lock("b"), an_event(1))),
    "park_behind": ("TransactWriteItems", lambda table, lock: table.park_behind("a", an_event(2))),
    "park_behind, of a free key": ("GetItem", lambda table, lock: table.park_behind("free", an_event(2))),
    "lease": ("UpdateItem", lambda table, lock: table.lease("a", UNTIL, UNTIL)),
    "claim": ("UpdateItem", lambda table, lock: table.claim(lock, UNTIL, UNTIL)),
    "first, the lock": ("GetItem", lambda table, lock: table.first(lock)),
    "first, the events": ("Query", lambda table, lock: table.first(lock)),
    "remove": ("TransactWriteItems", lambda table, lock: table.remove(lock, an_event(1))),
    "postpone": ("TransactWriteItems", lambda table, lock: table.postpone(lock, an_event(1), State.HELD, NOW)),
    "give_back": ("UpdateItem", lambda table, lock: table.give_back(lock, State.WAITING, NOW)),
    "unlock": ("DeleteItem", lambda table, lock: table.unlock(lock)),
    "due": ("Query", lambda table, lock: table.due(NOW, 10)),
    "count": ("Query", lambda table, lock: table.count(NOW)),
    "count, keeping the number": ("PutItem", lambda table, lock: table.count(NOW)),
    "locks": ("Query", lambda table, lock: list(table.locks())),
    "locks, their state": ("BatchGetItem", lambda table, lock: list(table.locks())),
    "events": ("Query", lambda table, lock: list(table.events("a"))),
}
each_call = pytest.mark.parametrize(("operation", "call"), CALLS.values(), ids=CALLS)


class TestFaults:
    @pytest.mark.parametrize("fault", Fault)
    @each_call
    def test_a_call_that_fails_is_a_store_that_does_not_answer(
        self, table: ParkedTable, faults: Faults, operation: str, call: Call, fault: Fault
    ) -> None:
        lock = leased(table)
        faults.fail_always(operation, fault)
        with pytest.raises(StoreUnavailable, match="did not answer"):
            call(table, lock)

    @pytest.mark.parametrize("fault", [Fault.THROTTLED, Fault.DENIED, Fault.UNREACHABLE])
    @each_call
    def test_what_fails_before_it_takes_effect_changes_nothing(
        self, table: ParkedTable, faults: Faults, operation: str, call: Call, fault: Fault
    ) -> None:
        lock = leased(table)
        before = everything()
        faults.fail_always(operation, fault)
        with pytest.raises(StoreUnavailable):
            call(table, lock)
        assert everything() == before

    @pytest.mark.parametrize("fault", [Fault.THROTTLED, Fault.ANSWER_LOST])
    @each_call
    def test_is_not_tried_again_here_for_botocore_does_that(
        self, table: ParkedTable, faults: Faults, operation: str, call: Call, fault: Fault
    ) -> None:
        lock = leased(table)
        faults.calls.clear()
        faults.fail_always(operation, fault)
        with pytest.raises(StoreUnavailable):
            call(table, lock)
        assert faults.calls[operation] == 1


class TestPartOfAnAnswer:
    def test_a_key_of_which_nothing_was_told_is_unknown(self, table: ParkedTable) -> None:
        leased(table)
        missed = {"key": {"S": "b"}, "sort": {"S": "lock"}}

        def tell_less(parsed: dict[str, Any], **_: Any) -> None:
            parsed["UnprocessedKeys"] = {TABLE: {"Keys": [missed], "ConsistentRead": True}}

        with listening("after-call.dynamodb.BatchGetItem", tell_less):
            seen = table.look(["a", "b", "c"])
        assert set(seen.locks) == {"a"}
        assert seen.unknown == {"b"}

    def test_not_knowing_how_many_keys_wait_makes_no_key_unknown(self, table: ParkedTable) -> None:
        leased(table)
        totals = {"key": {"S": "totals"}, "sort": {"S": "totals"}}

        def tell_less(parsed: dict[str, Any], **_: Any) -> None:
            parsed["UnprocessedKeys"] = {TABLE: {"Keys": [totals]}}

        with listening("after-call.dynamodb.BatchGetItem", tell_less):
            seen = table.look(["a"])
        assert (set(seen.locks), seen.unknown, seen.parked_keys) == ({"a"}, frozenset(), 0)


@dataclass
class Cancelling:
    """Cancels transactions in DynamoDB's place, for these reasons, so many times."""

    reasons: tuple[str, ...]
    times: int
    tries: int = 0

    def __call__(self, **_: Any) -> Any:
        self.tries += 1
        if self.tries > self.times:
            return None
        answer = {
            "Error": {"Code": "TransactionCanceledException", "Message": "no"},
            "CancellationReasons": [{"Code": reason} for reason in self.reasons],
            "ResponseMetadata": {"HTTPStatusCode": 400},
        }
        return SimpleNamespace(status_code=400), answer


TRANSACTION = "before-call.dynamodb.TransactWriteItems"
CONFLICT = ("TransactionConflict", "None")


class TestCancelledTransactions:
    def test_one_that_met_another_is_tried_again(self, table: ParkedTable) -> None:
        leased(table)
        cancelling = Cancelling(CONFLICT, times=3)
        with listening(TRANSACTION, cancelling):
            assert table.park_behind("a", an_event(2)) is Placed.PARKED
        assert cancelling.tries == 4
        assert [event.event_id for event in table.events("a")] == ["e1", "e2"]

    @pytest.mark.parametrize(
        "reasons",
        [
            pytest.param(CONFLICT, id="a conflict"),
            pytest.param(("ConditionalCheckFailed", "TransactionConflict"), id="a conflict beside a condition"),
        ],
    )
    def test_one_that_meets_others_each_time_is_a_store_that_does_not_answer(
        self, table: ParkedTable, reasons: tuple[str, ...]
    ) -> None:
        lock = leased(table)
        cancelling = Cancelling(reasons, times=100)
        with listening(TRANSACTION, cancelling), pytest.raises(StoreUnavailable, match="change the same key"):
            table.remove(lock, an_event(1))
        assert cancelling.tries == 6
        assert [event.event_id for event in table.events("a")] == ["e1"]

    @pytest.mark.parametrize("reason", ["ThrottlingError", "ProvisionedThroughputExceeded", "ValidationError"])
    def test_any_other_reason_says_nothing_of_the_key(self, table: ParkedTable, reason: str) -> None:
        lock = leased(table)
        cancelling = Cancelling((reason, "ConditionalCheckFailed"), times=100)
        with listening(TRANSACTION, cancelling), pytest.raises(StoreUnavailable, match=reason):
            table.remove(lock, an_event(1))
        assert cancelling.tries == 1


def leased(table: ParkedTable) -> Lock:
    """Return the lease of a key with one event."""
    lot = Lot(table)
    lot.park("a", 1)
    return lot.lease("a")


def everything() -> list[Any]:
    """Return all that the table holds. A scan is no call of the lane, so no fault hits it."""
    return sorted(client_of("dynamodb").scan(TableName=TABLE)["Items"], key=repr)


class listening:  # noqa: N801  # reads as what it does: `with listening(...)`
    """Let `act` see what the client does while it lasts, and answer in DynamoDB's place with what it returns."""

    def __init__(self, event: str, act: Callable[..., Any]) -> None:
        self._event, self._act = event, act

    def __enter__(self) -> None:
        client_of("dynamodb").meta.events.register(self._event, self._act)

    def __exit__(self, *_: object) -> None:
        client_of("dynamodb").meta.events.unregister(self._event, self._act)
