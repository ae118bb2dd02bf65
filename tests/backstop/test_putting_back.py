"""Dead letters of ordered keys go back into their places: in their order, with their history, none too early."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstop import putting_back as why
from backstop.letter import Letter, letter
from backstop.message import read
from backstop.parking import State, parked
from backstop.placing import DIGITS, in_order
from backstop.putting_back import Returning, put_back, return_letters, sequence_of
from backstop.trail import Trail
from tests.backstop import NOW, record, string
from tests.fakes.faults import Fault, Faults
from tests.fakes.parking import FakeParking, failing_by
from tests.fakes.parking_contract import Lot, a_lock

QUEUES = frozenset({"ordered.fifo", "events"})
IN_HAND = timedelta(seconds=35)
DEAD = Trail(
    attempt=6,
    key="a",
    first_failed_at=NOW - timedelta(hours=2),
    last_failed_at=NOW - timedelta(hours=1),
    source_queue="ordered.fifo",
    verdict="dead",
    dead_because="exhausted",
    kind="transient",
    error_type="PriceNotPublished",
    group="0123456789abcdef",
    reason="no price yet",
)


def dead(number: int, key: str = "a", trail: Trail = DEAD, **details: Any) -> Letter:
    """Return the dead letter of the event that SQS gave this number."""
    trail = replace(trail, key=key, event_id=f"{key}{number}", sequence=str(number))
    attributes = {"tenant": string("t-1"), **details.pop("attributes", {}), "backstop": string(trail.serialise())}
    found = record(f"{key}{number}", queue="dead-letters", attributes=attributes, MessageGroupId=key, **details)
    return letter(found, QUEUES, NOW)


def moved(number: int, key: str = "a", event_id: str = "") -> Letter:
    """Return a letter that SQS itself moved, and gave this number where it lies."""
    source = "arn:aws:sqs:eu-west-1:123456789012:ordered.fifo"
    found = record(
        event_id or f"{key}-moved-{number}",
        queue="dead-letters.fifo",
        MessageGroupId=key,
        SequenceNumber=f"{number:020}",
        DeadLetterQueueSourceArn=source,
    )
    return letter(found, QUEUES, NOW)


@dataclass
class Stand:
    """A place to park, and who is woken."""

    faults: Faults = field(default_factory=Faults)
    most: int = 30
    woken: list[tuple[Sequence[str], int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.parking = FakeParking(self.most, failing_by(self.faults))
        self.lot = Lot(self.parking)
        generations = count(1000)
        self.returning = Returning(
            self.parking,
            lambda keys, delay: self.woken.append((keys, delay)),
            lambda: next(generations),
            lambda: NOW,
            IN_HAND,
        )

    def names(self, key: str = "a") -> list[str]:
        return [event.name for event in self.parking.events(key)]


@pytest.fixture
def stand() -> Stand:
    return Stand()


class TestOrder:
    @pytest.mark.parametrize("seed", range(5))
    def test_is_key_by_key_that_of_sending_whatever_order_letters_lie_in(self, seed: int) -> None:
        letters = [dead(number, key) for key in "ab" for number in (9, 10, 18_849_496_460_467_696_128)]
        Random(seed).shuffle(letters)
        turns = put_back(letters, "r1", NOW)
        assert [turn.letter.event_id for turn in turns] == [
            *("a9", "a10", "a18849496460467696128"),
            *("b9", "b10", "b18849496460467696128"),
        ]

    def test_what_sqs_moved_comes_first_in_the_order_in_which_it_did(self) -> None:
        letters = [dead(1), moved(10**19 + 5), moved(2), dead(2, "b"), moved(10**19)]
        turns = put_back(letters, "r1", NOW)
        ids = [turn.letter.event_id for turn in turns]
        assert ids == ["a-moved-2", f"a-moved-{10**19}", f"a-moved-{10**19 + 5}", "a1", "b2"]

    @given(st.lists(st.integers(1, 10**24 - 1), unique=True), st.lists(st.integers(1, 2**128), unique=True))
    def test_of_made_up_numbers_is_kept_and_before_every_number_that_sqs_gives(
        self, moved_ones: list[int], sent: list[int]
    ) -> None:
        made_up = [in_order(sequence_of(moved(number))) for number in sorted(moved_ones)]
        given_ones = [in_order(str(number)) for number in sorted(sent)]
        assert made_up + given_ones == sorted(made_up + given_ones)
        assert len({*made_up, *given_ones}) == len(made_up + given_ones)

    def test_a_made_up_number_is_the_same_each_time_and_one_that_a_history_keeps(self) -> None:
        sequence = sequence_of(moved(7))
        assert sequence == sequence_of(moved(7)) == f"{'0' * DIGITS}{7:024}"
        kept = Trail.written(replace(DEAD, sequence=sequence).serialise(), QUEUES, NOW)
        assert kept.sequence == sequence

    def test_of_letters_without_any_number_is_that_in_which_they_died_and_no_two_share_a_place(self) -> None:
        """They died in a release that did not note it; a standard queue gives no numbers."""
        without = replace(DEAD, sequence="")
        times = [NOW, NOW, NOW + timedelta(milliseconds=1)]
        letters = [
            letter(
                record(
                    f"e{number}",
                    queue="dead-letters",
                    attributes={"backstop": string(without.serialise())},
                    MessageGroupId="a",
                    SentTimestamp=str(round(time.timestamp() * 1000)),
                ),
                QUEUES,
                NOW,
            )
            for number, time in enumerate(times)
        ]
        sequences = [in_order(sequence_of(one)) for one in letters]
        assert len(set(sequences)) == 3
        assert max(sequences) == sequences[2]
        assert max(sequences) < in_order("1")


class TestEvent:
    def test_is_as_it_was_sent_and_its_attempts_start_anew(self) -> None:
        found = dead(7, body='{"id": "a7", "żółć": "🫖"}')
        [turn] = put_back([found], "r1", NOW)
        assert turn.event is not None
        message = read(turn.event.record, "a7", QUEUES, NOW)
        assert (message.body, message.attributes) == (found.record["body"], {"tenant": string("t-1")})
        assert (message.key, message.queue, message.attempt) == ("a", "ordered.fifo", 1)
        assert message.first_failed_at is None
        assert (turn.event.sequence, turn.event.event_id, turn.event.blocked_by) == ("7", "a7", "")

    def test_keeps_its_history_and_says_which_redrive_it_is_of(self) -> None:
        [turn] = put_back([dead(7)], "r1", NOW)
        assert turn.event is not None
        assert Trail.written(turn.event.trail, QUEUES, NOW) == replace(
            DEAD, event_id="a7", sequence="7", redrive_id="r1", redrives=1
        )
        assert turn.event.redrives(NOW) == 1

    def test_that_sqs_moved_knows_its_place_from_then_on(self) -> None:
        [turn] = put_back([moved(7)], "r1", NOW)
        assert turn.event is not None
        assert turn.event.record["attributes"]["SequenceNumber"] == turn.event.sequence == sequence_of(moved(7))
        assert read(turn.event.record, "", QUEUES, NOW).queue == "ordered.fifo"


class TestReturning:
    def test_a_free_key_waits_until_no_worker_can_be_at_its_events(self, stand: Stand) -> None:
        returned = return_letters([dead(2), dead(1)], "r1", stand.returning)
        assert [one.event_id for one in returned.safe] == ["a1", "a2"]
        assert (returned.refused, returned.staying) == ({}, {})
        assert stand.names() == ["a1", "a2"]
        lock = stand.lot.require_lock("a")
        assert (lock.state, lock.head, lock.waiting, lock.due) == (State.WAITING, "a1", 2, NOW + IN_HAND)
        assert stand.woken == [(["a"], 35)]

    def test_goes_before_newer_events_that_wait(self, stand: Stand) -> None:
        stand.lot.park("a", 3, 4)
        return_letters([dead(1), dead(2)], "r1", stand.returning)
        assert stand.lot.numbers("a") == [1, 2, 3, 4]

    def test_done_again_changes_nothing_and_says_the_same(self, stand: Stand) -> None:
        letters = [dead(1), dead(2, "b"), moved(3)]
        first = return_letters(letters, "r1", stand.returning)
        before = dict(stand.parking.kept_locks)
        assert return_letters(letters, "r1", stand.returning) == first
        assert stand.parking.kept_locks == before

    def test_two_letters_of_one_event_are_both_done_with(self, stand: Stand) -> None:
        twice = [dead(1), dead(1, message_id="m-again")]
        assert len(return_letters(twice, "r1", stand.returning).safe) == 2
        assert stand.names() == ["a1"]

    def test_a_held_key_lets_none_in_and_others_go_on(self, stand: Stand) -> None:
        stand.lot.park("a", 3, state=State.HELD)
        returned = return_letters([dead(1), dead(2), dead(1, "b")], "r1", stand.returning)
        assert returned.staying == {"m-a1": why.HELD, "m-a2": why.BEHIND}
        assert [one.event_id for one in returned.safe] == ["b1"]
        assert stand.lot.numbers("a") == [3]
        assert stand.woken == [(["b"], 35)]

    def test_what_cannot_be_stored_now_keeps_back_the_later_ones_of_its_key(self, stand: Stand) -> None:
        stand.faults.fail("return_to_place", Fault.THROTTLED)
        returned = return_letters([dead(1), dead(2), dead(1, "b")], "r1", stand.returning)
        assert set(returned.refused) == {"m-a1", "m-a2"}
        assert returned.refused["m-a2"] == why.BEHIND
        assert [one.event_id for one in returned.safe] == ["b1"]
        assert stand.names() == []

    def test_whose_answer_was_lost_is_drained_and_safe_the_next_time(self, stand: Stand) -> None:
        stand.faults.fail("return_to_place", Fault.ANSWER_LOST)
        returned = return_letters([dead(1)], "r1", stand.returning)
        assert set(returned.refused) == {"m-a1"}
        assert stand.woken == [(["a"], 35)]
        assert [one.event_id for one in return_letters([dead(1)], "r1", stand.returning).safe] == ["a1"]
        assert stand.lot.require_lock("a").waiting == 1

    def test_a_full_key_takes_as_many_as_it_may_and_the_earliest(self) -> None:
        stand = Stand(most=2)
        returned = return_letters([dead(number) for number in (4, 3, 2, 1)], "r1", stand.returning)
        assert stand.names() == ["a1", "a2"]
        assert [one.event_id for one in returned.safe] == ["a1", "a2"]
        assert list(returned.staying) == ["m-a3", "m-a4"]

    def test_without_a_key_it_has_no_place(self, stand: Stand) -> None:
        returned = return_letters([dead(1, key="")], "r1", stand.returning)
        assert list(returned.staying.values()) == [why.NO_KEY]

    def test_whose_history_does_not_fit_stays_and_so_do_the_later_ones_of_its_key(self, stand: Stand) -> None:
        ten = {f"n{number}": string("x") for number in range(9)}
        returned = return_letters([dead(1, attributes=ten), dead(2)], "r1", stand.returning)
        assert returned.staying == {"m-a1": why.NO_ROOM, "m-a2": why.BEHIND}

    def test_an_event_that_is_not_put_aside_yet_keeps_its_letter(self, stand: Stand) -> None:
        stand.parking.park_head(a_lock("a"), parked(record("a1", SequenceNumber="1"), "a1"))
        assert return_letters([dead(1)], "r1", stand.returning).staying == {"m-a1": why.NOT_ASIDE}
        assert stand.woken == []
