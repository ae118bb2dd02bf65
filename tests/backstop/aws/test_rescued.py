"""The bucket's dead letters: what is kept is one object, comes back byte for byte, and goes when it is deleted."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto import mock_aws

from backstop.aws.rescued import PREFIX, Rescued
from backstop.errors import StoreUnavailable
from backstop.letter import Letter, letter
from backstop.trail import Trail
from tests.backstop import NOW, record, string
from tests.fakes.faults import Fault, Faults
from tests.fakes.parking_contract import client_of

BUCKET: Final = "data"
QUEUES: Final = frozenset({"shop-events"})
FAULTS: Final = [Fault.UNREACHABLE, Fault.ANSWER_LOST]

text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
values = st.one_of(
    text.map(string),
    st.binary(max_size=40).map(
        lambda content: {"dataType": "Binary", "binaryValue": base64.b64encode(content).decode()}
    ),
)


@pytest.fixture
def bucket() -> Iterator[Any]:
    with mock_aws():
        client: Any = client_of("s3")
        client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        yield client


def rescued(client: Any) -> Rescued:
    return Rescued(client, BUCKET, QUEUES, lambda: NOW)


def dead(event_id: str = "a", **details: Any) -> Letter:
    trail = Trail(event_id=event_id, verdict="dead", source_queue="shop-events", last_failed_at=NOW)
    attributes = {"backstop": string(trail.serialise())} | details.pop("attributes", {})
    return letter(record(event_id, queue="shop-dead", attributes=attributes, **details), QUEUES, NOW)


def keys(client: Any) -> list[str]:
    return [found["Key"] for found in client.list_objects_v2(Bucket=BUCKET).get("Contents", ())]


def all_of(place: Rescued) -> list[Letter]:
    found: list[Letter] = []
    while letters := place.take(300):
        assert len(letters) <= 10
        found += letters
    return found


class TestALetterThatIsKept:
    def test_is_one_object_named_after_its_queue_its_day_and_what_its_queue_calls_it(self, bucket: Any) -> None:
        rescued(bucket).keep(dead())
        assert keys(bucket) == ["rescued/shop-dead/2026-01-01/m-a.json"]

    def test_twice_is_one_object(self, bucket: Any) -> None:
        rescued(bucket).keep(dead())
        rescued(bucket).keep(dead(receives=2))
        assert len(keys(bucket)) == 1

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
    @given(body=text, attributes=st.dictionaries(text, values, max_size=9), key=text)
    def test_comes_back_as_it_was(self, bucket: Any, body: str, attributes: dict[str, Any], key: str) -> None:
        found = dead(body=body, attributes=attributes, MessageGroupId=key)
        rescued(bucket).keep(found)
        [again] = all_of(rescued(bucket))
        own = {"messageId": again.message_id, "receiptHandle": ""}
        assert again.record == {**found.record, **own}
        assert (again.trail, again.event_id, again.key) == (found.trail, found.event_id, found.key)
        assert (again.source_queue, again.sent_at, again.reason) == (found.source_queue, found.sent_at, found.reason)

    def test_by_sqs_itself_still_knows_where_it_came_from(self, bucket: Any) -> None:
        arn = "arn:aws:sqs:eu-west-1:123456789012:shop-events"
        rescued(bucket).keep(letter(record(queue="shop-dead", DeadLetterQueueSourceArn=arn), QUEUES, NOW))
        [again] = all_of(rescued(bucket))
        assert (again.source_queue, again.reason) == ("shop-events", "moved by SQS")

    @pytest.mark.parametrize("fault", FAULTS)
    def test_by_nobody_is_said(self, bucket: Any, fault: Fault) -> None:
        faults = Faults()
        faults.fail("PutObject", fault)
        with faults.installed(bucket), pytest.raises(StoreUnavailable, match="did not take"):
            rescued(bucket).keep(dead())

    def test_by_a_bucket_that_is_gone_is_said(self, bucket: Any) -> None:
        bucket.delete_bucket(Bucket=BUCKET)
        with pytest.raises(StoreUnavailable, match="did not take"):
            rescued(bucket).keep(dead())


class TestTaking:
    @pytest.mark.parametrize("count", [0, 1, 10, 11, 25])
    def test_hands_out_each_letter_once(self, bucket: Any, count: int) -> None:
        place = rescued(bucket)
        for number in range(count):
            place.keep(dead(f"e-{number}"))
        assert sorted(one.event_id for one in all_of(place)) == sorted(f"e-{number}" for number in range(count))
        assert place.take(300) == []

    def test_hands_out_as_many_as_are_asked_for(self, bucket: Any) -> None:
        place = rescued(bucket)
        for number in range(5):
            place.keep(dead(f"e-{number}"))
        assert [len(place.take(300, most)) for most in (2, 1, 10)] == [2, 1, 2]

    def test_reads_pages_of_the_bucket_one_after_the_other(self, bucket: Any) -> None:
        body = json.dumps({"queue": "shop-dead", "record": dict(dead().record)}).encode()
        for number in range(1001):  # a page lists a thousand
            bucket.put_object(Bucket=BUCKET, Key=f"{PREFIX}shop-dead/2026-01-01/{number:04}.json", Body=body)
        assert len({one.message_id for one in all_of(rescued(bucket))}) == 1001

    def test_passes_over_what_else_is_in_the_bucket(self, bucket: Any) -> None:
        bucket.put_object(Bucket=BUCKET, Key="data/2026/clicks.gz", Body=b"{}")
        assert rescued(bucket).take(300) == []

    def test_hides_nothing(self, bucket: Any) -> None:
        rescued(bucket).keep(dead())
        place = rescued(bucket)
        place.release(place.take(300))
        assert place.hidden() == 0
        assert len(all_of(rescued(bucket))) == 1

    @pytest.mark.parametrize("operation", ["ListObjectsV2", "GetObject"])
    @pytest.mark.parametrize("fault", FAULTS)
    def test_from_a_bucket_that_does_not_answer_is_unavailable(self, bucket: Any, operation: str, fault: Fault) -> None:
        rescued(bucket).keep(dead())
        faults = Faults()
        faults.fail_always(operation, fault)
        with faults.installed(bucket), pytest.raises(StoreUnavailable, match="could not be read"):
            rescued(bucket).take(300)

    def test_tells_a_letter_that_has_no_event_by_what_the_bucket_calls_it(self, bucket: Any) -> None:
        rescued(bucket).keep(letter(record(body="no event", queue="shop-dead"), QUEUES, NOW))
        [again] = all_of(rescued(bucket))
        assert again.name == f"#{again.message_id}"


class TestDeleting:
    def test_deletes_what_it_is_given_and_nothing_else(self, bucket: Any) -> None:
        place = rescued(bucket)
        for event_id in ("a", "b", "c"):
            place.keep(dead(event_id))
        letters = place.take(300)
        assert place.delete(letters[:2]) == []
        assert keys(bucket) == [letters[2].message_id]

    def test_of_nothing_makes_no_call(self, bucket: Any) -> None:
        faults = Faults()
        with faults.installed(bucket):
            assert rescued(bucket).delete([]) == []
        assert faults.calls.total() == 0

    def test_of_what_is_gone_already_is_no_error(self, bucket: Any) -> None:
        place = rescued(bucket)
        place.keep(dead())
        letters = place.take(300)
        assert place.delete(letters) == place.delete(letters) == []

    @pytest.mark.parametrize("fault", FAULTS)
    def test_that_is_not_answered_for_leaves_all(self, bucket: Any, fault: Fault) -> None:
        place = rescued(bucket)
        place.keep(dead())
        letters = place.take(300)
        faults = Faults()
        faults.fail("DeleteObjects", fault)
        with faults.installed(bucket):
            assert place.delete(letters) == letters

    def test_returns_those_that_the_bucket_did_not_delete(self, bucket: Any) -> None:
        place = rescued(bucket)
        for event_id in ("a", "b"):
            place.keep(dead(event_id))
        first, second = place.take(300)

        def only_first(parsed: dict[str, Any], **_: Any) -> None:
            parsed["Deleted"] = [one for one in parsed["Deleted"] if one["Key"] == first.message_id]
            parsed["Errors"] = [{"Key": second.message_id, "Code": "InternalError"}]

        bucket.meta.events.register("after-call.s3.DeleteObjects", only_first)
        try:
            assert place.delete([first, second]) == [second]
        finally:
            bucket.meta.events.unregister("after-call.s3.DeleteObjects", only_first)


def test_letters_of_other_days_lie_in_other_folders(bucket: Any) -> None:
    sent = NOW - timedelta(days=12)
    rescued(bucket).keep(dead(SentTimestamp=str(int(sent.timestamp() * 1000))))
    assert keys(bucket) == ["rescued/shop-dead/2025-12-20/m-a.json"]
