"""Every record goes back once, byte for byte, marked, oldest first, within a call's limits; nothing else is touched."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backstop.rounds import Mark
from tests.fakes.firehose_functions import each, handed_over, passed, put, raising
from tests.fakes.source import Handler
from tests.ops.replay.ground import KEY, Ground, document, ground_of, numbered, zipped

MIB = 1024 * 1024
LARGEST = 1_024_000
"""The data of a record that a stream takes, in bytes (Firehose quotas)."""

MARK_OF_A_REPLAY = b"\x00backstop 1 rounds=0 replays=1\n"
AWKWARD = [
    b"",
    b"\x00\xff\xfe",
    b"\x1f\x8bno gzip",
    "grün\u2028".encode(),
    b'{"id": 1}{"id": 2}',
    b"\x00backstop",
    b"\n",
]


def sizes_of_calls(ground: Ground) -> list[list[int]]:
    """Return, of each call to come, the sizes of its records."""
    calls: list[list[int]] = []
    put_record_batch = ground.stream.put_record_batch

    def record(**request: Any) -> Any:
        calls.append([len(one["Data"]) for one in request["Records"]])
        return put_record_batch(**request)

    ground.stream.put_record_batch = record  # type: ignore[method-assign]  # to see what it is given
    return calls


class TestRecords:
    def test_each_goes_back_as_it_was_with_its_mark_in_front(self, ground: Ground) -> None:
        ground.keep(KEY, *AWKWARD)
        outcome = ground.replay()
        assert ground.arrived() == [MARK_OF_A_REPLAY + data for data in AWKWARD]
        assert (outcome.objects, outcome.sent, outcome.is_complete) == (1, len(AWKWARD), True)

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.lists(st.binary(), min_size=1), st.lists(st.booleans(), max_size=6))
    def test_each_goes_back_once_whatever_is_in_it_and_whichever_are_refused(
        self, s3: Any, records: list[bytes], refusals: list[bool]
    ) -> None:
        ground, is_refused = ground_of(s3), iter(refusals)
        ground.keep(KEY, *records)
        ground.stream.refuses = lambda _: next(is_refused, False)
        assert ground.replay().sent == len(records)
        assert sorted(ground.unmarked()) == sorted(records)

    def test_a_second_replay_sends_nothing(self, ground: Ground) -> None:
        ground.keep(KEY, *numbered(3))
        ground.replay()
        outcome = ground.replay()
        assert (outcome.sent, outcome.sent_before, outcome.is_complete) == (0, 3, True)
        assert ground.stream.faults.calls["PutRecordBatch"] == 1

    def test_what_is_new_since_the_last_replay_is_sent(self, ground: Ground) -> None:
        ground.keep(KEY, b"old")
        ground.replay()
        ground.keep(f"{KEY}-later", b"new")
        assert (ground.replay().sent, ground.unmarked()) == (1, [b"old", b"new"])

    def test_where_there_is_nothing_nothing_is_to_do(self, ground: Ground) -> None:
        outcome = ground.replay()
        assert (outcome.objects, outcome.sent, outcome.is_complete) == (0, 0, True)

    def test_equal_records_all_go_back(self, ground: Ground) -> None:
        ground.keep(KEY, *[b"same"] * 5)
        ground.keep(f"{KEY}-later", *[b"same"] * 2)
        ground.replay()
        assert ground.unmarked() == [b"same"] * 7

    def test_the_oldest_objects_come_first(self, ground: Ground) -> None:
        for name, day in (("b", 3), ("c", 1), ("d", 2), ("a", 2)):
            with time_machine.travel(datetime(2026, 1, day, tzinfo=UTC), tick=False):
                ground.keep(f"errors/{name}", name.encode())
        ground.replay()
        assert ground.unmarked() == [b"c", b"a", b"d", b"b"]


def failing_until(fixed: Sequence[bool]) -> Handler:
    """Make a function that fails until what is wrong is fixed."""
    return each(lambda record: passed(record, result="Ok" if fixed else "ProcessingFailed"))


class TestRounds:
    @pytest.mark.parametrize(
        "function",
        [
            pytest.param(each(lambda record: passed(record, result="ProcessingFailed")), id="single records"),
            pytest.param(raising(ValueError()), id="whole batches"),
        ],
    )
    def test_what_never_gets_through_is_replayed_three_times_and_then_left(self, s3: Any, function: Handler) -> None:
        ground = ground_of(s3, function)
        put(ground.stream, *AWKWARD)
        for replays in (1, 2, 3):
            ground.deliver()
            outcome = ground.replay()
            assert (outcome.sent, outcome.rounds_used_up, outcome.is_complete) == (len(AWKWARD), 0, True)
            assert ground.arrived() == [Mark(0, replays).before(data) for data in AWKWARD]

        ground.deliver()
        outcome = ground.replay()
        assert (outcome.sent, outcome.rounds_used_up, outcome.is_complete) == (0, len(AWKWARD), False)
        assert ground.arrived() == []

    def test_what_was_left_is_sent_once_more_rounds_are_allowed(self, ground: Ground) -> None:
        fresh, used_up = numbered(3), Mark(replays=3).before(b"used up")
        ground.keep(KEY, fresh[0], used_up, *fresh[1:], used_up)
        first = ground.replay()
        assert (first.sent, first.rounds_used_up, ground.unmarked()) == (3, 2, fresh)
        second = ground.replay(max_replays=4)
        assert (second.sent, second.sent_before, second.rounds_used_up) == (2, 3, 0)
        assert ground.arrived()[3:] == [Mark(replays=4).before(b"used up")] * 2
        assert ground.replay(max_replays=4).is_complete

    def test_what_was_left_is_counted_each_time(self, ground: Ground) -> None:
        ground.keep(KEY, Mark(replays=3).before(b"used up"))
        for _ in range(2):
            outcome = ground.replay()
            assert (outcome.sent, outcome.rounds_used_up, outcome.is_complete) == (0, 1, False)

    def test_rounds_of_full_answers_begin_anew(self, ground: Ground) -> None:
        ground.keep(KEY, Mark(rounds=32, replays=1).before(b"a"))
        ground.replay()
        assert ground.arrived() == [Mark(rounds=0, replays=2).before(b"a")]

    def test_after_the_fix_all_is_delivered_once(self, s3: Any) -> None:
        fixed: list[bool] = []
        ground = ground_of(s3, failing_until(fixed))
        put(ground.stream, *numbered(5))
        ground.deliver()
        ground.replay()
        ground.deliver()
        fixed.append(True)
        ground.replay()
        ground.stream.run_until_quiet()
        assert ground.stream.delivered() == b"".join(Mark(replays=2).before(data) for data in numbered(5))

    def test_what_a_function_is_given_of_a_replay_carries_the_mark(self, s3: Any) -> None:
        ground = ground_of(s3, each(passed))
        ground.keep(KEY, b"a")
        ground.replay()
        ground.stream.run_until_quiet()
        assert handed_over(ground.stream) == [[MARK_OF_A_REPLAY + b"a"]]


class TestLimitsOfACall:
    def test_500_records(self, ground: Ground) -> None:
        calls = sizes_of_calls(ground)
        ground.keep(KEY, *numbered(1001))
        assert ground.replay().sent == 1001
        assert [len(call) for call in calls] == [500, 500, 1]

    def test_4_mib_as_they_are_sent(self, ground: Ground) -> None:
        calls = sizes_of_calls(ground)
        ground.write(KEY, zipped("".join(document(bytes(size)) for size in (900_000, 10, 800_000, 700_000) * 3)))
        assert ground.replay().sent == 12
        assert sum(map(len, calls)) == 12
        assert all(sum(4 * ((size + 2) // 3) for size in call) <= 4 * MIB for call in calls)
        assert len(calls) <= 4

    @pytest.mark.parametrize(("too_many", "sent"), [(0, 3), (1, 2)], ids=["just fits", "one byte too large"])
    def test_a_record_is_sent_where_it_can_carry_its_mark(self, ground: Ground, too_many: int, sent: int) -> None:
        large = b"x" * (LARGEST - len(MARK_OF_A_REPLAY) + too_many)
        ground.keep(KEY, b"a", large, b"b")
        for _ in range(2):
            outcome = ground.replay()
            assert (outcome.sent + outcome.sent_before, outcome.too_large) == (sent, too_many)
            assert outcome.is_complete is not bool(too_many)
        assert ground.unmarked() == ([b"a", b"b"] if too_many else [b"a", large, b"b"])

    def test_a_record_that_carries_a_mark_already_needs_no_more_room(self, ground: Ground) -> None:
        data = b"x" * (LARGEST - len(MARK_OF_A_REPLAY))
        ground.keep(KEY, Mark(rounds=9, replays=1).before(data))
        assert (ground.replay().sent, ground.unmarked()) == (1, [data])


class TestTheBucket:
    def test_unreadable_objects_are_named_and_skipped(self, ground: Ground) -> None:
        ground.write("errors/1", b"garbage")
        ground.write("errors/2", document(b"a").encode() + b"garbage")
        ground.write("errors/3/", b"")
        ground.keep("errors/4", b"b")
        for _ in range(2):
            outcome = ground.replay()
            assert list(outcome.unreadable) == ["errors/1", "errors/2", "errors/3/"]
            assert not outcome.is_complete
        assert ground.unmarked() == [b"b"]

    def test_nothing_but_checkpoints_is_written_and_nothing_is_deleted(self, ground: Ground) -> None:
        ground.keep(KEY, *numbered(3))
        ground.write("errors/unreadable", b"garbage")
        ground.write("data/2026/01/05/clicks", b"data")
        ground.write("replay/of/something/else.json", b"other")
        before, seen = ground.contents(), operations_on(ground)
        ground.replay()
        after = ground.contents()
        assert before.items() <= after.items()
        assert set(after) - set(before) == {f"replay/{KEY}.json"}
        assert seen == {"ListObjectsV2", "GetObject", "PutObject"}

    @pytest.mark.parametrize("max_keys", [1, 2, 1000])
    def test_all_pages_of_the_listing_are_read(self, ground: Ground, max_keys: int) -> None:
        records = numbered(7)
        for number, data in enumerate(records):
            ground.keep(f"errors/{number}", data)
        ground.s3.meta.events.register(
            "provide-client-params.s3.ListObjectsV2", lambda params, **_: params | {"MaxKeys": max_keys}
        )
        assert (ground.replay().objects, ground.unmarked()) == (7, records)

    def test_objects_since_a_moment_are_those_written_then_or_later(self, ground: Ground) -> None:
        moment = datetime(2026, 1, 5, 9, tzinfo=UTC)
        for name, seconds in (("a", -1), ("b", 0), ("c", 1)):
            with time_machine.travel(moment + timedelta(seconds=seconds), tick=False):
                ground.keep(f"errors/{name}", b"")
        assert ground.find(since=moment) == ["errors/b", "errors/c"]
        assert ground.find("errors/a") == ["errors/a"]


def operations_on(ground: Ground) -> set[str]:
    """Return the names of the operations to come."""
    seen: set[str] = set()
    ground.s3.meta.events.register("before-call.s3", lambda model, **_: seen.add(model.name))
    return seen
