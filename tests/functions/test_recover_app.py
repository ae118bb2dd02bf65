"""The function `recover`, as it is deployed: it looks, acts, writes down and tells, whatever woke it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from backstop.errors import SystemFault
from backstop.recovery.state import CauseKind, Strategy
from tests.fakes.faults import Fault
from tests.recover_lane import ORDERED, PROCESS, RecoverLane, recover_lane

EVENTS = Path(__file__).parents[2] / "events"
ALARM = {"AlarmName": "shop-old", "NewStateValue": "ALARM", "NewStateReason": "password=hunter2"}


@pytest.fixture
def lane() -> Iterator[RecoverLane]:
    with recover_lane() as lane:
        yield lane


class TestAnOpenCircuit:
    def test_pauses_who_depends_on_it_and_resumes_step_by_step(self, lane: RecoverLane) -> None:
        lane.open()
        lane.reconcile()
        assert lane.intake() == ("Disabled", 2)
        assert lane.intake(ORDERED) == ("Enabled", 10)
        lane.pass_minutes(2)
        lane.close()
        lane.pass_minutes(1)
        assert lane.intake() == ("Enabled", 2)
        lane.pass_minutes(5)
        assert lane.intake() == ("Enabled", 10)

    def test_is_written_down_with_its_reason(self, lane: RecoverLane) -> None:
        lane.open()
        lane.reconcile()
        [written] = lane.written()
        assert (written.entry.strategy, written.entry.target) == (Strategy.PAUSE, "events")
        assert str(written.entry.cause) == "circuit payments"
        [line] = lane.lines("done")
        assert (line["strategy"], line["target"], line["cause"]) == ("pause", "events", "circuit payments")

    def test_for_long_is_switched_to_the_backup_and_back(self, lane: RecoverLane) -> None:
        lane.open()
        lane.reconcile()
        lane.pass_minutes(2)
        assert lane.switch() == "backup"
        lane.close()
        lane.pass_minutes(20)
        assert lane.switch() == "primary"

    def test_for_longer_is_told(self, lane: RecoverLane) -> None:
        lane.open()
        lane.pass_minutes(20)
        [told] = lane.told()
        assert (told["reason"], told["is_over"], told["group"]) == ("recovery", False, "shop circuit payments")
        lane.close()
        lane.pass_minutes(30)
        assert [one["is_over"] for one in lane.told()] == [False, True]

    def test_that_nobody_can_see_keeps_what_it_paused(self, lane: RecoverLane) -> None:
        lane.open()
        lane.reconcile()
        lane.faults.fail_always("Scan", Fault.THROTTLED)
        lane.clock.advance(timedelta(minutes=1))
        with pytest.raises(SystemFault):
            lane.reconcile()
        assert lane.intake() == ("Disabled", 2)
        assert lane.lines("not done")


class TestARelease:
    def test_that_is_held_pauses_its_intake_and_people_are_told_at_once(self, lane: RecoverLane) -> None:
        lane.hold()
        lane.pass_minutes(1)
        assert lane.intake()[0] == "Disabled"
        [told] = lane.told()
        assert told["group"] == f"shop release {PROCESS}"

    def test_stays_paused_for_as_long_as_it_takes(self, lane: RecoverLane) -> None:
        lane.hold()
        lane.pass_minutes(90)
        assert lane.intake()[0] == "Disabled"

    def test_that_is_newer_resumes_it(self, lane: RecoverLane) -> None:
        lane.hold()
        lane.pass_minutes(1)
        lane.aws["lambda"].update_function_configuration(
            FunctionName=PROCESS, Environment={"Variables": {"RELEASE": "r2"}}
        )
        lane.pass_minutes(1)
        assert lane.intake()[0] == "Enabled"

    def test_that_a_person_lets_go_resumes_it(self, lane: RecoverLane) -> None:
        lane.hold()
        lane.pass_minutes(1)
        lane.releases.let_go(PROCESS, "r1")
        lane.pass_minutes(1)
        assert lane.intake()[0] == "Enabled"


class TestABacklog:
    def test_is_given_more_workers_and_fewer_again_when_it_is_gone(self, lane: RecoverLane) -> None:
        lane.ring()
        lane.reconcile()
        assert lane.intake() == ("Enabled", 20)
        assert lane.intake(ORDERED) == ("Enabled", 10)
        lane.pass_minutes(3)
        assert lane.intake() == ("Enabled", 40), "no more than MaxIntakeConcurrency"
        lane.ring(state="OK")
        lane.pass_minutes(10)
        assert lane.intake() == ("Enabled", 10)


class TestAnEnvironmentThatOpensACircuitAgainAndAgain:
    def test_is_replaced_once_and_all_else_stays(self, lane: RecoverLane) -> None:
        for _ in range(3):
            lane.open()
            lane.clock.advance(timedelta(seconds=70))
            lane.close()
        before = lane.variables()
        lane.reconcile()
        restarted = lane.variables()
        assert restarted.pop("RESTARTED_AT") == lane.clock.now().isoformat()
        assert restarted == before
        lane.pass_minutes(5)
        assert lane.variables()["RESTARTED_AT"] == (lane.clock.now() - timedelta(minutes=5)).isoformat()
        causes = [one.entry.cause.kind for one in lane.written() if one.entry.strategy is Strategy.RESTART]
        assert causes == [CauseKind.ENVIRONMENT]


class TestWhatWakesIt:
    @pytest.mark.parametrize(
        "message", [ALARM, {"backstop": 1, "title": "CircuitOpen", "reason": "first"}, "hello", []]
    )
    def test_is_anything_and_only_wakes_it(self, lane: RecoverLane, message: object) -> None:
        lane.wake(message)
        assert lane.intake() == ("Enabled", 10), "an alarm that does not ring is no reason, whatever the message says"
        lane.open()
        lane.wake(message)
        assert lane.intake() == ("Disabled", 2)

    def test_is_logged_by_its_name_only(self, lane: RecoverLane) -> None:
        answer = lane.wake(ALARM)
        [line] = lane.lines("woken")
        assert line["by"] == ["shop-old"]
        assert list(answer["woken_by"]) == ["shop-old"]
        assert "hunter2" not in lane.worker.printed()

    def test_is_not_what_it_told_itself(self, lane: RecoverLane) -> None:
        lane.open()
        lane.pass_minutes(20)
        [told] = lane.told()
        lane.killer.disarm()
        assert lane.wake(told) == {"woken_by": (told["title"],), "done": False}
        assert lane.killer.calls == []

    def test_twice_does_nothing_twice(self, lane: RecoverLane) -> None:
        lane.open()
        for _ in range(3):
            lane.wake(ALARM)
        assert len(lane.written()) == 1
        assert lane.killer.calls.count("UpdateEventSourceMapping") == 1

    def test_as_in_the_sample_event_is_the_minute(self, lane: RecoverLane) -> None:
        answer = lane.invoke(json.loads((EVENTS / "recover.json").read_text()))
        assert json.loads(json.dumps(answer)) == {"woken_by": ["the minute"], "done": True, "actions": 0, "told": 0}


class TestEachMinute:
    def test_is_measured_and_no_alert_is(self, lane: RecoverLane) -> None:
        lane.wake(ALARM)
        assert lane.worker.metrics() == []
        lane.open()
        lane.pass_minutes(3)
        assert lane.measured("IntakesPaused") == [1, 1, 1]
        assert lane.measured("CircuitsOpen") == [1, 1, 1]
        assert lane.measured("PausedSeconds") == [0, 60, 120]

    def test_without_trouble_changes_nothing(self, lane: RecoverLane) -> None:
        lane.pass_minutes(3)
        assert not {"TransactWriteItems", "UpdateEventSourceMapping", "PutParameter"} & set(lane.killer.calls)


class TestSomethingThatFails:
    @pytest.mark.parametrize(
        "call",
        ["Scan", "GetEventSourceMapping", "DescribeAlarms", "GetParameters", "GetFunctionConfiguration"],
    )
    def test_makes_the_run_fail_after_it_did_the_rest(self, lane: RecoverLane, call: str) -> None:
        lane.faults.fail_always(call, Fault.DENIED)
        with pytest.raises(SystemFault, match="AccessDenied"):
            lane.reconcile()
        assert lane.measured("IntakesPaused") == [0], "it is alive"
        assert lane.lines("not done")

    def test_one_mapping_does_not_stop_the_other(self, lane: RecoverLane) -> None:
        lane.open()
        lane.ring("shop-ordered-old")
        lane.faults.fail_always(
            "GetEventSourceMapping", Fault.THROTTLED, lambda request: _is_of(lane, PROCESS, request)
        )
        with pytest.raises(SystemFault):
            lane.reconcile()
        assert lane.intake() == ("Enabled", 10)
        assert lane.intake(ORDERED) == ("Enabled", 20)
        lane.faults.clear()
        lane.pass_minutes(1)
        assert lane.intake() == ("Disabled", 2)

    def test_the_topic_is_tried_again_the_next_minute(self, lane: RecoverLane) -> None:
        lane.hold()
        lane.faults.fail_always("Publish", Fault.DENIED)
        lane.clock.advance(timedelta(minutes=1))
        with pytest.raises(SystemFault, match="the topic did not take an alert"):
            lane.reconcile()
        lane.faults.clear()
        lane.pass_minutes(2)
        assert len(lane.told()) == 1


def _is_of(lane: RecoverLane, function: str, request: object) -> bool:
    return lane.mappings[function] in str(request)
