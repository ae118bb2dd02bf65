"""Whatever becomes of the copy, or of the command, the original is there until the copy is done."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ops.stack import Stack
from tests.fakes.faults import Fault, Faults
from tests.fakes.sqs import FakeSqs
from tests.ops.command import Command
from tests.ops.dlq.ground import DEAD, Ground
from tests.ops.dlq.kept import Bucket
from tests.ops.dlq.mending import (
    BODY,
    MENDED,
    Worker,
    bucket,
    copy_of,
    edit,
    edits,
    entries,
    sent,
    worker,
)
from tests.ops.replay.interruptions import Interrupted, Killed, Killer

__all__ = ["bucket", "edit", "edits", "worker"]


class TestTheOriginal:
    @pytest.fixture(autouse=True)
    def _dead(self, ground: Ground) -> None:
        ground.die("o-1", body=BODY)

    def test_is_settled_when_the_copy_is_done(self, ground: Ground, edit: Command, worker: Worker) -> None:
        worker.verdicts = ["", "Retry", "", "Done"]
        ran = edit()
        assert (ran.exit_code, ran.out.endswith("The copy is done, and the original is settled.\n")) == (0, True)
        assert (ground.letters(), worker.waited) == ([], 8)

    @pytest.mark.parametrize(
        ("verdicts", "why", "waited"),
        [
            pytest.param([], "nothing is known of the copy yet", 60, id="no evidence"),
            pytest.param(["", "Dead"], "the copy failed again and is a dead letter, too", 4, id="dead again"),
            pytest.param(["Retry"], "the copy failed again and is retrying", 60, id="retrying"),
            pytest.param(["Redriven"], "nothing is known of the copy yet", 60, id="on its way"),
        ],
    )
    def test_stays_where_it_is_not(
        self, verdicts: list[str], why: str, waited: int, ground: Ground, edit: Command, worker: Worker
    ) -> None:
        worker.verdicts = verdicts
        ran = edit()
        mark = copy_of(ground)[0]
        assert (ran.exit_code, ground.letters(), ground.hidden(), worker.waited) == (1, ["o-1"], 0, waited)
        assert f"the original stays: {why}" in ran.err
        assert f"backstop dlq edit --settle {mark} --stack shop o-1\n" in ran.err
        assert entries(ground)[0][1].startswith("failed: the original stays")

    def test_is_not_settled_by_what_another_redrive_did(self, ground: Ground, edit: Command, worker: Worker) -> None:
        worker.befall("Done", redrive_id="e20260105-080000-1f2e")
        worker.befall("Done", redrive_id="")
        worker.verdicts = []
        assert edit("--wait", "10").exit_code == 1
        assert (ground.letters(), worker.waited) == (["o-1"], 10)

    def test_stays_where_one_does_not_wait(self, ground: Ground, edit: Command, worker: Worker) -> None:
        ran = edit("--wait", "0")
        assert (ran.exit_code, worker.waited, ground.letters()) == (0, 0, ["o-1"])
        assert f"backstop dlq edit --settle {copy_of(ground)[0]} --stack shop o-1\n" in ran.out

    def test_is_settled_later(self, ground: Ground, edit: Command, worker: Worker, bucket: Bucket) -> None:
        edit("--wait", "0")
        mark = copy_of(ground)[0]
        worker.verdicts = []
        assert edit("--settle", mark, "--wait", "0").exit_code == 1
        assert ground.letters() == ["o-1"]
        ground.clock.advance(timedelta(hours=1))
        worker.befall("Done")
        assert edit("--settle", mark).exit_code == 0
        assert ground.letters() == []
        assert entries(ground)[-1] == (f"dlq edit o-1 --settle {mark} --yes", "done")
        assert edit("--settle", mark).exit_code == 0, "it is gone: that is what settled means"

    def test_is_told_from_the_copy_that_died_again(self, ground: Ground, edit: Command, worker: Worker) -> None:
        edit("--wait", "0")
        mark = copy_of(ground)[0]
        ground.die("o-1", body=MENDED, redrive_id=mark)
        worker.befall("Done")
        assert edit("--settle", mark).exit_code == 0
        assert [one.body for one in ground.messages()] == [MENDED]

    @pytest.mark.parametrize("mark", ["e20260105-090000-ffff", "x", "../..", "e\uff120260105-090000-ffff"])
    def test_stays_where_no_such_edit_is_known(self, mark: str, ground: Ground, edit: Command) -> None:
        ran = edit("--settle", mark)
        assert (ran.exit_code in (1, 2), ran.err.count("\n"), ground.letters()) == (True, 1, ["o-1"])

    def test_stays_where_what_is_kept_was_not_written_here(self, ground: Ground, edit: Command, bucket: Bucket) -> None:
        edit("--wait", "0")
        mark = copy_of(ground)[0]
        [key] = bucket.keys()
        for body in (b"{", b"[]", b"{}", b"\xff"):
            bucket.client.put_object(Bucket="data", Key=key, Body=body)
            ran = edit("--settle", mark)
            assert (ran.exit_code, ran.err.count("\n"), ground.letters()) == (2, 1, ["o-1"])

    def test_stays_where_the_copy_was_not_taken(self, ground: Ground, sqs: FakeSqs, edit: Command) -> None:
        sqs.refuses = lambda operation, entry: operation == "SendMessageBatch"
        ran = edit()
        assert (ran.exit_code, sent(ground), ground.letters()) == (1, [], ["o-1"])
        assert "SQS did not take the copy, or did not say so" in ran.err
        assert entries(ground)[0][1].startswith("failed: ")

    def test_stays_where_nobody_knows_whether_it_was_and_can_be_settled(
        self, ground: Ground, sqs: FakeSqs, edit: Command, worker: Worker
    ) -> None:
        sqs.faults.fail("SendMessageBatch", Fault.ANSWER_LOST)
        ran = edit()
        mark = copy_of(ground)[0]
        assert (ran.exit_code, ground.letters(), f"--settle {mark}" in ran.err) == (1, ["o-1"], True)
        worker.befall("Done")
        assert edit("--settle", mark).exit_code == 0
        assert ground.letters() == []

    def test_stays_where_the_table_does_not_answer(self, ground: Ground, faults: Faults, edit: Command) -> None:
        faults.fail_always("Query", Fault.DENIED)
        ran = edit()
        assert (ran.exit_code, ground.letters()) == (1, ["o-1"])
        assert "what befell the copy could not be read" in ran.err
        assert "--settle" in ran.err

    def test_that_is_not_deleted_is_told(self, ground: Ground, sqs: FakeSqs, edit: Command) -> None:
        sqs.refuses = lambda operation, entry: operation == "DeleteMessageBatch"
        ran = edit()
        assert (ran.exit_code, ground.letters(), ground.hidden()) == (1, ["o-1"], 0)
        assert "the original stays: SQS did not delete it" in ran.err

    def test_in_somebodys_hands_is_not_taken_for_gone(self, ground: Ground, edit: Command, worker: Worker) -> None:
        worker.then = lambda: ground.sqs.queue(DEAD).receive(10, timedelta(minutes=5))
        ran = edit()
        assert (ran.exit_code, ground.letters()) == (1, ["o-1"])
        assert "the original stays: it was not seen: " in ran.err
        assert "in somebody's hands" in ran.err


def test_ended_at_any_call_the_original_is_there_or_the_copy_is_done(
    ground: Ground, stack: Stack, bucket: Bucket, edit: Command, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What remains is settled by the id that the bucket has, or edited once more: an event is done once."""
    monkeypatch.setattr("ops.dlq.editor.edit", lambda text: text.replace("EURO", "EUR"))
    point, ends = 0, []
    while True:
        point += 1
        ground.messages().clear()
        sent(ground).clear()
        ground.clock.advance(timedelta(minutes=5))
        ground.die("o-1", body=BODY)
        worker.verdicts = ["Done"]
        killer = Killer(point)
        with monkeypatch.context() as patch:
            for name, calls in {
                "sqs": (
                    "receive_message", "change_message_visibility_batch", "send_message_batch", "delete_message_batch",
                ),
                "dynamodb": ("put_item", "update_item"),
                "s3": ("put_object",),
            }.items():  # fmt: skip
                patch.setitem(vars(stack), name, Interrupted(getattr(stack, name), killer, *calls))
            try:
                edit()
            except Killed:
                pass
            else:
                break
        ends.append((len(ground.letters()), len(sent(ground))))
        ground.clock.advance(timedelta(minutes=5))
        if sent(ground) and ground.letters():
            worker.verdicts = ["Done"]
            assert edit("--settle", copy_of(ground)[0]).exit_code == 0
            assert ground.letters() == []
        elif ground.letters():
            assert edit().exit_code == 0
    in_order = list(dict.fromkeys(ends))
    assert in_order == [(1, 0), (1, 1), (0, 1)]
