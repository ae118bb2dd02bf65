"""`redrive` asked by its schedule: what an outage has left goes back by itself, once it is over, by one job."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any, Final

import pytest

from backstop.aws.groups_table import GroupsTable
from backstop.budget import Budget
from backstop.errors import StoreUnavailable
from backstop.kinds import Kind
from backstop.occurrence import Occurrence, Severity, Tally
from backstop.redrive import Job, State
from tests.fakes.faults import Fault
from tests.fakes.source import FakeContext
from tests.redrive_lane import DEAD, FUNCTION, ORDERED_DEAD, TIMEOUT, A, B, RedriveLane, redrive_lane
from tests.turns import Turns
from tests.worker import Worker

AUTO: Final = {"auto": True}
NOTHING: Final = {"job": "", "state": "unknown", "is_over": True, "wait_seconds": 0}
QUIET: Final = timedelta(minutes=15)
SOME: Final = [f"a-{number}" for number in range(5)]


@pytest.fixture
def lane() -> Iterator[RedriveLane]:
    with redrive_lane() as lane:
        yield lane


def outage(lane: RedriveLane, group: str = A, count: int = 5, **known: Any) -> None:
    """Let so many events of a group have died just now."""
    for number in range(count):
        lane.bury(f"{group[0]}-{number}", group, **known)
    at, line = lane.clock.now(), f"{group:>56}"
    sample = Occurrence(line, at, group, kind=Kind.TRANSIENT, verdict="Dead")
    budget = Budget(5, timedelta(hours=1), timedelta(minutes=10), 20)
    tally = Tally(group, f"{Random(f'{group}{at}').getrandbits(64):016x}", count, at, at, Severity.ERROR, sample)
    GroupsTable(lane.dynamodb, "groups", budget).count(tally, at)


def begun(lane: RedriveLane) -> Job:
    """Let the schedule call, and return the job that it has begun."""
    answer = lane.invoke(AUTO)
    job = lane.jobs.look(answer["job"])
    assert job is not None, "nothing was begun"
    assert answer == {"job": job.id, "state": "running", "is_over": False, "wait_seconds": 0}
    return job


class TestAnOutageThatIsOver:
    def test_begins_a_job_of_its_group_as_a_canary(self, lane: RedriveLane) -> None:
        outage(lane)
        lane.clock.advance(QUIET)
        job = begun(lane)
        assert (job.selection.group, job.selection.kind, job.selection.max_redrives) == (A, "transient", 1)
        assert (job.is_canary, job.step, job.rate, job.by, job.expected) == (True, 0, 10.0, "AutoRedrive", 5)
        assert job.places == (DEAD, ORDERED_DEAD)
        assert (job.begun_at, job.selection.frozen_at) == (lane.clock.now(), lane.clock.now())

    def test_is_redriven_to_its_end(self, lane: RedriveLane) -> None:
        outage(lane)
        lane.clock.advance(QUIET)
        job = begun(lane)
        assert lane.run(job.id)["state"] == "done"
        assert lane.arrived() == dict.fromkeys(SOME, 1)
        assert lane.dead() == set()

    def test_is_looked_for_without_touching_a_letter(self, lane: RedriveLane) -> None:
        outage(lane, count=25)
        lane.clock.advance(QUIET)
        lane.invoke(AUTO)
        assert len(lane.dead()) == 25
        assert not lane.is_hidden()
        assert lane.arrived() == {}


class TestNothingIsBegun:
    def test_where_nothing_is_dead(self, lane: RedriveLane) -> None:
        assert lane.invoke(AUTO) == NOTHING

    def test_before_a_quarter_of_an_hour_is_over(self, lane: RedriveLane) -> None:
        outage(lane)
        lane.clock.advance(QUIET - timedelta(seconds=1))
        assert lane.invoke(AUTO) == NOTHING

    @pytest.mark.parametrize("known", [{"kind": "permanent"}, {"kind": "unknown"}, {"kind": "system"}, {"redrives": 2}])
    def test_of_what_would_only_fail_again(self, lane: RedriveLane, known: dict[str, Any]) -> None:
        outage(lane, **known)
        lane.clock.advance(QUIET)
        assert lane.invoke(AUTO) == NOTHING

    def test_of_a_group_that_fails_still(self, lane: RedriveLane) -> None:
        outage(lane)
        lane.clock.advance(QUIET)
        outage(lane, A, 1)
        assert lane.invoke(AUTO) == NOTHING

    def test_of_a_group_that_somebody_works_on(self, lane: RedriveLane) -> None:
        outage(lane)
        lane.dynamodb.update_item(
            TableName="groups",
            Key={"group": {"S": A}},
            UpdateExpression="SET acked_at = :at",
            ExpressionAttributeValues={":at": {"N": str(lane.clock.epoch_millis())}},
        )
        lane.clock.advance(QUIET)
        assert lane.invoke(AUTO) == NOTHING

    @pytest.mark.parametrize("chosen", [{"group": A}, {"kind": "transient"}, {}], ids=["its group", "its kind", "all"])
    def test_of_a_group_that_somebody_redrives(self, lane: RedriveLane, chosen: dict[str, Any]) -> None:
        outage(lane)
        lane.clock.advance(QUIET)
        lane.begin(**chosen)
        assert lane.invoke(AUTO) == NOTHING

    def test_while_a_job_of_its_own_is_under_way(self, lane: RedriveLane) -> None:
        outage(lane)
        lane.clock.advance(QUIET)
        begun(lane)
        lane.clock.advance(QUIET)
        assert lane.invoke(AUTO) == NOTHING


class TestWhatFailsAgain:
    def test_goes_back_twice_and_no_third_time(self, lane: RedriveLane) -> None:
        outage(lane, count=1)
        for redrives in (1, 2):
            lane.clock.advance(2 * QUIET)
            lane.run(begun(lane).id)
            lane.events.messages.clear()
            outage(lane, count=1, redrives=redrives)
        lane.clock.advance(2 * QUIET)
        assert lane.invoke(AUTO) == NOTHING

    def test_does_so_at_once_where_somebody_has_stopped_the_job(self, lane: RedriveLane) -> None:
        outage(lane)
        lane.clock.advance(QUIET)
        assert lane.jobs.reopen(replace(begun(lane), state=State.CANCELLED), State.RUNNING)
        assert lane.invoke(AUTO) == NOTHING, "what was stopped begins again at once"
        lane.clock.advance(QUIET)
        begun(lane)


class TestTwoCallsAtOnce:
    """A schedule may call twice (AWS, "at least once"), and each function has an environment of its own."""

    @pytest.mark.parametrize("seed", range(6))
    def test_begin_one_job_of_a_group(self, lane: RedriveLane, seed: int) -> None:
        outage(lane)
        lane.clock.advance(QUIET)
        answers = called_twice(lane, seed)
        assert sorted(answer["is_over"] for answer in answers) in ([False, True], [True, True])
        assert len(lane.jobs.all()) <= 1
        if not lane.jobs.all():  # each has seen a part of it only
            lane.clock.advance(QUIET)
            begun(lane)

    @pytest.mark.parametrize("seed", range(3))
    def test_may_begin_a_job_each_of_two_groups(self, lane: RedriveLane, seed: int) -> None:
        outage(lane, A)
        outage(lane, B)
        lane.clock.advance(QUIET)
        called_twice(lane, seed)
        groups = [job.selection.group for job in lane.jobs.all()]
        assert len(groups) == len({*groups})


def called_twice(lane: RedriveLane, seed: int) -> list[Any]:
    """Let two environments of the function be called at once: at each call to a table, the other one may go on."""
    turns, answers = Turns(Random(seed)), []

    def call(handler: Callable[[Any, Any], Any]) -> None:
        answers.append(handler(AUTO, FakeContext(lane.clock, FUNCTION, TIMEOUT)))

    def pause(**_: object) -> None:
        turns.pause()

    handlers = [Worker(lane.worker.folder, None, lane.worker.stdout).new() for _ in range(2)]
    events = lane.function_tables.meta.events
    events.register("before-call.dynamodb", pause)
    try:
        turns.run([lambda handler=handler: call(handler) for handler in handlers])  # type: ignore[misc]
    finally:
        events.unregister("before-call.dynamodb", pause)
    return answers


class TestWhatAwsRefuses:
    @pytest.mark.parametrize("operation", ["ReceiveMessage", "BatchGetItem", "Query", "PutItem"])
    @pytest.mark.parametrize("fault", Fault)
    def test_is_made_up_for_by_the_next_call(self, lane: RedriveLane, operation: str, fault: Fault) -> None:
        outage(lane)
        lane.clock.advance(QUIET)
        lane.faults.fail(operation, fault)
        with pytest.raises(StoreUnavailable):
            lane.invoke(AUTO)
        assert len(lane.dead()) == 5
        lane.clock.advance(QUIET)
        assert not lane.is_hidden()
        assert lane.run(begun(lane).id)["state"] == "done"
        assert lane.arrived() == dict.fromkeys(SOME, 1)

    @pytest.mark.parametrize(("fault", "state"), [(Fault.UNREACHABLE, "unknown"), (Fault.ANSWER_LOST, "done")])
    def test_of_a_job_is_known_at_its_first_turn(self, lane: RedriveLane, fault: Fault, state: str) -> None:
        outage(lane)
        lane.clock.advance(QUIET)
        lane.faults.fail("PutItem", None, fault)
        answer = lane.invoke(AUTO)
        assert (answer["state"], answer["is_over"]) == ("running", False)
        assert lane.run(answer["job"])["state"] == state

    def test_of_a_job_leaves_its_group_to_a_later_call(self, lane: RedriveLane) -> None:
        outage(lane)
        lane.clock.advance(QUIET)
        lane.faults.fail("PutItem", None, Fault.UNREACHABLE)
        lane.run(lane.invoke(AUTO)["job"])
        lane.clock.advance(QUIET)
        lane.run(begun(lane).id)
        assert lane.arrived() == dict.fromkeys(SOME, 1)
