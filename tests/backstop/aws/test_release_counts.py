"""What is kept of releases: the same by the table and by the fake, and what recovery sees of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

import pytest
from moto import mock_aws

from backstop.aws.release_counts import ReleaseCounts
from backstop.errors import StoreUnavailable
from backstop.release_counts import Counts, Hold, ReleaseStanding, slot_of
from tests.backstop import NOW
from tests.fakes.faults import Fault, Faults
from tests.fakes.parking_contract import client_of
from tests.fakes.releases import FakeReleases
from tests.template.tables import make_table

TABLE: Final = "circuits"
RELEASE: Final = ("shop-process", "r2")
A, B = "a" * 16, "b" * 16
HOLD: Final = Hold(*RELEASE, A, 14, 20, NOW)
SLOT: Final = slot_of(NOW)
SOME: Final = Counts({SLOT: 5, SLOT + 1: 2}, {(SLOT, A): 3, (SLOT + 1, B): 1})
A_DAY, A_MONTH = timedelta(days=1), timedelta(days=30)

Store = ReleaseCounts | FakeReleases


@pytest.fixture
def client() -> Iterator[Any]:
    with mock_aws():
        client: Any = client_of("dynamodb")
        make_table(client, TABLE, "CircuitsTable")
        yield client


@pytest.fixture
def table(client: Any) -> ReleaseCounts:
    return ReleaseCounts(client, TABLE)


@pytest.fixture
def faults(client: Any) -> Iterator[Faults]:
    """Let calls to the table fail."""
    faults = Faults()
    with faults.installed(client):
        yield faults


@pytest.fixture(params=["table", "fake"])
def store(request: pytest.FixtureRequest) -> Store:
    return FakeReleases() if request.param == "fake" else ReleaseCounts(request.getfixturevalue("client"), TABLE)


class TestAStore:
    def test_begins_a_release_that_nobody_knew(self, store: Store) -> None:
        assert store.add(*RELEASE, SOME, NOW) == ReleaseStanding(NOW, SOME)

    def test_adds_up_what_workers_counted(self, store: Store) -> None:
        store.add(*RELEASE, SOME, NOW)
        assert store.add(*RELEASE, SOME, NOW + A_DAY) == ReleaseStanding(NOW, SOME.plus(SOME))

    def test_answers_where_there_is_nothing_to_add(self, store: Store) -> None:
        store.add(*RELEASE, SOME, NOW)
        assert store.add(*RELEASE, Counts(), NOW) == ReleaseStanding(NOW, SOME)

    def test_keeps_releases_and_functions_apart(self, store: Store) -> None:
        store.add(*RELEASE, SOME, NOW)
        assert store.add("shop-process", "r3", Counts(), NOW).counts == Counts()
        assert store.add("shop-process-ordered", "r2", Counts(), NOW).counts == Counts()

    def test_holds_a_release_once(self, store: Store) -> None:
        store.add(*RELEASE, SOME, NOW)
        assert store.hold(HOLD, "process-1")
        assert not store.hold(Hold(*RELEASE, B, 20, 30, NOW), "process-2")
        assert store.add(*RELEASE, Counts(), NOW).held_group == A

    def test_never_holds_what_a_person_let_go_on(self, store: Store) -> None:
        store.add(*RELEASE, SOME, NOW)
        store.hold(HOLD, "process-1")
        store.let_go(*RELEASE)
        assert not store.hold(HOLD, "process-2")
        known = store.add(*RELEASE, Counts(), NOW)
        assert (known.held_group, known.is_let_go) == ("", True)


class TestWhatRecoverySees:
    def test_are_the_holds_of_live_releases(self, table: ReleaseCounts) -> None:
        table.seen(*RELEASE, "code-2", NOW)
        table.hold(HOLD, "process-1")
        assert table.holds() == [HOLD]

    def test_is_a_hold_of_a_release_that_it_has_yet_to_see(self, table: ReleaseCounts) -> None:
        table.add(*RELEASE, SOME, NOW)
        table.hold(HOLD, "process-1")
        assert table.holds() == [HOLD]

    def test_is_no_hold_of_a_release_that_another_has_followed(self, table: ReleaseCounts) -> None:
        table.seen(*RELEASE, "code-2", NOW)
        table.hold(HOLD, "process-1")
        table.seen("shop-process", "r3", "code-3", NOW + A_DAY)
        assert table.holds() == []

    def test_is_the_hold_again_where_the_held_release_is_rolled_back_to(self, table: ReleaseCounts) -> None:
        table.seen(*RELEASE, "code-2", NOW)
        table.hold(HOLD, "process-1")
        table.seen("shop-process", "r3", "code-3", NOW + A_DAY)
        table.seen(*RELEASE, "code-2", NOW + A_DAY)
        assert table.holds() == [HOLD]

    def test_is_no_hold_of_what_a_person_let_go_on(self, table: ReleaseCounts) -> None:
        table.hold(HOLD, "process-1")
        table.let_go(*RELEASE)
        assert table.holds() == []

    def test_is_more_than_one_page(self, table: ReleaseCounts, client: Any) -> None:
        for number in range(30):
            client.put_item(TableName=TABLE, Item={"id": {"S": f"circuit-{number}"}, "why": {"S": "x" * 100_000}})
        holds = [Hold(f"f-{number}", "r1", A, 11, 20, NOW) for number in range(5)]
        for hold in holds:
            table.hold(hold, "process-1")
        assert sorted(table.holds(), key=lambda hold: hold.function) == holds

    def test_is_no_circuit(self, table: ReleaseCounts, client: Any) -> None:
        client.put_item(TableName=TABLE, Item={"id": {"S": "payments"}, "live": {"S": "r2"}})
        assert table.holds() == []


class TestARelease:
    def test_begins_when_recovery_sees_it_first(self, table: ReleaseCounts) -> None:
        table.seen(*RELEASE, "code-2", NOW)
        table.seen(*RELEASE, "code-2", NOW + A_DAY)
        assert table.add(*RELEASE, Counts(), NOW + A_DAY).since == NOW

    def test_begins_when_a_worker_tells_of_it_before(self, table: ReleaseCounts) -> None:
        table.add(*RELEASE, SOME, NOW)
        table.seen(*RELEASE, "code-2", NOW + A_DAY)
        assert table.add(*RELEASE, Counts(), NOW + A_DAY) == ReleaseStanding(NOW, SOME)

    def test_of_the_same_name_and_other_code_begins_anew(self, table: ReleaseCounts) -> None:
        table.seen(*RELEASE, "code-2", NOW)
        table.add(*RELEASE, SOME, NOW)
        table.hold(HOLD, "process-1")
        table.let_go(*RELEASE)
        table.seen(*RELEASE, "code-2b", NOW + A_DAY)
        assert table.add(*RELEASE, Counts(), NOW + A_DAY) == ReleaseStanding(NOW + A_DAY)
        assert table.hold(HOLD, "process-2")

    def test_that_is_live_is_kept_and_others_expire(self, table: ReleaseCounts, client: Any) -> None:
        table.seen(*RELEASE, "code-2", NOW)
        table.hold(HOLD, "process-1")
        for days in range(60):
            table.seen(*RELEASE, "code-2", NOW + days * A_DAY)
        [item] = [item for item in items(client) if "expiration" in item]
        assert int(item["expiration"]["N"]) > (NOW + 65 * A_DAY).timestamp()
        assert table.holds() == [HOLD]

    def test_that_is_as_it_was_costs_no_write(self, table: ReleaseCounts, faults: Faults) -> None:
        table.seen(*RELEASE, "code-2", NOW)
        faults.calls.clear()
        table.seen(*RELEASE, "code-2", NOW + timedelta(minutes=1))
        assert faults.calls == {"GetItem": 2}

    def test_that_two_see_at_once_is_seen_once(self, table: ReleaseCounts, client: Any) -> None:
        """Between the read and the write of one, the other one has written."""
        raced: Any = Raced(client, lambda: table.seen(*RELEASE, "code-2", NOW))
        ReleaseCounts(raced, TABLE).seen(*RELEASE, "code-9", NOW + A_DAY)
        assert table.add(*RELEASE, Counts(), NOW + A_DAY).since == NOW

    def test_that_nobody_knows_is_not_let_go(self, table: ReleaseCounts, client: Any) -> None:
        table.let_go(*RELEASE)
        assert items(client) == []


class TestAnAnswerThatIsLost:
    def test_leaves_the_hold_with_who_made_it(self, table: ReleaseCounts) -> None:
        """Botocore tries again by itself: it must be told of."""
        assert table.hold(HOLD, "process-1")
        assert table.hold(HOLD, "process-1")
        assert not table.hold(HOLD, "process-2")

    @pytest.mark.parametrize("fault", list(Fault))
    def test_is_a_store_that_is_unavailable(self, table: ReleaseCounts, faults: Faults, fault: Fault) -> None:
        for operation in ("UpdateItem", "GetItem", "PutItem", "Scan"):
            faults.fail_always(operation, fault)
        for ask in (
            lambda: table.add(*RELEASE, SOME, NOW),
            lambda: table.hold(HOLD, "process-1"),
            lambda: table.seen(*RELEASE, "code-2", NOW),
            lambda: table.let_go(*RELEASE),
            table.holds,
        ):
            with pytest.raises(StoreUnavailable, match="circuits did not answer"):
                ask()


class Raced:
    """A client whose first write of a release is preceded by another one's."""

    def __init__(self, client: Any, other: Any) -> None:
        self._client = client
        self._other = other

    def update_item(self, **request: Any) -> Any:
        """Let the other one write first."""
        if "ConditionExpression" in request and self._other is not None:
            other, self._other = self._other, None
            other()
        return self._client.update_item(**request)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


def items(client: Any) -> list[dict[str, Any]]:
    """Return what is in the table."""
    found: list[dict[str, Any]] = client.scan(TableName=TABLE)["Items"]
    return found
