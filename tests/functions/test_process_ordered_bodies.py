"""Large, hostile and misdirected messages, through the real app.py; and what its log never says."""

from __future__ import annotations

import json
import random
import string
from typing import Any

import pytest

from backstop import PermanentError, SystemFault, TransientError
from tests.fakes.faults import Fault
from tests.fakes.handler import ScriptedHandler
from tests.fakes.source import LambdaSqsSource
from tests.fakes.sqs_messages import MAX_BYTES, put
from tests.lane import FUNCTION_TIMEOUT
from tests.ordered_lane import OrderedLane
from tests.ordered_support import ordered_lane

MARKER = "Zyxwvut"
"""What nobody may read in a log line: it stands in payloads only."""
LATER = TransientError("later")


def noise(size: int) -> str:
    """Return text that hardly shrinks."""
    return "".join(random.Random(1).choices(string.ascii_letters + string.digits + "+/", k=size))


def padded(event: dict[str, Any], body_size: int, *, is_noise: bool) -> str:
    """Return an event's body with so many bytes: white space, or an attribute that the schema does not know."""
    body = json.dumps(event)
    if not is_noise:
        return body + " " * (body_size - len(body))
    return noise(body_size)


class TestLargeBodies:
    @pytest.mark.parametrize("size", [3_000, 300_000, MAX_BYTES], ids=["plain", "compressed", "1 MiB"])
    def test_a_body_that_shrinks_is_run_later_as_it_came(self, ordered: OrderedLane, size: int) -> None:
        ordered.handler.will("a1", LATER, None)
        body = padded(ordered.change("a"), size, is_noise=False)
        ordered.send_body("a", body)
        ordered.send("a")
        ordered.run_until_quiet()
        assert ordered.handler.finished == {"a1": 1, "a2": 1}
        assert {message.body for message in ordered.handler.messages if message.event_id == "a1"} == {body}
        assert ordered.objects() == []

    def test_a_body_of_1_mib_that_does_not_shrink_waits_in_the_bucket_and_is_deleted_there(
        self, skipping: OrderedLane
    ) -> None:
        """It is no event, so it dies; behind a head that waits, it does so when its turn comes."""
        body = noise(MAX_BYTES - 2_000)
        skipping.handler.will("a1", LATER, None)
        skipping.send("a")
        skipping.deliver()
        skipping.send_body("a", body)
        skipping.send("a")
        assert skipping.deliver().answer == {"batchItemFailures": []}
        assert skipping.waiting("a") == ["a1", "", "a2"]
        [place] = skipping.objects()
        assert place.startswith("parked/")
        skipping.run_until_quiet()
        assert [letter.body for letter in skipping.dead_letters.messages] == [body]
        assert skipping.handler.finished == {"a1": 1, "a2": 1}
        assert (skipping.lock("a"), skipping.waiting("a"), skipping.objects()) == (None, [], [])

    @pytest.mark.parametrize("fault", [Fault.UNREACHABLE, Fault.ANSWER_LOST])
    def test_while_the_bucket_does_not_take_it_it_stays_with_those_behind_it(
        self, skipping: OrderedLane, fault: Fault
    ) -> None:
        skipping.handler.will("a1", LATER, LATER, LATER, None)
        skipping.send("a")
        skipping.deliver()
        skipping.faults.fail("PutObject", fault)
        skipping.send_body("a", noise(MAX_BYTES - 2_000))
        skipping.send(*"ab")
        delivery = skipping.deliver()
        answer: Any = delivery.answer
        assert [item["itemIdentifier"] for item in answer["batchItemFailures"]] == delivery.ids[:2]
        skipping.run_with_sweeps(10)
        assert skipping.handler.finished == {"a1": 1, "a2": 1, "b1": 1}
        assert len(skipping.dead_letters.messages) == 1

    @pytest.mark.parametrize("fault", [Fault.UNREACHABLE, Fault.ANSWER_LOST])
    def test_while_the_bucket_does_not_give_it_its_key_waits(self, skipping: OrderedLane, fault: Fault) -> None:
        skipping.handler.will("a1", LATER, None)
        skipping.send("a")
        skipping.deliver()
        skipping.send_body("a", noise(MAX_BYTES - 2_000))
        skipping.send("a")
        skipping.deliver()
        skipping.faults.fail("GetObject", fault, fault)
        skipping.run_with_sweeps(10)
        assert skipping.handler.finished == {"a1": 1, "a2": 1}
        assert len(skipping.dead_letters.messages) == 1

    def test_one_that_comes_again_while_it_is_removed_is_not_lost_from_the_bucket(self, skipping: OrderedLane) -> None:
        """Between the removal of its item and that of its object, a late delivery may have parked it anew."""
        skipping.handler.will("a1", LATER, None)
        skipping.send("a")
        skipping.deliver()
        skipping.send_body("a", noise(MAX_BYTES - 2_000))
        skipping.send("a")
        skipping.faults.die_before_answering()
        skipping.deliver()

        def come_again(**_: object) -> None:
            if skipping.waiting("a") == ["a2"] and skipping.ordered.messages:
                skipping.deliver_again()

        with skipping.hearing("after-call.dynamodb.TransactWriteItems", come_again):
            skipping.drain()
        skipping.run_with_sweeps(10)
        assert skipping.handler.finished == {"a1": 1, "a2": 1}
        assert (skipping.lock("a"), skipping.waiting("a"), skipping.objects()) == (None, [], [])


class TestTheDrainQueue:
    @pytest.mark.parametrize(
        "body",
        ["{", "null", "[]", '"a"', "{}", '{"key": 7}', '{"sweep": false}', '{"sweep": "true"}', "[" * 100_000],
        ids=["not JSON", "null", "a list", "a text", "nothing", "a number", "no sweep", "a text for yes", "too deep"],
    )
    def test_what_asks_for_nothing_is_dropped_and_said_so(self, ordered: OrderedLane, body: str) -> None:
        delivery = ordered.ask(body)
        assert (delivery.error, delivery.answer) == (None, {"batchItemFailures": []})
        [line] = ordered.told("left to SQS")
        assert line["why"].endswith("dropped")
        assert ordered.items() == []

    def test_a_key_that_does_not_wait_is_woken_in_vain(self, ordered: OrderedLane) -> None:
        assert ordered.wake("nobody").answer == {"batchItemFailures": []}
        assert ordered.worker.printed() == ""

    @pytest.mark.parametrize("key", ["totals", "lock", "event#1", "a b", "!#$%&'()*+,-./:;<=>?@[]^_`{|}~"])
    def test_any_key_that_sqs_takes_waits_and_is_drained(self, ordered: OrderedLane, key: str) -> None:
        ordered.handler.will("x1", LATER, None)
        for number in (1, 2):
            ordered.send_body(key, json.dumps(ordered.change("k", f"x{number}")))
        ordered.sweep()
        ordered.deliver()
        assert ordered.waiting(key) == ["x1", "x2"]
        ordered.run_until_quiet()
        assert ordered.handler.runs == ["x1", "x1", "x2"]
        assert ordered.items() == []


class TestAQueueThatKeepsNoOrder:
    @pytest.mark.parametrize("more", [{}, {"MessageGroupId": "a"}], ids=["without a group", "with a group"])
    @pytest.mark.parametrize("act", [None, LATER], ids=["that is done", "that fails"])
    @pytest.mark.parametrize("is_known", [True, False], ids=["named by the settings", "unknown"])
    def test_is_refused_and_its_events_are_kept(
        self, act: Exception | None, more: dict[str, str], is_known: bool
    ) -> None:
        """Nothing tells which of its events comes first: none may be run here, and none may be dropped."""
        url = "https://sqs.eu-west-1.amazonaws.com/123456789012/shop-unordered"
        with ordered_lane(ScriptedHandler(), **({"SOURCE_QUEUE_URLS": url} if is_known else {})) as lane:
            lane.sqs.create_queue(QueueName="shop-unordered")
            queue = lane.sqs.queue("shop-unordered")
            lane.handler.will("a1", act)
            put(queue, {"MessageBody": json.dumps(lane.change("a"))} | more)
            [delivery] = LambdaSqsSource(queue, lane.invoke, lane.clock, timeout=FUNCTION_TIMEOUT).poll()
            assert isinstance(delivery.error, SystemFault)
            assert "shop-unordered" in str(delivery.error)
            assert len(queue.messages) == 1
            assert lane.handler.runs == []


class TestTheLog:
    @pytest.mark.parametrize(
        "error", [LATER, PermanentError("no"), ValueError(f"bad {MARKER!r}"), KeyError(MARKER)], ids=repr
    )
    def test_never_quotes_a_payload(self, skipping: OrderedLane, error: Exception) -> None:
        attribute = {"DataType": "String", "StringValue": MARKER}
        body = json.dumps(skipping.change("a", changed_at="2026-01-05T09:00:00Z")) + " " * 10
        skipping.handler.will("a1", error)
        skipping.send_body("a", body, MessageAttributes={"shop": attribute})
        skipping.send_body("a", f'{{"{MARKER}"')
        skipping.send_body("a", json.dumps(skipping.change("a") | {MARKER: MARKER}))
        skipping.faults.fail("TransactWriteItems", Fault.THROTTLED)
        skipping.faults.fail("SendMessageBatch", Fault.DENIED)
        skipping.ask(f'{{"{MARKER}": 1}}')
        skipping.run_with_sweeps(5)
        assert skipping.worker.lines()
        assert MARKER not in skipping.worker.printed()

    def test_says_of_a_parked_event_what_a_person_needs(self, ordered: OrderedLane) -> None:
        ordered.handler.will("a1", TransientError("no price for 'tea'"))
        ordered.send(*"aa")
        ordered.deliver()
        [report] = ordered.reports()
        expected = {
            "level": "WARNING",
            "pipeline_event": "failed",
            "verdict": "Park",
            "kind": "transient",
            "error": "no price for <quoted>",
            "event_id": "a1",
            "key": "a",
            "attempt": 1,
            "max_attempts": 6,
            "queue": "shop-ordered.fifo",
            "function": "shop-process-ordered",
            "stage": "test",
            "release": "r1",
        }
        assert {name: report[name] for name in expected} == expected
        assert report["next_at"] >= ordered.clock.now().isoformat(timespec="milliseconds")
