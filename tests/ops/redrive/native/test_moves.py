"""What SQS tells of its moves is shown and does no harm, and what runs can be ended."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from ops.redrive import native
from tests.fakes.faults import Fault, Faults
from tests.ops.dlq.conftest import is_harmless
from tests.ops.dlq.ground import HOSTILE
from tests.ops.redrive.native.conftest import Run
from tests.ops.redrive.native.ground import DEAD, FAILED, ORDERED, TASK, Sqs, running


class TestStatus:
    def test_tells_programs_of_the_moves_of_both_queues(self, sqs: Sqs, run: Run) -> None:
        sqs.tells("dead", running(TASK), FAILED)
        sqs.tells("ordered-dead.fifo")
        ran = run(native.status, as_json=True)
        assert (ran.exit_code, ran.err) == (0, "")
        assert json.loads(ran.out) == {
            "moves": [
                {
                    "queue": DEAD,
                    "to": "shop-events",
                    "status": "RUNNING",
                    "moved": 40,
                    "to_move": 1200,
                    "rate": 10,
                    "started": "2026-01-05T09:00:00.000+00:00",
                    "failure": "",
                    "task": TASK,
                },
                {
                    "queue": DEAD,
                    "to": "",
                    "status": "FAILED",
                    "moved": 3,
                    "to_move": None,
                    "rate": None,
                    "started": "2026-01-05T08:00:00.000+00:00",
                    "failure": "AWS.SimpleQueueService.NonExistentQueue",
                    "task": None,
                },
            ]
        }

    def test_shows_people_why_one_failed(self, sqs: Sqs, run: Run) -> None:
        sqs.tells("dead", FAILED | {"FailureReason": "CouldNotDetermineMessageSource"})
        sqs.tells("ordered-dead.fifo", running(TASK))
        ran = run(native.status, as_json=False)
        assert ran.exit_code == 0
        assert all(said in ran.out for said in ("FAILED", "CouldNotDetermineMessageSource", ORDERED, "RUNNING", "1200"))

    def test_obeys_nothing_that_a_reason_holds(self, sqs: Sqs, run: Run) -> None:
        sqs.tells("dead", FAILED | {"FailureReason": HOSTILE, "Status": HOSTILE, "DestinationArn": HOSTILE})
        sqs.tells("ordered-dead.fifo")
        ran = run(native.status, as_json=False)
        assert (is_harmless(ran), "[red]" in ran.out) == (True, True)

    def test_of_a_stack_that_moved_nothing_says_so(self, sqs: Sqs, run: Run) -> None:
        sqs.tells("dead")
        sqs.tells("ordered-dead.fifo")
        ran = run(native.status, as_json=False)
        assert (ran.exit_code, ran.out) == (0, "SQS knows of no moves: nothing was moved by it lately.\n")

    def test_of_a_stack_without_an_ordered_lane_asks_of_one_queue(self, sqs: Sqs, run: Run) -> None:
        del vars(sqs.stack)["_outputs"][f"{ORDERED}Url"]
        sqs.tells("dead")
        assert json.loads(run(native.status, as_json=True).out) == {"moves": []}


class TestCancel:
    def test_ends_what_runs_and_says_how_far_it_came(self, sqs: Sqs, run: Run) -> None:
        sqs.tells("dead", running("one"), FAILED)
        sqs.tells("ordered-dead.fifo", running("two", ApproximateNumberOfMessagesToMove=5))
        sqs.cancels("one", 44)
        sqs.cancels("two", 0)
        ran = run(native.cancel)
        assert (ran.exit_code, ran.err) == (0, "")
        assert ran.out.startswith("DeadLetterQueue: cancelled. About 44 of 1,200 letters are moved, ")
        assert "OrderedDeadLetterQueue: cancelled. About 0 of 5 letters are moved, " in ran.out
        assert sqs.audit() == [
            ("redrive cancel --native", "queue DeadLetterQueue", 44, "done"),
            ("redrive cancel --native", "queue OrderedDeadLetterQueue", 0, "done"),
        ]

    @pytest.mark.parametrize("status", ["COMPLETED", "CANCELLING", "CANCELLED", "FAILED"])
    def test_ends_nothing_where_nothing_runs(self, status: str, sqs: Sqs, run: Run) -> None:
        told = running(TASK, Status=status)
        sqs.tells("dead", told)
        sqs.tells("ordered-dead.fifo")
        ran = run(native.cancel)
        assert (ran.exit_code, ran.err) == (1, "backstop: SQS moves nothing just now: there is nothing to cancel\n")
        assert sqs.audit() == []

    @pytest.mark.parametrize(
        ("code", "said"),
        [
            ("ResourceNotFoundException", "it was over before it could be cancelled"),
            ("InvalidParameterValue", "AWS refused CancelMessageMoveTask: x\\u001b[2J"),
            ("AWS.SimpleQueueService.UnsupportedOperation", "AWS refused CancelMessageMoveTask: x\\u001b[2J"),
        ],
        ids=str,
    )
    def test_of_one_that_sqs_does_not_end_ends_the_other(self, code: str, said: str, sqs: Sqs, run: Run) -> None:
        sqs.tells("dead", running("one"))
        sqs.tells("ordered-dead.fifo", running("two"))
        sqs.refuses("cancel_message_move_task", code, HOSTILE)
        sqs.cancels("two", 3)
        ran = run(native.cancel)
        assert ran.err.startswith(f"backstop: DeadLetterQueue: not cancelled: {said}")
        assert (ran.exit_code, is_harmless(ran), "OrderedDeadLetterQueue: cancelled" in ran.out) == (1, True, True)
        assert [result[:7] for *_, result in sqs.audit()] == ["failed:", "done"]

    def test_ends_nothing_that_cannot_be_written_down(self, sqs: Sqs, faults: Faults, run: Run) -> None:
        sqs.tells("dead", running("one"))
        sqs.tells("ordered-dead.fifo", running("two"))
        faults.fail("PutItem", None, Fault.DENIED)
        with pytest.raises(ClientError) as error:
            run(native.cancel)
        assert error.value.operation_name == "PutItem"
