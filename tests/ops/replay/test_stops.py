"""What stops a replay, what it says then, what is in doubt afterwards, and that the same call goes on from there."""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate, count
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError, NoCredentialsError, SSLError

from tests.fakes.faults import Fault
from tests.ops.replay.ground import KEY, Ground, numbered

PUT = "PutRecordBatch"
RECORDS = numbered(8)
pytestmark = pytest.mark.usefixtures("small_calls")


@pytest.fixture(autouse=True)
def _kept(ground: Ground) -> None:
    ground.keep(KEY, *RECORDS)


def after(calls: int) -> Callable[[], bool]:
    """Stop before the next call once so many were made: asked before the object, and before each call."""
    asked = count()
    return lambda: next(asked) > calls


class TestThrottled:
    def test_each_pause_is_longer_than_the_one_before(self, ground: Ground) -> None:
        ground.stream.faults.fail(PUT, *[Fault.THROTTLED] * 5)
        assert ground.replay().is_complete
        assert len(ground.waits) == 5
        assert all(longer > shorter > 0 for shorter, longer in zip(ground.waits, ground.waits[1:], strict=False))
        assert ground.unmarked() == RECORDS

    def test_after_all_pauses_it_stops_with_a_sentence_and_nothing_is_in_doubt(self, ground: Ground) -> None:
        ground.stream.faults.fail_always(PUT, Fault.THROTTLED)
        outcome = ground.replay()
        assert outcome.stopped == "the stream is throttled and takes no more: try again later"
        assert (outcome.sent, outcome.in_doubt, outcome.is_complete) == (0, {}, False)
        assert ground.stream.faults.calls[PUT] == len(ground.waits) + 1
        assert sum(ground.waits) >= 30

    def test_the_same_call_goes_on_later(self, ground: Ground) -> None:
        ground.stream.faults.fail(PUT, None, *[Fault.THROTTLED] * 7)
        assert ground.replay().sent == 3
        outcome = ground.replay()
        assert (outcome.sent, outcome.sent_before, outcome.is_complete) == (5, 3, True)
        assert ground.unmarked() == RECORDS

    def test_any_progress_lets_the_pauses_begin_anew(self, ground: Ground) -> None:
        """Each record needs six calls, five of them fruitless: 48 calls in all, and it never gives up."""
        ground.stream.faults.fail(PUT, *[*[Fault.THROTTLED] * 5, None] * 8)
        refused = iter([False, True, True, False, True, False] * 2 + [False, True, False])
        ground.stream.refuses = lambda _: next(refused)
        assert ground.replay().is_complete
        assert ground.stream.faults.calls[PUT] == 48
        assert ground.unmarked() == RECORDS

    def test_single_records_that_stay_refused_stop_it_and_are_sent_later(self, ground: Ground) -> None:
        ground.stream.refuses = lambda data: data.endswith(RECORDS[1])
        outcome = ground.replay()
        assert (outcome.sent, outcome.in_doubt) == (2, {})
        assert "throttled" in outcome.stopped
        ground.stream.refuses = lambda _: False
        assert ground.replay().is_complete
        assert sorted(ground.unmarked()) == RECORDS

    def test_the_next_batch_has_all_its_pauses(self, ground: Ground) -> None:
        ground.stream.faults.fail(PUT, *[Fault.THROTTLED] * 6, None, *[Fault.THROTTLED] * 6)
        assert ground.replay().is_complete
        assert ground.waits[:6] == ground.waits[6:]

    def test_it_does_not_wait_once_it_is_stopped(self, ground: Ground) -> None:
        ground.stream.faults.fail_always(PUT, Fault.THROTTLED)
        ground.replay(is_stopped=after(1))
        assert ground.waits == []


class TestCallsThatFail:
    @pytest.mark.parametrize("before", [0, 1, 2])
    @pytest.mark.parametrize("fault", [Fault.DENIED, Fault.UNREACHABLE])
    def test_surely_not_sent_stops_it_at_once_and_nothing_is_in_doubt(
        self, ground: Ground, fault: Fault, before: int
    ) -> None:
        ground.stream.faults.fail(PUT, *[None] * before, fault)
        outcome = ground.replay()
        assert outcome.stopped.startswith(
            "AWS refused PutRecordBatch: " if fault is Fault.DENIED else "AWS does not answer"
        )
        assert (outcome.sent, outcome.in_doubt, ground.waits) == (3 * before, {}, [])
        assert ground.stream.faults.calls[PUT] == before + 1

        again = ground.replay()
        assert (again.sent, again.sent_before, again.is_complete) == (8 - 3 * before, 3 * before, True)
        assert ground.unmarked() == RECORDS

    @pytest.mark.parametrize("error", [NoCredentialsError(), ConnectTimeoutError(endpoint_url="https://a.example")])
    def test_without_credentials_or_a_connection_nothing_is_in_doubt(self, ground: Ground, error: Exception) -> None:
        outcome = ground.replay(firehose=Failing(error))
        assert (bool(outcome.stopped), outcome.in_doubt, ground.checkpoint()["sending"]) == (True, {}, [])

    @pytest.mark.parametrize("before", [0, 1, 2])
    def test_a_lost_answer_stops_it_and_its_call_is_in_doubt(self, ground: Ground, before: int) -> None:
        ground.stream.faults.fail(PUT, *[None] * before, Fault.ANSWER_LOST)
        outcome = ground.replay()
        doubtful = min(3, 8 - 3 * before)
        assert outcome.stopped.startswith("whether the last call arrived is not known: ")
        assert (outcome.sent, outcome.in_doubt) == (3 * before, {KEY: doubtful})

        again = ground.replay()
        assert (again.sent + again.sent_before, again.in_doubt, again.is_complete) == (
            8 - doubtful,
            {KEY: doubtful},
            False,
        )
        assert ground.unmarked() == RECORDS

        resent = ground.replay(resend_doubtful=True)
        assert (resent.sent, resent.in_doubt, resent.is_complete) == (doubtful, {}, True)
        assert ground.unmarked() == RECORDS + RECORDS[3 * before :][:3]
        assert ground.replay(resend_doubtful=True).sent == 0

    def test_other_objects_are_not_begun_after_a_doubt(self, ground: Ground) -> None:
        ground.keep(f"{KEY}-later", b"later")
        ground.stream.faults.fail(PUT, Fault.ANSWER_LOST)
        outcome = ground.replay()
        assert (outcome.objects, list(outcome.in_doubt)) == (1, [KEY])
        assert ground.replay().sent == 6

    def test_doubts_add_up_over_replays(self, ground: Ground) -> None:
        ground.stream.faults.fail(PUT, Fault.ANSWER_LOST, Fault.ANSWER_LOST)
        assert [ground.replay().in_doubt for _ in range(3)] == [{KEY: 3}, {KEY: 6}, {KEY: 6}]
        assert ground.replay(resend_doubtful=True).sent == 6

    def test_what_is_in_doubt_but_was_never_sent_is_not_lost(self, ground: Ground) -> None:
        outcome = ground.replay(firehose=Failing(SSLError(endpoint_url="https://a.example", error=OSError("eof"))))
        assert (outcome.in_doubt, ground.arrived()) == ({KEY: 3}, [])
        ground.replay()
        ground.replay(resend_doubtful=True)
        assert sorted(ground.unmarked()) == RECORDS


class TestAPersonWhoStopsIt:
    @pytest.mark.parametrize("calls", [0, 1, 2])
    def test_between_two_calls_nothing_is_in_doubt_and_the_next_replay_goes_on(
        self, ground: Ground, calls: int
    ) -> None:
        outcome = ground.replay(is_stopped=after(calls))
        assert (outcome.stopped, outcome.sent, outcome.in_doubt) == ("you stopped it", 3 * calls, {})
        assert ground.unmarked() == RECORDS[: 3 * calls]

        again = ground.replay()
        assert (again.sent_before, again.in_doubt, again.is_complete) == (3 * calls, {}, True)
        assert ground.unmarked() == RECORDS

    def test_after_the_last_call_there_is_nothing_to_stop(self, ground: Ground) -> None:
        outcome = ground.replay(is_stopped=after(3))
        assert (outcome.stopped, outcome.sent, outcome.is_complete) == ("", 8, True)

    def test_again_and_again_all_is_sent_once(self, ground: Ground) -> None:
        outcomes = [ground.replay(is_stopped=after(1)) for _ in range(3)]
        assert list(accumulate(outcome.sent for outcome in outcomes)) == [3, 6, 8]
        assert ground.unmarked() == RECORDS


class Failing:
    """A client of Firehose whose calls all fail."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def put_record_batch(self, **_: object) -> Any:
        raise self._error
