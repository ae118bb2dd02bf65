"""What people and machines are told is complete, of one schema, and within SNS's rules."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import fastjsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstop.alert import Alert, Digest
from backstop.budget import Reason, Slot, Slots, Window
from backstop.groups import Group
from backstop.kinds import Kind
from backstop.occurrence import Severity
from backstop.publication import Publication, publication, serialise, trial_publication

ROOT = Path(__file__).parents[2]
VALIDATE: Callable[[Any], Any] = fastjsonschema.compile(json.loads((ROOT / "docs" / "alert.schema.json").read_text()))
NOW = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
OPENED = NOW - timedelta(minutes=25)
MAX_SNS_BYTES = 262_144


def group(**fields: Any) -> Group:
    known: dict[str, Any] = {
        "group": "0123456789abcdef",
        "first_seen": OPENED,
        "last_seen": NOW,
        "counted_at": NOW,
        "occurrences": 1204,
        "severity": Severity.ERROR,
        "kind": Kind.PERMANENT,
        "error_type": "ValueError",
        "error": "no price for <quoted>",
        "where": "handler:price_of",
        "function": "shop-process",
        "stage": "prod",
        "release": "r7",
        "verdict": "Dead",
        "queue": "shop-events",
        "releases": frozenset({"r7"}),
    }
    return Group(**known | fields)


def alert(reason: Reason = Reason.FIRST, count: int = 1204, **fields: Any) -> Alert:
    slots = fields.pop("slots", Slots(sent=2))
    seen_before = fields.pop("seen_before", None)
    window = Window("0123456789abcdef", OPENED, NOW, count, slots)
    return Alert(Slot(reason, count), group(**fields), window, NOW, seen_before)


def lines(written: Publication) -> dict[str, str]:
    """Return the facts of a text by their names."""
    pairs = (line.split(":", 1) for line in written.text.splitlines() if ":" in line and not line.startswith(" "))
    return {name: value.strip() for name, value in pairs}


def test_people_read_what_fails_since_when_how_often_where_and_what_to_type_next() -> None:
    written = publication(alert(Reason.MORE), "shop")
    assert written.text.startswith("1,204 times: ValueError in handler:price_of\n")
    facts = lines(written)
    assert facts["what"] == "ValueError, permanent"
    assert facts["where"] == "handler:price_of, shop-process, shop-events"
    assert facts["since"] == "2026-01-05 09:05 UTC (25 min ago)"
    assert facts["how often"] == "1,204 times, 48.2 a minute"
    assert facts["becomes"] == "dead letters: they need a person or a fix"
    assert "no price for <quoted>" in written.text
    assert "backstop groups show g0123456789abcdef --stack shop" in written.text


def test_what_passed_through_no_own_code_is_told_apart_by_what_it_says() -> None:
    written = publication(alert(where="", error="not JSON: " + "x" * 99, error_type="MalformedEvent"), "shop")
    assert written.text.startswith(f"MalformedEvent: not JSON: {'x' * 50}…\n")
    assert written.subject.startswith("[prod] ERROR: MalformedEvent: not JSON: xxx")


def test_an_end_says_after_how_many_and_how_many_were_not_shown() -> None:
    written = publication(alert(Reason.END, slots=Slots(sent=5)), "shop")
    assert written.text.startswith("Over after 1,204 occurrences: ")
    assert lines(written)["not shown"] == "1,199"
    assert written.attributes["severity"] == "info"


def test_what_was_known_before_says_since_when_and_how_often_ever() -> None:
    facts = lines(publication(alert(first_seen=NOW - timedelta(days=9), occurrences=99_999), "shop"))
    assert facts["known"] == "since 2025-12-27 09:30 UTC, 99,999 times in all"
    assert facts["since"].startswith("2026-01-05 09:05")


def test_what_goes_on_from_an_earlier_window_counts_all_of_it() -> None:
    written = publication(alert(Reason.STILL, slots=Slots(sent=1, carried=5000, carried_sent=4)), "shop")
    assert written.text.startswith("Still failing, 6,204 times: ")
    assert lines(written)["not shown"] == "6,199"


def test_a_dead_head_says_that_its_key_waits_for_a_person() -> None:
    assert lines(publication(alert(queue="shop-ordered.fifo"), "shop"))["becomes"].endswith("backstop keys")


@pytest.mark.parametrize("reason", [Reason.FIRST, Reason.MORE, Reason.STILL, Reason.AGAIN, Reason.END])
@pytest.mark.parametrize("seen_before", [None, NOW - timedelta(days=1)])
def test_each_document_is_of_the_documented_schema(reason: Reason, seen_before: datetime | None) -> None:
    document = publication(alert(reason, seen_before=seen_before), "shop").document
    VALIDATE(json.loads(serialise(document)))


def test_a_document_that_lacks_a_field_is_not_of_the_schema() -> None:
    document = dict(publication(alert(), "shop").document)
    del document["occurrences"]
    with pytest.raises(fastjsonschema.JsonSchemaException):
        VALIDATE(document)


def test_a_test_is_of_the_schema_and_says_that_nothing_failed() -> None:
    written = trial_publication("shop", "prod", NOW)
    VALIDATE(json.loads(serialise(written.document)))
    assert "Nothing has failed" in written.text
    assert written.attributes == {"severity": "info", "stage": "prod", "reason": "test"}


def test_a_digest_names_the_first_counts_all_and_fits_into_a_message() -> None:
    releases = frozenset(f"release-{number:056}" for number in range(20))
    one = alert(error="é" * 512, where="m" * 128, event_id="i" * 512, releases=releases, note="n" * 512)
    written = publication(Digest([one] * 300, NOW), "shop")
    VALIDATE(json.loads(serialise(written.document)))
    assert written.document["groups_in_all"] == 300
    assert "and 275 more" in written.text
    message = json.dumps({"default": serialise(written.document), "email": written.text})
    assert len(message.encode()) < MAX_SNS_BYTES


def test_a_digest_is_as_urgent_as_its_most_urgent_group() -> None:
    calm, urgent = alert(severity=Severity.WARNING), alert(severity=Severity.CRITICAL)
    assert publication(Digest([calm, urgent], NOW), "shop").attributes["severity"] == "critical"


@given(st.text(max_size=64), st.text(max_size=128), st.sampled_from(["prod", "", "a" * 32]))
def test_a_subject_is_one_line_of_printable_ascii_of_a_hundred_characters(kind: str, where: str, stage: str) -> None:
    subject = publication(alert(error_type=kind, where=where, stage=stage), "shop").subject
    assert 0 < len(subject) <= 100
    assert subject.isascii()
    assert subject.isprintable()
    assert not subject[0].isspace(), "SNS wants a letter, a digit or punctuation at the beginning"
