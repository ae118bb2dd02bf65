"""A dead-letter queue as it is looked through: on the fake with AWS's rules, and on moto behind the real client."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from backstop.aws import letters as adapter
from backstop.aws.letters import LetterQueue
from backstop.errors import StoreUnavailable
from backstop.letter import MOVED_BY_SQS, Letter
from backstop.trail import ATTRIBUTE, Trail
from tests.backstop import QUEUES
from tests.fakes.contract import Sqs, sqs_of
from tests.fakes.faults import Fault, Faults
from tests.fakes.sqs import FakeSqs

DIED = Trail(event_id="a", verdict="dead", dead_because="exhausted", source_queue="events", attempt=6)


@pytest.fixture(params=["fake", "moto"])
def sqs(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sqs]:
    if request.param == "moto":  # it would wait for a time that stands still
        monkeypatch.setattr(adapter, "POLL_SECONDS", 0)
    with sqs_of(request.param) as sqs:
        yield sqs


@pytest.fixture
def url(sqs: Sqs) -> str:
    return sqs.queue("dead", MessageRetentionPeriod="1209600")


@pytest.fixture
def queue(sqs: Sqs, url: str) -> LetterQueue:
    return LetterQueue(sqs.client, url, QUEUES, sqs.clock.now)


@pytest.fixture
def faults(sqs: Sqs) -> Iterator[Faults]:
    """How calls fail, of the fake or of a real client."""
    if isinstance(sqs.client, FakeSqs):
        yield sqs.client.faults
        return
    faults = Faults()
    with faults.installed(sqs.client):
        yield faults


Send = Callable[..., None]


@pytest.fixture
def send(sqs: Sqs, url: str) -> Send:
    def send(*ids: str, **more: Any) -> None:
        for one in ids:
            sqs.client.send_message(QueueUrl=url, MessageBody=f'{{"id": "{one}"}}', **more)

    return send


def ids(letters: Any) -> list[str]:
    return sorted(letter.event_id for letter in letters)


def contents(letter: Letter) -> tuple[str, str, str]:
    """Return what has to stay as it was."""
    return letter.message_id, letter.record["body"], str(letter.record["messageAttributes"])


class TestTaking:
    def test_hides_what_it_takes_for_so_long(self, sqs: Sqs, queue: LetterQueue, send: Send) -> None:
        send("a", "b")
        assert ids(queue.take(60)) == ["a", "b"]
        sqs.pass_time(59)
        assert queue.take(60) == []
        sqs.pass_time(1)
        assert ids(queue.take(60)) == ["a", "b"]

    def test_takes_ten_at_once_or_as_many_as_are_asked_for(self, queue: LetterQueue, send: Send) -> None:
        send(*(f"e-{one}" for one in range(15)))
        assert (len(queue.take(60, 3)), len(queue.take(60)), len(queue.take(60))) == (3, 10, 2)

    def test_hands_letters_over_with_all_that_sqs_says(self, sqs: Sqs, queue: LetterQueue, send: Send) -> None:
        own = {
            ATTRIBUTE: {"DataType": "String", "StringValue": DIED.serialise()},
            "shop": {"DataType": "String.name", "StringValue": "north"},
            "blob": {"DataType": "Binary", "BinaryValue": b"\x00\x01\x02"},
        }
        send("a", MessageAttributes=own)
        [letter] = queue.take(60)
        assert (letter.reason, letter.trail.attempt, letter.source_queue) == ("exhausted", 6, "events")
        assert (letter.place, queue.name) == ("dead", "dead")
        assert letter.sent_at == sqs.clock.now()
        assert letter.record["body"] == '{"id": "a"}'
        assert {name: letter.record["messageAttributes"][name] for name in ("shop", "blob")} == {
            "shop": {"dataType": "String.name", "stringValue": "north"},
            "blob": {"dataType": "Binary", "binaryValue": "AAEC"},
        }

    def test_of_a_letter_without_a_history_it_is_told_that_sqs_moved_it(self, queue: LetterQueue, send: Send) -> None:
        send("a")
        [letter] = queue.take(60)
        assert (letter.reason, letter.event_id, letter.record["messageAttributes"]) == (MOVED_BY_SQS, "a", {})

    def test_from_nothing_takes_nothing(self, queue: LetterQueue) -> None:
        assert queue.take(60) == []

    @pytest.mark.parametrize("fault", list(Fault), ids=str)
    def test_that_sqs_does_not_answer_is_told(self, fault: Fault, queue: LetterQueue, faults: Faults) -> None:
        faults.fail("ReceiveMessage", fault)
        with pytest.raises(StoreUnavailable, match="the dead letters in dead could not be read: "):
            queue.take(60)

    def test_from_a_queue_that_is_gone_is_told(self, sqs: Sqs, url: str) -> None:
        queue = LetterQueue(sqs.client, f"{url}-gone", QUEUES, sqs.clock.now)
        with pytest.raises(StoreUnavailable, match="the dead letters in dead-gone could not be read"):
            queue.take(60)


class TestReleasing:
    def test_shows_letters_again_at_once_as_they_were(self, sqs: Sqs, queue: LetterQueue, send: Send) -> None:
        send(*(f"e-{one}" for one in range(25)), MessageAttributes={"s": {"DataType": "String", "StringValue": "n"}})
        taken = [letter for _ in range(3) for letter in queue.take(60)]
        queue.release(taken)
        sqs.pass_time(0)
        again = [letter for _ in range(3) for letter in queue.take(60)]
        assert sorted(map(contents, again)) == sorted(map(contents, taken))
        assert len(again) == 25

    def test_releases_no_other(self, sqs: Sqs, queue: LetterQueue, send: Send) -> None:
        send("a", "b")
        first, second = queue.take(60)
        queue.release([first])
        sqs.pass_time(0)
        assert ids(queue.take(60)) == [first.event_id]
        assert second.event_id != first.event_id

    def test_nothing_calls_nobody(self, queue: LetterQueue, faults: Faults) -> None:
        queue.release([])
        assert faults.calls == {}

    @pytest.mark.parametrize("fault", [Fault.DENIED, Fault.THROTTLED, Fault.UNREACHABLE], ids=str)
    def test_that_fails_leaves_those_letters_hidden_and_releases_the_others(
        self, fault: Fault, sqs: Sqs, queue: LetterQueue, send: Send, faults: Faults
    ) -> None:
        send(*(f"e-{one}" for one in range(15)))
        taken = [letter for _ in range(2) for letter in queue.take(60)]
        faults.fail("ChangeMessageVisibilityBatch", fault)
        queue.release(taken)
        sqs.pass_time(0)
        assert len(queue.take(120)) == 5
        sqs.pass_time(60)
        assert len(queue.take(60)) == 10

    def test_of_what_is_nobodys_any_more_or_gone_does_no_harm(self, sqs: Sqs, queue: LetterQueue, send: Send) -> None:
        send("a", "b", "c")
        taken = queue.take(30)
        assert queue.delete(taken[:1]) == []
        sqs.pass_time(30)
        [other] = queue.take(60, 1)
        queue.release(taken)
        assert other.event_id in {"b", "c"}


class TestDeleting:
    def test_deletes_what_it_is_given_and_nothing_else(self, sqs: Sqs, queue: LetterQueue, send: Send) -> None:
        send(*(f"e-{one:02}" for one in range(25)))
        taken = sorted((letter for _ in range(3) for letter in queue.take(60)), key=lambda one: one.event_id)
        assert queue.delete(taken[:21]) == []
        sqs.pass_time(60)
        assert ids(queue.take(60)) == ["e-21", "e-22", "e-23", "e-24"]

    def test_nothing_calls_nobody(self, queue: LetterQueue, faults: Faults) -> None:
        assert queue.delete([]) == []
        assert faults.calls == {}

    @pytest.mark.parametrize("fault", list(Fault), ids=str)
    def test_reports_those_of_which_it_is_not_known(
        self, fault: Fault, sqs: Sqs, queue: LetterQueue, send: Send, faults: Faults
    ) -> None:
        """An answer that is lost says nothing, though they may be gone."""
        send(*(f"e-{one}" for one in range(15)))
        taken = [letter for _ in range(2) for letter in queue.take(60)]
        faults.fail("DeleteMessageBatch", fault)
        assert queue.delete(taken) == taken[:10]
        sqs.pass_time(60)
        assert len(queue.take(60)) == (0 if fault.takes_effect else 10)

    def test_reports_those_that_could_not_be_deleted_as_nobody_has_them(self) -> None:
        """An ordered queue deletes nothing whose time is over."""
        with sqs_of("fake") as sqs:
            url = sqs.queue("dead.fifo", FifoQueue="true")
            queue = LetterQueue(sqs.client, url, QUEUES, sqs.clock.now)
            for one in "ab":
                sqs.client.send_message(
                    QueueUrl=url, MessageBody=f'{{"id": "{one}"}}', MessageGroupId=one, MessageDeduplicationId=one
                )
            taken = queue.take(30)
            sqs.pass_time(31)
            assert queue.delete(taken) == taken
            assert ids(queue.take(30)) == ["a", "b"]


class TestABatchThatIsTakenInPart:
    """Only the fake refuses single entries."""

    @pytest.fixture
    def sqs(self) -> Iterator[Sqs]:
        with sqs_of("fake") as sqs:
            yield sqs

    def refuse(self, sqs: Sqs, operation: str, *entry_ids: str) -> None:
        sqs.client.refuses = lambda called, entry: called == operation and entry["Id"] in entry_ids

    def test_reports_what_is_left_of_each_call(self, sqs: Sqs, queue: LetterQueue, send: Send) -> None:
        send(*(f"e-{one:02}" for one in range(25)))
        taken = [letter for _ in range(3) for letter in queue.take(60)]
        self.refuse(sqs, "DeleteMessageBatch", "0", "4")
        assert queue.delete(taken) == [taken[number] for number in (0, 4, 10, 14, 20, 24)]

    def test_reports_what_sqs_says_nothing_of(
        self, sqs: Sqs, queue: LetterQueue, send: Send, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        send("a", "b")
        taken = queue.take(60)
        monkeypatch.setattr(sqs.client, "delete_message_batch", lambda **_: {"Successful": [{"Id": "1"}]})
        assert queue.delete(taken) == taken[:1]

    def test_releases_what_it_can(self, sqs: Sqs, queue: LetterQueue, send: Send) -> None:
        send("a", "b", "c")
        taken = queue.take(60)
        self.refuse(sqs, "ChangeMessageVisibilityBatch", "1")
        queue.release(taken)
        assert ids(queue.take(60)) == ["a", "c"]

    def test_asks_all_of_sqss_servers(self, sqs: Sqs, queue: LetterQueue) -> None:
        queue.take(60)
        assert sqs.client.calls[-1].request["WaitTimeSeconds"] > 0

    def test_a_letter_that_died_while_it_was_looked_for_died_now(
        self, sqs: Sqs, queue: LetterQueue, send: Send
    ) -> None:
        later = Trail(event_id="a", verdict="dead", last_failed_at=sqs.clock.now() + timedelta(hours=1))
        send("a", MessageAttributes={ATTRIBUTE: {"DataType": "String", "StringValue": later.serialise()}})
        assert queue.take(60)[0].died_at == sqs.clock.now()
