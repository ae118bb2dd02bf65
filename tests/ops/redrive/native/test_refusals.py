"""A move that is not written down, or that SQS does not take, is not begun, and why is said."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from botocore.exceptions import ClientError

from ops.failure import CallFailed
from ops.redrive import native
from ops.stack import Stack
from tests.fakes.faults import Fault, Faults
from tests.ops.dlq.conftest import SESSION, is_harmless
from tests.ops.dlq.ground import HOSTILE
from tests.ops.redrive.native.conftest import Run
from tests.ops.redrive.native.ground import BUSY, DEAD, Sqs, arn


class TestTheAudit:
    @pytest.mark.parametrize("fault", [Fault.DENIED, Fault.THROTTLED], ids=str)
    def test_that_cannot_be_written_lets_nothing_begin(
        self, fault: Fault, sqs: Sqs, faults: Faults, start: Run
    ) -> None:
        sqs.is_about_to_move(12)
        faults.fail_always("PutItem", fault)
        with pytest.raises(ClientError) as error:
            start(yes=True)
        assert error.value.operation_name == "PutItem"

    def test_that_cannot_be_concluded_is_said(self, sqs: Sqs, faults: Faults, start: Run) -> None:
        sqs.is_about_to_move(12)
        sqs.starts(SourceArn=arn("dead"), DestinationArn=arn("events"))
        faults.fail_always("UpdateItem", Fault.DENIED)
        ran = start(yes=True)
        assert (ran.exit_code, "what came of it could not be written down" in ran.err) == (0, True)
        assert [result for *_, result in sqs.audit()] == ["begun"]


class TestWhereSqsRefuses:
    @pytest.mark.parametrize("code", ["InvalidParameterValue", "AWS.SimpleQueueService.UnsupportedOperation"])
    def test_a_second_move_that_is_said(self, code: str, sqs: Sqs, start: Run) -> None:
        sqs.is_about_to_move(12)
        sqs.refuses("start_message_move_task", code, BUSY)
        ran = start(yes=True)
        why = (
            "SQS moves DeadLetterQueue already, and one move at a time is all it does: "
            "backstop redrive status --native --stack shop"
        )
        assert (ran.exit_code, ran.err) == (1, f"backstop: {why}\n")
        assert [(count, result) for *_, count, result in sqs.audit()] == [(12, f"failed: {why}")]

    def test_a_call_that_was_made_again_it_may_be_this_ones_move(self, sqs: Sqs, start: Run) -> None:
        sqs.is_about_to_move(12)
        sqs.refuses("start_message_move_task", "InvalidParameterValue", BUSY, retries=1)
        assert "already, perhaps begun by this call, and" in start(yes=True).err

    @pytest.mark.parametrize(
        ("code", "message"),
        [
            ("ResourceNotFoundException", "The resource that you specified for the DestinationArn doesn't exist."),
            ("AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist."),
            ("InvalidParameterValue", "Source queue must be configured as a Dead Letter Queue."),
            ("AWS.SimpleQueueService.UnsupportedOperation", "CouldNotDetermineMessageSource"),
            ("AccessDenied", HOSTILE),
        ],
        ids=str,
    )
    def test_nothing_is_moved_and_why_is_said(self, code: str, message: str, sqs: Sqs, start: Run) -> None:
        sqs.is_about_to_move(12)
        sqs.refuses("start_message_move_task", code, message)
        ran = start(yes=True)
        assert ran.err.startswith("backstop: nothing was moved: AWS refused StartMessageMoveTask: ")
        assert (ran.exit_code, ran.err.count("\n"), is_harmless(ran)) == (1, 1, True)
        assert sqs.audit()[0][3].startswith("failed: nothing was moved: ")

    def test_as_it_is_broken_it_is_not_known_whether_it_has_begun(self, sqs: Sqs, start: Run) -> None:
        sqs.is_about_to_move(12)
        sqs.refuses("start_message_move_task", "InternalFailure", status=500)
        ran = start(yes=True)
        said = "it may have begun all the same: backstop redrive status --native --stack shop"
        assert (ran.exit_code, said in ran.err, "nothing was moved" in ran.err) == (1, True, False)

    def test_to_answer_it_is_not_known_whether_it_has_begun(self, sqs: Sqs, start: Run) -> None:
        sqs.is_about_to_move(12)
        unreachable = Faults()
        unreachable.fail_always("StartMessageMoveTask", Fault.UNREACHABLE)
        with unreachable.installed(sqs.stack.sqs):
            ran = start(yes=True)
        assert (ran.exit_code, "it may have begun all the same: backstop redrive status --native" in ran.err) == (
            1,
            True,
        )
        assert sqs.audit()[0][3].startswith("failed: ")


class TestOnTheLocalAws:
    @pytest.mark.parametrize(
        ("call", "instead"),
        [
            pytest.param(
                lambda stack: native.start(stack, DEAD, None, is_agreed=True, as_json=False),
                "backstop redrive --all --stack shop --local",
                id="start",
            ),
            pytest.param(
                lambda stack: native.status(stack, as_json=True),
                "backstop redrive status --stack shop --local",
                id="status",
            ),
            pytest.param(native.cancel, "backstop redrive cancel --stack shop --local JOB", id="cancel"),
        ],
    )
    def test_one_sentence_says_what_to_type_instead(self, call: Callable[[Stack], int], instead: str) -> None:
        with pytest.raises(CallFailed) as error:
            call(Stack("shop", SESSION, "http://localhost:1"))
        assert str(error.value) == (
            f"the local AWS has no moves of SQS's own (StartMessageMoveTask); without --native: {instead}"
        )
