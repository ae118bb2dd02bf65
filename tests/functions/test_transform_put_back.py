"""A stream that does not take back what an answer has no room for, through the real app.py: it is kept, never lost."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from tests.fakes.faults import Fault
from tests.fakes.handler import Event
from tests.stream_lane import ScriptedTransform, StreamLane, stream_lane, verdicts

KIB = 1024


def put_large(lane: StreamLane, count: int = 5, **fields: Any) -> dict[str, bytes]:
    """Put clicks on the stream of which an answer has room for two, and return their data by their ids."""
    clicks = [lane.click(**fields) for _ in range(count)]
    for click in clicks:
        lane.handler.will(click["id"], large)
    return dict(zip([click["id"] for click in clicks], lane.put(*clicks), strict=True))


def large(click: Event) -> Event:
    return {"id": click["id"], "grown": "x" * 2_000_000}


def failures(lane: StreamLane) -> Counter[str]:
    """Return how many records were reported, by the type of what befell them."""
    return Counter(report["error_type"] for report in lane.worker.reports())


class TestAStreamThatRefuses:
    def test_every_record_leaves_them_in_the_errors(self, stream: StreamLane) -> None:
        clicks = put_large(stream)
        stream.stream.refuses = lambda data: True
        stream.run()
        first, second, *others = clicks
        assert stream.stored_ids() == [first, second]
        assert stream.kept() == [clicks[name] for name in others]
        assert failures(stream) == {"NotPutBack": 3}
        assert verdicts(stream) == {"ProcessingFailed": 3}

    def test_one_record_takes_the_others_back(self, stream: StreamLane) -> None:
        clicks = put_large(stream)
        *_, last = clicks.values()
        stream.stream.refuses = lambda data: data.endswith(last)
        stream.run()
        assert stream.kept() == [last]
        assert [clicks[name] for name in stream.stored_ids()] == [data for data in clicks.values() if data != last]
        assert failures(stream) == {"NotPutBack": 1}

    def test_for_a_moment_is_asked_again(self, stream: StreamLane) -> None:
        clicks = put_large(stream)
        refusals = iter([True] * 3)
        stream.stream.refuses = lambda data: next(refusals, False)
        stream.run()
        assert stream.stored_ids() == list(clicks)
        assert failures(stream) == {}
        assert verdicts(stream) == {"PutBack": 3 + 1}

    def test_what_went_round_before_leaves_it_in_the_errors_too(self, stream: StreamLane) -> None:
        clicks = put_large(stream)
        stream.deliver()
        stream.stream.refuses = lambda data: True
        stream.run()
        *delivered, last = clicks
        assert stream.stored_ids() == delivered
        assert stream.kept() == [clicks[last]]


class TestAStreamThatCannotBeAsked:
    @pytest.mark.parametrize("fault", [Fault.THROTTLED, Fault.DENIED, Fault.UNREACHABLE])
    def test_leaves_in_the_errors_what_it_was_to_take_back(self, stream: StreamLane, fault: Fault) -> None:
        clicks = put_large(stream)
        stream.faults.fail_always("PutRecordBatch", fault)
        stream.run()
        first, second, *others = clicks
        assert stream.stored_ids() == [first, second]
        assert stream.kept() == [clicks[name] for name in others]
        assert failures(stream) == {"NotPutBack": 3}
        assert [invocation.error for invocation in stream.invocations] == [None]
        assert all(report["error"] for report in stream.worker.reports())

    def test_in_one_call_takes_back_what_the_others_hold(self, stream: StreamLane) -> None:
        """More records than a call takes."""
        put_large(stream, 3)
        stream.put(*[stream.click() for _ in range(600)])
        stream.faults.fail("PutRecordBatch", Fault.THROTTLED)
        stream.run()
        assert len(stream.stored()) == 2 + 101
        assert len(stream.kept()) == len(stream.worker.reports()) == 500

    @pytest.mark.parametrize("lost", [[Fault.ANSWER_LOST], [None, Fault.ANSWER_LOST]], ids=["first", "second"])
    def test_without_an_answer_may_have_a_record_twice_and_never_loses_it(
        self, stream: StreamLane, lost: Sequence[Fault | None]
    ) -> None:
        clicks = put_large(stream)
        stream.faults.fail("PutRecordBatch", *lost)
        stream.run()
        assert set(stream.stored_ids()) == set(clicks)
        assert set(stream.kept()) <= set(clicks.values())
        assert len(stream.kept()) == len(stream.worker.reports()) > 0

    def test_because_its_name_is_wrong_leaves_them_in_the_errors(self) -> None:
        with stream_lane(ScriptedTransform(), STREAM_NAME="another-stream") as lane:
            clicks = put_large(lane)
            lane.run()
            assert len(lane.stored()) == 2
            assert lane.kept() == list(clicks.values())[2:]
            assert failures(lane) == {"NotPutBack": 3}


class TestARecordThatIsTooLargeToGoRound:
    def test_is_kept_and_its_neighbours_go_round(self, stream: StreamLane) -> None:
        """With its mark it would be over 1,000 KiB, the most that a stream takes."""
        put_large(stream, 2)
        largest = stream.click()
        stream.handler.will(largest["id"], large)
        [whole] = stream.put(padded(largest, 1_000 * KIB))
        [after] = put_large(stream, 1)
        stream.run()
        assert len(whole) == 1_000 * KIB
        assert stream.kept() == [whole]
        assert after in stream.stored_ids()
        assert failures(stream) == {"NotPutBack": 1}

    def test_is_delivered_where_there_is_room(self, stream: StreamLane) -> None:
        largest = stream.click()
        stream.put(padded(largest, 1_000 * KIB), stream.click())
        stream.run()
        assert len(stream.stored()) == 2


def padded(click: Event, size: int) -> Event:
    """Return a click whose record is as large as that."""
    return click | {"padding": "p" * (size - len(json.dumps(click | {"padding": ""})))}
