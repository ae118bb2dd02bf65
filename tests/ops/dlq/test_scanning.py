"""Whoever looks through a dead-letter queue sees each letter once and leaves all of them as they lay."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import chain, count, islice
from typing import Any

import pytest

from backstop.errors import StoreUnavailable
from ops.dlq.scanning import HIDDEN_SECONDS, LONGEST, QUEUES, letters, of_stack, present
from ops.failure import CallFailed
from ops.stack import Stack
from tests.fakes.clock import VirtualClock
from tests.fakes.faults import Fault, Faults
from tests.fakes.sqs import FakeSqs
from tests.ops.dlq.ground import DEAD, ORDERED_DEAD, Ground
from tests.ops.replay.interruptions import Interrupted, Killed, Killer


def looked_through(stack: Stack, said: list[str] | None = None, name: str = QUEUES[0]) -> list[str]:
    with letters(stack, name, says=(said if said is not None else []).append) as look:
        return [letter.event_id for letter in look]


class TestALook:
    @pytest.mark.parametrize("number", [0, 1, 9, 10, 11, 350])
    def test_shows_each_letter_once_and_leaves_all_as_they_lay(self, number: int, stack: Stack, ground: Ground) -> None:
        ids = [f"e-{one}" for one in range(number)]
        ground.die(*ids)
        before, said = ground.contents(), list[str]()
        assert looked_through(stack, said) == ids
        assert (ground.contents(), ground.hidden(), said) == (before, 0, [])

    def test_hides_letters_while_it_lasts(self, stack: Stack, ground: Ground) -> None:
        ground.die("a", "b")
        with letters(stack, QUEUES[0]) as look:
            assert len(list(look)) == ground.hidden() == 2

    def test_that_has_enough_takes_no_more(self, stack: Stack, ground: Ground, sqs: FakeSqs) -> None:
        ground.die(*(f"e-{one}" for one in range(50)))
        said = list[str]()
        with letters(stack, QUEUES[0], said.append) as look:
            assert len(list(islice(look, 3))) == 3
            assert ground.hidden() == 10
        assert (ground.hidden(), said) == (0, [])
        assert [call.operation for call in sqs.calls].count("ReceiveMessage") == 1

    def test_goes_on_after_one_empty_answer(
        self, stack: Stack, ground: Ground, sqs: FakeSqs, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """SQS may have nothing to say once although there is something."""
        ids = [f"e-{one}" for one in range(12)]
        ground.die(*ids)
        receive, calls = sqs.receive_message, count()

        def answer(**request: Any) -> Any:
            return {} if next(calls) == 1 else receive(**request)

        monkeypatch.setattr(sqs, "receive_message", answer)
        assert looked_through(stack) == ids

    def test_of_a_stack_goes_through_both_queues(self, stack: Stack, ground: Ground) -> None:
        ground.die("a")
        ground.move("b", queue=ORDERED_DEAD, key="k")
        with of_stack(stack) as looks:
            assert [letter.event_id for letter in chain.from_iterable(looks)] == ["a", "b"]
            assert ground.hidden() == 2
        assert ground.hidden() == 0

    def test_knows_which_queues_there_are(self, stack: Stack) -> None:
        urls = {f"{name}Url": stack.output(f"{name}Url") for name in QUEUES}
        for known in (2, 1):
            some = Stack("some", stack.session)
            vars(some)["_outputs"] = dict(list(urls.items())[:known])
            assert present(some) == list(QUEUES[:known])

    def test_of_a_stack_that_is_none_of_ours_is_refused(self, stack: Stack) -> None:
        vars(stack)["_outputs"] = {}
        with pytest.raises(CallFailed, match="has no output DeadLetterQueueUrl: is it a Backstop stack"):
            present(stack)

    def test_keeps_no_bodies_of_what_it_has_shown(self, stack: Stack, ground: Ground) -> None:
        ground.die("a", body="x" * 1000)
        with letters(stack, QUEUES[0]) as look:
            list(look)
            assert "x" * 1000 not in str(vars(look))


class TestAnOrderedQueue:
    def test_is_shown_as_far_as_it_shows_itself_and_that_is_said(self, stack: Stack, ground: Ground) -> None:
        ground.move(*(f"a-{one}" for one in range(25)), queue=ORDERED_DEAD, key="a")
        ground.move("b-0", "b-1", queue=ORDERED_DEAD, key="b")
        before, said = ground.contents(), list[str]()
        found = looked_through(stack, said, QUEUES[1])
        assert found == [f"a-{one}" for one in range(10)] + ["b-0", "b-1"]
        assert said == [
            "OrderedDeadLetterQueue: letters that were not seen, about 15: an ordered queue shows ten of a key, no more"
        ]
        assert (ground.contents(), ground.hidden()) == (before, 0)

    def test_keeps_its_order(self, stack: Stack, ground: Ground) -> None:
        ground.move(*"abcde", queue=ORDERED_DEAD, key="k")
        assert looked_through(stack, name=QUEUES[1]) == looked_through(stack, name=QUEUES[1]) == list("abcde")


class TestWhatMayBeMissing:
    def test_is_said_before_where_somebody_has_letters(self, stack: Stack, ground: Ground, sqs: FakeSqs) -> None:
        ground.die("a", "b")
        sqs.receive_message(QueueUrl=sqs.queue(DEAD).url)
        said = list[str]()
        assert looked_through(stack, said) == ["b"]
        assert said == ["DeadLetterQueue: letters in somebody's hands just now, which may be missing here: 1"]
        assert ground.hidden() == 1, "what another one has is not given back"

    def test_a_letter_that_comes_again_ends_it(self, stack: Stack, ground: Ground, sqs: FakeSqs) -> None:
        """Its time is over, or a standard queue hands it out twice: either way others may have the rest by now."""
        ground.die("a", "b", "c")
        said, shown = list[str](), list[str]()
        with letters(stack, QUEUES[0], said.append) as look:
            for letter in look:
                shown.append(letter.event_id)
                if letter.event_id == "c":
                    ground.messages()[0].visible_at = ground.clock.now()
                    ground.die("d")
            assert look.is_cut
        assert shown == ["a", "b", "c", "d"]
        assert said == [
            "DeadLetterQueue: not looked through to its end: that took too long, or somebody else looks through it, too"
        ]
        assert ground.hidden() == 0, "it is released by its newest handle"

    def test_a_look_that_takes_too_long_ends_before_letters_are_seen_again(
        self, stack: Stack, ground: Ground, clock: VirtualClock
    ) -> None:
        ground.die(*(f"e-{one}" for one in range(100)))
        said, shown = list[str](), 0
        with letters(stack, QUEUES[0], said.append) as look:
            for _ in look:
                clock.advance(timedelta(seconds=2))
                shown += 1
        assert (shown, len(said)) == (50, 1)
        assert timedelta(seconds=HIDDEN_SECONDS) > LONGEST
        assert ground.hidden() == 0


class TestHoweverItEnds:
    @pytest.mark.parametrize("error", [KeyboardInterrupt, BrokenPipeError, SystemExit, ValueError])
    def test_letters_are_released(self, error: type[BaseException], stack: Stack, ground: Ground) -> None:
        ground.die(*(f"e-{one}" for one in range(25)))
        before = ground.contents()

        def look() -> None:
            with of_stack(stack) as looks:
                for number, _ in enumerate(chain.from_iterable(looks)):
                    if number == 12:
                        raise error

        with pytest.raises(error):
            look()
        assert (ground.contents(), ground.hidden()) == (before, 0)

    @pytest.mark.parametrize("fault", list(Fault), ids=str)
    def test_where_sqs_stops_answering_what_was_taken_is_released(
        self, fault: Fault, stack: Stack, ground: Ground, faults: Faults
    ) -> None:
        ground.die(*(f"e-{one}" for one in range(25)))
        before = ground.contents()
        faults.fail("ReceiveMessage", None, fault)
        with pytest.raises(StoreUnavailable, match="the dead letters in shop-dead could not be read"):
            looked_through(stack)
        assert ground.hidden() == (10 if fault is Fault.ANSWER_LOST else 0), "nobody knows of what got lost"
        ground.clock.advance(timedelta(seconds=HIDDEN_SECONDS))
        assert (ground.contents(), ground.hidden()) == (before, 0)

    def test_where_sqs_does_not_count_nothing_is_taken(self, stack: Stack, ground: Ground, faults: Faults) -> None:
        ground.die("a")
        faults.fail_always("GetQueueAttributes", Fault.DENIED)
        with pytest.raises(StoreUnavailable, match="AWS refused"):
            looked_through(stack)
        assert ground.hidden() == 0

    @pytest.mark.parametrize("fault", [Fault.THROTTLED, Fault.UNREACHABLE], ids=str)
    def test_a_release_that_fails_leaves_the_other_calls_be(
        self, fault: Fault, stack: Stack, ground: Ground, faults: Faults
    ) -> None:
        ids = [f"e-{one}" for one in range(25)]
        ground.die(*ids)
        before = ground.contents()
        faults.fail("ChangeMessageVisibilityBatch", None, fault)
        assert looked_through(stack) == ids
        assert ground.hidden() == 10
        ground.clock.advance(timedelta(seconds=HIDDEN_SECONDS))
        assert (ground.contents(), ground.hidden()) == (before, 0)

    def test_killed_it_hides_letters_for_two_minutes_at_most(self, stack: Stack, ground: Ground) -> None:
        ground.die(*(f"e-{one}" for one in range(25)))
        before = ground.contents()
        for point in range(1, 9):
            kill(stack, point, lambda: looked_through(stack))
            ground.clock.advance(timedelta(seconds=HIDDEN_SECONDS))
            assert (ground.contents(), ground.hidden()) == (before, 0)


def kill(stack: Stack, point: int, act: Callable[[], object]) -> None:
    """Let something be done that ends before or after a call to SQS."""
    untouched, killer = stack.sqs, Killer(point)
    calls = ("receive_message", "change_message_visibility_batch")
    vars(stack)["sqs"] = Interrupted(untouched, killer, *calls)
    try:
        with pytest.raises(Killed):
            act()
    finally:
        vars(stack)["sqs"] = untouched
