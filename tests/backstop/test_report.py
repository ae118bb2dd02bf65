from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any, NoReturn

import pytest

from backstop.errors import MalformedEvent
from backstop.event import parser
from backstop.fingerprint import Fingerprint, Surroundings
from backstop.kinds import Kind
from backstop.message import read
from backstop.report import Description, Report, describe, tellable, trail_after
from backstop.trail import FRESH, MAX_REASON, Trail
from backstop.verdict import Dead, Reason, Retry
from tests.backstop import MARKER, NOW, QUEUES, message, record, string

HERE = __file__.rpartition("/")[0]
TRAIL = Trail(
    attempt=2,
    event_id="order-1",
    first_failed_at=NOW - timedelta(hours=1),
    last_failed_at=NOW - timedelta(minutes=1),
    source_queue="events",
    verdict="retry",
    kind="transient",
    error_type="TimeoutError",
    group="0123456789abcdef",
    reason="timed out",
    release="1.0.0",
    redrive_id="r-1",
)
BOOM = Description("ValueError", "boom", "handler:handle", "fedcba9876543210")
LATER = Retry(NOW + timedelta(seconds=5), is_counted=True)
DEFERRED = Retry(NOW + timedelta(seconds=5), is_counted=False)
DEAD = Dead(Reason.EXHAUSTED)


def raised(error: Exception) -> Exception:
    try:
        raise error
    except Exception as caught:  # noqa: BLE001  # any error at all is described here
        return caught


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


class NotText(Exception):
    def __str__(self) -> Any:
        return 5


class TestDescribe:
    def test_tells_type_text_place_and_group(self) -> None:
        described = describe(raised(ValueError("no price for 'c-1'")), HERE)
        assert described.error_type == "ValueError"
        assert described.error == "no price for <quoted>"
        assert described.where == "tests.backstop.test_report:raised"
        assert len(described.group) == 16

    def test_nothing_is_told_of_what_only_waits(self) -> None:
        assert describe(None, HERE) == Description("", "", "", "")

    def test_the_same_failure_of_another_message_is_in_the_same_group(self) -> None:
        errors = [ValueError("no price for 'c-1', 3 pieces"), ValueError("no price for 'c-27', 100 pieces")]
        assert len({describe(raised(error), HERE).group for error in errors}) == 1

    def test_the_same_failure_elsewhere_is_in_another_group(self) -> None:
        error = raised(ValueError("boom"))
        known = Surroundings(kind="transient", function="shop", stage="prod")
        groups = {
            describe(error, HERE, one).group
            for one in (
                known,
                known._replace(function="mail"),
                known._replace(stage="dev"),
                known._replace(kind="system"),
            )
        }
        assert len(groups) == 4

    def test_what_the_group_is_made_of_is_told(self) -> None:
        described = describe(raised(ValueError("boom")), HERE)
        assert Fingerprint(described.parts).group == described.group
        assert ("frame", "tests.backstop.test_report:raised") in described.parts

    def test_a_vendored_library_is_not_where_it_failed(self) -> None:
        known = Surroundings(vendored=frozenset({"test_report"}))
        described = describe(raised(ValueError("boom")), HERE, known)
        assert described.where == ""
        assert ("message", "boom") in described.parts

    def test_values_secrets_and_people_are_not_told(self) -> None:
        told = describe(ValueError(f"'{MARKER}' of {MARKER}@example.com, password={MARKER}"), HERE).error
        assert told == "<quoted> of [email], password=[redacted]"

    def test_a_quoted_payload_is_not_told_however_long_it_is(self) -> None:
        assert MARKER not in describe(ValueError(f"cannot read {MARKER * 500!r}"), HERE).error

    def test_a_text_of_any_length_is_cut(self) -> None:
        assert len(describe(ValueError("boom " * 100_000), HERE).error) <= MAX_REASON

    @pytest.mark.parametrize("error", [Unprintable(), NotText()], ids=["raises", "no text"])
    def test_an_error_that_cannot_be_printed_is_described(self, error: Exception) -> None:
        described = describe(error, HERE)
        assert described.error_type == type(error).__name__
        assert described.error == "(its text cannot be printed)"

    def test_names_that_a_sender_made_up_are_not_told(self) -> None:
        parse = parser({"properties": {"notes": {"additionalProperties": {"type": "string"}}}})
        with pytest.raises(MalformedEvent, match="must be string") as caught:
            parse(json.dumps({"id": "a", "notes": {MARKER: 5}}))
        assert MARKER not in describe(caught.value, HERE).error


class TestTrailAfter:
    @pytest.mark.parametrize(
        ("trail", "verdict", "attempt"),
        [
            pytest.param(FRESH, LATER, 1, id="first failure"),
            pytest.param(TRAIL, LATER, 3, id="third failure"),
            pytest.param(TRAIL, DEFERRED, 2, id="not its fault"),
            pytest.param(TRAIL, DEAD, 3, id="dead"),
        ],
    )
    def test_counts_the_attempts(self, trail: Trail, verdict: Retry | Dead, attempt: int) -> None:
        after = trail_after(message(trail=trail), verdict, Kind.TRANSIENT, BOOM, NOW, "1.0.1", None)
        assert after.attempt == attempt

    def test_what_is_no_event_was_never_tried(self) -> None:
        after = trail_after(message(""), Dead(Reason.PERMANENT), Kind.PERMANENT, BOOM, NOW, "", None)
        assert after.attempt == 0

    def test_tells_of_the_last_failure_and_when_the_first_was(self) -> None:
        retried = message("order-1", trail=TRAIL, queue="retry", MessageGroupId="customer-1")
        assert trail_after(retried, LATER, Kind.PERMANENT, BOOM, NOW, "1.0.1", NOW) == Trail(
            attempt=3,
            event_id="order-1",
            key="customer-1",
            first_failed_at=TRAIL.first_failed_at,
            last_failed_at=NOW,
            not_before=NOW,
            source_queue="events",
            verdict="retry",
            kind="permanent",
            error_type="ValueError",
            group=BOOM.group,
            reason="boom",
            release="1.0.1",
            redrive_id="r-1",
        )

    def test_a_dead_letter_says_why(self) -> None:
        after = trail_after(message(trail=TRAIL), DEAD, Kind.TRANSIENT, BOOM, NOW, "", None)
        assert (after.verdict, after.dead_because) == ("dead", "exhausted")

    def test_a_message_of_its_first_failure_came_from_the_queue_it_was_read_from(self) -> None:
        after = trail_after(message(queue="events"), LATER, Kind.TRANSIENT, BOOM, NOW, "", None)
        assert (after.source_queue, after.first_failed_at) == ("events", NOW)

    def test_keeps_how_long_it_waited_for_faults_of_ours(self) -> None:
        waited = message(trail=replace(TRAIL, kind="system", last_failed_at=NOW - timedelta(minutes=1)))
        after = trail_after(waited, LATER, Kind.TRANSIENT, BOOM, NOW, "", None)
        assert (after.waited_seconds, after.kind) == (60, "transient")

    @pytest.mark.parametrize(
        ("verdict", "is_excused"),
        [
            pytest.param(LATER, False, id="an attempt was counted"),
            pytest.param(DEFERRED, True, id="none was counted"),
            pytest.param(DEAD, False, id="dead"),
        ],
    )
    def test_says_whether_the_last_failure_was_its_own_fault(self, verdict: Retry | Dead, is_excused: bool) -> None:
        after = trail_after(message(trail=TRAIL), verdict, Kind.TRANSIENT, BOOM, NOW, "", None)
        assert after.is_excused is is_excused

    def test_waiting_changes_nothing_but_the_time(self) -> None:
        until = NOW + timedelta(hours=1)
        waiting = message(trail=TRAIL, queue="retry")
        after = trail_after(waiting, DEFERRED, Kind.TRANSIENT, Description(), NOW, "2.0.0", until)
        assert after == replace(TRAIL, not_before=until)


class TestReport:
    def test_a_failure_is_told_with_its_next_attempt(self) -> None:
        failed = message("order-1", queue="retry", MessageGroupId="customer-1", trail=TRAIL)
        after = trail_after(failed, LATER, Kind.TRANSIENT, BOOM, NOW, "", None)
        assert Report.failed(failed, LATER, after, BOOM, 6).fields() == {
            "pipeline_event": "failed",
            "verdict": "Retry",
            "event_id": "order-1",
            "key": "customer-1",
            "attempt": 3,
            "max_attempts": 6,
            "queue": "retry",
            "source_queue": "events",
            "redrive_id": "r-1",
            "kind": "transient",
            "group": BOOM.group,
            "error_type": "ValueError",
            "error": "boom",
            "where": "handler:handle",
            "next_at": "2026-01-01T12:00:05.000+00:00",
        }

    def test_a_dead_letter_is_told_with_its_reason(self) -> None:
        after = trail_after(message(), DEAD, Kind.TRANSIENT, BOOM, NOW, "", None)
        told = Report.failed(message(), DEAD, after, BOOM, 6).fields()
        assert (told["verdict"], told["dead_because"]) == ("Dead", "exhausted")
        assert "next_at" not in told

    def test_what_is_empty_is_left_out_and_nought_is_not_empty(self) -> None:
        after = trail_after(message(""), Dead(Reason.PERMANENT), Kind.PERMANENT, BOOM, NOW, "", None)
        told = Report.failed(message(""), Dead(Reason.PERMANENT), after, BOOM, 6).fields()
        assert told["attempt"] == 0
        assert told.keys().isdisjoint({"event_id", "key", "redrive_id", "next_at"})

    def test_a_recovery_is_told_with_what_it_recovered_from(self) -> None:
        told = Report.recovered(message("order-1", trail=TRAIL), 6).fields()
        assert (told["pipeline_event"], told["verdict"], told["attempt"]) == ("recovered", "Done", 3)
        assert (told["kind"], told["error_type"], told["group"]) == ("transient", "TimeoutError", TRAIL.group)

    def test_a_record_that_was_not_transformed_is_told_with_its_stream(self) -> None:
        assert Report.unprocessed("49546", "click-1", 2, "clicks", Kind.PERMANENT, BOOM).fields() == {
            "pipeline_event": "failed",
            "verdict": "ProcessingFailed",
            "event_id": "click-1",
            "attempt": 2,
            "stream": "clicks",
            "record_id": "49546",
            "kind": "permanent",
            "group": BOOM.group,
            "error_type": "ValueError",
            "error": "boom",
            "where": "handler:handle",
        }

    def test_a_record_whose_event_has_no_id_is_told_without_one(self) -> None:
        assert "event_id" not in Report.unprocessed("49546", "", 1, "clicks", Kind.PERMANENT, BOOM).fields()

    def test_the_id_of_a_record_is_told_as_it_is_but_not_at_any_length(self) -> None:
        """It looks like a card number, and nobody finds the record without it."""
        digits = "49546986683135544286507457936321625675700192471156785154"
        assert Report.unprocessed(digits, "", 1, "clicks", Kind.PERMANENT, BOOM).record_id == digits
        assert len(Report.unprocessed("x" * 5000, "", 1, "clicks", Kind.PERMANENT, BOOM).record_id) == 256

    def test_ids_that_are_personal_are_not_told(self) -> None:
        assert Report.unprocessed("1", "zoe@example.com", 1, "clicks", Kind.PERMANENT, BOOM).event_id == "[email]"
        personal = message("zoe@example.com", MessageGroupId="+49 30 1234567", trail=TRAIL)
        told = Report.recovered(personal, 6).fields()
        assert (told["event_id"], told["key"]) == ("[email]", "[phone]")

    @pytest.mark.parametrize("name", ["kind", "group", "error_type", "redrive_id"])
    def test_what_a_sender_wrote_as_history_is_told_as_little_as_any_text(self, name: str) -> None:
        """The attribute is input: it may carry a secret, or half a character that no log takes."""
        history = json.dumps({"version": 1, name: f"password={MARKER} \ud800\x9b"})
        received = read(record(attributes={"backstop": string(history)}), "a", QUEUES, NOW)
        told = json.dumps(Report.recovered(received, 6).fields())
        assert MARKER not in told
        assert "\\ud800" not in told
        assert "\\u009b" not in told


class TestWhatAGroupIsMadeOf:
    PARTS = (("version", "2"), ("type", "ValueError"), ("frame", "handler:handle"))

    def test_is_told_with_each_verdict(self) -> None:
        described = BOOM._replace(parts=self.PARTS)
        after = trail_after(message(), DEAD, Kind.TRANSIENT, described, NOW, "", None)
        assert Report.failed(message(), DEAD, after, described, 6).fields()["fingerprint"] == self.PARTS
        told = Report.unprocessed("1", "a", 1, "clicks", Kind.PERMANENT, described).fields()
        assert told["fingerprint"] == self.PARTS

    def test_is_not_told_of_what_has_recovered(self) -> None:
        assert "fingerprint" not in Report.recovered(message(trail=TRAIL), 6).fields()

    def test_is_told_up_to_a_length(self) -> None:
        told = tellable([("fingerprint", "x" * 256)] * 30)
        assert (len(told), len(told[0][1])) == (20, 200)

    def test_is_told_without_secrets(self) -> None:
        parts = [("fingerprint", f"password={MARKER}"), ("frame", f"shop:{MARKER}@example.com")]
        assert tellable(parts) == (("fingerprint", "password=[redacted]"), ("frame", "shop:[email]"))

    @pytest.mark.parametrize(
        "part",
        [
            pytest.param(("frame", "auth:check"), id="a function of a module of a telling name"),
            pytest.param(("message", "password=[redacted]"), id="what was redacted before"),
        ],
    )
    def test_is_told_as_it_is_where_there_is_no_secret(self, part: tuple[str, str]) -> None:
        assert tellable([part]) == (part,)


def test_nothing_in_a_report_is_the_payload() -> None:
    def refuse() -> NoReturn:
        raise ValueError(f"refused: {MARKER!r}")

    with pytest.raises(ValueError, match="refused") as caught:
        refuse()
    failed = message(body=json.dumps({"id": "a", "name": MARKER}), attributes={"shop": string(MARKER)})
    described = describe(caught.value, HERE)
    after = trail_after(failed, LATER, Kind.TRANSIENT, described, NOW, "", None)
    assert MARKER not in json.dumps(Report.failed(failed, LATER, after, described, 6).fields())
    assert MARKER not in after.serialise()
