"""Dead letters are deleted only where somebody means exactly these, and nothing else is touched."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from ops.dlq.scanning import HIDDEN_SECONDS
from ops.stack import Stack
from tests.fakes.clock import VirtualClock
from tests.fakes.faults import Fault, Faults
from tests.fakes.sqs import FakeSqs
from tests.ops.command import Command, Ran
from tests.ops.dlq.conftest import is_harmless
from tests.ops.dlq.ground import DEAD, HOSTILE, ORDERED_DEAD, A, B, Ground
from tests.ops.keys.conftest import Rows
from tests.ops.replay.interruptions import Interrupted, Killed, Killer

Answers = Callable[..., Ran]

OF_B = ("discard", "--group", B)
SUBJECT = "dead letters"
ATTRIBUTES = {"shop": {"DataType": "String", "StringValue": "north"}}


@pytest.fixture(autouse=True)
def letters(ground: Ground) -> None:
    """Thirty letters, of which those of group B are meant: b-0 to b-11 and the ordered ones of none."""
    ground.die(*(f"a-{one}" for one in range(15)), attributes=ATTRIBUTES)
    ground.die(*(f"b-{one}" for one in range(12)), group=B, dead_because="permanent")
    ground.move("o-0", "o-1", "o-2", queue=ORDERED_DEAD, key="k")


def rest(contents: Any, *prefixes: str) -> Any:
    """Return the letters that are not meant."""
    meant = tuple(f'{{"id": "{prefix}' for prefix in prefixes)
    return {name: one for name, one in contents.items() if not one[1].startswith(meant)}


class TestWithoutATerminal:
    def test_it_is_counted_and_nothing_is_changed(self, ground: Ground, dlq: Command, rows: Rows) -> None:
        before = ground.contents()
        ran = dlq("discard", "--all")
        assert (ran.exit_code, ran.err) == (0, "")
        assert rows(ran) == [
            ["group", "reason", "letters"],
            [f"g{A}", "exhausted", "15"],
            [f"g{B}", "permanent", "12"],
            ["-", "moved by SQS", "3"],
        ]
        assert ran.out.endswith("Deleted for good: 30 letters.\nDry run: nothing was changed; --yes does it.\n")
        assert (ground.contents(), ground.hidden(), ground.audit()) == (before, 0, [])


class TestAtATerminal:
    def test_the_number_typed_does_it(self, ground: Ground, answers: Answers) -> None:
        before = ground.contents()
        ran = answers("12\n", *OF_B)
        assert (ran.exit_code, ran.err) == (0, "")
        assert ran.out.endswith("Deleted: 12 of 12 letters.\n")
        assert (ground.contents(), ground.hidden()) == (rest(before, "b-"), 0)

    @pytest.mark.parametrize("typed", ["y\n", "yes\n", "11\n", "012\n", "1 2\n", "\n", "", "²\n"])
    def test_anything_else_changes_nothing(self, typed: str, ground: Ground, answers: Answers) -> None:
        before = ground.contents()
        ran = answers(typed, *OF_B)
        assert (ran.exit_code, "Deleted:" in ran.out) == (1, False)
        assert (ground.contents(), ground.hidden(), ground.audit()) == (before, 0, [])

    def test_letters_can_be_seen_while_the_question_stands(
        self, ground: Ground, answers: Answers, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("typer.prompt", lambda *_, **__: "12" if ground.hidden() == 0 else "no")
        assert answers("", *OF_B).exit_code == 0

    def test_what_dies_while_the_question_stands_is_not_deleted(
        self, ground: Ground, answers: Answers, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Even if it seems to have died before: a history is as old as it says."""

        def prompt(*_: object, **__: object) -> str:
            ground.die("b-late", group=B)
            ground.die("b-early", group=B, last_failed_at=clock.now() - timedelta(hours=1))
            clock.advance(timedelta(hours=1))
            return "12"

        monkeypatch.setattr("typer.prompt", prompt)
        ran = answers("", *OF_B)
        assert (ran.exit_code, "Deleted: 12 of 12" in ran.out) == (0, True)
        assert [one for one in ground.letters() if one.startswith("b")] == ["b-late", "b-early"]

    def test_what_another_one_took_while_the_question_stood_is_said(
        self, ground: Ground, answers: Answers, sqs: FakeSqs, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def prompt(*_: object, **__: object) -> str:
            for _calls in range(2):
                sqs.receive_message(QueueUrl=sqs.queue(DEAD).url, MaxNumberOfMessages=10)
            return "12"

        monkeypatch.setattr("typer.prompt", prompt)
        ran = answers("", *OF_B)
        assert (ran.exit_code, "Deleted: 7 of 12" in ran.out) == (1, True)
        assert "not deleted: 5: SQS did not delete them, they are in somebody's hands just now, or gone" in ran.err
        [(_, _, count, result)] = ground.audit()
        assert (count, result.startswith("failed: 7 of 12 deleted: ")) == (12, True)


class TestWhichAreMeant:
    @pytest.mark.parametrize(
        ("words", "left"),
        [
            pytest.param(("--group", A), "bo", id="group"),
            pytest.param(("--kind", "transient"), "o", id="kind"),
            pytest.param(("--reason", "permanent"), "ao", id="reason"),
            pytest.param(("--reason", "moved"), "ab", id="moved by SQS"),
            pytest.param(("--queue", "EventsQueue"), "", id="queue"),
            pytest.param(("--event", "none"), "abo", id="an event of no letter"),
            pytest.param(("--all",), "", id="all"),
        ],
    )
    def test_are_deleted_and_all_others_lie_as_they_lay(
        self, words: tuple[str, ...], left: str, ground: Ground, dlq: Command
    ) -> None:
        before = ground.contents()
        ran = dlq("discard", *words, "--yes")
        assert (ran.exit_code, ran.err) == (0, "")
        assert ground.contents() == rest(before, *(f"{one}-" for one in "abo" if one not in left))
        assert ground.hidden() == 0

    def test_may_be_named_one_by_one(self, ground: Ground, dlq: Command) -> None:
        before = ground.contents()
        assert dlq("discard", "--event", "a-3", "--event", "b-1", "--yes").exit_code == 0
        assert ground.contents() == {
            name: one for name, one in before.items() if '"a-3"' not in one[1] and '"b-1"' not in one[1]
        }

    @pytest.mark.parametrize("words", [(), ("--yes",), ("--all", "--group", A)], ids=" ".join)
    def test_have_to_be_named(self, words: tuple[str, ...], ground: Ground, dlq: Command) -> None:
        before = ground.contents()
        ran = dlq("discard", *words)
        assert (ran.exit_code, "say which letters" in ran.err) == (2, True)
        assert (ground.contents(), ground.audit()) == (before, [])

    @pytest.mark.parametrize("criterion", ["--group", "--kind", "--reason", "--queue", "--event"])
    def test_an_empty_word_chooses_nothing_rather_than_all(self, criterion: str, ground: Ground, dlq: Command) -> None:
        """As where a script's variable is empty."""
        ground.put(DEAD, "", body="no event")
        before = ground.contents()
        assert dlq("discard", criterion, "", "--yes").exit_code == 2
        assert (ground.contents(), ground.audit()) == (before, [])

    @pytest.mark.parametrize("name", ["shop-events/", "/", "EventsQueueUrl", "shop-event"])
    def test_a_queue_is_named_by_its_whole_name(self, name: str, ground: Ground, dlq: Command) -> None:
        assert dlq("discard", "--queue", name, "--yes").out == "No dead letters are meant: nothing was changed.\n"

    def test_of_a_group_that_is_not_there_nothing_is_done(self, ground: Ground, dlq: Command) -> None:
        ran = dlq("discard", "--group", "gff", "--yes")
        assert (ran.exit_code, "no group gff is known" in ran.err, ground.audit()) == (1, True, [])

    def test_none_meant_is_no_failure(self, ground: Ground, dlq: Command) -> None:
        ran = dlq("discard", "--group", "0" * 16, "--yes")
        assert (ran.exit_code, ran.out) == (0, "No dead letters are meant: nothing was changed.\n")
        assert ground.audit() == []

    def test_hundreds_are_deleted(self, ground: Ground, dlq: Command, sqs: FakeSqs) -> None:
        ground.die(*(f"b-{one}" for one in range(100, 488)), group=B)
        before = ground.contents()
        assert dlq(*OF_B, "--yes").out.endswith("Deleted: 400 of 400 letters.\n")
        assert (ground.contents(), ground.hidden()) == (rest(before, "b-"), 0)
        assert [call.operation for call in sqs.calls].count("DeleteMessageBatch") == 40

    def test_of_an_ordered_queue_only_those_that_it_shows_are_deleted_and_that_is_said(
        self, ground: Ground, dlq: Command
    ) -> None:
        ground.move(*(f"o-{one}" for one in range(3, 25)), queue=ORDERED_DEAD, key="k")
        for left, code in ((15, 1), (5, 1), (0, 0)):
            ran = dlq("discard", "--reason", "moved", "--yes")
            assert (ran.exit_code, len(ground.messages(ORDERED_DEAD)), ground.hidden()) == (code, left, 0)
            assert ("OrderedDeadLetterQueue: letters that were not seen" in ran.err) == bool(left)


class TestTheAudit:
    def test_says_who_deleted_what_and_how_many(self, ground: Ground, dlq: Command) -> None:
        dlq("discard", "--reason", "permanent", "--queue", "EventsQueue", "--event", "b-1", "--event", "b 2", "--yes")
        assert ground.audit() == [
            (
                "dlq discard --reason permanent --queue EventsQueue --event b-1 --event 'b 2' --yes",
                SUBJECT, 1, "done",
            )
        ]  # fmt: skip

    @pytest.mark.parametrize("fault", list(Fault), ids=str)
    def test_that_cannot_be_written_lets_nothing_be_deleted(
        self, fault: Fault, ground: Ground, faults: Faults, dlq: Command
    ) -> None:
        before = ground.contents()
        faults.fail_always("PutItem", fault)
        ran = dlq("discard", "--all", "--yes")
        assert (ran.exit_code, ran.err.count("\n")) == (2, 1)
        assert (ground.contents(), ground.hidden()) == (before, 0)

    def test_is_written_before_anything_is_deleted(self, ground: Ground, faults: Faults, dlq: Command) -> None:
        seen = list[Any]()

        def see(_: object) -> bool:
            seen.append(ground.audit())
            return True

        faults.fail_always("DeleteMessageBatch", Fault.DENIED, when=see)
        dlq(*OF_B, "--yes")
        assert seen[0] == [(f"dlq discard --group {B} --yes", SUBJECT, 12, "begun")]

    def test_that_cannot_be_concluded_is_said(self, ground: Ground, faults: Faults, dlq: Command) -> None:
        faults.fail_always("UpdateItem", Fault.DENIED)
        ran = dlq(*OF_B, "--yes")
        assert (ran.exit_code, "what came of it could not be written down" in ran.err) == (0, True)
        assert [result for *_, result in ground.audit()] == ["begun"]


class TestWhereSqsRefuses:
    @pytest.mark.parametrize("fault", [Fault.DENIED, Fault.THROTTLED, Fault.UNREACHABLE], ids=str)
    def test_to_delete_all_is_left_and_said(self, fault: Fault, ground: Ground, faults: Faults, dlq: Command) -> None:
        before = ground.contents()
        faults.fail_always("DeleteMessageBatch", fault)
        ran = dlq(*OF_B, "--yes")
        assert (ran.exit_code, ran.out.endswith("Deleted: 0 of 12 letters.\n")) == (1, True)
        assert "not deleted: 12: " in ran.err
        assert (ground.contents(), ground.hidden()) == (before, 0)

    def test_single_letters_the_others_are_deleted(self, ground: Ground, sqs: FakeSqs, dlq: Command) -> None:
        sqs.refuses = lambda operation, entry: operation == "DeleteMessageBatch" and entry["Id"] == "1"
        ran = dlq(*OF_B, "--yes")
        assert (ran.exit_code, "Deleted: 10 of 12" in ran.out) == (1, True)
        assert [one for one in ground.letters() if one.startswith("b")] == ["b-1", "b-11"]
        assert ground.hidden() == 0
        sqs.refuses = lambda *_: False
        assert dlq(*OF_B, "--yes").exit_code == 0
        assert rest(ground.contents(), "a-", "o-") == {}

    def test_an_answer_that_is_lost_is_not_taken_for_a_deletion(
        self, ground: Ground, faults: Faults, dlq: Command
    ) -> None:
        faults.fail("DeleteMessageBatch", Fault.ANSWER_LOST)
        ran = dlq(*OF_B, "--yes")
        assert (ran.exit_code, "Deleted: 2 of 12" in ran.out, "or gone already" in ran.err) == (1, True, True)

    def test_to_hand_out_more_what_was_done_is_said(self, ground: Ground, faults: Faults, dlq: Command) -> None:
        first_look = [None] * (3 + 2 + 1 + 2)  # of each queue: calls with letters, calls without
        faults.fail("ReceiveMessage", *first_look, None, None, Fault.DENIED)
        ran = dlq("discard", "--all", "--yes")
        assert (ran.exit_code, ran.out.endswith("Deleted: 20 of 30 letters.\n")) == (1, True)
        assert "not deleted: 10: the dead letters in shop-dead could not be read" in ran.err
        assert (len(ground.contents()), ground.hidden()) == (10, 0)
        assert ground.audit()[0][3].startswith("failed: 20 of 30 deleted: the dead letters in shop-dead")

    def test_to_be_counted_nothing_is_begun(self, ground: Ground, faults: Faults, dlq: Command) -> None:
        before = ground.contents()
        faults.fail_always("ReceiveMessage", Fault.DENIED)
        ran = dlq("discard", "--all", "--yes")
        assert (ran.exit_code, ran.err.count("\n")) == (2, 1)
        assert (ground.contents(), ground.audit()) == (before, [])


class TestEndedAtAnyPoint:
    CALLS = ("receive_message", "delete_message_batch", "change_message_visibility_batch", "get_queue_attributes")

    def end(self, stack: Stack, point: int, run: Callable[[], object]) -> bool:
        """Do something that ends before or after a call; returns whether it did."""
        untouched = stack.sqs
        vars(stack)["sqs"] = Interrupted(untouched, Killer(point), *self.CALLS)
        try:
            run()
        except Killed:
            return True
        finally:
            vars(stack)["sqs"] = untouched
        return False

    def test_only_what_is_meant_is_gone_and_the_same_call_does_the_rest(
        self, stack: Stack, ground: Ground, dlq: Command, clock: VirtualClock
    ) -> None:
        untouched, point = rest(ground.contents(), "b-"), 1
        while self.end(stack, point, lambda: dlq(*OF_B, "--yes")):
            assert rest(ground.contents(), "b-") == untouched
            clock.advance(timedelta(seconds=HIDDEN_SECONDS))
            assert ground.hidden() == 0
            assert dlq(*OF_B, "--yes").exit_code == 0
            assert ground.contents() == untouched
            ground.die(*(f"b-{one}" for one in range(12)), group=B)
            point += 1
        assert point > 20

    def test_an_interrupted_one_gives_back_what_it_took(
        self, stack: Stack, ground: Ground, dlq: Command, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before, calls = ground.contents(), list[int]()
        delete = stack.sqs.delete_message_batch

        def interrupted(**request: Any) -> Any:
            calls.append(len(request["Entries"]))
            if len(calls) == 2:
                raise KeyboardInterrupt
            return delete(**request)

        monkeypatch.setattr(stack.sqs, "delete_message_batch", interrupted)
        assert dlq(*OF_B, "--yes").exit_code != 0
        assert calls == [10, 2]
        assert (rest(ground.contents(), "b-"), ground.hidden()) == (rest(before, "b-"), 0)
        assert [result for *_, result in ground.audit()] == ["begun"], "an entry that tells of what was interrupted"


def test_hostile_letters_do_no_harm(ground: Ground, dlq: Command) -> None:
    ground.die(HOSTILE, event_id=HOSTILE, key=HOSTILE, reason=HOSTILE)
    for words in (("--event", HOSTILE), ("--queue", HOSTILE), ("--group", HOSTILE), ("--event", "\udcff")):
        assert is_harmless(dlq("discard", *words))
    assert dlq("discard", "--event", HOSTILE, "--yes").exit_code == 0
    assert HOSTILE not in ground.letters()
