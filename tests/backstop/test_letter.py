"""What a dead letter tells of itself, and what of it goes back."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstop.letter import MOVED_BY_SQS, Letter, letter, sent_back
from backstop.message import MAX_BYTES, read
from backstop.trail import ATTRIBUTE, Trail
from tests.backstop import NOW, QUEUES, record, string

SENT = NOW - timedelta(days=1)
DIED = Trail(
    attempt=6,
    event_id="a",
    key="customer-1",
    first_failed_at=NOW - timedelta(hours=2),
    last_failed_at=NOW - timedelta(hours=1),
    source_queue="events",
    verdict="dead",
    dead_because="exhausted",
    kind="transient",
    error_type="PriceNotPublished",
    group="0123456789abcdef",
    reason="no price of <sku> yet",
    release="1.4.0",
    redrive_id="r-1",
    redrives=1,
)
FROM_EVENTS = {"DeadLetterQueueSourceArn": "arn:aws:sqs:eu-west-1:123456789012:events"}


def dead(trail: Trail | None = DIED, *, attributes: Any = None, **details: Any) -> Letter:
    """Return a letter as it lies; without a trail SQS itself moved it."""
    own = dict(attributes or {}) | ({} if trail is None else {ATTRIBUTE: string(trail.serialise())})
    given = {"queue": "dead", "SentTimestamp": str(int(SENT.timestamp() * 1000))} | details
    return letter(record("a", attributes=own, **given), QUEUES, NOW)


class TestALetter:
    def test_tells_what_befell_it_as_it_was_written(self) -> None:
        found = dead()
        assert found.trail == DIED
        assert (found.event_id, found.body_id, found.message_id, found.place) == ("a", "a", "m-a", "dead")
        assert (found.reason, found.died_at, found.sent_at) == ("exhausted", DIED.last_failed_at, SENT)
        assert (found.source_queue, found.key, found.is_moved_by_sqs) == ("events", "customer-1", False)

    def test_that_sqs_moved_says_so_and_how_old_it_is(self) -> None:
        found = dead(None, **FROM_EVENTS)
        assert (found.is_moved_by_sqs, found.reason, found.died_at) == (True, MOVED_BY_SQS, SENT)
        assert (found.source_queue, found.event_id, found.trail.attempt) == ("events", "a", 0)

    def test_that_sqs_moved_between_two_attempts_has_no_reason_either(self) -> None:
        """Its history tells of attempts that failed, and not of what killed it."""
        found = dead(replace(DIED, verdict="retry", dead_because=""))
        assert (found.is_moved_by_sqs, found.reason, found.died_at) == (True, MOVED_BY_SQS, SENT)
        assert found.trail.error_type == "PriceNotPublished"

    @pytest.mark.parametrize(
        ("trail", "system", "source"),
        [
            pytest.param(DIED, {}, "events", id="its history says"),
            pytest.param(None, FROM_EVENTS, "events", id="SQS says"),
            pytest.param(DIED, {"DeadLetterQueueSourceArn": "arn:aws:sqs:x:1:retry"}, "events", id="both: its history"),
            pytest.param(replace(DIED, source_queue="alien"), {}, "", id="a queue that is none of ours"),
            pytest.param(replace(DIED, source_queue="alien"), FROM_EVENTS, "events", id="but SQS knows"),
            pytest.param(None, {}, "", id="nobody says"),
        ],
    )
    def test_comes_from(self, trail: Trail | None, system: dict[str, str], source: str) -> None:
        assert dead(trail, **system).source_queue == source

    @pytest.mark.parametrize(
        ("trail", "system", "key"),
        [
            pytest.param(DIED, {}, "customer-1", id="of its history"),
            pytest.param(DIED, {"MessageGroupId": "g"}, "g", id="its sender's group"),
            pytest.param(None, {}, "", id="none"),
        ],
    )
    def test_has_a_key(self, trail: Trail | None, system: dict[str, str], key: str) -> None:
        assert dead(trail, **system).key == key

    @pytest.mark.parametrize(
        ("source", "is_ordered"), [("shop-ordered.fifo", True), ("shop-events", False), ("", False), ("fifo", False)]
    )
    def test_has_a_place_where_it_came_from_an_ordered_queue(self, source: str, is_ordered: bool) -> None:
        assert dead(None, DeadLetterQueueSourceArn=f"arn:aws:sqs:x:1:{source}").is_ordered is is_ordered

    @pytest.mark.parametrize(
        ("body", "event_id", "body_id"),
        [
            pytest.param('{"id": "a"}', "a", "a", id="an event"),
            pytest.param('{"id": "b"}', "a", "b", id="another one than its history says"),
            pytest.param("not JSON", "a", "", id="no JSON"),
            pytest.param('{"id": 7}', "a", "", id="an id that is none"),
            pytest.param('{"id": ""}', "a", "", id="an empty id"),
            pytest.param("[" * 100_000, "a", "", id="too deep"),
        ],
    )
    def test_goes_by_the_id_that_it_was_known_by(self, body: str, event_id: str, body_id: str) -> None:
        found = dead(body=body)
        assert (found.event_id, found.body_id) == (event_id, body_id)
        assert dead(None, body=body).event_id == body_id

    @pytest.mark.parametrize(
        "attribute",
        [
            pytest.param(string(""), id="empty"),
            pytest.param(string("not JSON"), id="no JSON"),
            pytest.param(string("[" * 10_000), id="deep"),
            pytest.param(string('{"version": 2, "verdict": "dead"}'), id="another version"),
            pytest.param(string('{"version": 1, "verdict": "dead!"}'), id="no verdict"),
            pytest.param(string('{"version": 1, "verdict": ["dead"]}'), id="a list"),
            pytest.param({"binaryValue": "AAAA", "dataType": "Binary"}, id="binary"),
        ],
    )
    def test_with_a_history_that_was_not_written_here_counts_as_moved_by_sqs(self, attribute: Any) -> None:
        found = letter(record("a", attributes={ATTRIBUTE: attribute}), QUEUES, NOW)
        assert (found.is_moved_by_sqs, found.reason, found.event_id) == (True, MOVED_BY_SQS, "a")

    @given(st.text(max_size=200), st.text(max_size=200))
    def test_can_be_read_whatever_it_holds(self, body: str, attribute: str) -> None:
        found = letter(record("a", body=body, attributes={ATTRIBUTE: string(attribute)}), QUEUES, NOW)
        assert (found.died_at, found.record["body"]) == (NOW, body)

    def test_that_says_it_died_in_the_future_died_now(self) -> None:
        assert dead(replace(DIED, last_failed_at=NOW + timedelta(days=1))).died_at == NOW


def entry_of(found: Letter) -> dict[str, Any]:
    outgoing = sent_back(found, "r-2", NOW)
    assert outgoing is not None
    return outgoing.entry("1")


class TestWhatGoesBack:
    def test_is_the_same_body_with_the_senders_own_attributes(self) -> None:
        body = ' {"id":"a", "text": "\\u00e9 \\/ é", "n": 1.0}\n'
        own = {"shop": string("north"), "blob": {"binaryValue": "AAEC", "dataType": "Binary.png"}}
        found = dead(body=body, attributes=own, MessageGroupId="g", AWSTraceHeader="Root=1")
        entry = entry_of(found)
        assert entry["MessageBody"] == body
        assert {name: value for name, value in entry["MessageAttributes"].items() if name != ATTRIBUTE} == {
            "shop": {"DataType": "String", "StringValue": "north"},
            "blob": {"DataType": "Binary.png", "BinaryValue": b"\x00\x01\x02"},
        }
        assert (entry["MessageGroupId"], entry["DelaySeconds"]) == ("g", 0)
        assert entry["MessageSystemAttributes"]["AWSTraceHeader"]["StringValue"] == "Root=1"

    def test_leaves_the_letter_as_it_was(self) -> None:
        found = dead(attributes={"shop": string("north")})
        before = json.dumps(found.record)
        sent_back(found, "r-2", NOW)
        assert json.dumps(found.record) == before

    @pytest.mark.parametrize(
        ("trail", "redrives"),
        [
            pytest.param(DIED, 2, id="once redriven before"),
            pytest.param(None, 1, id="moved by SQS"),
            pytest.param(replace(DIED, verdict="retry", not_before=NOW), 2, id="moved by SQS between two attempts"),
        ],
    )
    def test_starts_anew_and_keeps_its_history(self, trail: Trail | None, redrives: int) -> None:
        text = entry_of(dead(trail))["MessageAttributes"][ATTRIBUTE]["StringValue"]
        back = read(record("a", attributes={ATTRIBUTE: string(text)}), "a", QUEUES, NOW).trail
        assert (back.attempt, back.first_failed_at, back.not_before, back.waited_seconds) == (0, None, None, 0)
        assert (back.redrive_id, back.redrives, back.event_id) == ("r-2", redrives, "a")
        assert back.last_failed_at == (NOW if trail is None else DIED.last_failed_at), "a worker tells of its recovery"
        if trail is not None:
            assert (back.group, back.reason, back.release) == (DIED.group, DIED.reason, DIED.release)

    @pytest.mark.parametrize(
        ("number", "fits"), [pytest.param(9, True, id="nine"), pytest.param(10, False, id="all ten")]
    )
    def test_needs_one_of_ten_attributes(self, number: int, fits: bool) -> None:
        own = {f"a{one}": string("x") for one in range(number)}
        assert (sent_back(dead(None, attributes=own), "r-2", NOW) is not None) is fits

    def test_takes_the_place_of_a_history_that_is_there(self) -> None:
        own = {f"a{one}": string("x") for one in range(9)}
        assert len(entry_of(dead(attributes=own))["MessageAttributes"]) == 10

    def test_has_no_reason_where_that_does_not_fit_and_is_nothing_where_the_rest_does_not(self) -> None:
        trail = replace(DIED, reason="x" * 500)
        full = MAX_BYTES - len(ATTRIBUTE) - len("String") - len(sent_back_text(trail))
        assert "xxx" in sent_back_text(trail, body="b" * full)
        assert "xxx" not in sent_back_text(trail, body="b" * (full + 1))
        assert sent_back(dead(trail, body="b" * MAX_BYTES), "r-2", NOW) is None


def sent_back_text(trail: Trail, **details: Any) -> str:
    if not details:
        details = {"body": "b"}
    text = entry_of(dead(trail, **details))["MessageAttributes"][ATTRIBUTE]["StringValue"]
    assert isinstance(text, str)
    return text
