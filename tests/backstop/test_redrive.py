"""What is chosen goes back, each letter once, in steps; all else is untouched. Whatever ends a mover in between."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from backstop.redrive import State
from tests.backstop.redrive_world import DEAD, EVENTS, A, B, RedriveWorld
from tests.fakes.faults import Fault

SOME = [f"a-{number}" for number in range(30)]
OTHERS = [f"b-{number}" for number in range(25)]


@pytest.fixture
def world() -> RedriveWorld:
    return filled()


def filled() -> RedriveWorld:
    world = RedriveWorld()
    for event_id in SOME:
        world.bury(event_id)
    for event_id in OTHERS:
        world.bury(event_id, group=B)
    world.clock.advance(timedelta(seconds=1))
    return world


def once(event_ids: list[str]) -> dict[str, int]:
    return dict.fromkeys(event_ids, 1)


class TestARedrive:
    @pytest.mark.parametrize("is_canary", [True, False])
    def test_moves_what_is_chosen_once_and_leaves_the_others_untouched(
        self, world: RedriveWorld, is_canary: bool
    ) -> None:
        world.begin(group=A, is_canary=is_canary)
        with world.untouched(*OTHERS):
            assert world.run().state is State.DONE
        assert world.arrived == once(SOME)
        assert world.dead() == {*OTHERS}
        assert (world.progress().moved, world.progress().in_doubt) == (30, 0)
        assert sorted(world.told) == sorted(SOME)

    def test_sends_body_and_attributes_as_they_were_with_a_history_that_names_it(self, world: RedriveWorld) -> None:
        world.begin(event_ids=("a-7",))
        world.turn()
        [message] = world.sqs.queue(EVENTS).messages
        assert message.body == json.dumps({"id": "a-7", "note": "ü"})
        assert message.attributes["tenant"]["StringValue"] == "of a-7"
        trail = json.loads(message.attributes["backstop"]["StringValue"])
        assert (trail["redrive_id"], trail["redrives"], trail["verdict"], trail["attempt"]) == ("r1", 1, "dead", 6)
        assert trail["reason"] == "no answer"

    def test_of_nothing_is_done_at_once(self, world: RedriveWorld) -> None:
        world.begin(group="c" * 16)
        with world.untouched(*SOME, *OTHERS):
            assert world.run(most=5).state is State.DONE
        assert world.arrived == {}

    def test_lets_what_dies_later_lie(self, world: RedriveWorld) -> None:
        world.begin(group=A)
        world.clock.advance(timedelta(seconds=1))
        world.bury("a-late")
        world.run()
        assert world.dead() == {*OTHERS, "a-late"}

    def test_takes_what_dies_later_too_where_it_is_asked_to(self, world: RedriveWorld) -> None:
        world.begin(group=A, frozen_at=None)
        world.clock.advance(timedelta(seconds=1))
        world.bury("a-late")
        world.run()
        assert world.dead() == {*OTHERS}

    def test_takes_what_sqs_moved_and_whatever_is_no_event(self, world: RedriveWorld) -> None:
        for body in ('{"id": "m-1"}', "no event", "[]"):
            world.move_by_sqs(body)
        world.begin(reason="moved by SQS")
        assert world.run().state is State.DONE
        assert sum(world.arrived.values()) == 3
        assert {name for name in world.arrived if not name.startswith("#")} == {"m-1"}
        assert world.dead() == {*SOME, *OTHERS}

    def test_whose_letter_has_no_room_for_a_history_leaves_it_and_says_so(self, world: RedriveWorld) -> None:
        ten = {f"own-{number}": {"DataType": "String", "StringValue": "x"} for number in range(10)}
        world.sqs.queue(DEAD).put('{"id": "full"}', ten, {})
        world.begin(reason="moved by SQS")
        job = world.run()
        assert (job.state, job.note) == (State.DONE, "1 stay: see the log")
        assert "full" in world.dead()
        assert [event for event, why in world.left if "ten attributes" in why] == ["full"]


class TestAnOpenCircuit:
    def test_holds_a_redrive_up_and_says_so_and_it_goes_on_by_itself(self, world: RedriveWorld) -> None:
        world.open_circuit = "payments"
        world.begin(group=A)
        with world.untouched(*SOME, *OTHERS):
            [*_, job] = [world.turn() for _ in range(5)]
        assert (job.state, job.note) == (State.RUNNING, "waits: circuit payments is open (backstop circuits)")
        world.open_circuit = ""
        done = world.run()
        assert (done.state, done.note) == (State.DONE, "")
        assert world.arrived == once(SOME)

    def test_that_opens_under_a_canary_lets_no_more_go_before_what_went_has_shown_how_it_goes(
        self, world: RedriveWorld
    ) -> None:
        world.begin(group=A)
        world.turn()
        world.open_circuit = "payments"  # the one letter is refused, and waits
        for _ in range(100):
            world.turn()
        assert world.progress().moved == 1
        world.open_circuit = ""
        world.fails = lambda _: True
        job = world.run()
        assert (job.state, world.progress().moved) == (State.STOPPED, 1)


class TestTheCanary:
    def test_moves_one_then_ten_then_a_hundred_then_the_rest(self) -> None:
        world = RedriveWorld()
        for number in range(250):
            world.bury(f"e-{number}")
        world.begin()
        seen = []
        while not world.turn().is_over:
            world.work()
            seen.append(world.progress().moved)
        assert sorted({*seen}) == [1, 11, 111, 250]

    def test_stops_a_group_that_is_still_broken_at_its_first_letter(self, world: RedriveWorld) -> None:
        world.fails = lambda _: True
        world.begin(group=A)
        with world.untouched(*OTHERS):
            job = world.run()
        assert (job.state, world.progress().moved) == (State.STOPPED, 1)
        assert job.note == "1 of the last 1 that were moved failed again: more than 10%"
        assert world.dead() == {*SOME, *OTHERS}

    @pytest.mark.parametrize(("failing", "state", "moved"), [(1, State.DONE, 30), (2, State.STOPPED, 11)])
    def test_lets_one_of_eleven_fail_again_and_no_second_one(self, failing: int, state: State, moved: int) -> None:
        world = filled()
        first = iter([False] + [True] * failing)
        verdicts: dict[str, bool] = {}
        world.fails = lambda event: verdicts.setdefault(event, next(first, False))
        world.begin(group=A)
        assert (world.run().state, world.progress().moved) == (state, moved)

    def test_stops_the_rest_as_well(self) -> None:
        world = RedriveWorld()
        for number in range(400):
            world.bury(f"e-{number}")
        world.fails = lambda _: sum(world.arrived.values()) > 150
        world.begin(rate=1)  # so that turns end in between
        job = world.run()
        assert job.state is State.STOPPED
        assert world.progress().moved < 400

    def test_waits_for_what_is_not_heard_of_and_then_goes_on(self, world: RedriveWorld) -> None:
        world.work = lambda: None  # type: ignore[method-assign]  # workers that stand
        began = world.clock.now()
        world.begin(group=A)
        assert world.run().state is State.DONE
        assert world.clock.now() - began >= timedelta(seconds=120)


class TestTheRate:
    @pytest.mark.parametrize("rate", [2.0, 10.0, 500.0])
    def test_is_kept(self, rate: float) -> None:
        world = RedriveWorld()
        for number in range(400):
            world.bury(f"e-{number}")
        world.begin(rate=rate, is_canary=False)
        began = world.clock.now()
        world.run()
        seconds = (world.clock.now() - began).total_seconds()
        assert 0.9 * rate <= 400 / seconds <= 1.1 * rate

    def test_costs_three_calls_for_ten_letters(self) -> None:
        world = RedriveWorld()
        for number in range(1000):
            world.bury(f"e-{number}")
        world.begin(is_canary=False)
        before = len(world.sqs.calls)
        world.turn()
        assert (len(world.sqs.calls) - before) / 1000 <= 0.35


class TestAMoverThatIsKilled:
    def calls(self, is_canary: bool) -> int:
        world = filled()
        world.begin(group=A, is_canary=is_canary)
        world.run()
        return len(world.killer.calls)

    @pytest.mark.parametrize("moment", ["before", "after"])
    @pytest.mark.parametrize("is_canary", [True, False])
    def test_at_any_call_moves_each_letter_once_and_loses_none(self, moment: str, is_canary: bool) -> None:
        for call in range(self.calls(is_canary)):
            world = filled()
            world.begin(group=A, is_canary=is_canary)
            with world.untouched(*OTHERS):
                job = world.run_killed(call, moment)
            assert job.state is State.DONE, call
            assert world.arrived == once(SOME) or held(world), call

    def test_before_it_knows_what_was_sent_holds_it_back_where_nobody_hears_of_it(self, world: RedriveWorld) -> None:
        world.begin(group=A, is_canary=False)
        work, world.work = world.work, lambda: None  # type: ignore[method-assign]  # workers that stand
        job = world.run_killed(world_call(world, "send"), "after")
        assert (job.state, world.progress().in_doubt, world.progress().moved) == (State.DONE, 10, 20)
        assert len(world.dead() - {*OTHERS}) == 10
        work()
        assert world.arrived == once(SOME)

    def test_and_whose_letters_are_held_back_sends_them_where_somebody_says_so(self, world: RedriveWorld) -> None:
        world.begin(group=A, is_canary=False)
        work, world.work = world.work, lambda: None  # type: ignore[method-assign]  # workers that stand
        world.run_killed(world_call(world, "send"), "before")
        work()
        assert len(world.arrived) == 20
        resume(world, resends_doubtful=True)
        world.work = work  # type: ignore[method-assign]
        assert world.run().state is State.DONE
        assert world.arrived == once(SOME)
        assert (world.progress().moved, world.progress().in_doubt) == (30, 0)


def world_call(world: RedriveWorld, name: str) -> int:
    """Return the number of the first call of that name in a run like this."""
    like = filled()
    like.jobs.jobs.update(world.jobs.jobs)
    like.run()
    return like.killer.calls.index(name)


def held(world: RedriveWorld) -> bool:
    """Return whether what has not arrived is held back, in doubt: a mover died before it was sent."""
    missing = {*SOME} - {*world.arrived}
    doubtful = {one.event_id for batch in world.progress().batches for one in batch.doubtful}
    return missing == doubtful and missing <= world.dead() and max(world.arrived.values()) == 1


def resume(world: RedriveWorld, **changes: Any) -> None:
    from dataclasses import replace

    from backstop.redrive import REST

    job = world.jobs.jobs["r1"]
    world.jobs.jobs["r1"] = replace(
        job, state=State.RUNNING, step=REST, watching_since=None, places_done=0, runs=job.runs + 1, **changes
    )


class TestWhatAwsRefuses:
    def test_entries_that_are_not_taken_stay_and_are_moved_later(self, world: RedriveWorld) -> None:
        refused = {"a-3", "a-4"}
        world.sqs.refuses = lambda operation, entry: (
            operation == "SendMessageBatch" and json.loads(entry["MessageBody"])["id"] in refused
        )
        world.begin(group=A)
        for _ in range(20):
            world.turn()
            world.work()
        assert world.arrived == once([event for event in SOME if event not in refused])
        refused.clear()
        assert world.run().state is State.DONE
        assert world.arrived == once(SOME)

    def test_entries_that_are_not_taken_hold_up_no_others_of_that_turn(self, world: RedriveWorld) -> None:
        world.sqs.refuses = lambda operation, entry: (
            operation == "SendMessageBatch" and json.loads(entry["MessageBody"])["id"] == "a-3"
        )
        world.begin(group=A, is_canary=False)
        job = world.turn()
        world.work()
        assert (len(world.arrived), "not taken" in job.note, job.is_over) == (29, True, False)

    def test_a_queue_that_refuses_all_is_said_and_waited_for(self, world: RedriveWorld) -> None:
        world.faults.fail_always("SendMessageBatch", Fault.DENIED)
        world.begin(group=A)
        notes = [world.turn().note for _ in range(5)]
        assert "AccessDenied" in notes[-1]
        assert (world.progress().batches, world.dead()) == ([], {*SOME, *OTHERS})
        world.faults.clear()
        assert world.run().state is State.DONE
        assert world.arrived == once(SOME)

    @pytest.mark.parametrize("fault", [Fault.UNREACHABLE, Fault.ANSWER_LOST])
    def test_a_send_without_an_answer_is_not_repeated(self, world: RedriveWorld, fault: Fault) -> None:
        world.faults.fail("SendMessageBatch", fault)
        world.begin(group=A, is_canary=False)
        world.run()
        assert max(world.arrived.values()) == 1
        assert world.progress().in_doubt == (10 if fault is Fault.UNREACHABLE else 0)
        assert {*world.arrived} | (world.dead() - {*OTHERS}) == {*SOME}

    @pytest.mark.parametrize("fault", [Fault.DENIED, Fault.ANSWER_LOST])
    def test_a_letter_that_could_not_be_deleted_is_deleted_later_and_not_sent_again(
        self, world: RedriveWorld, fault: Fault
    ) -> None:
        world.faults.fail("DeleteMessageBatch", fault, fault)
        world.begin(group=A)
        assert world.run().state is State.DONE
        assert (world.arrived, world.dead()) == (once(SOME), {*OTHERS})

    def test_letters_in_somebodys_hands_are_waited_for_and_that_is_said(self, world: RedriveWorld) -> None:
        assert world.sqs.queue(DEAD).receive(1, timedelta(minutes=2))
        world.begin(group=A, is_canary=False)
        job = world.turn()
        assert (job.note, job.is_over) == ("letters may be in somebody's hands: they are waited for", False)
        assert (world.run().state, world.run().note) == (State.DONE, "")
        assert world.dead() == {*OTHERS}

    def test_somebody_who_cancels_ends_it_where_it_is(self) -> None:
        from dataclasses import replace

        world = RedriveWorld()
        for number in range(400):
            world.bury(f"e-{number}")
        world.begin(rate=1, is_canary=False)
        world.turn()
        moved = world.progress().moved
        world.jobs.jobs["r1"] = replace(world.jobs.jobs["r1"], state=State.CANCELLED)
        with world.untouched(*world.dead()):
            assert world.run(most=1).state is State.CANCELLED
        assert world.progress().moved == moved
