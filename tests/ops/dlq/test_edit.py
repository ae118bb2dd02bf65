"""An event is mended in an editor and sent back as it came, with nothing else changed, and not unasked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from backstop.trail import ATTRIBUTE
from tests.fakes.faults import Fault, Faults
from tests.ops.command import Command, Ran
from tests.ops.dlq.conftest import is_harmless
from tests.ops.dlq.ground import DEAD, HOSTILE, ORDERED_DEAD, Ground
from tests.ops.dlq.kept import Bucket
from tests.ops.dlq.mending import (
    BODY,
    MENDED,
    ORDER,
    Edits,
    Worker,
    bucket,
    copy_of,
    edit,
    edits,
    entries,
    sent,
    worker,
)

__all__ = ["bucket", "edit", "edits", "worker"]


class TestTheCopy:
    def test_is_sent_with_the_edit_and_nothing_else_changed(self, ground: Ground, edit: Command) -> None:
        own = {"bytes": {"DataType": "Binary", "BinaryValue": b"\x00\xff"}}
        ground.die("o-1", body=BODY, attributes=own)
        ground.messages()[0].system["MessageGroupId"] = "tenant"
        ran = edit()
        assert (ran.exit_code, ran.err) == (0, "")
        [copy] = sent(ground)
        assert (copy.body, copy.group) == (MENDED, "tenant")
        assert {name: one for name, one in copy.attributes.items() if name != ATTRIBUTE} == own

    def test_is_linked_to_the_original_by_its_history(self, ground: Ground, edit: Command) -> None:
        ground.die("o-1", body=BODY, redrives=1)
        edit()
        mark, trail = copy_of(ground)
        assert mark.startswith("e20260105-090000-")
        assert (trail.event_id, trail.verdict, trail.attempt, trail.redrives) == ("o-1", "dead", 6, 2)
        assert trail.last_failed_at is not None  # so that a worker tells that it recovered

    def test_goes_back_to_where_the_letter_came_from(self, ground: Ground, edit: Command, worker: Worker) -> None:
        worker.verdicts = []
        ground.die("o-1", body=BODY, source_queue="shop-retry")
        assert edit("--wait", "0").exit_code == 0
        assert (len(sent(ground)), len(sent(ground, "shop-retry"))) == (0, 1)

    def test_may_be_of_a_letter_that_sqs_moved(self, ground: Ground, edit: Command) -> None:
        arn = "arn:aws:sqs:eu-west-1:123456789012:shop-events"
        ground.put(DEAD, "o-1", body=BODY, system={"DeadLetterQueueSourceArn": arn})
        assert edit().exit_code == 0
        assert (sent(ground)[0].body, ground.messages()) == (MENDED, [])

    def test_keeps_numbers_and_escapes_as_they_were_typed(
        self, ground: Ground, edit: Command, edits: Edits, tmp_path: Path
    ) -> None:
        body = r'{"id":"o-1","n":1.0,"big":123456789012345678901,"u":"\u00fc","x":"EURO"}'
        ground.die("o-1", body=body)
        schema = tmp_path / "any.json"
        schema.write_text("{}")
        assert edit("--schema", str(schema)).exit_code == 0
        assert sent(ground)[0].body == body.replace("EURO", "EUR")

    def test_can_be_made_of_a_body_that_is_no_event(self, ground: Ground, edit: Command, edits: Edits) -> None:
        ground.die("o-1", body=f"{BODY},")
        edits("EURO", "EUR", "},", "}")
        edits('"EURO"', '"EUR"')
        assert edit().exit_code == 1  # the comma is still there
        edits(f"{BODY},", MENDED)
        assert edit().exit_code == 0
        assert sent(ground)[0].body == MENDED


class TestThePersonIsShown:
    def test_the_body_laid_out(self, ground: Ground, edit: Command, tmp_path: Path) -> None:
        ground.die("o-1", body=BODY)
        edit()
        assert (tmp_path / "opened.txt").read_text() == json.dumps(ORDER, indent=2) + "\n"

    def test_what_was_changed(self, ground: Ground, edit: Command) -> None:
        ground.die("o-1", body=BODY)
        out = edit().out
        assert '-  "currency": "EURO",\n+  "currency": "EUR",\n' in out
        assert "It is sent to shop-events; the original stays until the copy is done.\n" in out

    def test_nothing_that_a_terminal_would_obey(self, ground: Ground, edit: Command, edits: Edits) -> None:
        as_json_takes_it = "".join(one for one in HOSTILE + "\x9b2J" if one >= " ")
        ground.die("o-1", body=BODY.replace('"c"', f'"{as_json_takes_it}"'), reason=HOSTILE)
        edits("EURO", f"EUR{HOSTILE}")
        ran = edit()
        assert (ran.exit_code, is_harmless(ran)) == (1, True)
        edits("EURO", "EUR")
        ran = edit()
        assert (ran.err, ran.exit_code, is_harmless(ran)) == ("", 0, True)

    def test_a_dry_run_where_nobody_sits(self, ground: Ground, dlq: Command, edit: Command) -> None:
        ground.die("o-1", body=BODY)
        ran = dlq("edit", "o-1")
        assert (ran.exit_code, ran.out.endswith("Dry run: nothing was sent; --yes does it.\n")) == (0, True)
        assert (sent(ground), ground.audit(), ground.letters()) == ([], [], ["o-1"])

    @pytest.mark.parametrize(("typed", "is_sent"), [("y\n", True), ("n\n", False), ("\n", False), ("", False)])
    def test_and_asked(
        self, typed: str, is_sent: bool, ground: Ground, edit: Command, answers: Callable[..., Ran]
    ) -> None:
        ground.die("o-1", body=BODY)
        assert answers(typed, "edit", "o-1").exit_code == int(not is_sent)
        assert (len(sent(ground)), len(ground.letters())) == ((1, 0) if is_sent else (0, 1))


class TestWhatIsNoEvent:
    @pytest.mark.parametrize(
        ("new", "why"),
        [
            pytest.param("EURO", "not what the schema allows: data.items[0].quantity", id="the schema"),
            pytest.param('"', "not JSON: ", id="no JSON"),
        ],
    )
    def test_is_told_with_its_place_and_not_sent(
        self, new: str, why: str, ground: Ground, edit: Command, edits: Edits
    ) -> None:
        ground.die("o-1", body=MENDED)
        edits('"quantity": 1' if new == "EURO" else '"EUR"', '"quantity": "x"' if new == "EURO" else new)
        ran = edit()
        assert (ran.exit_code, ran.err.startswith(f"backstop: {why}")) == (1, True)
        assert (sent(ground), ground.letters(), ground.audit()) == ([], ["o-1"], [])

    def test_may_not_be_another_event(self, ground: Ground, edit: Command, edits: Edits) -> None:
        ground.die("o-1", body=MENDED)
        edits("o-1", "o-2")
        ran = edit()
        assert (ran.exit_code, "its `id` is o-2, not o-1" in ran.err, sent(ground)) == (1, True, [])

    def test_can_be_edited_again(
        self, ground: Ground, edit: Command, edits: Edits, answers: Callable[..., Ran], tmp_path: Path
    ) -> None:
        ground.die("o-1", body=BODY)
        edits("EURO", "DOLLAR", "DOLLAR", "USD")
        ran = answers("y\n", "edit", "o-1", "--yes")
        assert (ran.exit_code, "data.currency" in ran.err) == (0, True)
        assert "DOLLAR" in (tmp_path / "opened.txt").read_text()
        assert sent(ground)[0].body == BODY.replace("EURO", "USD")

    def test_or_not(self, ground: Ground, edit: Command, edits: Edits, answers: Callable[..., Ran]) -> None:
        ground.die("o-1", body=BODY)
        edits("EURO", "DOLLAR")
        assert answers("n\n", "edit", "o-1", "--yes").exit_code == 1
        assert sent(ground) == []

    @pytest.mark.parametrize("schema", [None, "{", "[]", '"x"', '{"type": "nothing"}'])
    def test_a_schema_that_is_none_is_a_sentence(
        self, schema: str | None, ground: Ground, edit: Command, tmp_path: Path
    ) -> None:
        ground.die("o-1", body=BODY)
        file = tmp_path / "schema.json"
        if schema is not None:
            file.write_text(schema)
        ran = edit("--schema", str(file))
        assert (ran.exit_code, ran.err.count("\n"), sent(ground)) == (2, 1, [])


class TestNothingIsDone:
    @pytest.mark.parametrize(("old", "new"), [("nowhere", ""), ('{\n  "id"', '{ "id"')], ids=["as it was", "blanks"])
    def test_where_nothing_was_changed(self, old: str, new: str, ground: Ground, edit: Command, edits: Edits) -> None:
        ground.die("o-1", body=MENDED)
        edits(old, new)
        ran = edit()
        assert (ran.exit_code, ran.out) == (0, "Nothing was changed: the letter stays as it is.\n")
        assert (sent(ground), ground.audit(), ground.hidden()) == ([], [], 0)

    def test_where_the_event_has_no_dead_letter(self, ground: Ground, edit: Command) -> None:
        ran = edit()
        assert (ran.exit_code, ran.err) == (
            1, "backstop: no dead letter of event o-1 was seen: backstop dlq show tells which there are\n",
        )  # fmt: skip

    def test_where_it_has_several_unless_one_is_named(self, ground: Ground, edit: Command) -> None:
        ground.die("o-1", "o-1", body=BODY)
        first, second = (one.message_id for one in ground.messages())
        ran = edit()
        assert (ran.exit_code, f"--message: {first}, {second}" in ran.err, sent(ground)) == (1, True, [])
        assert edit("--message", second).exit_code == 0
        assert [one.message_id for one in ground.messages()] == [first]

    @pytest.mark.parametrize("source", ["shop-elsewhere", DEAD, "shop-drain"])
    def test_where_it_came_from_no_queue_that_takes_it(self, source: str, ground: Ground, edit: Command) -> None:
        ground.die("o-1", body=BODY, source_queue=source)
        ran = edit()
        assert (ran.exit_code, "is sent back to EventsQueue or RetryQueue only" in ran.err) == (1, True)

    def test_to_an_ordered_key(self, ground: Ground, edit: Command) -> None:
        ground.move("o-1", queue=ORDERED_DEAD, key="k", source="shop-ordered.fifo")
        ran = edit()
        assert (ran.exit_code, "backstop keys" in ran.err, ran.err.count("\n")) == (1, True, 1)

    def test_nor_to_one_that_a_worker_let_die(self, ground: Ground, edit: Command) -> None:
        ground.die("o-1", body=BODY, source_queue="shop-ordered.fifo", key="k")
        assert "backstop keys" in edit().err

    def test_where_somebody_else_dealt_with_it_meanwhile(
        self, ground: Ground, edit: Command, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ground.die("o-1", body=BODY)

        def slow(text: str) -> str:
            ground.messages().clear()
            return text.replace("EURO", "EUR")

        monkeypatch.setattr("ops.dlq.editor.edit", slow)
        ran = edit()
        assert (ran.exit_code, "the letter is gone, or in somebody's hands" in ran.err) == (1, True)
        assert (sent(ground), ground.audit()) == ([], [])


class TestWhatIsKept:
    def test_are_both_bodies_where_the_audit_says(self, ground: Ground, edit: Command, bucket: Bucket) -> None:
        ground.die("o-1", body=BODY)
        original = ground.messages()[0].message_id
        edit()
        [(command, subject, number, result)] = ground.audit()
        assert (command, number, result) == ("dlq edit o-1 --yes", 1, "done")
        assert bucket.keys() == [subject]
        assert subject.startswith("edited/")
        assert json.loads(bucket.text(subject)) == {
            "version": 1,
            "event_id": "o-1",
            "queue": DEAD,
            "message_id": original,
            "redrive_id": copy_of(ground)[0],
            "edited_at": "2026-01-05T09:00:00.000+00:00",
            "original": BODY,
            "edited": MENDED,
        }

    def test_no_payload_is_in_the_audit(self, ground: Ground, edit: Command) -> None:
        ground.die("o-1", body=BODY)
        edit()
        assert "EUR" not in str(ground.client.scan(TableName="audit")["Items"])

    def test_what_cannot_be_written_down_is_not_sent(self, ground: Ground, faults: Faults, edit: Command) -> None:
        ground.die("o-1", body=BODY)
        faults.fail_always("PutItem", Fault.DENIED)
        assert edit().exit_code == 2
        assert (sent(ground), ground.letters()) == ([], ["o-1"])

    def test_nor_is_what_the_bucket_does_not_keep(self, ground: Ground, edit: Command, bucket: Bucket) -> None:
        ground.die("o-1", body=BODY)
        bucket.client.delete_bucket(Bucket="data")
        ran = edit()
        assert (ran.exit_code, ran.err.count("\n"), sent(ground), ground.letters()) == (2, 1, [], ["o-1"])
        assert entries(ground)[0][1].startswith("failed: ")
