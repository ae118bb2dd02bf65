"""A dead head, through the real app.py: its key is held for a person, or it is skipped."""

from __future__ import annotations

import json
from typing import Any

import pytest

from backstop import PermanentError, TransientError
from tests.fakes.faults import Fault
from tests.fakes.queue import QueuedMessage
from tests.fakes.source import WorkerDied
from tests.ordered_lane import OrderedLane, about

EXIT = WorkerDied("os._exit")
MALFORMED = "{"
DEATHS = {
    "permanent": (PermanentError("no such thing"), "permanent", 1),
    "exhausted": (TransientError("later"), "exhausted", 6),
    "killer": (EXIT, "crashed", 2),
}
each_death = pytest.mark.parametrize(("act", "because", "runs"), DEATHS.values(), ids=DEATHS)


def dead_reports(lane: OrderedLane) -> list[dict[str, Any]]:
    return [report for report in lane.reports() if report["verdict"] == "Dead"]


def letters(lane: OrderedLane) -> list[QueuedMessage]:
    """Return all messages that ended in any dead-letter queue."""
    return [*lane.dead_letters.messages, *lane.moved_by_sqs.messages]


class TestHold:
    @each_death
    def test_a_dead_head_holds_its_key_and_nobody_elses(
        self, ordered: OrderedLane, act: BaseException, because: str, runs: int
    ) -> None:
        ordered.handler.will("a1", act)
        ordered.send(*"abab")
        ordered.run_with_sweeps()
        assert ordered.runs("a") == ["a1"] * runs
        assert ordered.handler.finished == {"b1": 1, "b2": 1}
        assert ordered.waiting("a") == ["a1", "a2"]
        lock = ordered.lock("a")
        assert lock is not None
        assert (lock["state"], lock["head"], lock["waiting"]) == ("held", "a1", "2")
        trail = json.loads(ordered.parked("a")[0]["trail"])
        assert (trail["dead_because"], trail["event_id"], trail["key"]) == (because, "a1", "a")

    @each_death
    def test_it_is_told_once_and_those_behind_it_never(
        self, ordered: OrderedLane, act: BaseException, because: str, runs: int
    ) -> None:
        ordered.handler.will("a1", act)
        ordered.send(*"aa")
        ordered.run_with_sweeps()
        ordered.send(*"aa")
        ordered.run_with_sweeps()
        [report] = dead_reports(ordered)
        assert (report["event_id"], report["dead_because"], report["level"]) == ("a1", because, "ERROR")
        assert {one["event_id"] for one in ordered.reports()} == {"a1"}
        assert ordered.waiting("a") == ["a1", "a2", "a3", "a4"]

    @each_death
    def test_none_of_its_events_becomes_a_dead_letter(
        self, ordered: OrderedLane, act: BaseException, because: str, runs: int
    ) -> None:
        ordered.handler.will("a1", act)
        ordered.send(*"aaa")
        ordered.run_with_sweeps()
        assert letters(ordered) == []
        assert ordered.ordered.messages == []

    def test_a_body_that_is_no_event_is_held_by_its_number_in_its_place(self, ordered: OrderedLane) -> None:
        ordered.send_body("a", MALFORMED)
        ordered.send(*"aba")
        ordered.run_with_sweeps(3)
        assert ordered.handler.finished == {"b1": 1}
        assert ordered.waiting("a") == ["", "a1", "a2"]
        lock = ordered.lock("a")
        assert lock is not None
        assert (lock["state"], lock["head"]) == ("held", "#00000000000000000001")
        assert [one["kind"] for one in ordered.reports()] == ["permanent"]
        assert letters(ordered) == []

    def test_nobody_wakes_a_key_that_is_held(self, ordered: OrderedLane) -> None:
        ordered.handler.will("a1", PermanentError("no"))
        ordered.send(*"aa")
        ordered.deliver()
        assert ordered.drains.messages == []
        ordered.sweep()
        assert ordered.drains.messages == []
        assert ordered.wake("a").answer == {"batchItemFailures": []}
        assert ordered.runs("a") == ["a1"]

    def test_a_head_that_dies_while_it_is_drained_holds_its_key(self, ordered: OrderedLane) -> None:
        ordered.handler.will("a1", TransientError("later"), None)
        ordered.handler.will("a2", PermanentError("no"))
        ordered.send(*"aaa")
        ordered.run_until_quiet()
        assert ordered.handler.finished == {"a1": 1}
        assert ordered.waiting("a") == ["a2", "a3"]
        lock = ordered.lock("a")
        assert lock is not None
        assert (lock["state"], lock["head"]) == ("held", "a2")


class TestSkip:
    @each_death
    def test_a_dead_head_is_a_dead_letter_and_the_others_go_on(
        self, skipping: OrderedLane, act: BaseException, because: str, runs: int
    ) -> None:
        skipping.handler.will("a1", act)
        skipping.send(*"abaa")
        skipping.run_with_sweeps()
        assert skipping.runs("a") == [*["a1"] * runs, "a2", "a3"]
        assert skipping.handler.finished == {"a2": 1, "a3": 1, "b1": 1}
        assert (skipping.lock("a"), skipping.waiting("a")) == (None, [])
        [letter] = letters(skipping)
        [trail] = skipping.trails()
        assert json.loads(letter.body)["id"] == "a1"
        assert (trail["dead_because"], trail["event_id"], trail["key"]) == (because, "a1", "a")
        assert trail["source_queue"] == "shop-ordered.fifo"
        assert letter.group == "a"

    @each_death
    def test_it_is_told_once(self, skipping: OrderedLane, act: BaseException, because: str, runs: int) -> None:
        skipping.handler.will("a1", act)
        skipping.send(*"aa")
        skipping.run_with_sweeps()
        assert [one["dead_because"] for one in dead_reports(skipping)] == [because]

    def test_its_body_and_its_senders_attributes_are_as_they_came(self, skipping: OrderedLane) -> None:
        body = json.dumps(skipping.change("a"), indent=3) + "\n"
        attribute = {"DataType": "String", "StringValue": "north"}
        skipping.handler.will("a1", TransientError("later"), PermanentError("no"))
        skipping.send_body("a", body, MessageAttributes={"shop": attribute})
        skipping.run_until_quiet()
        [letter] = letters(skipping)
        assert letter.body == body
        assert letter.attributes["shop"] == {"DataType": "String", "StringValue": "north"}

    def test_a_body_that_is_no_event_is_a_dead_letter(self, skipping: OrderedLane) -> None:
        skipping.send_body("a", MALFORMED)
        skipping.send("a")
        skipping.run_until_quiet()
        assert [letter.body for letter in letters(skipping)] == [MALFORMED]
        assert skipping.handler.finished == {"a1": 1}

    @pytest.mark.parametrize("was_parked", [False, True], ids=["taken in", "drained"])
    def test_nothing_is_lost_or_overtaken_while_the_dead_letter_queue_refuses(
        self, skipping: OrderedLane, was_parked: bool
    ) -> None:
        first = [TransientError("later")] if was_parked else []
        skipping.handler.will("a1", *first, PermanentError("no"))
        skipping.faults.fail("SendMessageBatch", *[Fault.DENIED] * 3, when=to_dead_letters)
        skipping.send(*"aba")
        skipping.run_with_sweeps(6)
        assert [json.loads(letter.body)["id"] for letter in letters(skipping)] == ["a1"]
        assert skipping.runs("a")[-1] == "a2"
        assert skipping.runs("a").count("a2") == 1
        assert skipping.told("not sent to the dead letters")
        assert len(dead_reports(skipping)) == 1

    @pytest.mark.parametrize("is_first", [True, False], ids=["taken in", "drained"])
    def test_one_that_comes_again_is_not_run_after_those_that_went_on_without_it(
        self, skipping: OrderedLane, is_first: bool
    ) -> None:
        """A neighbour kills the worker before it answers, so the batch comes again, the dead letter's message too."""
        first = [] if is_first else [TransientError("later")]
        skipping.handler.will("a1", *first, PermanentError("not now"), None)
        skipping.handler.will("b1", EXIT, None)
        skipping.send(*"aab")
        skipping.deliver()
        if not is_first:
            skipping.drain()
        skipping.run_with_sweeps(6)
        assert [json.loads(letter.body)["id"] for letter in letters(skipping)] == ["a1"]
        assert list(dict.fromkeys(skipping.runs("a"))) == ["a1", "a2"]
        assert skipping.runs("a").count("a2") == 1
        assert skipping.runs("a").count("a1") == 1 + len(first)
        assert skipping.ordered.messages == []

    def test_while_it_cannot_be_noted_that_it_is_a_dead_letter_those_behind_it_stay(
        self, skipping: OrderedLane
    ) -> None:
        skipping.handler.will("a1", PermanentError("no"))
        skipping.faults.fail_always("PutItem", Fault.THROTTLED, when=about("parked", "aside#"))
        skipping.send(*"aba")
        skipping.deliver()
        assert skipping.handler.runs == ["a1", "b1"]
        skipping.faults.clear()
        skipping.run_with_sweeps(6)
        assert skipping.handler.finished == {"b1": 1, "a2": 1}

    def test_while_the_dead_letter_queue_refuses_the_head_waits_parked_with_those_behind_it(
        self, skipping: OrderedLane
    ) -> None:
        skipping.handler.will("a1", PermanentError("no"))
        skipping.faults.fail_always("SendMessageBatch", Fault.DENIED, when=to_dead_letters)
        skipping.send(*"abaa")
        delivery = skipping.deliver()
        assert delivery.answer == {"batchItemFailures": []}
        assert skipping.handler.runs == ["a1", "b1"]
        assert skipping.waiting("a") == ["a1", "a2", "a3"]
        assert skipping.told("not sent to the dead letters")
        assert not dead_reports(skipping), "what is reported has happened"

    def test_a_head_that_cannot_carry_its_history_is_held_for_a_person(self, skipping: OrderedLane) -> None:
        full = {f"a{number}": {"DataType": "String", "StringValue": "x"} for number in range(10)}
        skipping.handler.will("a1", PermanentError("no"))
        skipping.send_body("a", json.dumps(skipping.change("a")), MessageAttributes=full)
        skipping.send("a")
        skipping.run_until_quiet()
        assert (skipping.lock("a") or {})["state"] == "held"
        assert skipping.handler.runs == ["a1"]
        assert len(dead_reports(skipping)) == 1


def to_dead_letters(request: Any) -> bool:
    return str(request["QueueUrl"]).endswith("shop-dead")
