from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backstop.backoff import Backoff, Shape
from backstop.effects import Circumstances, Destination, act, process, response
from backstop.errors import NotYet, PermanentError, SystemFault, TransientError
from backstop.event import Event
from backstop.message import MAX_BYTES, Message, Outgoing, Record, Refused
from backstop.process import RESERVE_MILLIS, Batch, settle
from backstop.report import Report
from backstop.trail import Trail
from backstop.verdict import Policy
from tests.backstop import NOW, Team, bodies, record, string

HERE = Circumstances(own_root="/var/task", release="1.0.0", policy=Policy(), now=lambda: NOW)


@dataclass
class World:
    """What effects act on: it remembers in one list what happened, in its order, and does not take what it refuses."""

    refuses: frozenset[str] = frozenset()
    happened: list[tuple[str, ...]] = field(default_factory=list)
    sent: dict[str, tuple[Destination, Outgoing]] = field(default_factory=dict)
    reports: list[Report] = field(default_factory=list)

    def send(self, destination: Destination, messages: Sequence[Outgoing]) -> Sequence[Refused]:
        self.happened.append((f"send {destination}", *(one.message.message_id for one in messages)))
        refused = [Refused(one, "no room") for one in messages if one.message.message_id in self.refuses]
        taken = [one for one in messages if one.message.message_id not in self.refuses]
        self.sent |= {one.message.message_id: (destination, one) for one in taken}
        return refused

    def give_back(self, records: Sequence[Record]) -> None:
        self.happened.append(("give back", *(record["messageId"] for record in records)))

    def let_go(self, records: Sequence[Record]) -> None:
        self.happened.append(("let go", *(record["messageId"] for record in records)))

    def report(self, report: Report) -> None:
        self.happened.append((f"report {report.verdict}", report.event_id))
        self.reports.append(report)

    def left_to_sqs(self, message: Message, why: str) -> None:
        self.happened.append(("left to SQS", message.message_id, why))

    def count(self) -> None:
        self.happened.append(("count",))


class Watched(Team):
    """A team whose runs stand in the same list as what happened in the world."""

    def __init__(self, world: World, **team: Any) -> None:
        super().__init__(**team)
        self._world = world

    def run(self, event: Event, message: Message) -> None:
        self._world.happened.append(("run", message.event_id))
        super().run(event, message)


def processed(world: World, records: Sequence[Record], **team: Any) -> list[str]:
    return process(records, Watched(world, **team).flow(), world, HERE)


def acted(world: World, records: Sequence[Record], **team: Any) -> list[str]:
    return act(settle(records, Team(**team).flow()), world, HERE)


class TestAct:
    def test_a_batch_that_is_done_costs_no_call(self) -> None:
        world = World()
        assert acted(world, bodies("a", "b")) == []
        assert world.happened == [("count",)]

    def test_each_destination_is_sent_to_once(self) -> None:
        world = World()
        fails = {"a": TransientError(), "b": PermanentError(), "c": SystemFault(), "d": PermanentError()}
        assert acted(world, bodies("a", "b", "c", "d"), fails=fails) == []
        assert world.happened == [
            ("send retry", "m-a", "m-c"),
            ("report Retry", "a"),
            ("report Retry", "c"),
            ("send dead", "m-b", "m-d"),
            ("report Dead", "b"),
            ("report Dead", "d"),
            ("count",),
        ]

    def test_what_was_not_taken_stays_and_is_not_told_as_a_failure(self) -> None:
        world = World(refuses=frozenset({"m-b"}))
        fails = {"a": TransientError(), "b": TransientError()}
        assert acted(world, bodies("a", "b"), fails=fails) == ["m-b"]
        assert ("left to SQS", "m-b", "the retry queue did not take it: no room") in world.happened
        assert [report.event_id for report in world.reports] == ["a"]

    @pytest.mark.parametrize(
        "details",
        [
            pytest.param({"attributes": {f"n{number}": string("x") for number in range(10)}}, id="ten attributes"),
            pytest.param({"body": '{"id": "a"}'.ljust(MAX_BYTES)}, id="1 MiB"),
        ],
    )
    def test_what_does_not_fit_stays(self, details: dict[str, Any]) -> None:
        world = World()
        assert acted(world, [record("a", **details)], fails={"a": TransientError()}) == ["m-a"]
        assert world.sent == {}
        assert [happened[:2] for happened in world.happened] == [("left to SQS", "m-a"), ("count",)]

    def test_what_was_not_started_is_given_back_first_and_stays(self) -> None:
        world = World()
        left = RESERVE_MILLIS + 100
        fails = {"a": TransientError()}
        assert acted(world, bodies("a", "b"), left_millis=left, run_millis={"a": 200}, fails=fails) == ["m-b"]
        assert world.happened[:2] == [("give back", "m-b"), ("send retry", "m-a")]

    def test_what_only_waits_is_sent_and_not_told(self) -> None:
        world = World()
        assert acted(world, bodies("a"), fails={"a": NotYet(NOW + timedelta(seconds=7))}) == []
        assert world.sent["m-a"][1].delay_seconds == 7
        assert world.reports == []

    def test_a_recovery_is_told_after_all_else(self) -> None:
        world = World()
        history = string(Trail(attempt=1, first_failed_at=NOW, last_failed_at=NOW).serialise())
        acted(world, [record("a", attributes={"backstop": history}), record("b")], fails={"b": TransientError()})
        assert world.happened[-2:] == [("report Done", "a"), ("count",)]

    def test_a_dead_letter_says_why(self) -> None:
        world = World()
        acted(world, bodies("a"), fails={"a": PermanentError("no such product")})
        destination, sent = world.sent["m-a"]
        assert destination is Destination.DEAD
        assert (sent.trail.dead_because, sent.trail.reason, sent.delay_seconds) == ("permanent", "no such product", 0)


class TestDelay:
    @pytest.mark.parametrize(
        ("until", "delay_seconds", "not_before"),
        [
            pytest.param(NOW + timedelta(seconds=5), 5, None, id="as long as it says"),
            pytest.param(NOW + timedelta(seconds=4.001), 5, None, id="rounded up"),
            pytest.param(NOW + timedelta(seconds=900), 900, None, id="as long as SQS can"),
            pytest.param(NOW + timedelta(seconds=901), 900, NOW + timedelta(seconds=901), id="longer than SQS can"),
            pytest.param(NOW + timedelta(days=1), 900, NOW + timedelta(days=1), id="a day"),
            pytest.param(NOW, 0, None, id="now"),
            pytest.param(NOW - timedelta(hours=1), 0, None, id="in the past"),
        ],
    )
    def test_a_message_comes_back_when_its_time_has_come(
        self, until: datetime, delay_seconds: int, not_before: datetime | None
    ) -> None:
        world = World()
        acted(world, bodies("a"), fails={"a": NotYet(until)})
        sent = world.sent["m-a"][1]
        assert (sent.delay_seconds, sent.trail.not_before) == (delay_seconds, not_before)

    def test_a_retry_after_longer_than_sqs_delays_is_kept_in_the_message(self) -> None:
        world = World()
        acted(world, bodies("a"), fails={"a": TransientError(retry_after=timedelta(hours=2))})
        sent = world.sent["m-a"][1]
        assert (sent.delay_seconds, sent.trail.not_before) == (900, NOW + timedelta(hours=2))

    def test_a_fixed_delay_is_the_delay(self) -> None:
        world = World()
        policy = Policy(backoff=Backoff(base=timedelta(seconds=30), shape=Shape.FIXED))
        acted(world, bodies("a"), fails={"a": TransientError()}, policy=policy)
        assert world.sent["m-a"][1].delay_seconds == 30


class TestSuspects:
    SUSPECTS = frozenset({"x", "y"})

    def test_suspects_run_last_and_one_by_one_when_all_before_them_is_safe(self) -> None:
        world = World()
        records = [record("x", receives=2), record("a", receives=2), record("y", receives=3), *bodies("b", "c")]
        assert processed(world, records, died_on=self.SUSPECTS, fails={"b": TransientError()}) == []
        assert world.happened == [
            ("run", "b"),
            ("run", "c"),
            ("run", "a"),
            ("send retry", "m-b"),
            ("report Retry", "b"),
            ("count",),
            ("let go", "m-b", "m-c", "m-a"),
            ("run", "x"),
            ("count",),
            ("let go", "m-x"),
            ("run", "y"),
            ("count",),
        ]

    def test_what_stays_is_not_let_go(self) -> None:
        world = World(refuses=frozenset({"m-a"}))
        records = [*bodies("a", "b"), record("x", receives=2)]
        assert processed(world, records, died_on=self.SUSPECTS, fails={"a": TransientError()}) == ["m-a"]
        assert ("let go", "m-b") in world.happened

    def test_a_suspect_that_stays_is_not_let_go_for_the_next(self) -> None:
        world = World(refuses=frozenset({"m-x"}))
        records = [record("x", receives=2), record("y", receives=2)]
        assert processed(world, records, died_on=self.SUSPECTS, fails={"x": TransientError()}) == ["m-x"]
        assert [happened for happened in world.happened if happened[0] == "let go" and "m-x" in happened] == []
        assert ("run", "y") in world.happened

    def test_a_suspect_that_fails_is_judged_like_any_other(self) -> None:
        world = World()
        records = [record("x", receives=2)]
        assert processed(world, records, died_on=self.SUSPECTS, fails={"x": PermanentError()}) == []
        assert world.sent["m-x"][0] is Destination.DEAD

    def test_a_suspect_is_given_back_when_no_time_is_left_for_it(self) -> None:
        world = World()
        records = [record("a"), record("x", receives=2), record("y", receives=2)]
        left = RESERVE_MILLIS + 100
        staying = processed(world, records, died_on=self.SUSPECTS, left_millis=left, run_millis={"a": 200})
        assert staying == ["m-x", "m-y"]
        assert [happened for happened in world.happened if happened[0] == "run"] == [("run", "a")]
        assert [happened for happened in world.happened if happened[0] == "give back"] == [
            ("give back", "m-x"),
            ("give back", "m-y"),
        ]

    def test_without_suspects_nothing_is_let_go_ahead_of_the_answer(self) -> None:
        world = World()
        assert processed(world, [record("a"), record("b", receives=2)]) == []
        assert world.happened == [("run", "a"), ("run", "b"), ("count",)]


class TestResponse:
    def test_no_failures(self) -> None:
        assert response([]) == {"batchItemFailures": []}

    def test_names_what_stays(self) -> None:
        assert response(["m-a", "m-b"]) == {"batchItemFailures": [{"itemIdentifier": "m-a"}, {"itemIdentifier": "m-b"}]}

    def test_an_id_that_came_twice_is_named_once(self) -> None:
        world = World(refuses=frozenset({"m-a"}))
        assert processed(world, [*bodies("a"), *bodies("a")], fails={"a": TransientError()}) == ["m-a"]


letters = st.sampled_from("abcdefgh")
errors = st.sampled_from([TransientError(), SystemFault(), PermanentError(), RuntimeError(), NotYet(NOW)])


@settings(deadline=None)
@given(
    received=st.dictionaries(letters, st.integers(1, 6)),
    fails=st.dictionaries(letters, errors),
    refuses=st.frozensets(letters.map(lambda letter: f"m-{letter}")),
    died_on=st.frozensets(letters),
    run_millis=st.dictionaries(letters, st.integers(0, 3000)),
    left_millis=st.integers(0, 10_000),
)
def test_a_message_is_done_safe_in_another_queue_or_stays_and_never_more_than_one(
    received: dict[str, int],
    fails: dict[str, Exception],
    refuses: frozenset[str],
    died_on: frozenset[str],
    run_millis: dict[str, int],
    left_millis: int,
) -> None:
    world = World(refuses)
    team = Watched(world, fails=fails, died_on=died_on, run_millis=run_millis, left_millis=left_millis)
    records = [record(event_id, receives=receives) for event_id, receives in received.items()]
    staying = process(records, team.flow(), world, HERE)
    done = [f"m-{event_id}" for event_id in team.ran if event_id not in fails]
    assert sorted([*done, *world.sent, *staying]) == sorted(f"m-{event_id}" for event_id in received)
    let_go = {one for happened in world.happened if happened[0] == "let go" for one in happened[1:]}
    assert let_go.isdisjoint(staying)


def test_an_empty_batch_is_no_work() -> None:
    world = World()
    assert act(Batch(), world, HERE) == []
    assert world.happened == [("count",)]
