from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backstop.kinds import Kind
from backstop.trail import FRESH, MAX_LENGTH, MAX_REASON, Trail
from backstop.verdict import Reason
from tests.backstop import NOW, QUEUES

FULL = Trail(
    attempt=3,
    event_id="order-1",
    key="customer-1",
    first_failed_at=NOW - timedelta(hours=1),
    last_failed_at=NOW - timedelta(minutes=1),
    not_before=NOW + timedelta(hours=1),
    source_queue="events",
    verdict="retry",
    kind="transient",
    error_type="PriceNotPublished",
    group="0123456789abcdef",
    reason="no price for <quoted>",
    release="1.2.3",
    redrive_id="r-1",
)

texts = st.text(max_size=40)
names_of_things = st.from_regex(r"([\w.-]{1,64})?", fullmatch=True)
moments = st.datetimes(
    datetime(2025, 1, 2),  # noqa: DTZ001  # Hypothesis takes its bounds without a zone
    datetime(2026, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
).map(lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000))
trails = st.builds(
    Trail,
    attempt=st.integers(0, 1000),
    event_id=texts,
    key=texts,
    first_failed_at=st.none() | moments,
    last_failed_at=st.none() | moments,
    not_before=st.none() | moments,
    waited_seconds=st.integers(0, 365 * 24 * 60 * 60),
    is_excused=st.booleans(),
    source_queue=st.sampled_from(["", *QUEUES]),
    verdict=st.sampled_from(["", "retry"]),
    dead_because=st.sampled_from(["", *Reason]),
    kind=st.sampled_from(["", *Kind]),
    error_type=st.from_regex(r"(\w{1,64})?", fullmatch=True),
    group=st.from_regex(r"([0-9a-f]{16})?", fullmatch=True),
    reason=texts,
    release=names_of_things,
    redrive_id=names_of_things,
)


each_alphabet = pytest.mark.parametrize(
    "character", ["e", "é", "訂", "😀"], ids=["ASCII", "accented", "Chinese", "emoji"]
)


def parse(text: str | None) -> Trail:
    return Trail.parse(text, QUEUES, NOW)


def parse_fields(**fields: Any) -> Trail:
    return parse(json.dumps({"version": 1} | fields))


@settings(deadline=None)
@given(trails)
def test_what_is_written_is_read_again(trail: Trail) -> None:
    assert parse(trail.serialise()) == trail


@settings(deadline=None)
@given(trails.map(lambda trail: replace(trail, verdict="dead")))
def test_a_redriven_message_starts_its_attempts_anew_and_keeps_its_history(trail: Trail) -> None:
    assert parse(trail.serialise()) == replace(
        trail, attempt=0, first_failed_at=None, not_before=None, waited_seconds=0
    )


@settings(deadline=None)
@given(st.text() | st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists).map(json.dumps))
def test_any_text_at_all_can_be_read(text: str) -> None:
    assert parse(text) == FRESH


names = st.sampled_from(sorted(Trail.__slots__))
values = st.integers() | st.floats() | st.text() | st.lists(st.none())


@settings(deadline=None)
@given(st.dictionaries(names, values))
def test_any_fields_at_all_can_be_read(fields: dict[str, Any]) -> None:
    trail = parse_fields(**fields)
    assert 0 <= trail.attempt <= 1000
    assert trail.source_queue in {"", *QUEUES}


@each_alphabet
def test_it_is_written_in_ascii_so_that_any_queue_takes_it(character: str) -> None:
    assert replace(FULL, reason=character * MAX_REASON).serialise().isascii()


@each_alphabet
def test_the_longest_history_that_is_written_is_read_again(character: str) -> None:
    """Were it refused for its length, the message's attempts would start anew each time, for ever."""
    longest = replace(
        FULL,
        event_id=character * 256,  # event.MAX_ID_LENGTH
        key="k" * 128,  # a MessageGroupId's limit, ASCII
        source_queue="events",
        error_type="E" * 64,
        reason=character * MAX_REASON,
        release="r" * 64,
        redrive_id="r" * 64,
        waited_seconds=365 * 24 * 60 * 60,
    )
    assert len(longest.serialise()) <= MAX_LENGTH
    assert parse(longest.serialise()) == longest


def test_what_is_empty_is_left_out() -> None:
    assert json.loads(FRESH.serialise()) == {"version": 1, "attempt": 0}


def test_shortened_keeps_all_but_the_reason() -> None:
    assert FULL.shortened() == replace(FULL, reason="")


UNREADABLE: Mapping[str, str | None] = {
    "none": None,
    "empty": "",
    "not JSON": "{",
    "null": "null",
    "a list": "[]",
    "a number": "7",
    "no version": '{"attempt": 5}',
    "another version": '{"version": 2, "attempt": 5}',
    "version as text": '{"version": "1", "attempt": 5}',
    "100 KB": json.dumps({"version": 1, "attempt": 5, "reason": "x" * 100_000}),
    "one character too long": '{"version":1,"attempt":5}'.ljust(MAX_LENGTH + 1),
    "nested 10,000 deep": "[" * 10_000,
    "nested deep in a field": '{"version": 1, "attempt": ' + "[" * 4_000 + "]" * 4_000 + "}",
    "a number of 5,000 digits": '{"version": 1, "attempt": ' + "9" * 5_000 + "}",
}


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE)
def test_what_was_not_written_here_is_a_fresh_messages_history(text: str | None) -> None:
    assert parse(text) == FRESH


@pytest.mark.parametrize(
    ("attempt", "read"),
    [(-1, 0), (0, 0), (5, 5), (1000, 1000), (10**9, 1000), (True, 0), (2.0, 0), ("1", 0), (None, 0), ([1], 0)],
)
def test_attempts_are_a_number_within_bounds(attempt: object, read: int) -> None:
    assert parse_fields(attempt=attempt).attempt == read


@pytest.mark.parametrize(("seconds", "read"), [(-1, 0), (60, 60), (10**9, 365 * 24 * 60 * 60), (True, 0), ("60", 0)])
def test_the_time_waited_is_a_number_within_a_year(seconds: object, read: int) -> None:
    assert parse_fields(waited_seconds=seconds).waited_seconds == read


@pytest.mark.parametrize("queue", ["https://queue.example/evil", "other", "Events", "", None, 5, ["events"]])
def test_no_queue_but_the_stacks_own_is_taken_from_it(queue: object) -> None:
    assert parse_fields(source_queue=queue).source_queue == ""


@pytest.mark.parametrize("verdict", ["done", "Dead", "", None, True, {}])
def test_no_verdict_but_ours_is_taken_from_it(verdict: object) -> None:
    assert parse_fields(verdict=verdict, attempt=3) == replace(FRESH, attempt=3)


YEAR_AGO = NOW - timedelta(days=365)
DATES: Mapping[str, tuple[object, datetime | None]] = {
    "past": ("2025-12-31T12:00:00.000+00:00", NOW - timedelta(days=1)),
    "without a zone": ("2025-12-31T12:00:00", NOW - timedelta(days=1)),
    "elsewhere": ("2025-12-31T21:00:00+09:00", NOW - timedelta(days=1)),
    "year 1": ("0001-01-01T00:00:00+00:00", YEAR_AGO),
    "before year 1": ("0001-01-01T00:00:00+14:00", YEAR_AGO),
    "nonsense": ("yesterday", None),
    "empty": ("", None),
    "a number": (1_767_268_800, None),
    "a list": (["2025-12-31"], None),
}


@pytest.mark.parametrize("name", ["first_failed_at", "last_failed_at", "not_before"])
@pytest.mark.parametrize(("value", "read"), DATES.values(), ids=DATES)
def test_a_date_is_a_date_of_the_last_year(name: str, value: object, read: datetime | None) -> None:
    assert getattr(parse_fields(**{name: value}), name) == read


@pytest.mark.parametrize("value", ["2027-01-01T00:00:00+00:00", "9999-12-31T23:59:59-23:59"])
def test_a_failure_in_the_future_was_now_and_no_wait_is_longer_than_a_day(value: str) -> None:
    trail = parse_fields(first_failed_at=value, last_failed_at=value, not_before=value)
    assert trail.first_failed_at == trail.last_failed_at == NOW
    assert trail.not_before == NOW + timedelta(hours=24)


@pytest.mark.parametrize("name", ["event_id", "key", "reason"])
def test_texts_are_texts_of_bounded_length(name: str) -> None:
    assert getattr(parse_fields(**{name: "x" * 600}), name) == "x" * MAX_REASON
    assert getattr(parse_fields(**{name: 5}), name) == ""


@pytest.mark.parametrize("name", ["dead_because", "kind", "error_type", "group", "release", "redrive_id"])
@pytest.mark.parametrize("value", ["x" * 600, "card of Zoe", "4111 1111\n", 5, None], ids=repr)
def test_what_is_told_in_logs_has_the_form_in_which_it_is_written(name: str, value: object) -> None:
    assert getattr(parse_fields(**{name: value}), name) == ""
