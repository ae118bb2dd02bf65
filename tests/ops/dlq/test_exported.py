"""A letter is written down whole and read back the same; of a line that is none, what is wrong and how to fix it."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstop.letter import letter
from backstop.trail import ATTRIBUTE, Trail
from ops.dlq.exported import BadLine, line, read

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
DEAD, ORDERED_DEAD = "shop-dead", "shop-ordered-dead.fifo"
QUEUES = frozenset({DEAD, ORDERED_DEAD})
SOURCES = frozenset({"shop-events", "shop-ordered.fifo"})

UNSENDABLE = "".join(map(chr, {*range(0x20), 0xFFFE, 0xFFFF} - {9, 10, 13}))
sendable = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=UNSENDABLE), min_size=1)
names = st.from_regex(r"[A-Za-z0-9_.-]{1,40}", fullmatch=True).filter(lambda name: name != ATTRIBUTE)
texts = st.builds(lambda text: {"dataType": "String", "stringValue": text}, sendable)
numbers = st.builds(lambda number: {"dataType": "Number.int", "stringValue": str(number)}, st.integers())
binaries = st.builds(
    lambda some: {"dataType": "Binary.gzip", "binaryValue": base64.b64encode(some).decode()}, st.binary(min_size=1)
)
attributes = st.dictionaries(names, st.one_of(texts, numbers, binaries), max_size=9)


def record(body: str = '{"id": "a"}', queue: str = DEAD, attributes: Any = None, **system: str) -> dict[str, Any]:
    return {
        "messageId": "m-1",
        "receiptHandle": "r",
        "body": body,
        "attributes": {"SentTimestamp": "1767603600000", "ApproximateReceiveCount": "3", **system},
        "messageAttributes": attributes or {},
        "eventSourceARN": f"arn:aws:sqs:::{queue}",
    }


def written(given_record: dict[str, Any]) -> str:
    return line(letter(given_record, SOURCES, NOW))


def in_sqs_shape(given_attributes: Any) -> Any:
    return {
        name: {"DataType": one["dataType"]}
        | ({"StringValue": one["stringValue"]} if "stringValue" in one else {})
        | ({"BinaryValue": base64.b64decode(one["binaryValue"])} if "binaryValue" in one else {})
        for name, one in given_attributes.items()
    }


def history(**told: Any) -> dict[str, Any]:
    trail = Trail(**{"source_queue": "shop-events", "verdict": "dead", "dead_because": "permanent"} | told)
    return {"dataType": "String", "stringValue": trail.serialise()}


@given(body=sendable, given_attributes=attributes, queue=st.sampled_from(sorted(QUEUES)))
def test_what_is_written_is_read_back_byte_for_byte(body: str, given_attributes: Any, queue: str) -> None:
    all_of_it = {**given_attributes, ATTRIBUTE: history()}
    text = written(record(body, queue, all_of_it, MessageGroupId="k", AWSTraceHeader="Root=1"))

    found = read(text, QUEUES)

    assert text.isascii()
    assert "\n" not in text
    assert (found.queue, found.message_id, found.body, found.key) == (queue, "m-1", body, "k")
    assert found.attributes == in_sqs_shape(all_of_it)
    assert found.system["MessageSystemAttributes"]["AWSTraceHeader"]["StringValue"] == "Root=1"


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param({"dataType": "String", "stringValue": "not ours"}, id="another text"),
        pytest.param({"dataType": "Binary", "binaryValue": base64.b64encode(b"\x00\xff").decode()}, id="bytes"),
        pytest.param(history(source_queue="elsewhere"), id="a queue that is none of ours"),
    ],
)
def test_a_history_that_was_not_written_here_is_kept_as_it_is(odd: dict[str, Any]) -> None:
    found = read(written(record(attributes={ATTRIBUTE: odd})), QUEUES)
    assert found.attributes == in_sqs_shape({ATTRIBUTE: odd})


class TestALetterThatSqsMoved:
    """SQS knew where it came from; of one that is sent there it does not, and it could be redriven nowhere."""

    ARN = "arn:aws:sqs:eu-west-1:123456789012:"

    def test_says_where_it_came_from_and_nothing_else_is_said_of_it(self) -> None:
        found = read(written(record(DeadLetterQueueSourceArn=f"{self.ARN}shop-events")), QUEUES)

        trail = Trail.written(found.attributes[ATTRIBUTE]["StringValue"], SOURCES, NOW)
        assert trail == Trail(event_id="a", source_queue="shop-events")
        again = letter(record(attributes={ATTRIBUTE: _handed_over(found.attributes[ATTRIBUTE])}), SOURCES, NOW)
        assert (again.is_moved_by_sqs, again.source_queue) == (True, "shop-events")

    def test_keeps_its_place_among_its_keys_events(self) -> None:
        system = {"DeadLetterQueueSourceArn": f"{self.ARN}shop-ordered.fifo", "SequenceNumber": "17"}
        found = read(written(record(queue=ORDERED_DEAD, MessageGroupId="k", **system)), QUEUES)
        trail = Trail.written(found.attributes[ATTRIBUTE]["StringValue"], SOURCES, NOW)
        assert (trail.sequence, trail.key) == ("17", "k")

    def test_with_ten_attributes_is_put_back_as_it_is(self) -> None:
        ten = {f"a{number}": {"dataType": "String", "stringValue": "x"} for number in range(10)}
        text = written(record(attributes=ten, DeadLetterQueueSourceArn=f"{self.ARN}shop-events"))
        assert read(text, QUEUES).attributes == in_sqs_shape(ten)


def _handed_over(attribute: Any) -> dict[str, Any]:
    return {"dataType": attribute["DataType"], "stringValue": attribute["StringValue"]}


def test_an_ordered_queue_knows_a_line_that_is_put_back_twice_but_not_by_the_id_that_it_moved_it_with() -> None:
    ordered = read(written(record(queue=ORDERED_DEAD, MessageGroupId="k")), QUEUES).system
    assert ordered == {"MessageGroupId": "k", "MessageDeduplicationId": "imported-m-1"}
    assert read(written(record(MessageGroupId="k")), QUEUES).system == {"MessageGroupId": "k"}
    assert read(written(record()), QUEUES).system == {}


def test_a_person_can_read_in_a_line_why_it_is_dead_and_since_when() -> None:
    told = json.loads(written(record(attributes={ATTRIBUTE: history(last_failed_at=NOW, event_id="a")})))
    assert (told["event_id"], told["reason"], told["source_queue"]) == ("a", "permanent", "shop-events")
    assert (told["died_at"], told["sent_at"]) == ("2026-01-05T09:00:00.000+00:00",) * 2


GOOD: dict[str, Any] = {"version": 1, "queue": DEAD, "message_id": "m-1", "body": "{}"}
X = {"type": "String", "text": "x"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("{", "not JSON: Expecting property name", id="not JSON"),
        pytest.param("[" * 100_000, "nested too deep", id="nested too deep"),
        pytest.param('{"x": ' + "1" * 5000 + "}", "Exceeds the limit", id="a number with thousands of digits"),
        pytest.param('["x"]', "not a JSON object", id="a list"),
        pytest.param('{"id": "a"}', "no `version`", id="an event instead of a letter"),
    ],
)
def test_a_line_that_is_no_letter_is_told_so(text: str, why: str) -> None:
    with pytest.raises(BadLine) as error:
        read(text, QUEUES)
    assert str(error.value).startswith(why)
    assert str(error.value).endswith("a line is one exported letter, as `backstop dlq export` writes it")


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        pytest.param({"version": 2}, "`version` is not 1", id="another version"),
        pytest.param({"version": True}, "`version` is not 1", id="no number"),
        pytest.param({"queue": "other-dead"}, "other-dead is no dead-letter queue of this stack", id="another stack's"),
        pytest.param({"queue": "shop-events"}, "shop-events is no dead-letter queue", id="a source queue"),
        pytest.param({"queue": 7}, "`queue` is not a text", id="a number for a queue"),
        pytest.param({"body": ""}, "`body` is not a text, or empty", id="an empty body"),
        pytest.param({"body": {"id": "a"}}, "`body` is not a text", id="a body that was unfolded"),
        pytest.param({"body": "a\x00b"}, "`body` has a character that SQS does not take (U+0000)", id="NUL"),
        pytest.param({"body": "\ud800"}, "`body` has a character that SQS does not take (U+D800)", id="a surrogate"),
        pytest.param({"trace_header": "\x1b"}, "`trace_header` has a character", id="a trace header of none"),
        pytest.param({"body": "x" * 1024 * 1024 + "x"}, "1,048,577 bytes; SQS takes at most 1,048,576", id="too large"),
        pytest.param({"message_id": "a b"}, "`message_id` has 1 to 100 letters", id="a message id of none"),
        pytest.param({"message_id": "x" * 101}, "`message_id` has 1 to 100 letters", id="a message id too long"),
        pytest.param({"queue": ORDERED_DEAD}, "`key` is a MessageGroupId", id="ordered without a key"),
        pytest.param({"key": "a b"}, "`key` is a MessageGroupId", id="a key with a blank"),
        pytest.param({"key": "k" * 129}, "`key` is a MessageGroupId", id="a key that is too long"),
        pytest.param({"bodies": "x"}, "`bodies` is not known: take it out", id="a field that is unknown"),
        pytest.param({"attributes": []}, "`attributes` is not an object", id="a list of attributes"),
        pytest.param({"attributes": {ATTRIBUTE: X}}, "`attributes` is not an object", id="the history among them"),
        pytest.param({"attributes": {"a b": X}}, "an attribute's name has", id="a name with a blank"),
        pytest.param({"attributes": {"a": "x"}}, "attribute `a`: its `type`", id="an attribute without a type"),
        pytest.param({"attributes": {"a": X | {"type": "Text"}}}, "attribute `a`: its `type`", id="an unknown type"),
        pytest.param({"attributes": {"a": X | {"text": ""}}}, "attribute `a`: of type String", id="an empty text"),
        pytest.param({"attributes": {"a": X | {"x": 1}}}, "attribute `a`: of type String", id="one field too many"),
        pytest.param({"attributes": {"a": {"type": "Binary", "text": "x"}}}, "attribute `a`: of type B", id="no bytes"),
        pytest.param({"attributes": {"a": {"type": "Binary", "base64": "x"}}}, "attribute `a`: its `b", id="no base64"),
        pytest.param({"attributes": {"a": {"type": "Binary", "base64": "é"}}}, "attribute `a`: its `b", id="no ASCII"),
        pytest.param({"attributes": {"a": X | {"text": "\x07"}}}, "attribute `a` has a character", id="a bell"),
        pytest.param({"attributes": {f"a{n}": X for n in range(11)}}, "11 attributes", id="eleven attributes"),
        pytest.param(
            {"attributes": {f"a{n}": X for n in range(10)}, "history": X}, "11 attributes", id="and a history"
        ),
        pytest.param({"history": "x"}, f"attribute `{ATTRIBUTE}`: its `type`", id="a history of none"),
    ],
)
def test_a_line_that_cannot_be_put_back_says_why(fields: dict[str, Any], why: str) -> None:
    assert read(json.dumps(GOOD), QUEUES).body == "{}"
    with pytest.raises(BadLine) as error:
        read(json.dumps(GOOD | fields), QUEUES)
    assert str(error.value).startswith(why)


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=5,
)


@given(field=st.sampled_from([*GOOD, "attributes", "history", "key", "source_queue"]), value=json_values)
def test_whatever_stands_in_a_line_it_is_a_letter_or_a_sentence(field: str, value: Any) -> None:
    with suppress(BadLine):
        assert read(json.dumps(GOOD | {field: value}), QUEUES).size > 0
